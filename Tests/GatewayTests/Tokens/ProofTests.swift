// Tokens that are bound to a key: over each protocol and behind a proxy, with nonces, and what clients are told.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Tokens that are bound to a key", .timeLimit(.minutes(10)))
struct ProofTests {
  private static let secret = "0123456789abcdef0123456789abcdef"

  private func start(
    _ key: TestKey, auth: String = "{ issuers: [login] }", rules: [String] = [], route: [String] = [], top: String = "",
    more: String = ""
  ) async throws -> TokenDoor {
    try await TokenDoor.start(
      jwks: [key.jwk()], rules: rules, auth: auth,
      route: ["identity: { headers: { X-User: sub } }"] + route, more: more, top: top)
  }

  private static func values(_ name: String, of response: RawResponse) -> [String] {
    response.head.fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  @Test("A route that demands a proof takes tokens that are bound, and its challenges say how")
  func demands() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let (bound, plain) = (TokenDoor.token(key, client.claims), TokenDoor.token(key))
    for (demand, schemes) in [("dpop", ["DPoP"]), ("any", ["Bearer", "DPoP"])] {
      let door = try await start(key, auth: "{ issuers: [login], proof: \(demand) }")
      let challenges = Self.values("WWW-Authenticate", of: try await door.gateway.get("/door"))
      #expect(challenges.map { String($0.prefix { $0 != " " }) } == schemes, "\(challenges)")
      #expect(challenges.allSatisfy { !$0.contains("error") })
      let refused = try await door.gateway.get("/door", ["Authorization: Bearer \(plain)"])
      #expect(refused.status == 401 && refused.code == "proof_missing", "\(demand)")
      let answers = Self.values("WWW-Authenticate", of: refused)
      #expect(answers.count == schemes.count && answers.allSatisfy { $0.hasSuffix("error=\"invalid_token\"") })
      let passed = try await door.gateway.get("/door", client.fields(of: bound))
      #expect(passed.status == 200, "\(demand)")
    }
    // Where none is demanded, a client of a bound token that comes as a bearer learns both ways.
    let door = try await start(key)
    let refused = try await door.gateway.get("/door", ["Authorization: Bearer \(bound)"])
    #expect(
      Self.values("WWW-Authenticate", of: refused).map { $0.prefix { $0 != " " } } == ["Bearer", "DPoP"],
      "\(refused.head)")
    #expect(try await door.gateway.get("/door", ["Authorization: Bearer \(plain)"]).status == 200)
  }

  @Test("The proof stays behind, and with forward_token the token goes on as it came")
  func forwarded() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], route: ["identity: { forward_token: true }"],
      more: "  - { path: /open, auth: public, upstream: echo }")
    let token = TokenDoor.token(key, client.claims)
    #expect(try await door.gateway.get("/door", client.fields(of: token)).status == 200)
    let request = try #require(door.upstream.requests.last)
    #expect(request["Authorization"] == "DPoP \(token)" && request["DPoP"] == nil)
    // A service behind a public route has to check it itself.
    #expect(try await door.gateway.get("/open", client.fields("GET", "http://test/open", of: token)).status == 200)
    #expect(door.upstream.requests.last?["DPoP"] != nil)
  }

  @Test("Behind a trusted proxy the URL is the one that its client used, and nobody else can say so")
  func proxies() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let token = TokenDoor.token(key, client.claims)
    let said = ["X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example.com"]
    let cases: [(fields: [String], url: String, trusted: Bool, untrusted: Bool)] = [
      (said, "https://shop.example.com/door", true, false), (said, "https://shop.example.com:443/door", true, false),
      (said, "http://test/door", false, true), (said, "http://shop.example.com/door", false, false),
      (["X-Forwarded-Proto: https"], "https://test/door", true, false),
      (["X-Forwarded-Proto: https", "X-Forwarded-Port: 8443"], "https://test:8443/door", true, false),
      (["X-Forwarded-Proto: https, http"], "https://test/door", false, false),
      (["X-Forwarded-Host: a", "X-Forwarded-Host: b"], "http://b/door", false, false),
      // Nobody said that the proxy writes it: then it is the client's own.
      (["X-Forwarded-Prefix: /api"], "http://test/api/door", false, false),
      (["X-Forwarded-Prefix: /api"], "http://test/door", true, true), ([], "http://test/door", true, true),
    ]
    for isTrusted in [true, false] {
      let door = try await start(key, top: isTrusted ? "trusted_proxies: [127.0.0.0/8]" : "")
      for (fields, url, trusted, untrusted) in cases {
        let response = try await door.gateway.get("/door", fields + client.fields("GET", url, of: token))
        #expect((response.status == 200) == (isTrusted ? trusted : untrusted), "\(fields) \(url) \(isTrusted)")
      }
    }
  }

  @Test("What a trusted proxy took in front of the path belongs to the URL where it is said to write that")
  func prefixes() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let token = TokenDoor.token(key, client.claims)
    let top = "trusted_proxies: { from: [127.0.0.0/8], fields: [X-Forwarded-Prefix] }"
    let door = try await start(key, top: top)
    let cases: [(fields: [String], url: String, passes: Bool)] = [
      (["X-Forwarded-Prefix: /api"], "http://test/api/door", true),
      (["X-Forwarded-Prefix: /api/"], "http://test/api/door", true),
      (["X-Forwarded-Prefix: /api"], "http://test/door", false),
      (["X-Forwarded-Prefix: /ap"], "http://test/api/door", false),
      (["X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /b"], "http://test/b/door", false),
      (["X-Forwarded-Prefix: /"], "http://test/door", true), ([], "http://test/door", true),
    ]
    for (fields, url, passes) in cases {
      let response = try await door.gateway.get("/door", fields + client.fields("GET", url, of: token))
      #expect((response.status == 200) == passes, "\(fields) \(url)")
    }
  }

  @Test("A proof counts over HTTP/2 and TLS as over HTTP/1.1", .needs("curl"))
  func multiplexed() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let upstream = try await TestUpstream.echo()
    let door = try await HTTP2Door.start(key, upstream: upstream)
    let token = TokenDoor.token(key, client.claims)
    for way in HTTP2Door.Way.allCases {
      let url = (way.isSecure ? door.secure : door.clear) + "/door"
      let fields = client.fields("GET", url, of: token).flatMap { ["-H", $0] }
      let text = try await door.curl(way, "/door?a=b", fields)
      #expect(text.lowercased().contains("x-user: alice"), "\(way): \(text)")
      #expect(try await door.curl(way, "/door?a=b", fields).contains("proof_replayed"), "\(way)")
      #expect(!text.lowercased().contains("dpop"))
    }
  }

  @Test("The proof of a WebSocket's handshake counts once, and its frames need none")
  func webSocket() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      try await connection.send(webSocketAgreement(to: request))
      _ = try await connection.stream.receive(1)
    }
    let gateway = try await GatewayProcess.start(
      TokenDoor.configuration(
        issuers: issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"), route: ["websocket: true"],
        upstream: upstream), files: ["keys.json": keySetText(key)])
    try await gateway.waitUntilReady()
    let token = TokenDoor.token(key, client.claims)
    for scheme in ["http", "ws"] {
      let handshake = webSocketHandshake("/door", client.fields("GET", "\(scheme)://test/door", of: token))
      let socket = try await gateway.connect()
      try await socket.send(handshake)
      #expect(try await socket.receiveResponseHead().status == 101, "\(scheme)")
      #expect(upstream.requests.last?.values(of: "DPoP").isEmpty == true)
      let again = try await gateway.exchange(handshake)
      #expect(again.status == 401 && again.code == "proof_replayed")
    }
  }

  @Test("Nonces are demanded where the issuer says so, and a new one comes with an answer before the old one ends")
  func nonces() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let rules = ["leeway: 0s", "dpop: { nonce: true, window: 10m }"]
    func door(_ secrets: String) async throws -> TokenDoor {
      try await start(
        key, rules: rules, route: ["cors: { origins: [\"https://app.example.com\"], expose_headers: [X-Total] }"],
        top: "secrets: [\(secrets)]")
    }
    let first = try await door(Self.secret)
    let token = TokenDoor.token(key, client.claims)
    let asked = try await first.gateway.get(
      "/door", client.fields(of: token) + ["Origin: https://app.example.com"])
    #expect(asked.status == 401 && asked.code == "use_dpop_nonce")
    #expect(asked["WWW-Authenticate"]?.hasSuffix(", error=\"use_dpop_nonce\"") == true)
    #expect(asked["WWW-Authenticate"]?.hasPrefix("DPoP ") == true)
    let exposed = try #require(asked["Access-Control-Expose-Headers"])
    #expect(exposed == "X-Total, DPoP-Nonce, WWW-Authenticate")
    let nonce = try #require(asked["DPoP-Nonce"])
    // In every gateway that has the secret, first or not.
    let next = try await door("ffffffffffffffffffffffffffffffff, \(Self.secret)")
    for (name, door) in [("first", first), ("next", next)] {
      let passed = try await door.gateway.get("/door", client.fields(of: token, ["nonce": .string(nonce)]))
      #expect(passed.status == 200, "\(name)")
      let renewed = Self.values("DPoP-Nonce", of: passed)
      // Of another secret there is a newer one.
      #expect(name == "first" || renewed.count == 1 && renewed[0] != nonce, "\(renewed)")
    }
    let other = try await door("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee")
    for bad in [JSONValue.string(nonce), "", "x", 7] {
      let response = try await other.gateway.get("/door", client.fields(of: token, ["nonce": bad]))
      #expect(response.code == "use_dpop_nonce" && response["DPoP-Nonce"] != nil, "\(bad.text)")
    }
    // Other faults come first, and give no nonce away.
    let foreign = try await first.gateway.get("/door", client.fields("POST", of: token))
    #expect(foreign.code == "proof_invalid" && foreign["DPoP-Nonce"] == nil)
  }

  @Test("In shadow a bad proof is logged and counted, and the request goes on without identity")
  func shadow() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let door = try await start(key, auth: "{ issuers: [login], proof: dpop, mode: shadow }")
    let token = TokenDoor.token(key, client.claims)
    let fields = client.fields(of: token)
    let cases = [
      (fields, nil), (fields, "proof_replayed"), (["Authorization: Bearer \(token)"], "proof_missing"),
      (client.fields("PUT", of: token), "proof_invalid"),
    ]
    for (index, (fields, reason)) in cases.enumerated() {
      #expect(try await door.gateway.get("/door", fields + ["X-Request-Id: shadow-\(index)"]).status == 200)
      #expect(door.upstream.requests.last?["X-User"] == nil)
      let line = try await door.gateway.waitForAccessLog(containing: "shadow-\(index)")
      #expect(reason.map { line.contains("\"shadow_reason\":\"\($0)\"") } ?? !line.contains("shadow_reason"), "\(line)")
    }
  }

  @Test("An opaque token is bound as its issuer says")
  func opaque() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let jkt = client.thumbprint
    let issuer = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let answer = "{\"active\":true,\"aud\":\"api\",\"sub\":\"ada\",\"exp\":4102444800,\"cnf\":{\"jkt\":\"\(jkt)\"}}"
        try await connection.answer(answer, status: "200 OK", to: request)
      }
    }
    let door = try await start(
      key,
      rules: [
        "introspection: { endpoint: \"http://localhost:\(issuer.port)/\", client_id: a, client_secret: b, timeout: 10s }"
      ])
    #expect(try await door.gateway.get("/door", ["Authorization: Bearer opaque"]).code == "proof_missing")
    let fields = client.fields(of: "opaque")
    let passed = try await door.gateway.get("/door", fields)
    #expect(passed.status == 200 && door.upstream.requests.last?["X-User"] == "ada")
    #expect(try await door.gateway.get("/door", fields).code == "proof_replayed")
  }

  @Test("T101: No session begins with a token that is bound, and one of a second issuer begins the right one")
  func sessions() async throws {
    let (key, client) = (try TestKey(.es256), try TestProof())
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      issuers:
        other: { issuer: "https://other.example.com/", audiences: [api], jwks: keys.json }
        login: { issuer: "\(TokenDoor.issuer)", audiences: [api], jwks: keys.json }
      upstreams: { echo: { servers: ["\(upstream.address)"] } }
      sessions: { web: { store: memory, exchange: { path: /session, issuers: [login] } } }
      routes: [{ path: /*, auth: { sessions: [web] }, upstream: echo }]
      """, files: ["keys.json": keySetText(key)])
    try await gateway.waitUntilReady()
    func begin(_ fields: [String]) async throws -> RawResponse {
      try await gateway.get("/session", method: "POST", ["Content-Length: 0"] + fields)
    }
    let bound = TokenDoor.token(key, client.claims)
    let refused = try await begin(client.fields("POST", "http://test/session", of: bound))
    #expect(refused.status == 403 && refused.code == "token_bound" && refused["Set-Cookie"] == nil)
    #expect(try await begin(["Authorization: Bearer \(bound)"]).code == "proof_missing")
    let begun = try await begin(["Authorization: Bearer \(TokenDoor.token(key))"])
    #expect(begun.status == 200)
    let cookie = try #require(begun["Set-Cookie"]).prefix { $0 != ";" }
    #expect(try await gateway.get("/", ["Cookie: \(cookie)"]).status == 200)
  }

  @Test("The metadata of a resource says that its tokens are bound")
  func metadata() async throws {
    let key = try TestKey(.es256)
    for (demand, isRequired, hasAlgorithms) in [("none", false, false), ("dpop", true, true), ("any", false, true)] {
      let door = try await start(
        key, auth: "{ issuers: [login], proof: \(demand), resource: \"https://api.example.com/door\" }")
      let text = try await door.gateway.get("/.well-known/oauth-protected-resource/door").text
      #expect(text.contains("\"dpop_bound_access_tokens_required\": true") == isRequired, "\(text)")
      #expect(text.contains("\"dpop_signing_alg_values_supported\"") == hasAlgorithms, "\(text)")
      #expect(!text.contains("tls_client_certificate_bound_access_tokens"), "\(text)")
    }
  }
}
