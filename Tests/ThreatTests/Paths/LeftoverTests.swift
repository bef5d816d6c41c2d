// What a rule leaves must not fall to a rule that requires less: T77, through the running gateway and its check.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct LeftoverTests {
  private static let routes = """
    routes:
      - { path: /admin/*, methods: [GET, HEAD, POST, PUT, PATCH, DELETE], auth: login, upstream: echo }
      - { path: /exact, auth: login, upstream: echo }
      - { path: /*, auth: public, upstream: echo }
    """

  @Test("T77: Methods that a guarded path does not name are 405 over both protocols, and nothing of them goes on")
  func methods() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      more: """
          - { path: "/admin/*", methods: [GET, HEAD, POST, PUT, PATCH, DELETE], auth: login, upstream: echo }
          - { path: "/*", auth: public, upstream: echo }
        """)
    let token = ["Authorization: Bearer \(TokenDoor.token(key))"]
    for path in ["/admin", "/admin/", "/admin/x", "/admin;a/x", "/%61dmin/x"] {
      for method in ["get", "Get", "FOO", "OPTIONS", "PROPFIND", "GETT", "LOCK", "PURGE"] {
        for fields in [[], token] {
          let answer = try await door.gateway.get(path, method: method, fields)
          #expect(answer.status == 405 && answer.code == "method_not_allowed", "\(method) \(path)")
          #expect(answer["Allow"] == "DELETE, GET, HEAD, PATCH, POST, PUT", "\(method) \(path)")
        }
      }
      #expect(try await door.gateway.get(path).code == "token_missing")
    }
    let client = try await door.gateway.connect()
    let frames = ["get", "FOO", "OPTIONS"].enumerated().map { index, method in
      let fields = Frames.get("/admin/x").map { $0.0 == ":method" ? ($0.0, method) : $0 }
      return Frames.headers(UInt32(index * 2 + 1), fields, end: true)
    }
    try await client.send(Frames.preface + Frames.settings() + frames.joined())
    for method in ["get", "FOO", "OPTIONS"] {
      let line = try await door.gateway.waitForAccessLog(
        containing: "\"method\":\"\(method)\"", "\"protocol\":\"HTTP/2\"")
      #expect(line.contains("\"reason\":\"method_not_allowed\""))
    }
    #expect(door.upstream.requests.isEmpty)
    #expect(try await door.gateway.get("/admin/x", token).status == 200)
    #expect(try await door.gateway.get("/elsewhere", method: "FOO").status == 200)
  }

  @Test(
    "T77: The check warns of what else falls to a route that requires less, and says nothing where that is said to be meant"
  )
  func warnings() async throws {
    func check(_ routes: String) async throws -> (status: Int32, text: String) {
      let result = try await GatewayProcess.run(
        ["check", "gateway.conf"],
        configuration: """
          listeners: [{ address: "127.0.0.1:0" }]
          issuers: { login: { issuer: "https://login.example/", audiences: [api] } }
          upstreams: { echo: { servers: ["127.0.0.1:9"] } }
          \(routes)
          """)
      return (result.status, result.standardOutput + result.standardError)
    }
    let warned = try await check(Self.routes)
    #expect(warned.status == 0)
    #expect(warned.text.contains("gateway.conf:7:23: warning: this route requires less than the one on line 6"))
    #expect(warned.text.contains("'/exact/'"))
    let meant = try await check(Self.routes.replacing("auth: public", with: "auth: public, unprotected: allowed"))
    #expect(meant.status == 0 && !meant.text.contains("warning"), "\(meant.text)")
  }
}
