// Clients that look for the way in (RFC 9728): what challenges say, what the metadata says, and whom tokens may be for.

import Testing
import Tokens

@testable import Proxy

@Suite("Protected resources")
struct ResourceTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private func bench() throws -> Bench {
    try Bench(
      """
      routes:
      - path: /mcp
        methods: [GET]
        auth: { issuers: [login], scopes: [read], resource: "https://api.example/mcp" }
        upstream: app
      - path: /mcp
        methods: [POST]
        auth: { issuers: [login], scopes: [read, write], resource: "https://api.example/mcp" }
        upstream: app
      - path: /mcp/admin
        auth: { issuers: [login], claims: { role: admin }, resource: "https://api.example/mcp" }
        upstream: app
      - { path: /, auth: { issuers: [login], resource: "https://api.example" }, upstream: app }
      - { path: /plain, auth: { issuers: [login], scopes: [read] }, upstream: app }
      \(issuer.section.replacing("issuer: i,", with: "issuer: \"https://login.example/\","))
      """, keySets: [issuer.keySet()])
  }

  private static let metadata =
    "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/mcp\""

  private func answer(_ request: String, on bench: Bench) -> String {
    let client = bench.connect()
    defer { client.reset() }
    client.send(request)
    return client.take()
  }

  private func token(_ claims: String = "", audience: String = "\"a\"") throws -> String {
    // The last one of two members would be refused, so this replaces the whole.
    let expiry = Bench.unixMilliseconds / 1000 + 600
    return
      "Authorization: Bearer \(try issuer.token(payload: "{\"iss\":\"https://login.example/\",\"aud\":\(audience),\"sub\":\"alice\",\"exp\":\(expiry)\(claims)}"))"
  }

  @Test("401 and 403 lead to the metadata, with all scopes of what was asked for")
  func challenges() throws {
    let bench = try bench()
    func challenge(_ request: String) -> [String] { values("WWW-Authenticate", in: answer(request, on: bench)) }
    #expect(challenge(get("/mcp")) == ["Bearer realm=\"catraca\", scope=\"read\", \(Self.metadata)"])
    let post = "POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
    #expect(challenge(post + "\r\n") == ["Bearer realm=\"catraca\", scope=\"read write\", \(Self.metadata)"])
    #expect(
      challenge(get("/mcp", "Authorization: Bearer a.b.c"))
        == ["Bearer realm=\"catraca\", error=\"invalid_token\", scope=\"read\", \(Self.metadata)"])
    #expect(
      challenge("\(post)\(try token(",\"scope\":\"read\""))\r\n\r\n")
        == ["Bearer realm=\"catraca\", error=\"insufficient_scope\", scope=\"read write\", \(Self.metadata)"])
    #expect(
      challenge(get("/mcp/admin", try token()))
        == ["Bearer realm=\"catraca\", error=\"insufficient_scope\", \(Self.metadata)"])
    #expect(challenge(get("/plain")) == ["Bearer realm=\"catraca\""])
  }

  @Test("T115 The metadata is of the file alone, whatever Host and forwarding fields say, and any page may read it")
  func metadata() throws {
    let bench = try bench()
    let expected = """
      {
        "resource": "https://api.example/mcp",
        "authorization_servers": [
          "https://login.example/"
        ],
        "scopes_supported": [
          "read",
          "write"
        ],
        "bearer_methods_supported": [
          "header"
        ]
      }

      """
    for lines in [
      "Host: api.example\r\n", "Host: evil.example:1\r\n", "Host: h\r\nX-Forwarded-Host: evil.example\r\n",
      "Host: h\r\nForwarded: host=evil.example;proto=http\r\n",
    ] {
      let text = answer(
        "GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\n\(lines)Origin: https://any.example\r\n\r\n",
        on: bench)
      #expect(body(of: text) == expected)
      #expect(values("Content-Type", in: text) == ["application/json"])
      #expect(values("Access-Control-Allow-Origin", in: text) == ["*"])
      #expect(values("Cache-Control", in: text) == ["public, max-age=300"])
    }
    let preflight = answer(
      "OPTIONS /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: h\r\nOrigin: https://any.example\r\n"
        + "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: mcp-protocol-version\r\n\r\n",
      on: bench)
    #expect(
      preflight.hasPrefix("HTTP/1.1 204")
        && preflight.contains("Access-Control-Allow-Headers: mcp-protocol-version\r\n"))
    #expect(
      body(of: answer(get("/.well-known/oauth-protected-resource"), on: bench)).contains("\"https://api.example\""))
    // Nothing is said of what is no resource.
    #expect(code(answer(get("/.well-known/oauth-protected-resource/plain"), on: bench)) == "route_not_found")
  }

  @Test("A token may be for the resource, and then passes nowhere else, remembered or not")
  func audiences() throws {
    let bench = try bench()
    let scope = ",\"scope\":\"read write\""
    func verdicts(_ audience: String) throws -> [String] {
      let token = try token(scope, audience: audience)
      return try (0..<2).flatMap { _ in
        try ["/mcp", "/", "/plain"].map { path in
          let client = bench.connect()
          defer { client.reset() }
          let count = bench.servers.count
          client.send(get(path, token))
          if bench.servers.count > count {
            try bench.server().reset()
            return "passed"
          }
          return code(client.text)
        }
      }
    }
    let mismatch = "audience_mismatch"
    let row = { (verdicts: [String]) in verdicts + verdicts }
    #expect(try verdicts("\"a\"") == row(["passed", "passed", "passed"]))
    #expect(try verdicts("\"https://api.example/mcp\"") == row(["passed", mismatch, mismatch]))
    #expect(try verdicts("[\"x\",\"https://api.example\"]") == row([mismatch, "passed", mismatch]))
    #expect(try verdicts("[\"https://api.example/mcp\",\"a\"]") == row(["passed", "passed", "passed"]))
    #expect(try verdicts("\"https://api.example/mcp/\"") == row([mismatch, mismatch, mismatch]))
    #expect(try verdicts("\"x\"") == row([mismatch, mismatch, mismatch]))
    // The first refusal of its kind was on a route that has another resource.
    let notice = try #require(bench.refusalNotices.first)
    #expect(notice.detail.expected == "a, https://api.example" && notice.detail.got.contains("https://api.example/mcp"))
  }
}
