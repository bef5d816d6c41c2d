// Clients that go away in the middle: the upstream is released, and nothing is left.

import TestSupport
import Testing

@Suite("Clients that go away")
struct ClientGoneTests {
  /// No connection is left on either side.
  private static func expectNothingLeft(_ gateway: GatewayProcess, _ upstream: TestUpstream) async throws {
    try await upstream.waitForOpenConnections(0)
    try await gateway.waitForMetrics("no connection to be counted") { metrics in
      metrics.sum("catraca_connections") == 0 && metrics.sum("catraca_upstream_connections") == 0
    }
  }

  @Test("A client that resets in the middle of its body", arguments: [false, true])
  func midRequest(isChunked: Bool) async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let framing = isChunked ? "Transfer-Encoding: chunked\r\n\r\n8\r\nhalf" : "Content-Length: 8\r\n\r\nhalf"
    try await client.send("POST /gone HTTP/1.1\r\nHost: test\r\n\(framing)")
    let connection = try await upstream.waitForConnections(1)[0]
    try await connection.waitUntilReceived(100)
    try await client.reset()
    try await Self.expectNothingLeft(gateway, upstream)
    #expect(upstream.requests.isEmpty)
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("client_closed"))
    #expect(line.contains("\"status\":499"))
  }

  @Test("A client that closes its half in the middle of its body")
  func midRequestHalfClose() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    try await client.send("POST /gone HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\nhalf")
    _ = try await upstream.waitForConnections(1)
    try await client.shutdownOutput()
    try await client.waitUntilGone()
    try await Self.expectNothingLeft(gateway, upstream)
    #expect(upstream.requests.isEmpty)
  }

  @Test("A client that resets while its answer comes")
  func midResponse() async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      while !connection.stream.isEnded { try? await connection.send("4\r\nmore\r\n") }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    try await client.send("GET /endless HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await client.receiveResponseHead()
    _ = try await client.receiveChunk()
    try await client.reset()
    try await Self.expectNothingLeft(gateway, upstream)
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("client_closed"))
    #expect(line.contains("\"status\":200"))
  }

  @Test("A client that resets while it waits")
  func whileWaiting() async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    try await client.send("GET /silent HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await upstream.waitForRequests(1)
    try await client.reset()
    try await Self.expectNothingLeft(gateway, upstream)
  }

  @Test("A client that does not read its answer is cut off after body_timeout")
  func stalled() async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
      connection.stream.startSending(repeating: 0x78, count: 100_000_000)
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "limits: { body_timeout: 2s }", upstreamKeys: "read_timeout: 1h"))
    let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 4096)
    try await client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try await gateway.waitForAccessLog(1)[0].contains("client_stalled"))
    try await Self.expectNothingLeft(gateway, upstream)
  }

  @Test("Fifty clients that go at once leave nothing behind, and the next is served")
  func many() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target == "/next" {
          try await connection.answer("next", fields: ["Connection: close"], to: request)
          return
        }
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    var clients: [RawClient] = []
    for number in 1...50 {
      let client = try await gateway.connect()
      try await client.send("GET /\(number) HTTP/1.1\r\nHost: test\r\n\r\n")
      clients.append(client)
    }
    _ = try await upstream.waitForRequests(50)
    for client in clients { try await client.reset() }
    try await Self.expectNothingLeft(gateway, upstream)
    #expect(try await gateway.get("/next", ["Connection: close"]).text == "next")
    try await Self.expectNothingLeft(gateway, upstream)
  }
}
