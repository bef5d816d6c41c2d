// Sign in at a provider of somebody else's: Canaille, with a page for the name, one for the password, and PKCE, nonce
// and RFC 9207 as it has them. A program walks as a browser does: it follows redirects, keeps cookies and fills in
// forms.

import Foundation
import TestSupport
import Testing

@Suite("Sign in at Canaille", .timeLimit(.minutes(10)))
struct CanailleTests {
  /// Says its port once it serves. Its only client may lead to the gateway, whose origin is the argument.
  private static let provider = """
    import datetime, sys
    from joserfc.jwk import RSAKey
    from werkzeug.serving import make_server
    from canaille import create_app

    origin = sys.argv[1]
    key = RSAKey.generate_key(2048, {"kid": "key-1"}, private=True)
    app = create_app({
        "SECRET_KEY": "not much of one", "CANAILLE": {"DATABASE": "memory", "SMTP": None},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)], "TRUSTED_DOMAINS": ["127.0.0.1"]}})
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with app.app_context():
        from canaille.app import models
        from canaille.backends import Backend
        with Backend.instance.session():
            Backend.instance.save(models.User(
                user_name="ada", family_name="Lovelace", formatted_name="Ada Lovelace", emails=["ada@example.com"],
                password="correct horse"))
            client = models.Client(
                client_id="gateway", client_secret="gateway-secret", client_name="Gateway", client_uri="https://127.0.0.1/",
                client_id_issued_at=datetime.datetime.now(datetime.timezone.utc), redirect_uris=[origin + "login/callback"],
                post_logout_redirect_uris=[origin], grant_types=["authorization_code", "refresh_token"],
                response_types=["code"], scope=["openid", "profile", "email"],
                token_endpoint_auth_method="client_secret_basic", id_token_signed_response_alg="RS256")
            Backend.instance.save(client)
            client.audience = [client]
            Backend.instance.save(client)
    print("port", server.port, flush=True)
    server.serve_forever()
    """

  /// Prints, for each step, status, the path where it ended and the beginning of what was there.
  private static let browser = """
    import html, http.cookiejar, re, ssl, sys, urllib.error, urllib.parse, urllib.request

    origin, jar = sys.argv[1], http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
        urllib.request.HTTPCookieProcessor(jar))

    def go(step, url, data=None, **headers):
        data = urllib.parse.urlencode(data).encode() if data else None
        try:
            answer = opener.open(urllib.request.Request(url, data, {"Accept": "text/html", **headers}))
        except urllib.error.HTTPError as error:
            answer = error
        text = answer.read().decode()
        place = answer.geturl().replace(origin, "gateway/")
        shown = text.strip() if place.startswith("gateway/") and answer.status == 200 else ""
        print(f"{step}: {answer.status} {urllib.parse.urlsplit(place).path} {shown}", flush=True)
        fields = {
            html.unescape(name): html.unescape(value)
            for name, value in re.findall(r'<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"', text)}
        return answer.geturl(), fields

    place, fields = go("page", origin + "page")
    place, fields = go("name", place, {**fields, "login": "ada"})
    place, fields = go("wrong", place, {**fields, "password": "wrong horse"})
    place, fields = go("password", place, {**fields, "password": "correct horse"})
    first = [cookie.value for cookie in jar if cookie.name == "__Host-session"]
    go("me", origin + "login/me", Accept="application/json")
    go("again", origin + "login?return_to=/again")
    second = [cookie.value for cookie in jar if cookie.name == "__Host-session"]
    print("other cookie:", first != second and len(second) == 1)
    # By the ID token Canaille knows who leaves and asks nothing. It leads back to a page that leads to it again.
    go("out", origin + "logout", {"out": "1"}, Origin=origin.rstrip("/"))
    print("cookie left:", any(cookie.name == "__Host-session" for cookie in jar))
    go("me", origin + "login/me", Accept="application/json")
    go("page", origin + "page")
    """

  @Test(
    "A person signs in, is known, gets another cookie with the next sign-in, and signs out here and there",
    .needsCanaille)
  func person() async throws {
    let python = try #require(await PythonPackages.canaille.value)
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-canaille-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(Self.provider.utf8).write(to: folder.appending(path: "provider.py"))
    try Data(Self.browser.utf8).write(to: folder.appending(path: "browser.py"))
    let certificates = try await TestCertificates.shared()
    let port = try closedPort()
    let origin = "https://127.0.0.1:\(port)/"
    let provider = try ChildProcess.start(python, ["-u", "provider.py", origin], in: folder)
    let issuer = try await provider.output.wait(for: "Canaille's port") { output in
      if let status = output.status { throw StreamFailure.malformed("Canaille: \(status) \(output)") }
      return output.standardOutput.first { $0.hasPrefix("port ") }?.dropFirst(5)
    }
    let gateway = try await GatewayProcess.start(
      """
      listeners:
        - address: 127.0.0.1:\(port)
          tls: { certificates: [{ certificate: \(certificates.certificate(.good)), key: \(certificates.key(.good)) }] }
      secrets: [0123456789abcdef0123456789abcdef]
      issuers: { staff: { issuer: "http://127.0.0.1:\(issuer)/", audiences: [shop] } }
      sessions:
        web:
          store: memory
          login:
            issuer: staff
            client_id: gateway
            client_secret: gateway-secret
            scopes: [openid, profile, email]
          me: [sub, name, email]
      routes: [{ path: /*, auth: { sessions: [web] }, respond: { status: 200, body: hello } }]
      """)
    let walk = try await ChildProcess.run(python, ["browser.py", origin], in: folder)
    let steps = [
      "page: 200 /login", "name: 200 /auth/password", "wrong: 200 /auth/password", "password: 200 gateway/page hello",
      #"me: 200 gateway/login/me {"sub":"ada","name":"Ada Lovelace","email":"ada@example.com"}"#,
      "again: 200 gateway/again hello", "other cookie: True", "out: 200 /login", "cookie left: False",
      "me: 401 gateway/login/me", "page: 200 /login",
    ]
    let walked = walk.standardOutput.split(separator: "\n").map { line in
      String(line.reversed().drop { $0 == " " }.reversed())
    }
    #expect(walked == steps, "\(walk.standardError) \(gateway.standardError)")
    provider.kill(SIGTERM)
  }
}
