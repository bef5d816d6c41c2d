// Clients of HTTP/2 that begin a frame or a header block and do not end it.

import TestSupport
import Testing

@Suite("Slow frames over HTTP/2", .timeLimit(.minutes(10)))
struct SlowFrameTests {
  private static func start() async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      limits: { header_timeout: 500ms, idle_timeout: 1h, body_timeout: 1h }
      routes: [{ path: /fixed, auth: public, respond: { status: 200, body: fixed } }]
      """)
  }

  /// What is sent and never completed.
  enum Beginning: String, CaseIterable {
    case blockWithoutEnd, halfBlock, halfHeader, halfContinuation, halfSettings

    func bytes(on stream: UInt32) -> [UInt8] {
      let head = Frames.get("/fixed")
      let whole = Frames.headers(stream, head, end: true)
      switch self {
      case .blockWithoutEnd: return Frames.headers(stream, head, end: true, endHeaders: false)
      case .halfBlock: return Array(whole.prefix(20))
      case .halfHeader: return Array(whole.prefix(5))
      case .halfContinuation:
        return Frames.headers(stream, head, end: true, endHeaders: false)
          + Frames.continuation(stream, Frames.literal("a", "b"), endHeaders: true).dropLast()
      case .halfSettings: return Frames.settings([(4, 0)]).dropLast()
      }
    }
  }

  @Test("T98 What is begun and not ended ends the connection after header_timeout", arguments: Beginning.allCases)
  func silence(beginning: Beginning) async throws {
    let gateway = try await Self.start()
    // What the gateway sends shows that it has the preface. On a busy machine that may come too late.
    let frames = try await undisturbed("a preface in time") {
      let first = try await gateway.connect()
      try await first.send(Frames.preface + Frames.settings() + beginning.bytes(on: 1))
      let frames = SentFrame.all(try await first.receiveToEnd())
      return frames.isEmpty ? nil : frames
    }
    #expect(frames.last?.type == 7)
    // The same behind a request that was good.
    let second = try await undisturbed("a request in time") {
      let second = try await gateway.connect()
      try await second.send(
        Frames.preface + Frames.settings() + Frames.headers(1, Frames.get("/fixed"), end: true) + Frames.settingsAck)
      return (try? await second.receive(through: "fixed")).map { _ in second }
    }
    try await second.send(beginning.bytes(on: 3))
    #expect(SentFrame.all(try await second.receiveToEnd()).last?.type == 7)
    #expect(try await gateway.metrics().sum("catraca_errors_total", ["reason": "h2_header_timeout"]) >= 1)
  }

  @Test("T98 Half a preface does not hold a connection")
  func halfPreface() async throws {
    let gateway = try await Self.start()
    let client = try await gateway.connect()
    try await client.send(Array(Frames.preface.prefix(20)))
    _ = try await client.receiveToEnd()
  }

  @Test("T98 Octet by octet a header block lasts no longer", arguments: [Beginning.blockWithoutEnd, .halfBlock])
  func drip(beginning: Beginning) async throws {
    let gateway = try await Self.start()
    let client = try await gateway.connect()
    try await client.send(Frames.preface + Frames.settings() + beginning.bytes(on: 1))
    let rest =
      Frames.continuation(1, Frames.literal("a", String(repeating: "b", count: 4000)))
      + [UInt8](repeating: 0, count: 9999)
    for byte in rest where !client.isEnded {
      // The gateway may be gone in the middle of it.
      do { try await client.send([byte]) } catch { break }
      _ = try await gateway.admin("/healthz")
    }
    #expect(client.isEnded)
  }

  @Test("T98 A body's frame may take longer than header_timeout")
  func slowBody() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      _ = try await connection.stream.receive(through: "\r\n0\r\n\r\n")
      try await connection.answer("answered", to: request)
    }
    let gateway = try await GatewayProcess.start(
      """
      limits: { header_timeout: 300ms }
      upstreams: { service: { servers: ["\(upstream.address)"] } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
    let body = Frames.data(1, "slow and whole", end: true)
    // On a busy machine the head itself may come too late, and its connection ends. Another is made then.
    var client: RawClient
    repeat {
      client = try await gateway.connect()
      try await client.send(
        Frames.preface + Frames.settings() + Frames.headers(1, Frames.post("/")) + body.prefix(body.count - 5))
      let sent = client
      try await gateway.waitUntil("the head at the upstream") { !upstream.requests.isEmpty || sent.isEnded }
    } while upstream.requests.isEmpty
    // A head that is begun later, and not ended, ends when more than header_timeout has passed for the body as well.
    for _ in 1...2 {
      let other = try await gateway.connect()
      try await other.send("GET / HTTP/1.1\r\n")
      try await other.waitUntilGone()
    }
    #expect(!client.isEnded)
    try await client.send(Array(body.suffix(5)))
    _ = try await client.receive(through: "answered")
  }
}
