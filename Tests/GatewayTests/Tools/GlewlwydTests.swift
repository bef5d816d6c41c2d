// A provider of somebody else's that ends sessions: Glewlwyd. It is set up by its own interface, two people sign in,
// and one of them signs out at the provider, which tells the gateway (OpenID Connect Back-Channel Logout).

import Foundation
import TestSupport
import Testing

@Suite("Sign in at Glewlwyd", .timeLimit(.minutes(10)))
struct GlewlwydTests {
  /// What both programs share: requests with cookies, and no redirect followed.
  private static let browser = """
    import json, sys, urllib.error, urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *arguments):
            return None

    class Browser:
        opener = urllib.request.build_opener(Stay)

        def __init__(self):
            self.jar = {}

        def go(self, url, method="GET", body=None, **headers):
            data = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json", "Cookie": "; ".join(map("=".join, self.jar.items())), **headers}
            try:
                answer = self.opener.open(urllib.request.Request(url, data, headers, method=method))
            except urllib.error.HTTPError as error:
                answer = error
            for line in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = line.partition(";")[0].partition("=")
                self.jar.pop(name, None)
                if value:
                    self.jar[name] = value
            return answer, answer.read().decode()

    """

  /// Sets Glewlwyd up in this folder and says when it serves. Arguments: its port, the gateway's origin.
  private static let provider =
    browser + """
      import os, sqlite3, subprocess, time

      port, origin = sys.argv[1:]
      url, library = f"http://localhost:{port}", "/usr/lib/glewlwyd"
      with open("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3") as schema:
          sqlite3.connect("db").executescript(schema.read())
      os.mkdir("none")
      with open("glewlwyd.conf", "w") as file:
          file.write(f'''
      port={port}
      bind_address="127.0.0.1"
      external_url="{url}"
      api_prefix="api"
      static_files_path="{os.getcwd()}/none"
      log_mode="console"
      log_level="WARNING"
      cookie_domain="localhost"
      session_expiration=86400
      session_key="session"
      admin_scope="g_admin"
      profile_scope="g_profile"
      user_module_path="{library}/user"
      user_middleware_module_path="{os.getcwd()}/none"
      client_module_path="{library}/client"
      user_auth_scheme_module_path="{library}/scheme"
      plugin_module_path="{library}/plugin"
      hash_algorithm="SHA512"
      database = {{ type = "sqlite3"; path = "{os.getcwd()}/db"; }};
      ''')
      server = os.getpid()
      # What is killed then is the provider itself.
      if os.fork():
          os.execvp("glewlwyd", ["glewlwyd", "-c", "glewlwyd.conf"])
      admin = Browser()

      def make(path, body):
          answer, text = admin.go(url + path, "POST", body)
          if answer.status != 200:
              sys.exit(f"{path}: {answer.status} {text}")

      while True:
          try:
              make("/api/auth/", {"username": "admin", "password": "password"})
              break
          except OSError:
              os.kill(server, 0)
              time.sleep(0.1)
      openssl = lambda *arguments, **options: subprocess.run(
          ["openssl", *arguments], capture_output=True, text=True, check=True, **options).stdout
      key = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
      make("/api/mod/plugin/", {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": {
          "iss": url + "/api/oidc", "jwt-type": "rsa", "jwt-key-size": "256", "key": key,
          "cert": openssl("pkey", "-pubout", input=key), "jwks-show": True, "allowed-scope": ["openid"],
          "access-token-duration": 3600, "refresh-token-duration": 86400, "code-duration": 600,
          "refresh-token-rolling": True, "allow-non-oidc": True, "auth-type-code-enabled": True,
          "auth-type-token-enabled": False, "auth-type-id-token-enabled": True, "auth-type-implicit-enabled": False,
          "auth-type-refresh-enabled": True, "auth-type-password-enabled": False, "auth-type-client-enabled": True,
          "introspection-revocation-allowed": True, "introspection-revocation-allow-target-client": True,
          "auth-type-none-enabled": False, "auth-type-device-enabled": False, "pkce-allowed": True,
          "session-management-allowed": True, "back-channel-logout-allowed": True, "session-cookie-name": "sid",
          "session-cookie-expiration": 86400, "subject-type": "public", "oauth-as-iss-id": True, "oauth-dpop-allowed": True,
          "oauth-dpop-iat-duration": 600, "oauth-dpop-iat-gap-duration": 60}})
      make("/api/client/", {
          "client_id": "gateway", "client_secret": "gateway-secret", "confidential": True, "enabled": True,
          "redirect_uri": [origin + "/login/callback"], "authorization_type": ["code", "client_credentials"], "scope": ["openid"],
          "token_endpoint_auth_method": ["client_secret_basic"],
          "backchannel_logout_uri": origin + "/login/back-channel", "post_logout_redirect_uri": origin + "/"})
      for name in ("ada", "grace"):
          make("/api/user/", {
              "username": name, "password": "correct horse", "enabled": True, "scope": ["openid", "g_profile"]})
      print("ready", flush=True)
      """

  /// Two people sign in, and one of them signs out at the provider. Arguments: the provider, the gateway's origin.
  private static let walk =
    browser + """
      from urllib.parse import urlsplit

      provider, origin = sys.argv[1:]

      def sign_in(name):
          person, page = Browser(), Browser()
          person.go(provider + "/api/auth/", "POST", {"username": name, "password": "correct horse"})
          person.go(provider + "/api/auth/grant/gateway", "PUT", {"scope": "openid"})
          answer, _ = page.go(origin + "/page", Accept="text/html")
          answer, _ = page.go(origin + answer.headers["Location"])
          answer, _ = person.go(answer.headers["Location"] + "&g_continue")
          answer, text = page.go(answer.headers["Location"])
          print(name, answer.status, answer.headers["Location"] or text)
          return person, page

      def look(name, page):
          answer, text = page.go(origin + "/page")
          print(name, answer.status, text if answer.status == 200 else json.loads(text)["code"])

      ada, ada_page = sign_in("ada")
      grace, grace_page = sign_in("grace")
      look("ada", ada_page)
      look("grace", grace_page)
      answer, _ = ada.go(provider + "/api/oidc/session/" + ada.jar["sid"], "DELETE")
      print("ended", answer.status)
      # The provider may answer before it has told the gateway.
      for _ in range(1000):
          answer, text = ada_page.go(origin + "/page")
          if answer.status != 200:
              break
      print("ada", answer.status, text if answer.status == 200 else json.loads(text)["code"])
      look("ada", ada_page)
      look("grace", grace_page)
      answer, _ = grace_page.go(origin + "/logout", "POST", {}, Origin=origin)
      print("out", answer.status, urlsplit(answer.headers["Location"]).path)
      look("grace", grace_page)
      """

  private static func folder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-glewlwyd-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  /// The provider, with its URL.
  private static func start(in folder: URL, origin: String) async throws -> (ChildProcess, url: String) {
    try Data(provider.utf8).write(to: folder.appending(path: "provider.py"))
    let port = try closedPort()
    let process = try ChildProcess.start(
      "/usr/bin/env", ["python3", "-u", "provider.py", "\(port)", origin], in: folder)
    try await process.output.wait(for: "Glewlwyd to be ready") { output in
      if let status = output.status { throw StreamFailure.malformed("Glewlwyd: \(status) \(output)") }
      return output.standardOutput.contains("ready") ? () : nil
    }
    return (process, "http://localhost:\(port)")
  }

  @Test(
    "Tokens of Glewlwyd pass, are asked about where its document says, and count no more once it has revoked them",
    .needs("glewlwyd"), .needs("python3"), .needs("openssl"), .needs("curl"))
  func introspection() async throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let (provider, url) = try await Self.start(in: folder, origin: "http://localhost")
    defer { provider.kill(SIGTERM) }
    let gateway = try await GatewayProcess.start(
      """
      workers: 1
      issuers:
        glewlwyd:
          issuer: "\(url)/api/oidc"
          audiences: [openid]
          algorithms: [RS256]
          introspection:
            { client_id: gateway, client_secret: gateway-secret, for: all, cache: 0s, refusals: 0s, timeout: 10s }
      routes: [{ path: /*, auth: { issuers: [glewlwyd], scopes: [openid] }, respond: { status: 200, body: hello } }]
      """)
    try await gateway.waitUntilReady()
    _ = try await gateway.waitForLog("the end point") { $0.contains("introspection end point found") }
    func post(_ form: String, to path: String) async throws -> String {
      try await ChildProcess.run(
        "curl", ["-s", "-u", "gateway:gateway-secret", "-d", form, "\(url)/api/oidc/\(path)"]
      ).standardOutput
    }
    let granted = try await post("grant_type=client_credentials&scope=openid", to: "token")
    let token = String(try #require(granted.firstMatch(of: /"access_token":"([^"]+)"/)).1)
    let good = try await gateway.get("/", ["Authorization: Bearer \(token)"])
    #expect(good.status == 200, "\(good.text) \(gateway.standardError)")
    #expect(try await gateway.get("/", ["Authorization: Bearer nonsense"]).code == "token_inactive")
    _ = try await post("token=\(token)", to: "revoke")
    #expect(try await gateway.get("/", ["Authorization: Bearer \(token)"]).code == "token_inactive")
  }

  @Test(
    "Two people sign in, and a session ends when the provider says so, and no other one",
    .needs("glewlwyd"), .needs("python3"), .needs("openssl"))
  func backChannel() async throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(Self.walk.utf8).write(to: folder.appending(path: "walk.py"))
    let port = try closedPort()
    let origin = "http://localhost:\(port)"
    let (provider, url) = try await Self.start(in: folder, origin: origin)
    defer { provider.kill(SIGTERM) }
    let gateway = try await GatewayProcess.start(
      """
      listeners: [{ address: 127.0.0.1:\(port) }]
      workers: 2
      secrets: [0123456789abcdef0123456789abcdef]
      issuers: { staff: { issuer: "\(url)/api/oidc", audiences: [shop] } }
      sessions:
        web:
          store: memory
          login: { issuer: staff, client_id: gateway, client_secret: gateway-secret, scopes: [openid] }
      routes: [{ path: /*, auth: { sessions: [web] }, respond: { status: 200, body: hello } }]
      """)
    let walk = try await ChildProcess.run("python3", ["walk.py", url, origin], in: folder)
    let steps = [
      "ada 303 /page", "grace 303 /page", "ada 200 hello", "grace 200 hello", "ended 200", "ada 401 session_expired",
      "ada 401 session_missing", "grace 200 hello", "out 303 /api/oidc/end_session", "grace 401 session_missing",
    ]
    let walked = walk.standardOutput.split(separator: "\n").map(String.init)
    #expect(walked == steps, "\(walk.standardError) \(gateway.standardError) \(provider.output.current)")
  }

  /// Somebody gets a token that is bound to a key of pydpop's, and calls the gateway with it. Arguments: the provider,
  /// the origin that it leads to, the gateway.
  private static let boundWalk =
    browser + """
      import base64, pydpop
      from urllib.parse import parse_qs, urlencode, urlsplit

      provider, origin, gateway = sys.argv[1:]
      key, thief = pydpop.generate_key(), pydpop.generate_key()
      person = Browser()
      person.go(provider + "/api/auth/", "POST", {"username": "ada", "password": "correct horse"})
      person.go(provider + "/api/auth/grant/gateway", "PUT", {"scope": "openid"})
      back = origin + "/login/callback"
      answer, _ = person.go(provider + "/api/oidc/auth?" + urlencode({
          "response_type": "code", "client_id": "gateway", "redirect_uri": back, "scope": "openid", "state": "s",
          "nonce": "n", "g_continue": ""}))
      code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
      url = provider + "/api/oidc/token"
      form = urlencode({"grant_type": "authorization_code", "code": code, "redirect_uri": back}).encode()
      grant = json.load(urllib.request.urlopen(urllib.request.Request(url, form, {
          "Authorization": "Basic " + base64.b64encode(b"gateway:gateway-secret").decode(),
          "DPoP": pydpop.generate_proof(private_key=key, htm="POST", htu=url)})))
      print(grant["token_type"])
      token = grant["access_token"]

      def look(name, scheme, **proof):
          fields = {"Authorization": scheme + " " + token}
          if proof:
              fields["DPoP"] = pydpop.generate_proof(htm="GET", htu=gateway + "/page", access_token=token, **proof)
          answer, text = Browser().go(gateway + "/page", **fields)
          print(name, answer.status, text if answer.status == 200 else json.loads(text)["code"])

      look("sender", "DPoP", private_key=key)
      look("thief", "DPoP", private_key=thief)
      look("bearer", "Bearer")
      """

  @Test(
    "A token that Glewlwyd binds to a key passes with a proof by that key, and in no other way", .needs("glewlwyd"),
    .needs("openssl"), .needsProofLibraries)
  func boundTokens() async throws {
    let python = try #require(await PythonPackages.proofs.value)
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data(Self.boundWalk.utf8).write(to: folder.appending(path: "walk.py"))
    let origin = "http://localhost:\(try closedPort())"
    let (provider, url) = try await Self.start(in: folder, origin: origin)
    defer { provider.kill(SIGTERM) }
    let gateway = try await GatewayProcess.start(
      """
      issuers: { login: { issuer: "\(url)/api/oidc", audiences: [openid] } }
      routes:
        - { path: /page, auth: { issuers: [login], proof: dpop }, respond: { status: 200, body: hello } }
      """)
    try await gateway.waitUntilReady()
    let walk = try await ChildProcess.run(
      python, ["walk.py", url, origin, "http://127.0.0.1:\(gateway.port)"], in: folder)
    let walked = walk.standardOutput.split(separator: "\n").map(String.init)
    #expect(
      walked == ["DPoP", "sender 200 hello", "thief 401 proof_invalid", "bearer 401 proof_missing"],
      "\(walk.standardError) \(gateway.standardError) \(provider.output.current)")
  }
}
