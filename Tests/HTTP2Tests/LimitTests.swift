// Each bound that a peer can meet, with raw frames: what is over it costs the peer its stream or its connection, and
// the session nothing (T54 to T58, T68 to T70).

import HTTP2
import HTTPWire
import TestSupport
import Testing

@Suite("Limits of HTTP/2 sessions")
struct LimitTests {
  private let server: Endpoint

  init() throws { server = try #require(greetedServer()) }

  /// Sends until the connection is ended, at most `count` times.
  private func flood(_ count: Int, _ bytes: (Int) -> [UInt8]) -> Int {
    for index in 0..<count {
      server.receive(bytes(index))
      server.produce()
      if server.failure != nil { return index }
    }
    return count
  }

  private func expectCalm(_ reason: FailureReason, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(server.failure == reason, sourceLocation: sourceLocation)
    #expect(server.seen.last == .failed(reason), sourceLocation: sourceLocation)
    let last = server.sentFrames.last
    #expect(
      last?.type == 7 && last?.code == ErrorCode.enhanceYourCalm, "\(server.sentFrames.suffix(3))",
      sourceLocation: sourceLocation)
    #expect(server.session.isFinished, sourceLocation: sourceLocation)
    server.receive(Frames.ping())
    #expect(server.produce().isEmpty, sourceLocation: sourceLocation)
  }

  @Test("T54 A client that opens and resets streams without end is asked to calm down")
  func rapidReset() {
    let count = flood(2000) { index in
      let stream = UInt32(index * 2 + 1)
      return Frames.headers(stream, Frames.get(), end: true) + Frames.reset(stream)
    }
    #expect(count >= 400 && count <= 600)
    expectCalm(.rapidReset)
  }

  @Test("T54 Resets that come at a human pace are no attack")
  func slowResets() {
    // nghttp2's own limit is 1000, on the machine's clock.
    let count = flood(900) { index in
      server.now += 100_000_000
      let stream = UInt32(index * 2 + 1)
      return Frames.headers(stream, Frames.get(), end: true) + Frames.reset(stream)
    }
    #expect(count == 900)
    #expect(server.session.openStreamCount == 0)
  }

  @Test("T55 A client that makes us reset its streams without end is asked to calm down")
  func madeYouReset() {
    let count = flood(2000) { index in
      let stream = UInt32(index * 2 + 1)
      // A window beyond 2^31 - 1 is a stream error (RFC 9113 §6.9.1).
      return Frames.headers(stream, Frames.get(), end: true) + Frames.windowUpdate(stream, 0x7FFF_FFFF)
    }
    #expect(count >= 400 && count <= 600)
    expectCalm(.provokedResets)
  }

  @Test("T55 Provoked resets of a client that does not read are bounded as well")
  func madeYouResetUnread() {
    for index in 0..<20_000 where server.failure == nil {
      let stream = UInt32(index * 2 + 1)
      server.receive(Frames.headers(stream, Frames.get(), end: true) + Frames.windowUpdate(stream, 0x7FFF_FFFF))
    }
    #expect(server.failure != nil || server.session.openStreamCount <= 100)
  }

  @Test("T55 Our own refusals are not held against the client")
  func ownResets() {
    for index in 0..<2000 {
      let stream = Int32(index * 2 + 1)
      server.receive(Frames.headers(UInt32(stream), Frames.get(), end: true))
      if let handle = server.streams[stream] { server.session.reset(handle, code: ErrorCode.internalError) }
      server.produce()
      server.streams = [:]
    }
    #expect(server.failure == nil)
  }

  @Test("T56 CONTINUATION frames without end are cut off", arguments: [0, 1, 1000, 16_384])
  func continuations(byteCount: Int) {
    server.receive(Frames.headers(1, Frames.get(), end: true, endHeaders: false))
    let piece = byteCount == 0 ? [] : Frames.literal("x-a", String(repeating: "a", count: max(0, byteCount - 8)))
    let count = flood(100) { _ in Frames.continuation(1, piece) }
    #expect(count <= 9)
    #expect(server.failure == .continuationFlood || server.failure == .headerBlockTooLarge)
    #expect(server.seen == [.failed(server.failure ?? .internalError)])
  }

  @Test("T57 A head over the limit is refused with 431 on its stream, and HPACK's state stays right")
  func headTooLarge() {
    let fields = Frames.get("/", ("x-a", String(repeating: "a", count: 40_000)))
    let block = Frames.block(fields)
    server.receive(
      Frames.frame(1, flags: 1, stream: 1, Array(block[..<16_000]))
        + Frames.continuation(1, Array(block[16_000..<32_000]))
        + Frames.continuation(1, Array(block[32_000...]), endHeaders: true))
    // The second head uses an entry that the first one's tail added to the table.
    let indexed =
      Frames.block(Frames.get("/2")) + [0x40] + Frames.string(Array("x-b".utf8)) + Frames.string(Array("1".utf8))
    server.receive(Frames.frame(1, flags: 5, stream: 3, indexed))
    server.receive(Frames.frame(1, flags: 5, stream: 5, Frames.block(Frames.get("/3")) + [0x80 | 62]))
    #expect(
      server.seen == [
        .refused(1, .headTooLarge), .request(3, ["GET /2", "host: example.org", "x-b: 1"], isEnd: true), .end(3),
        .request(5, ["GET /3", "host: example.org", "x-b: 1"], isEnd: true), .end(5),
      ])
    if let stream = server.streams[1] { server.answer(stream, 431, end: true) }
    server.produce()
    #expect(server.seen.last == .closed(1, 0))
  }

  @Test("T57 T69 Small blocks that unfold to large heads are refused each, and to huge ones with their connection")
  func hpackBomb() {
    let entry = [UInt8(0x40)] + Frames.string(Array("x-bomb".utf8)) + Frames.string([UInt8](repeating: 97, count: 3900))
    server.receive(Frames.frame(1, flags: 5, stream: 1, Frames.block(Frames.get()) + entry))
    for index in 1..<50 {
      let bomb = [UInt8](repeating: 0x80 | 62, count: 30)
      server.receive(Frames.frame(1, flags: 5, stream: UInt32(index * 2 + 1), Frames.block(Frames.get()) + bomb))
    }
    #expect(server.seen.filter { if case .refused(_, .headTooLarge) = $0 { true } else { false } }.count == 49)
    #expect(server.failure == nil)
    // Not looked at to its end: that would take seconds.
    let huge = [UInt8](repeating: 0x80 | 62, count: 16_000)
    server.receive(Frames.frame(1, flags: 5, stream: 201, Frames.block(Frames.get()) + huge))
    server.produce()
    expectCalm(.headerBlockTooLarge)
  }

  @Test("T53 T57 Too many fields are refused on their stream")
  func tooManyFields() {
    let many = (0..<101).map { ("x-\($0)", "") }
    server.receive(Frames.headers(1, Frames.get() + many, end: true))
    #expect(server.seen == [.refused(1, .tooManyFields)])
  }

  @Test(
    "T58 Floods of cheap frames end the connection",
    arguments: [
      ("PING", FailureReason.pingFlood), ("PING with ACK", .pingFlood), ("SETTINGS", .settingsFlood),
      ("PRIORITY", .priorityFlood), ("WINDOW_UPDATE", .windowUpdateFlood), ("DATA", .emptyDataFlood),
      ("unknown", .unknownFrameFlood), ("padded DATA", .emptyDataFlood),
    ])
  func floods(kind: String, reason: FailureReason) {
    server.receive(Frames.headers(1, Frames.post()))
    let count = flood(5000) { _ in
      switch kind {
      case "PING": Frames.ping()
      case "PING with ACK": Frames.ping(ack: true)
      case "SETTINGS": Frames.settings()
      case "PRIORITY": Frames.frame(2, stream: 7, [0, 0, 0, 0, 1])
      case "WINDOW_UPDATE": Frames.windowUpdate(0, 1)
      case "DATA": Frames.data(1, [])
      case "padded DATA": Frames.frame(0, flags: 8, stream: 1, [3, 0, 0, 0])
      default: Frames.frame(0xEE, stream: 1, [1, 2, 3])
      }
    }
    #expect(count >= 900 && count <= 1100, "\(count)")
    expectCalm(reason)
  }

  @Test("T58 Acknowledgements that nobody reads do not pile up", arguments: [true, false])
  func unreadAcknowledgements(isPing: Bool) {
    for _ in 0..<500 { server.receive(isPing ? Frames.ping() : Frames.settings()) }
    #expect(server.failure == .outputFlood)
    #expect(server.seen.last == .failed(.outputFlood))
  }

  @Test("T58 Window updates that go with content are no flood")
  func honestWindowUpdates() {
    server.receive(Frames.headers(1, Frames.get(), end: true))
    guard let stream = server.streams[1] else { return }
    server.answer(stream, 200)
    for _ in 0..<5000 {
      server.append([UInt8](repeating: 1, count: 1000), to: stream)
      server.produce()
      server.receive(Frames.windowUpdate(1, 1000) + Frames.windowUpdate(0, 1000))
    }
    #expect(server.failure == nil)
    #expect(server.session.outputByteCount(of: stream) == 0)
  }

  @Test("T58 Interim responses without end are cut off")
  func interimFlood() throws {
    let client = try #require(greetedClient())
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.produce()
    for _ in 0..<3000 { client.receive(Frames.headers(1, [(":status", "103")])) }
    #expect(client.failure == .interimFlood)
  }

  @Test("T68 More streams than announced never reach the caller")
  func tooManyStreams() throws {
    // Before our SETTINGS are acknowledged they are refused one by one …
    let fresh = try #require(Endpoint(.server))
    fresh.receive(Frames.preface + Frames.settings())
    for index in 0..<150 { fresh.receive(Frames.headers(UInt32(index * 2 + 1), Frames.post())) }
    fresh.produce()
    #expect(fresh.session.openStreamCount == 100)
    #expect(fresh.streams.count == 100)
    #expect(fresh.sentFrames.filter { $0.type == 3 && $0.code == ErrorCode.refusedStream }.count == 50)
    // … and afterwards the client knows better.
    for index in 0..<101 { server.receive(Frames.headers(UInt32(index * 2 + 1), Frames.post())) }
    server.produce()
    #expect(server.streams.count == 100)
    #expect(server.failure == .protocolError)
  }

  @Test("T70 What a stream may send ahead is bounded, and the other streams go on")
  func stalledUpload() throws {
    server.consumes = false
    server.keepsBytes = false
    server.receive(Frames.headers(1, Frames.post()))
    let chunk = [UInt8](repeating: 1, count: 16_384)
    for _ in 0..<4 { server.receive(Frames.data(1, chunk)) }
    #expect(server.receivedByteCount == 65_536)
    // Other streams have the whole connection for themselves.
    server.consumes = true
    server.receive(Frames.headers(3, Frames.post()))
    for _ in 0..<200 {
      server.receive(Frames.data(3, chunk))
      server.produce()
    }
    #expect(server.receivedByteCount == 65_536 + 200 * 16_384)
    #expect(server.failure == nil)
    // More on the stalled one resets it. No more than the frame that broke the rule is reported.
    for _ in 0..<3 { server.receive(Frames.data(1, [1])) }
    server.produce()
    #expect(server.receivedByteCount <= 65_536 + 200 * 16_384 + 1)
    #expect(server.seen.last == .closed(1, ErrorCode.flowControlError))
  }

  @Test("T70 A stalled stream's window opens as its bytes are taken on")
  func resumedUpload() throws {
    server.consumes = false
    server.receive(Frames.headers(1, Frames.post()))
    for _ in 0..<4 { server.receive(Frames.data(1, [UInt8](repeating: 97, count: 16_384))) }
    server.produce()
    #expect(!server.sentFrames.contains { $0.type == 8 && $0.stream == 1 })
    server.session.consumed(try #require(server.streams[1]), 65_536)
    server.produce()
    #expect(server.sentFrames.filter { $0.type == 8 && $0.stream == 1 }.map(\.code) == [65_536])
  }

  @Test("T70 A download waits for the client's window, one event says that there is room again")
  func download() throws {
    server.keepsBytes = false
    server.receive(Frames.headers(1, Frames.get(), end: true))
    let stream = try #require(server.streams[1])
    server.answer(stream, 200)
    server.append([UInt8](repeating: 1, count: 200_000), to: stream)
    server.seen = []
    #expect(server.session.isOutputFull(stream))
    server.session.awaitDrain(of: stream)
    #expect(server.produceOnce(upTo: 20_000).count < 40_000)
    server.produce()
    #expect(server.session.outputByteCount(of: stream) == 200_000 - 65_535)
    #expect(server.seen.isEmpty)
    server.receive(Frames.windowUpdate(0, 1_000_000) + Frames.windowUpdate(1, 110_000))
    server.produce()
    #expect(server.seen == [.drained(1)])
    #expect(server.session.outputByteCount(of: stream) == 200_000 - 65_535 - 110_000)
    server.finish(stream)
    server.receive(Frames.windowUpdate(1, 110_000))
    server.produce()
    #expect(server.seen == [.drained(1), .closed(1, 0)])
  }

  @Test("T75 Heads that wait count like content, until they are sent")
  func waitingHeads() throws {
    server.keepsBytes = false
    server.receive(Frames.headers(1, Frames.get(), end: true))
    let stream = try #require(server.streams[1])
    server.produce()
    let value = String(repeating: "v", count: 10_000)
    for _ in 1...6 { server.interim(stream, 103, "link: \(value)\r\n") }
    #expect(!server.session.isOutputFull(stream))
    server.interim(stream, 103, "link: \(value)\r\n")
    #expect(server.session.isOutputFull(stream))
    server.session.awaitDrain(of: stream)
    #expect(server.session.queuedByteCount > 70_000)
    server.seen = []
    _ = server.produceOnce(upTo: 20_000)
    #expect(server.seen.isEmpty)
    server.produce()
    #expect(server.seen == [.drained(1)])
    #expect(server.session.outputByteCount(of: stream) == 0 && server.session.queuedByteCount == 0)
  }

  @Test("T75 Heads of streams that are over do not pile up")
  func headsOfEndedStreams() throws {
    let lines = "link: " + String(repeating: "v", count: 20_000) + "\r\n"
    var id: Int32 = 1
    while server.failure == nil, id < 2000 {
      server.receive(Frames.headers(UInt32(id), Frames.get(), end: true))
      if let stream = server.streams[id] { server.answer(stream, 200, lines) }
      server.receive(Frames.reset(UInt32(id)))
      id += 2
    }
    #expect(server.failure == .outputFlood)
    #expect(server.session.queuedByteCount < 4 << 20)
  }

  @Test("What waits is counted exactly, however a stream ends")
  func countedContent() throws {
    server.keepsBytes = false
    server.receive(Frames.settings([(4, 100)]))
    for id in [UInt32(1), 3, 5] {
      server.receive(Frames.headers(id, Frames.get(), end: true))
      let stream = try #require(server.streams[Int32(id)])
      server.answer(stream, 200)
      server.append([UInt8](repeating: 1, count: 50_000), to: stream)
    }
    server.produce()
    #expect(server.session.queuedByteCount >= 3 * 49_900)
    server.receive(Frames.reset(1))
    server.session.reset(try #require(server.streams[3]), code: ErrorCode.cancel)
    server.receive(Frames.windowUpdate(5, 100_000))
    server.produce()
    #expect(server.session.queuedByteCount == 0)
  }

  @Test("T118 The reset behind an early answer waits until the answer is written")
  func earlyAnswer() throws {
    server.receive(Frames.headers(1, Frames.post()))
    server.answer(try #require(server.streams[1]), 401, end: true)
    let answer = SentFrame.all(server.produceOnce(upTo: 65_536) + server.produceOnce(upTo: 65_536))
    #expect(answer.last?.type == 1 && !answer.contains { $0.type == 3 })
    server.session.resetAnswered()
    let rest = SentFrame.all(server.produceOnce(upTo: 65_536))
    #expect(rest.map(\.type) == [3] && rest.map(\.code) == [ErrorCode.noError])
  }

  @Test("Streams take turns on a connection")
  func turns() throws {
    for id in [UInt32(1), 3] {
      server.receive(Frames.headers(id, Frames.get(), end: true))
      let stream = try #require(server.streams[Int32(id)])
      server.answer(stream, 200)
      server.append([UInt8](repeating: 1, count: 32_768), to: stream)
    }
    server.produce()
    let order = server.sentFrames.filter { $0.type == 0 }.map(\.stream)
    #expect(order.count >= 4)
    #expect(Set(order.prefix(2)) == [1, 3])
  }
}
