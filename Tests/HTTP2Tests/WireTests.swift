// Frames as no honest peer sends them, among them cases of h2spec: each ends its stream or its connection with the code
// that RFC 9113 asks for, and none reaches the caller.

import HTTP2
import HTTPWire
import TestSupport
import Testing

@Suite("HTTP/2 frames")
struct WireTests {
  private let server: Endpoint

  init() throws { server = try #require(greetedServer()) }

  /// What the server did to a stream or to the connection, as (frame's type, code).
  private func verdict() -> [UInt32] {
    server.produce()
    return server.sentFrames.filter { $0.type == 3 || $0.type == 7 }.map { UInt32($0.type) << 8 | $0.code }
  }
  private static let streamProtocolError: UInt32 = 3 << 8 | 1
  private static func connection(_ code: UInt32) -> UInt32 { 7 << 8 | code }

  @Test("A request is the same whole and split at every byte")
  func splits() throws {
    let bytes =
      Frames.preface + Frames.settings([(3, 10)])
      + Frames.headers(1, Frames.post("/a", ("x-b", "c"), ("content-length", "3")))
      + Frames.ping() + Frames.frame(0, flags: 8, stream: 1, [2, 97, 98, 0, 0]) + Frames.data(1, "c")
      + Frames.headers(1, [("x-t", "1")], end: true) + Frames.reset(1)
    let whole = try #require(Endpoint(.server))
    whole.receive(bytes)
    #expect(
      whole.seen == [
        .settings, .request(1, ["POST /a", "host: example.org", "x-b: c", "content-length: 3"], isEnd: false),
        .data(1, "abc"), .trailers(1, ["x-t: 1"]), .end(1), .closed(1, 8),
      ])
    let single = try #require(Endpoint(.server))
    single.receiveByteByByte(bytes)
    #expect(single.seen == whole.seen)
    for split in 1..<bytes.count {
      let cut = try #require(Endpoint(.server))
      cut.receive(Array(bytes[..<split]))
      cut.receive(Array(bytes[split...]))
      if cut.seen != whole.seen { Issue.record("split at \(split): \(cut.seen)") }
    }
  }

  @Test(
    "Bytes that are no preface end the connection",
    arguments: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"])
  func preface(text: String) throws {
    let server = try #require(Endpoint(.server))
    server.receive(Array(text.utf8))
    #expect(server.seen == [.failed(.badPreface)])
    server.produce()
    #expect(server.sentFrames.last?.type == 7 && server.sentFrames.last?.code == 1)
    #expect(server.session.isFinished)
  }

  @Test("Frames for a stream that the client has ended or reset end the connection", arguments: [0, 1, 2])
  func closedStreams(kind: Int) throws {
    server.receive(Frames.headers(1, Frames.get(), end: true))
    server.answer(try #require(server.streams[1]), 204, end: true)
    server.receive(Frames.headers(5, Frames.post()) + Frames.reset(5))
    server.produce()
    // Late, and allowed.
    server.receive(Frames.windowUpdate(1, 5) + Frames.reset(1) + Frames.frame(2, stream: 1, [0, 0, 0, 0, 1]))
    #expect(verdict().isEmpty)
    switch kind {
    case 0: server.receive(Frames.data(1, "x"))
    case 1: server.receive(Frames.headers(5, [("x-t", "1")], end: true))
    // Never opened, and skipped by the one after it.
    default: server.receive(Frames.headers(3, Frames.get(), end: true))
    }
    #expect(verdict() == [Self.connection(ErrorCode.streamClosed)])
    #expect(server.failure == .streamClosed)
  }

  @Test("T56 A head in several CONTINUATION frames is the same when their headers come byte by byte")
  func continuationsInPieces() throws {
    let names = (1...8).map { "x-\($0)" }
    var frames = Frames.headers(1, Frames.get(), end: true, endHeaders: false)
    for name in names {
      frames += Frames.continuation(1, Frames.literal(name, "a"), endHeaders: name == names.last)
    }
    let whole = try #require(greetedServer())
    whole.receive(frames)
    let pieced = try #require(greetedServer())
    pieced.receiveByteByByte(frames)
    #expect(whole.seen.contains(.end(1)))
    #expect(pieced.seen == whole.seen)
  }

  @Test("Frames that were on their way when we reset their stream are no fault")
  func resetStreams() throws {
    for index in 0..<200 as Range<UInt32> {
      server.now += 1_000_000_000
      let stream = index * 2 + 1
      server.receive(Frames.headers(stream, Frames.post()))
      server.session.reset(try #require(server.streams[Int32(stream)]), code: ErrorCode.cancel)
      server.produce()
      server.receive(Frames.data(stream, "x") + Frames.headers(stream, [("x-t", "1")], end: true))
    }
    server.receive(Frames.data(1, "x"))
    #expect(server.failure == nil)
    // The client resets it as well, and nothing of it can be under way any more.
    server.receive(Frames.reset(399) + Frames.data(399, "x"))
    #expect(server.failure == .streamClosed)
  }

  @Test("Frames for a stream over the limit are no fault before the client knows of its refusal")
  func refusedStreams() throws {
    var settings = SessionSettings()
    settings.concurrentStreamCountMax = 1
    let server = try #require(Endpoint(.server, settings))
    server.receive(
      Frames.preface + Frames.settings() + Frames.headers(1, Frames.post()) + Frames.headers(3, Frames.post())
        + Frames.reset(1) + Frames.headers(5, Frames.post()) + Frames.data(3, "x") + Frames.data(5, "y", end: true))
    #expect(server.failure == nil)
    #expect(server.seen.contains(.data(5, "y")))
  }

  @Test("A PRIORITY frame for the connection, or of a stream on itself, ends the connection")
  func priorities() throws {
    for payload in [(0, 1), (3, 3)] as [(UInt32, UInt8)] {
      let server = try #require(greetedServer())
      server.receiveByteByByte(Frames.frame(2, stream: payload.0, [0, 0, 0, payload.1, 1]))
      server.produce()
      #expect(server.failure == .protocolError && server.sentFrames.last?.code == ErrorCode.protocolError)
    }
    server.receive(Frames.frame(2, stream: 3, [0, 0, 0, 1, 1]) + Frames.headers(3, Frames.get(), end: true))
    #expect(server.failure == nil)
  }

  @Test(
    "T51 T68 Fields that HTTP/2 forbids end their stream, and never reach the caller",
    arguments: [
      [("connection", "close")], [("transfer-encoding", "chunked")], [("te", "gzip")], [("keep-alive", "1")],
      [("proxy-connection", "x")], [("upgrade", "h2c")], [("X-Upper", "1")], [("", "1")], [("a b", "1")],
      [("a:b", "1")],
      [("x", "a\r\nb: c")], [("x", "a\nb")], [("x", "a\0b")], [("x", " a")], [("x", "a ")], [(":path", "/2")],
      [(":status", "200")], [(":other", "x")], [("content-length", "x")],
      [("content-length", "1"), ("content-length", "1")],
      [("host", "other.example")], [("host", "a"), ("host", "a")],
    ] as [[(String, String)]])
  func forbiddenFields(fields: [(String, String)]) {
    server.receive(Frames.headers(1, Frames.get() + fields, end: true))
    let verdict = verdict()
    if case .refused? = server.seen.first {
      #expect(server.seen.count == 1)
    } else {
      #expect(verdict == [Self.streamProtocolError])
      #expect(server.seen.isEmpty)
    }
    server.receive(Frames.headers(3, Frames.get(), end: true))
    #expect(server.seen.last == .end(3))
  }

  @Test(
    "T44 T51 Pseudo-header fields that are missing, doubled, late or hold what they must not are refused",
    arguments: [
      [(":method", "GET"), (":scheme", "https"), (":authority", "a")],
      [(":method", "GET"), (":path", "/"), (":authority", "a")],
      [(":scheme", "https"), (":path", "/"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), (":path", "/")],
      [(":method", "GET"), (":scheme", "https"), (":path", ""), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), (":path", "x"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), (":path", "*"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), (":path", "http://b/"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), (":path", "/ HTTP/1.1\r\nx: y"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), (":path", "/a b"), (":authority", "a")],
      [(":method", "GE T"), (":scheme", "https"), (":path", "/"), (":authority", "a")],
      [(":method", "GET\r\n"), (":scheme", "https"), (":path", "/"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "ht tp"), (":path", "/"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a\r\nx: y")],
      [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "user@a")],
      [(":method", "GET"), (":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a")],
      [(":method", "GET"), (":scheme", "https"), ("x", "y"), (":path", "/"), (":authority", "a")],
      [(":method", "CONNECT"), (":authority", "a:443")],
      [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a")],
      [(":method", "GET"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"), (":authority", "a")],
    ] as [[(String, String)]])
  func pseudoFields(fields: [(String, String)]) {
    server.receive(Frames.headers(1, fields, end: true))
    let verdict = verdict()
    if case .refused? = server.seen.first {
      #expect(server.seen.count == 1)
    } else {
      #expect(verdict == [Self.streamProtocolError])
      #expect(server.seen.isEmpty)
    }
  }

  @Test("A plain CONNECT is unsupported")
  func plainConnect() {
    server.receive(Frames.headers(1, [(":method", "CONNECT"), (":authority", "a:443")]))
    #expect(server.seen == [.refused(1, .methodUnsupported)])
  }

  @Test(
    "Frames in the wrong place, of the wrong size or with the wrong value end the connection",
    arguments: [
      (Frames.data(0, "x"), [1]), (Frames.data(1, "x"), [1, 5]), (Frames.headers(0, Frames.get()), [1]),
      (Frames.headers(2, Frames.get()), [1]), (Frames.frame(2, stream: 1, [0, 0, 0]), [6]), (Frames.reset(1), [1]),
      (Frames.frame(3, stream: 0, [0, 0, 0, 8]), [1]), (Frames.frame(3, stream: 1, [0]), [6]),
      (Frames.frame(4, stream: 1), [1]), (Frames.frame(4, [0]), [6]), (Frames.frame(4, flags: 1, [0]), [6]),
      (Frames.settings([(2, 2)]), [1]), (Frames.settings([(4, 0x8000_0000)]), [3]), (Frames.settings([(5, 1)]), [1]),
      (Frames.frame(5, flags: 4, stream: 1, [0, 0, 0, 2]), [1]), (Frames.frame(6, [1]), [6]),
      (Frames.frame(6, stream: 1, [UInt8](repeating: 0, count: 8)), [1]),
      (Frames.frame(7, stream: 1, [UInt8](repeating: 0, count: 8)), [1]), (Frames.windowUpdate(0, 0), [1]),
      (Frames.windowUpdate(0, 0x7FFF_FFFF), [3]), (Frames.frame(8, [0]), [6]), (Frames.windowUpdate(1, 1), [1]),
      (Frames.continuation(1, [], endHeaders: true), [1]),
      (Frames.frame(0, stream: 1, [UInt8](repeating: 0, count: 16_385)), [6]),
      (Frames.headers(1, Frames.get(), endHeaders: false) + Frames.ping(), [1]),
      (Frames.headers(1, Frames.get(), endHeaders: false) + Frames.frame(0xEE), [1]),
      (Frames.headers(1, Frames.get(), endHeaders: false) + Frames.continuation(3, []), [1]),
      (Frames.frame(1, flags: 5, stream: 1, [0xFF, 0xFF, 0xFF]), [9]),
      (Frames.frame(1, flags: 5, stream: 1, [0x80]), [9]),
      (Frames.frame(1, flags: 5, stream: 1, [0x3F, 0xE2, 0xFF, 0x03]), [9]),
      (Frames.frame(1, flags: 13, stream: 1, [200, 0]), [1, 6]), (Frames.frame(0xA, flags: 0, stream: 0, []), []),
    ] as [([UInt8], [UInt32])])
  func connectionErrors(bytes: [UInt8], codes: [UInt32]) {
    server.receive(bytes)
    let verdict = verdict()
    if codes.isEmpty {
      #expect(verdict.isEmpty)
      return
    }
    #expect(verdict.count == 1 && codes.map(Self.connection).contains(verdict.first ?? 0), "\(server.sentFrames)")
    #expect(server.session.isFinished)
    #expect(server.seen.contains(.failed(server.failure ?? .internalError)))
    #expect(server.streams.isEmpty)
  }

  @Test(
    "T61 Content that is shorter or longer than its Content-Length ends in a reset",
    arguments: [("5", "four"), ("3", "four")])
  func lengthMismatch(length: String, content: String) {
    server.receive(Frames.headers(1, Frames.post("/", ("content-length", length))))
    server.receive(Frames.data(1, content, end: true))
    #expect(verdict() == [Self.streamProtocolError])
    #expect(!server.seen.contains(.end(1)))
    #expect(server.seen.last == .closed(1, ErrorCode.protocolError))
  }

  @Test("T61 A response that is shorter than its Content-Length is reset, and never complete")
  func shortResponse() throws {
    let client = try #require(greetedClient())
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.produce()
    client.receive(
      Frames.headers(1, [(":status", "200"), ("content-length", "5")]) + Frames.data(1, "four", end: true))
    client.produce()
    #expect(!client.seen.contains(.end(1)))
    #expect(client.seen.last == .closed(1, ErrorCode.protocolError))
  }

  @Test(
    "HEAD, 204 and 304 have no content, whatever length they name",
    arguments: [("HEAD", "200"), ("GET", "304"), ("GET", "204")])
  func bodyless(method: String, status: String) throws {
    let client = try #require(greetedClient())
    client.ask("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.produce()
    let fields = [(":status", status)] + (status == "204" ? [] : [("content-length", "5")])
    client.receive(Frames.headers(1, fields, end: true))
    #expect(client.seen.contains(.end(1)))
    #expect(client.seen.last == .closed(1, 0))
    #expect(client.response.framing(requestMethod: method == "HEAD" ? .head : .get) == BodyFraming.none)
  }

  @Test(
    "Heads of responses that are none are refused or reset",
    arguments: [
      [("x", "y")], [(":status", "20")], [(":status", "abc")], [(":status", "099")],
      [(":status", "101")],
      [(":status", "200"), (":status", "200")], [(":status", "200"), ("connection", "close")],
      [(":status", "200"), ("transfer-encoding", "chunked")], [(":status", "200"), (":path", "/")],
      [(":status", "200"), ("x", "a\r\nb: c")],
    ] as [[(String, String)]])
  func badResponses(fields: [(String, String)]) throws {
    let client = try #require(greetedClient())
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.produce()
    client.receive(Frames.headers(1, fields, end: true))
    client.produce()
    switch client.seen.first {
    case .refused?: #expect(client.seen.dropFirst() == [.closed(1, 0)])
    case .closed(1, ErrorCode.protocolError)?: #expect(client.seen.count == 1)
    default: Issue.record("\(client.seen)")
    }
  }

  @Test("Trailers that would change the message end their stream", arguments: ["content-length", "host"])
  func forbiddenTrailers(name: String) {
    server.receive(Frames.headers(1, Frames.post()) + Frames.data(1, "x") + Frames.headers(1, [(name, "1")], end: true))
    #expect(verdict() == [Self.streamProtocolError])
    #expect(!server.seen.contains(.end(1)))
    #expect(server.seen.last == .closed(1, ErrorCode.protocolError))
  }

  @Test("A server that pushes is refused")
  func push() throws {
    let client = try #require(greetedClient())
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.produce()
    client.receive(Frames.frame(5, flags: 4, stream: 1, [0, 0, 0, 2] + Frames.block(Frames.get())))
    client.produce()
    #expect(client.failure == .protocolError)
  }
}
