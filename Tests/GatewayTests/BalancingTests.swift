// Several servers of one upstream: turns, weights, and servers that cannot be reached.

import TestSupport
import Testing

@Suite("Load balancing")
struct BalancingTests {
  private static func configuration(_ servers: String, _ keys: String = "") -> String {
    """
    upstreams:
      service: { servers: [\(servers)]\(keys) }
    routes:
      - { path: "/*", auth: public, upstream: service }
    """
  }

  @Test("Servers take turns by weight, each over one kept connection")
  func weights() async throws {
    let names = ["a", "b", "c"]
    var upstreams: [TestUpstream] = []
    for name in names { upstreams.append(try await TestUpstream.answering(name)) }
    let servers = zip(upstreams, [2, 1, 1]).map { "{ address: \"\($0.address)\", weight: \($1) }" }.joined(
      separator: ", ")
    let gateway = try await GatewayProcess.start(Self.configuration(servers))
    let client = try await gateway.connect()
    var turns: [String] = []
    for _ in 1...12 { turns.append(try await client.get("/").text) }
    for (name, share) in zip(names, [6, 3, 3]) { #expect(turns.count { $0 == name } == share) }
    for start in stride(from: 0, to: 12, by: 4) {
      #expect(Set(turns[start..<start + 4]) == ["a", "b", "c"], "\(turns)")
    }
    #expect(upstreams.allSatisfy { $0.connections.count == 1 })
  }

  @Test("A server that refuses connections is passed over, for requests with bodies too, and counted")
  func connectFailure() async throws {
    let upstream = try await TestUpstream.echo()
    let closed = try closedPort()
    let gateway = try await GatewayProcess.start(
      Self.configuration("\"127.0.0.1:\(closed)\", \"\(upstream.address)\""))
    let client = try await gateway.connect()
    for number in 1...6 {
      let response = try await client.exchange(
        "POST /\(number) HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody")
      #expect(response.status == 200)
      #expect(response.text.hasSuffix("\r\n\r\nbody"))
    }
    #expect(upstream.requests.map(\.target) == (1...6).map { "/\($0)" })
    #expect(try await gateway.metrics().sum("catraca_upstream_retries_total", ["upstream": "service"]) >= 2)
  }

  @Test("When no server can be reached: 502 with its code, and the client's connection goes on")
  func allDown() async throws {
    let closed = try closedPort()
    let gateway = try await GatewayProcess.start(Self.configuration("\"127.0.0.1:\(closed)\""))
    let client = try await gateway.connect()
    for _ in 1...3 {
      let response = try await client.get("/")
      #expect(response.status == 502)
      #expect(response.code == "upstream_connect_failed")
      #expect(response["Connection"] == nil)
    }
    let line = try await gateway.waitForAccessLog(3)[0]
    #expect(line.contains("\"reason\":\"upstream_connect_failed\""))
    #expect(try await gateway.metrics().sum("catraca_errors_total", ["reason": "upstream_connect_failed"]) == 3)
  }

  @Test("A server that does not take the connection in time: 504, and the next server is tried")
  func connectTimeout() async throws {
    // A full accept queue: the kernel drops what would be one more.
    let full = try await TestUpstream.startFull()
    let gateway = try await GatewayProcess.start(
      Self.configuration("\"\(full.address)\"", ", connect_timeout: 200ms"))
    let client = try await gateway.connect()
    let response = try await client.get("/")
    #expect(response.status == 504)
    #expect(response.code == "upstream_connect_timeout")
    let upstream = try await TestUpstream.answering("other")
    let both = try await GatewayProcess.start(
      Self.configuration("\"\(full.address)\", \"\(upstream.address)\"", ", connect_timeout: 1s"))
    let other = try await both.connect()
    for _ in 1...3 { #expect(try await other.get("/").text == "other") }
  }

  @Test("A server's name is resolved")
  func names() async throws {
    let upstream = try await TestUpstream.answering("by name")
    let gateway = try await GatewayProcess.start(Self.configuration("\"localhost:\(upstream.port)\""))
    #expect(try await gateway.get("/").text == "by name")
  }

  @Test("No more idle connections are kept than allowed")
  func idleConnections() async throws {
    let gate = Gate()
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await gate.wait()
        try await connection.answer("ok", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(
      Self.configuration("\"\(upstream.address)\"", ", idle_connections: 2"))
    var clients: [RawClient] = []
    for _ in 1...5 {
      let client = try await gateway.connect()
      try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
      clients.append(client)
    }
    _ = try await upstream.waitForRequests(5)
    gate.open()
    for client in clients { #expect(try await client.receiveResponse().text == "ok") }
    try await upstream.waitForOpenConnections(2)
  }
}
