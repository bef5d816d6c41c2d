// A side that does not read holds the other back: memory stays bounded, and so does what is taken from the sender.

import Foundation
import TestSupport
import Testing

@Suite("Back-pressure")
struct BackPressureTests {
  private static let bodyByteCount = 200 << 20
  /// The kernel's buffers on both connections, which grow to what it allows, and the gateway's own share.
  private static let takenByteCountMax =
    kernelByteCountMax("tcp_rmem", 6 << 20) + 2 * kernelByteCountMax("tcp_wmem", 4 << 20) + (8 << 20)

  /// How far the kernel lets a socket's buffer grow: the last of three numbers.
  private static func kernelByteCountMax(_ name: String, _ usual: Int) -> Int {
    let text = try? String(contentsOfFile: "/proc/sys/net/ipv4/\(name)", encoding: .utf8)
    return text?.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) } ?? usual
  }
  private static let residentGrowthMax = 8 << 20

  private static func start(gatewayBefore upstream: TestUpstream) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      limits: { body_size: 1GiB }
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes:
        - { path: /other, auth: public, respond: { status: 200, body: other } }
        - { path: "/*", auth: public, upstream: service }
      """)
  }

  /// Waits until no more is taken from the sender, while the same worker has answered many other requests.
  private static func settle(_ gateway: GatewayProcess, _ takenByteCount: () -> Int) async throws -> Int {
    let other = try await gateway.connect()
    var last = -1
    var quietRounds = 0
    while quietRounds < 5 {
      for _ in 1...50 { #expect(try await other.get("/other").text == "other") }
      let taken = takenByteCount()
      quietRounds = taken == last ? quietRounds + 1 : 0
      last = taken
    }
    return last
  }

  @Test("T70 An upload to an upstream that does not read is taken a little, and goes on when the upstream does")
  func upload() async throws {
    let mayRead = Gate()
    let upstream = try await TestUpstream.start(isReading: false, receiveBufferByteCount: 64 << 10) { connection in
      try await mayRead.wait()
      connection.stream.discardInput()
      try await connection.stream.startReading()
      try await connection.stream.waitUntilReceived(Self.bodyByteCount)
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await Self.start(gatewayBefore: upstream)
    #expect(try await gateway.get("/other").status == 200)
    let before = try gateway.beginPeak()
    let client = try await gateway.connect()
    try await client.send("PUT /up HTTP/1.1\r\nHost: test\r\nContent-Length: \(Self.bodyByteCount)\r\n\r\n")
    client.startSending(repeating: 0x78, count: Self.bodyByteCount)
    let taken = try await Self.settle(gateway) { client.sentByteCount }
    #expect(taken > 0)
    #expect(taken < Self.takenByteCountMax, "\(taken >> 10) KiB taken")
    #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax)
    mayRead.open()
    #expect(try await client.receiveResponse(to: "PUT").text == "done")
    #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax)
    #expect(upstream.failures.isEmpty)
  }

  @Test("T70 A download to a client that does not read is taken a little, and goes on when the client does")
  func download() async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.bodyByteCount)\r\n\r\n")
      connection.stream.startSending(repeating: 0x78, count: Self.bodyByteCount)
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await Self.start(gatewayBefore: upstream)
    #expect(try await gateway.get("/other").status == 200)
    let before = try gateway.beginPeak()
    let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 64 << 10)
    try await client.send("GET /down HTTP/1.1\r\nHost: test\r\n\r\n")
    let sender = try await upstream.waitForConnections(1)[0]
    let taken = try await Self.settle(gateway) { sender.sentByteCount }
    #expect(taken > 0)
    #expect(taken < Self.takenByteCountMax, "\(taken >> 10) KiB taken")
    #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax)
    client.discardInput()
    try await client.startReading()
    try await client.waitUntilReceived(Self.bodyByteCount)
    #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax)
  }

  @Test("T70 Chunks of one byte and endless interim responses are held back as well")
  func smallPieces() async throws {
    for piece in ["1\r\nx\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"] {
      let upstream = try await TestUpstream.start { connection in
        _ = try await connection.receiveRequest()
        if piece.hasPrefix("1") { try await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") }
        let block = Array(String(repeating: piece, count: 5000).utf8)
        for _ in 1...4000 where !connection.stream.isEnded { try? await connection.send(block) }
      }
      let gateway = try await Self.start(gatewayBefore: upstream)
      #expect(try await gateway.get("/other").status == 200)
      let before = try gateway.beginPeak()
      let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 64 << 10)
      try await client.send("GET /pieces HTTP/1.1\r\nHost: test\r\n\r\n")
      let sender = try await upstream.waitForConnections(1)[0]
      let taken = try await Self.settle(gateway) { sender.sentByteCount }
      #expect(taken < Self.takenByteCountMax, "\(taken >> 10) KiB taken of \(piece.debugDescription)")
      #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax, "\(piece.debugDescription)")
    }
  }

  @Test("T70 A client that pipelines without reading is not read for ever")
  func pipelineWithoutReading() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await Self.start(gatewayBefore: upstream)
    #expect(try await gateway.get("/other").status == 200)
    let before = try gateway.beginPeak()
    let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 4096)
    let request = Array(String(repeating: "GET /other HTTP/1.1\r\nHost: test\r\n\r\n", count: 1000).utf8)
    for _ in 1...1000 { client.startSending(request) }
    let taken = try await Self.settle(gateway) { client.sentByteCount }
    #expect(taken < 1000 * request.count, "all was taken")
    #expect(try gateway.peakByteCount() - before < Self.residentGrowthMax)
  }

  @Test("T70 A client that takes none of its answers does not hold its connection past idle_timeout")
  func idleWithoutReading() async throws {
    let gateway = try await GatewayProcess.start(
      """
      limits: { idle_timeout: 300ms }
      routes: [{ path: /other, auth: public, respond: { status: 200, body: other } }]
      """)
    let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 4096)
    let request = Array(String(repeating: "GET /other HTTP/1.1\r\nHost: test\r\n\r\n", count: 1000).utf8)
    for _ in 1...1000 { client.startSending(request) }
    // One condition on what stays true: a busy test machine may not look while the connection lasts.
    try await gateway.waitForMetrics("requests, and no connection any more") {
      $0.sum("catraca_requests_total") > 0 && $0.sum("catraca_connections") == 0
    }
  }
}
