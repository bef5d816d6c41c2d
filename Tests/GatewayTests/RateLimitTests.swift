// Rate limits and connections per client in a gateway of several workers.

import Foundation
import TestSupport
import Testing

@Suite("Limits over all workers")
struct SharedLimitTests {
  @Test("Two workers give out what is there and not one more. A reload, and a limit by claim, go on where they were")
  func exact() async throws {
    let issuer = try await TestIssuer.start()
    func file(_ status: Int) -> String {
      """
      workers: 2
      issuers:
      \(issuer.configuration())
      routes:
        - path: /a
          auth: public
          rate_limit: { requests: 25, per: 24h }
          respond: { status: \(status) }
        - path: /b
          auth: login
          rate_limit: { requests: 5, per: 24h, by: claim:sub }
          respond: { status: \(status) }
      """
    }
    let gateway = try await GatewayProcess.start(file(200))
    try await gateway.waitUntilReady()
    func statuses(_ path: String, _ fields: [String] = [], count: Int) async throws -> [Int] {
      try await withThrowingTaskGroup(of: [Int].self) { group in
        for _ in 0..<8 {
          group.addTask {
            let client = try await gateway.connect()
            var statuses: [Int] = []
            for _ in 0..<count / 8 { statuses.append(try await client.get(path, fields).status) }
            return statuses
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
    }
    let open = try await statuses("/a", count: 40)
    #expect(open.count { $0 == 200 } == 25 && open.count { $0 == 429 } == 15)
    let alice = ["Authorization: Bearer \(issuer.token())"]
    #expect(try await statuses("/b", alice, count: 16).count { $0 == 200 } == 5)
    try gateway.write(configuration: file(202))
    #expect(try await gateway.reload().status == 200)
    #expect(try await statuses("/a", count: 8).allSatisfy { $0 == 429 })
    #expect(try await statuses("/b", alice, count: 8).allSatisfy { $0 == 429 })
    let bob = ["Authorization: Bearer \(issuer.token(["sub": "bob"]))"]
    #expect(try await statuses("/b", bob, count: 16).count { $0 == 202 } == 5)
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_rate_limited_total", ["route": "/a"]) == 23)
    #expect(metrics.sum("catraca_rate_limited_total", ["route": "/b"]) == 30)
    let refused = try await gateway.get("/a")
    #expect(refused.code == "rate_limited" && (Int(refused["Retry-After"] ?? "") ?? 0) > 3000)
  }

  @Test("A client past its connections is turned away at once, on whichever worker. One that ends makes room for one")
  func connections() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "workers: 2\nlimits: { connections_per_client: 3 }"))
    var clients: [RawClient] = []
    for _ in 0..<3 {
      let client = try await gateway.connect()
      #expect(try await client.get("/").status == 200)
      clients.append(client)
    }
    for _ in 0..<6 { try await gateway.connect().waitUntilGone() }
    try await gateway.waitForMetrics("six connections too many") {
      $0.sum("catraca_errors_total", ["reason": "connections_per_client"]) == 6
    }
    for client in clients { #expect(try await client.get("/").status == 200) }
    clients.removeLast().close()
    try await gateway.waitUntil("there is room again") {
      let client = try await gateway.connect()
      defer { client.close() }
      return (try? await client.get("/").status) == 200
    }
  }

  @Test("Behind PROXY headers each client they name has its own count, and behind TLS nobody shakes hands in vain")
  func namedClients() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      try await SecureGateway.listener(keys: "proxy_protocol: true")
        + Configurations.plain(upstream, top: "trusted_proxies: [127.0.0.1]\nlimits: { connections_per_client: 1 }"))
    func header(_ client: String) -> [UInt8] { Array("PROXY TCP4 \(client) 10.0.0.1 5000 443\r\n".utf8) }
    func connect(_ client: String) async throws -> RawClient {
      try await RawClient.connect(
        port: gateway.port, preamble: header(client), secure: try await SecureGateway.client())
    }
    let first = try await connect("203.0.113.9")
    #expect(try await first.get("/").status == 200)
    let second = try await connect("203.0.113.10")
    #expect(try await second.get("/").status == 200)
    let refused = try await gateway.connect()
    refused.startSending(header("203.0.113.9"))
    try await refused.waitUntilGone()
    #expect(refused.record.isEmpty)
    let metrics = try await gateway.waitForMetrics("one connection too many") {
      $0.sum("catraca_errors_total", ["reason": "connections_per_client"]) == 1
    }
    #expect(metrics.sum("catraca_tls_handshakes_total") == 2)
    #expect(try await first.get("/").status == 200)
  }
}
