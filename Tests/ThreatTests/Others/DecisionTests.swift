// Answers of a service that others get as well: T113, through the running gateway.

import TestSupport
import Testing
import Tokens

@Suite("Decisions of others", .timeLimit(.minutes(10)))
struct DecisionTests {
  /// Says yes, how often it was asked, and whom it was asked about.
  private static func counter() async throws -> TestUpstream {
    let count = Monitor(0)
    return try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let number = count.update { count in
          count += 1
          return count
        }
        let isForbidden = request.head["X-Forwarded-Uri"]?.hasPrefix("/secret") ?? true
        try await connection.answer(
          "", status: isForbidden ? "403 No" : "200 OK",
          fields: ["X-Answer: \(number) \(request.head["X-User"] ?? "")", "Cache-Control: max-age=3600"], to: request)
      }
    }
  }

  private static func start(_ key: TestKey, cache: String) async throws -> (GatewayProcess, TestUpstream, TestUpstream)
  {
    let service = try await counter()
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      issuers:
        login: { issuer: "\(TokenDoor.issuer)", audiences: [api], jwks: keys.json, leeway: 0s }
      upstreams:
        echo: { servers: ["\(upstream.address)"] }
        policy: { servers: ["\(service.address)"] }
      services:
        policy: { upstream: policy, timeout: 20s, cache: \(cache), answer_headers: [X-Answer] }
      routes:
        - path: /*
          auth: { issuers: [login] }
          identity: { headers: { X-User: sub } }
          authorize: { service: policy }
          upstream: echo
      """, files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    return (gateway, service, upstream)
  }

  private static func bearer(_ key: TestKey, _ subject: String) -> String {
    "Authorization: Bearer \(makeToken(issuer: TokenDoor.issuer, ["aud": "api", "sub": .string(subject)], key: key))"
  }

  @Test(
    "T113 A remembered decision serves no other caller, method, path, query or host, and no client can write its answer",
    arguments: ["{ for: 1h }", "{ for: 1h, by: [caller, method, host, path, query] }"])
  func shared(_ cache: String) async throws {
    let key = try TestKey(.es256)
    let (gateway, service, upstream) = try await Self.start(key, cache: cache)
    let client = try await gateway.connect()
    let alice = Self.bearer(key, "alice")
    func answer(_ method: String, _ target: String, _ host: String, _ bearer: String) async throws -> String? {
      let response = try await client.exchange(
        "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\nX-Answer: forged\r\nX_Answer: forged\r\n\(bearer)\r\n"
          + "Content-Length: 0\r\n\r\n")
      #expect(!response.text.contains("forged"))
      return response.text.split(separator: "\r\n").first { $0.hasPrefix("X-Answer: ") }.map(String.init)
    }
    #expect(try await answer("GET", "/a?x=1", "h", alice) == "X-Answer: 1 alice")
    #expect(try await answer("GET", "/a?x=1", "h", alice) == "X-Answer: 1 alice")
    #expect(try await answer("GET", "/a?x=1", "h", Self.bearer(key, "bob")) == "X-Answer: 2 bob")
    #expect(try await answer("DELETE", "/a?x=1", "h", alice) == "X-Answer: 3 alice")
    #expect(try await answer("GET", "/b?x=1", "h", alice) == "X-Answer: 4 alice")
    #expect(try await answer("GET", "/a?x=2", "h", alice) == "X-Answer: 5 alice")
    #expect(try await answer("GET", "/a?x=1", "i", alice) == "X-Answer: 6 alice")
    // A path in another spelling is the same one, and a refusal is asked for again.
    #expect(try await answer("GET", "/%61?x=1", "h", alice) == "X-Answer: 1 alice")
    for _ in 0..<2 { #expect(try await client.get("/secret/x", [alice]).status == 403) }
    #expect(service.requests.count == 8)
    #expect(!upstream.requests.contains { $0.head.startLine.contains("secret") })
  }

  @Test("T113 Parallel requests of two callers are two calls, and each gets the answer about its own caller")
  func parallel() async throws {
    let key = try TestKey(.es256)
    let isOpen = Monitor(false)
    let service = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        _ = try await isOpen.wait(for: "the test to let the service answer") { $0 ? true : nil }
        try await connection.answer("", fields: ["X-Answer: \(request.head["X-User"] ?? "")"], to: request)
      }
    }
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      workers: 1
      issuers:
        login: { issuer: "\(TokenDoor.issuer)", audiences: [api], jwks: keys.json }
      upstreams:
        echo: { servers: ["\(upstream.address)"] }
        policy: { servers: ["\(service.address)"] }
      services:
        policy: { upstream: policy, timeout: 30s, cache: { for: 1h }, answer_headers: [X-Answer] }
      routes:
        - path: /*
          auth: login
          identity: { headers: { X-User: sub } }
          authorize: { service: policy }
          upstream: echo
      limits: { connections_per_client: 4096 }
      """, files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    let bearers = ["alice", "bob"].map { Self.bearer(key, $0) }
    try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for number in 0..<400 {
        let bearer = bearers[number % 2]
        group.addTask { (number, try await gateway.get("/", [bearer]).text) }
      }
      _ = try await service.waitForRequests(2)
      isOpen.update { $0 = true }
      for try await (number, text) in group {
        #expect(text.contains("X-Answer: \(number % 2 == 0 ? "alice" : "bob")\r\n"))
      }
    }
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_authorize_total", ["service": "policy"]) == 400)
    #expect(metrics.sum("catraca_authorize_duration_seconds_count", ["service": "policy"]) == 2)
    #expect(service.requests.count == 2 && service.failures.isEmpty)
  }
}
