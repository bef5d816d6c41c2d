// `POST /explain` about credentials that somebody else knows: sessions of a list, and tokens that an issuer explains.

import TestSupport
import Testing
import Tokens

@Suite("Explanations of sessions and opaque tokens", .timeLimit(.minutes(10)))
struct CredentialExplainTests {
  private static func ask(
    _ gateway: GatewayProcess, _ fields: String, path: String = "/", isText: Bool = true
  ) async throws -> String {
    try await gateway.admin(
      "/explain", method: "POST", isText ? ["Accept: text/plain"] : [],
      body: "{\"request\":\"GET http://shop.example.com\(path)\",\(fields)}"
    ).text
  }

  @Test("A session in memory is looked up, which is no use of it, and its end is seen at once")
  func memory() async throws {
    let upstream = try await TestUpstream.echo()
    let key = try TestKey(.es256)
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      issuers: { login: { issuer: "\(TokenDoor.issuer)", audiences: [api], jwks: keys.json } }
      upstreams: { echo: { servers: ["\(upstream.address)"] } }
      sessions: { web: { store: memory, exchange: { path: /session, issuers: [login] } } }
      routes:
        - path: /*
          auth: { sessions: [web], scopes: [read] }
          identity: { headers: { X-User: sub } }
          upstream: echo
        - { path: /other/*, auth: { sessions: [web], scopes: [write] }, upstream: echo }

      """, files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    let token = makeToken(
      issuer: TokenDoor.issuer, ["aud": "api", "sub": "ada", "scope": "read", "secret": "not-shown"], key: key)
    let begun = try await gateway.exchange(
      "POST /session HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 0\r\nConnection: close\r\n"
        + "Authorization: Bearer \(token)\r\n\r\n")
    let cookie = String(try #require(begun["Set-Cookie"]).prefix { $0 != ";" })
    let fields = "\"headers\":{\"Cookie\":\"\(cookie)\"}"
    let found = try await Self.ask(gateway, fields)
    #expect(found.contains("session web     found, sub ada, of issuer login, in memory"), "\(found)")
    #expect(found.contains("X-User: ada") && found.contains("that of the upstream"))
    #expect(!found.contains("not-shown") && !found.contains(cookie.dropFirst("__Host-session=".count)))
    #expect(try await Self.ask(gateway, fields, path: "/other/1").contains("scope_missing"))
    let unknown = "\"headers\":{\"Cookie\":\"__Host-session=\(String(repeating: "A", count: 43))\"}"
    let missing = try await Self.ask(gateway, unknown)
    #expect(missing.contains("not found, in memory") && missing.contains("session_expired"), "\(missing)")
    let ended = try await gateway.admin("/sessions/end?sub=ada", method: "POST")
    #expect(ended.text == "ended: 1\n")
    #expect(try await Self.ask(gateway, fields, isText: false).contains("\"code\":\"session_expired\""))
    #expect(upstream.requests.isEmpty)
  }

  @Test(
    "A session in Redis is looked up there, and a store that does not answer is no end of it", .needs("redis-server"))
  func stored() async throws {
    let redis = try await RedisServer.start()
    let sessions = try await StoredSessions()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    let cookie = try await sessions.begin(gateway)
    let fields = "\"headers\":{\"\(cookie.replacing(": ", with: "\":\""))\"}"
    let found = try await Self.ask(gateway, fields)
    #expect(found.contains("found, sub ada") && found.contains("in Redis"), "\(found)")
    #expect(found.contains("that of the upstream"), "\(found)")
    #expect(try await sessions.end(gateway, cookie).status == 204)
    #expect(try await Self.ask(gateway, fields).contains("session_expired"))
    try await redis.kill()
    let silent = try await Self.ask(gateway, fields)
    #expect(silent.contains("no answer, in Redis") && silent.contains("session_store_unavailable"), "\(silent)")
  }

  @Test("Of an opaque token a worker's memory is shown, else its issuer is asked, in the order of the route")
  func opaque() async throws {
    let first = try await Self.issuer(of: "first")
    let second = try await Self.issuer(of: "second")
    let upstream = try await TestUpstream.echo()
    func issuer(_ server: TestUpstream) -> String {
      "{ issuer: \"http://localhost:\(server.port)\", audiences: [api], jwks: keys.json, introspection: "
        + "{ endpoint: \"http://localhost:\(server.port)/ask\", client_id: gateway, client_secret: hidden, "
        + "timeout: 10s } }"
    }
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      issuers:
        one: \(issuer(first))
        two: \(issuer(second))
      upstreams: { echo: { servers: ["\(upstream.address)"] } }
      routes:
        - path: /*
          auth: { issuers: [one, two], scopes: [read] }
          identity: { headers: { X-User: sub } }
          upstream: echo

      """, files: ["keys.json": keySetText([try TestKey(.es256).jwk()])])
    try await gateway.waitUntilReady()
    let token = "\"token\":\"second-+/~ada\""
    let found = try await Self.ask(gateway, token)
    #expect(found.contains("issuer one      not active, asked just now"), "\(found)")
    #expect(found.contains("issuer two      active, sub ada, asked just now") && found.contains("X-User: ada"))
    #expect(!found.contains("second-+/~ada") && !found.contains("hidden"))
    // Nothing of it is remembered: the request asks both.
    let (before, other) = (first.requests.count, second.requests.count)
    #expect(try await gateway.get("/", ["Authorization: Bearer second-+/~ada"]).status == 200)
    #expect(first.requests.count == before + 1 && second.requests.count == other + 1)
    let remembered = try await Self.ask(gateway, token)
    #expect(remembered.contains("issuer one      not active, as a worker remembers"), "\(remembered)")
    #expect(remembered.contains("issuer two      active, sub ada, as a worker remembers"))
    #expect(first.requests.count == before + 1 && second.requests.count == other + 1)
    let refused = try await Self.ask(gateway, "\"token\":\"nobodys\"", isText: false)
    #expect(refused.contains("\"code\":\"token_inactive\"") && refused.contains("\"source\":\"issuer two\""))
    #expect(try await gateway.metrics().sum("catraca_requests_total") == 1)
    #expect(try await gateway.metrics().sum("catraca_introspection_total") == 2)
  }

  /// Knows the tokens that begin with its name, and the subject behind the last `~`.
  private static func issuer(of name: String) async throws -> TestUpstream {
    try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let form = String(decoding: request.body, as: UTF8.self)
        let token = form.dropFirst("token=".count).prefix { $0 != "&" }
        let answer =
          token.hasPrefix(name)
          ? "{\"active\":true,\"aud\":\"api\",\"sub\":\"\(token.split(separator: "~").last ?? "")\","
            + "\"scope\":\"read\",\"exp\":4102444800}"
          : "{\"active\":false}"
        try await connection.answer(answer, to: request)
      }
    }
  }

  @Test("A JWT that its issuer has to confirm is confirmed for an explanation as well, and a silent issuer is said")
  func confirmed() async throws {
    let key = try TestKey(.es256)
    let upstream = try await TestUpstream.echo()
    let gateway: GatewayProcess
    let token = makeToken(issuer: TokenDoor.issuer, ["aud": "api", "sub": "ada"], key: key)
    do {
      let server = try await TestUpstream.start { connection in
        while true {
          let request = try await connection.receiveRequest()
          try await connection.answer("{\"active\":true}", to: request)
        }
      }
      gateway = try await GatewayProcess.start(
        """
        issuers:
          login:
            issuer: "\(TokenDoor.issuer)"
            audiences: [api]
            jwks: keys.json
            introspection:
              { endpoint: "http://localhost:\(server.port)/", client_id: g, client_secret: s, for: all, timeout: 10s }
        upstreams: { echo: { servers: ["\(upstream.address)"] } }
        routes: [{ path: /*, auth: { issuers: [login] }, upstream: echo }]

        """, files: ["keys.json": keySetText([key.jwk()])])
      try await gateway.waitUntilReady()
      let found = try await Self.ask(gateway, "\"token\":\"\(token)\"")
      #expect(found.contains("active, asked just now") && found.contains("that of the upstream"), "\(found)")
    }
    let silent = try await Self.ask(gateway, "\"token\":\"\(token)\"")
    #expect(silent.contains("no answer, asked just now") && silent.contains("introspection_unavailable"), "\(silent)")
  }
}
