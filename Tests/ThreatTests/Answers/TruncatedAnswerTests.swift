// An answer that ends short must look short: nothing that the client sees may pass for a whole one.

import TestSupport
import Testing

@Suite("Truncated answers")
struct TruncatedAnswerTests {
  /// An upstream that sends this to every request but `/good`, and then closes or resets.
  private static func start(_ answer: String, isReset: Bool = false) async throws -> TestUpstream {
    try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        if request.target == "/good" {
          try await connection.answer("good", to: request)
          continue
        }
        try await connection.send(answer)
        if isReset { try await connection.reset() }
        return
      }
    }
  }

  private static func start(gatewayBefore upstream: TestUpstream) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
  }

  private static func expectCounted(_ gateway: GatewayProcess) async throws {
    let line = try await gateway.waitForAccessLog(containing: "upstream_truncated")
    #expect(line.contains("\"status\":200"))
    #expect(try await gateway.metrics().sum("catraca_errors_total", ["reason": "upstream_truncated"]) == 1)
    #expect(try await gateway.get("/good").text == "good")
  }

  @Test("T61 A body shorter than its Content-Length ends the client's connection short", arguments: [false, true])
  func shortLength(isReset: Bool) async throws {
    let upstream = try await Self.start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", isReset: isReset)
    let gateway = try await Self.start(gatewayBefore: upstream)
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\nGET /good HTTP/1.1\r\nHost: test\r\n\r\n")
    do {
      let response = try await client.receiveResponse()
      Issue.record("looked complete: \(response)")
    } catch StreamFailure.ended(_, let rest) {
      #expect(latin1(rest) == "half" || rest.isEmpty)
    } catch StreamFailure.reset {
      // As good a sign as an early end.
    }
    if !isReset { try await Self.expectCounted(gateway) }
  }

  @Test(
    "T61 A chunked body without its end reaches the client without its end",
    arguments: ["", "5\r\nhel", "0\r\n", "0\r\nX-A: 1\r\n"])
  func shortChunks(tail: String) async throws {
    let upstream = try await Self.start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n\(tail)")
    let gateway = try await Self.start(gatewayBefore: upstream)
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await client.receiveResponseHead()
    let rest = latin1(try await client.receiveToEnd())
    #expect(rest.hasPrefix("4\r\nhalf\r\n"))
    #expect(!rest.contains("0\r\n"))
    try await Self.expectCounted(gateway)
  }

  @Test("T61 A client that knows the end by the close only gets a reset instead")
  func oldClient() async throws {
    let upstream = try await Self.start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    let gateway = try await Self.start(gatewayBefore: upstream)
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.0\r\n\r\n")
    await #expect(throws: StreamFailure.self) { try await client.receiveResponse() }
    #expect(client.isReset)
    try await Self.expectCounted(gateway)
  }

  @Test("T61 A body that ends with a reset instead of the connection's end is not a whole body")
  func resetInsteadOfEnd() async throws {
    let gate = Gate()
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\n\r\nhalf")
      try await gate.wait()
      try await connection.reset()
    }
    let gateway = try await Self.start(gatewayBefore: upstream)
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try await client.receiveResponseHead().framing == .chunked)
    #expect(latin1(try await client.receiveChunk()) == "half")
    gate.open()
    await #expect(throws: StreamFailure.self) { try await client.receiveChunk() }
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("upstream_truncated"))
  }

  @Test("T61 A chunk that is malformed in the middle cuts the answer")
  func malformedChunk() async throws {
    let upstream = try await Self.start(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0x4\r\nhalf\r\n0\r\n\r\n")
    let gateway = try await Self.start(gatewayBefore: upstream)
    let client = try await gateway.connect()
    try await client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try await client.receiveResponseHead()
    #expect(latin1(try await client.receiveToEnd()) == "4\r\nhalf\r\n")
    try await Self.expectCounted(gateway)
  }
}
