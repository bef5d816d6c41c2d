// HTTP/1.0 on either side (RFC 9112 §9.3, RFC 9110 §2.5).

import TestSupport
import Testing

@Suite("HTTP/1.0")
struct OldVersionTests {
  private static func start(_ answer: String, isClosing: Bool = true) async throws -> TestUpstream {
    try await TestUpstream.start { connection in
      while true {
        _ = try await connection.receiveRequest()
        try await connection.send(answer)
        if isClosing { return }
      }
    }
  }

  @Test("A 1.0 client gets its answer and the end of the connection. The upstream hears of 1.0 in Via only")
  func oldClient() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let response = try await client.exchange("GET /old HTTP/1.0\r\nHost: test\r\n\r\n")
    #expect(response.status == 200)
    #expect(response["Connection"] == "close")
    try await client.expectClosed()
    let request = upstream.requests[0]
    #expect(request.version == "HTTP/1.1")
    #expect(request["Via"] == "1.0 catraca")
    #expect(request["Host"] == "test")
  }

  @Test("A 1.0 client that asks for keep-alive gets it, where the length is known")
  func oldClientKeepsAlive() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for _ in 1...3 {
      let response = try await client.exchange("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      #expect(response.status == 200)
      #expect(response["Connection"] == "keep-alive")
    }
  }

  @Test("A 1.0 client gets a chunked response without its chunks, ended by the connection")
  func chunkedForOldClient() async throws {
    let upstream = try await Self.start(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
      isClosing: false)
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let response = try await client.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    #expect(response.framing == .untilClose)
    #expect(response["Transfer-Encoding"] == nil)
    #expect(response["Connection"] == "close")
    #expect(response.text == "hello world")
  }

  @Test("A 1.0 upstream's body that ends with its connection becomes chunked, and the client's connection goes on")
  func oldUpstream() async throws {
    let upstream = try await Self.start("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    for count in 1...3 {
      let response = try await client.get("/")
      #expect(response.framing == .chunked)
      #expect(response.text == "until the end")
      #expect(upstream.connections.count == count)
    }
  }

  @Test("A 1.0 upstream that keeps alive is kept. One that does not say so is not")
  func oldUpstreamKeepsAlive() async throws {
    let kept = try await Self.start(
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", isClosing: false)
    let closed = try await Self.start("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", isClosing: false)
    for (upstream, connections) in [(kept, 1), (closed, 3)] {
      let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
      let client = try await gateway.connect()
      for _ in 1...3 { #expect(try await client.get("/").text == "ok") }
      #expect(upstream.connections.count == connections)
    }
  }
}
