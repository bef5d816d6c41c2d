// What waits for clients of HTTP/2 that do not take it: for one stream, and for all connections together.

import TestSupport
import Testing

@Suite("Memory held for HTTP/2", .serialized, .timeLimit(.minutes(10)))
struct HeldMemoryTests {
  private static let interimValue = String(repeating: "a", count: 15_000)

  private static func start(_ upstream: TestUpstream, more: String = "") async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(
      """
      \(more)
      upstreams:
        one: { servers: ["\(upstream.address)"], connect_timeout: 60s }
        two: { servers: ["\(upstream.address)"], protocol: http2 }
      routes:
        - { path: /fixed, auth: public, respond: { status: 200, body: fixed } }
        - { path: /one, auth: public, upstream: one }
        - { path: /two, auth: public, upstream: two }
      access_log: off
      """)
    for _ in 0..<20 { #expect(try await gateway.get("/fixed").status == 200) }
    return gateway
  }

  /// Returns when the count has not moved while the same worker answered many other requests.
  private static func settle(_ gateway: GatewayProcess, _ count: () -> Int) async throws -> Int {
    let other = try await gateway.connect()
    var last = -1
    var quietRounds = 0
    while quietRounds < 5 {
      for _ in 1...50 { #expect(try await other.get("/fixed").text == "fixed") }
      quietRounds = count() == last ? quietRounds + 1 : 0
      last = count()
    }
    return last
  }

  @Test("T75 Interim answers for a client that does not read hold their server back, and go on when it reads")
  func interimAnswers() async throws {
    let head = Array("HTTP/1.1 103 Early Hints\r\nLink: <\(Self.interimValue)>\r\n\r\n".utf8)
    let count = 3000
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      for _ in 1...count where !connection.stream.isEnded { try await connection.send(head) }
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await Self.start(upstream)
    let before = try gateway.beginPeak()
    let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 64 << 10)
    try await client.send(Frames.preface + Frames.settings() + Frames.headers(1, Frames.get("/one"), end: true))
    let sender = try await upstream.waitForConnections(1)[0]
    let taken = try await Self.settle(gateway) { sender.sentByteCount }
    #expect(taken > 0 && taken < 24 << 20, "\(taken >> 10) KiB taken")
    #expect(try gateway.peakByteCount() - before < 8 << 20)
    client.discardInput()
    try await client.startReading()
    try await sender.waitUntilSent(count * head.count)
    // Huffman's code has five bits for an `a`. The value is too large for HPACK's table.
    try await client.waitUntilReceived(count * 9000)
    #expect(try gateway.peakByteCount() - before < 8 << 20)
    #expect(upstream.failures.isEmpty)
  }

  @Test("T75 Interim answers that no window holds back are left out where the client does not read")
  func interimAnswersOverHTTP2() async throws {
    let head = Frames.headers(1, [(":status", "103"), ("link", Self.interimValue)])
    let upstream = try await TestUpstream.start { connection in
      try await connection.send(Frames.settings() + Frames.settingsAck)
      try await connection.stream.waitUntilReceived(24 + 9 + 60)
      // As many as the gateway takes for nothing.
      for _ in 1...900 where !connection.stream.isEnded { try await connection.send(head) }
      try await connection.send(Frames.ping())
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await Self.start(upstream)
    let before = try gateway.beginPeak()
    let client = try await gateway.connect(isReading: false, receiveBufferByteCount: 16 << 10)
    try await client.send(Frames.preface + Frames.settings() + Frames.headers(1, Frames.get("/two"), end: true))
    let sender = try await upstream.waitForConnections(1)[0]
    try await sender.waitUntilSent(900 * head.count)
    _ = try await Self.settle(gateway) { sender.receivedByteCount }
    // Loopback takes some MiB. What it does not take is what counts.
    #expect(try await gateway.metrics().sum("catraca_memory_bytes") < Double(256 << 10))
    #expect(try gateway.peakByteCount() - before < 6 << 20)
  }

  @Test("T94 Many streams with shut windows stay within limits.memory, which is given back, and others are served")
  func allConnections() async throws {
    let limit = 16 << 20
    let body = String(repeating: "b", count: 300_000)
    let upstream = try await TestUpstream.start { connection in
      while true { try await connection.answer(body, to: try await connection.receiveRequest()) }
    }
    let gateway = try await Self.start(upstream, more: "limits: { memory: 16MiB }")
    let before = try gateway.beginPeak()
    #expect(try await gateway.metrics().sum("catraca_memory_limit_bytes") == Double(limit))
    var clients: [RawClient] = []
    var peak = 0.0
    for _ in 1...10 {
      let client = try await gateway.connect()
      client.discardInput()
      let requests = (0..<100).flatMap { Frames.headers($0 * 2 + 1, Frames.get("/one"), end: true) }
      client.startSending(Frames.preface + Frames.settings([(4, 0)]) + requests)
      clients.append(client)
      peak = max(peak, try await gateway.metrics().sum("catraca_memory_bytes"))
    }
    try await gateway.waitForMetrics("the largest holders to be let go") { metrics in
      peak = max(peak, metrics.sum("catraca_memory_bytes"))
      return metrics.sum("catraca_errors_total", ["reason": "memory_exhausted"]) > 0
    }
    // Another client is served while those that are left still hold what they hold.
    try await gateway.waitUntil("another client to be served") {
      peak = max(peak, try await gateway.metrics().sum("catraca_memory_bytes"))
      return try await gateway.get("/fixed").status == 200
    }
    #expect(peak < Double(limit + 4 << 20), "\(peak)")
    #expect(try gateway.peakByteCount() - before < 64 << 20)
    for client in clients { try await client.reset() }
    try await gateway.waitForMetrics("all to be given back") {
      $0.sum("catraca_connections", ["state": "active"]) == 0 && $0.sum("catraca_memory_bytes") < Double(256 << 10)
    }
    try await gateway.waitUntil("the system to have it back") {
      try gateway.anonymousByteCount() - before < 16 << 20
    }
    #expect(try await gateway.get("/one").text == body)
  }

  @Test("T94 Bodies that wait for a server count, and no more are taken when memory is full")
  func uploads() async throws {
    let upstream = try await TestUpstream.startFull()
    let gateway = try await Self.start(upstream, more: "limits: { memory: 8MiB, body_size: 1GiB }")
    var clients: [RawClient] = []
    for _ in 1...4 {
      let client = try await gateway.connect()
      client.discardInput()
      let bodies = (0..<100).flatMap { number in
        Frames.headers(number * 2 + 1, Frames.post("/one"))
          + (0..<4).flatMap { _ in Frames.data(number * 2 + 1, [UInt8](repeating: 97, count: 16_000)) }
      }
      client.startSending(Frames.preface + Frames.settings() + bodies)
      clients.append(client)
    }
    try await gateway.waitForMetrics("some to be let go or refused") {
      $0.sum("catraca_errors_total", ["reason": "memory_exhausted"]) > 0
    }
    try await gateway.waitUntil("the bound to hold") {
      try await gateway.metrics().sum("catraca_memory_bytes") < Double(8 << 20)
    }
    for client in clients { try await client.reset() }
    try await gateway.waitUntil("another client to be served") { try await gateway.get("/fixed").status == 200 }
  }
}
