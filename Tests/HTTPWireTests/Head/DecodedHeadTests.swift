// Heads made of decoded fields, as HTTP/2 has them, against the same heads parsed from HTTP/1 bytes: the same fields,
// the same refusals.

import Bytes
import HTTPWire
import Testing

@Suite("Heads made of decoded fields")
struct DecodedHeadTests {
  typealias Fields = [(String, String)]

  private static let line: Fields = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/p?q")]

  private func build(
    _ fields: Fields, isEnd: Bool = false, limits: HeadLimits = HeadLimits()
  ) -> (RequestReading?, HeadError?) {
    var builder = RequestHeadBuilder()
    // Twice with one builder: nothing of the first head may stay.
    for _ in 0..<2 {
      builder.begin()
      for (name, value) in fields { builder.add(name.utf8.span, value.utf8.span, limits: limits) }
      if let error = builder.complete(isEnd: isEnd) { return (nil, error) }
    }
    var head = RequestHead()
    builder.take(into: &head)
    return (RequestReading(head, .complete(byteCount: 0)), nil)
  }

  @Test("The same head by way of HTTP/1 and of HTTP/2 has the same parts")
  func sameAsParsed() throws {
    let more: Fields = [("accept", "x"), ("x-a", ""), ("x_b.c", "1, 2"), ("content-length", "12"), ("te", "trailers")]
    let built = try #require(build(Self.line + more).0)
    let parsed = readRequest(
      "GET /p?q HTTP/1.1\r\nhost: a\r\n" + more.map { "\($0): \($1)\r\n" }.joined() + "\r\n")
    #expect(built.fields == parsed.fields)
    #expect(built.target == parsed.target && built.pathAndQuery == parsed.pathAndQuery && built.form == parsed.form)
    #expect(built.method == parsed.method && built.authority == parsed.authority && built.framing == parsed.framing)
    #expect(built.hopByHop == parsed.hopByHop)
    #expect(built.version == .http2 && built.isPersistent && !built.asksForUpgrade)
  }

  @Test("The bytes are a head as HTTP/1 writes it, whose lines can be copied as runs")
  func bytes() {
    var builder = RequestHeadBuilder()
    builder.begin()
    for (name, value) in Self.line + [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")] {
      builder.add(name.utf8.span, value.utf8.span, limits: HeadLimits())
    }
    let error = builder.complete(isEnd: true)
    #expect(error == nil)
    var head = RequestHead()
    builder.take(into: &head)
    let text = head.bytes.text()
    #expect(text == "GET /p?q HTTP/2\r\nhost: a\r\nx: y\r\ncookie: a=1; b=2\r\n\r\n")
    let lines = head.fields.map(\.line)
    for (before, after) in zip(lines, lines.dropFirst()) { #expect(before.upperBound == after.lowerBound) }
  }

  @Test("What was read of a refused head can be taken, as far as it was good")
  func refused() {
    let more: Fields = [("content-type", "application/grpc"), ("a", "1"), ("bad name", "x"), ("b", "2")]
    var builder = RequestHeadBuilder()
    builder.begin()
    for (name, value) in Self.line + more { builder.add(name.utf8.span, value.utf8.span, limits: HeadLimits()) }
    let error = builder.complete(isEnd: true)
    #expect(error == .fieldNameInvalid)
    var head = RequestHead()
    builder.take(into: &head)
    #expect(head.isGRPC && head.method == .get && head.version == .http2)
    let bytes = head.bytes.copied()
    #expect(head.fields.map { String(decoding: bytes[$0.name], as: UTF8.self) } == ["host", "content-type", "a"])
    builder.begin()
    builder.add(":method".utf8.span, "GET".utf8.span, limits: HeadLimits())
    let next = builder.complete(isEnd: true)
    builder.take(into: &head)
    #expect(next != nil && head.fields.isEmpty && head.version == .http2 && !head.isGRPC)
  }

  @Test("The end of the stream and Content-Length say how long the content is")
  func framing() {
    #expect(build(Self.line, isEnd: true).0?.framing == BodyFraming.none)
    #expect(build(Self.line).0?.framing == .chunked)
    #expect(build(Self.line + [("content-length", "7")]).0?.framing == .length(7))
    #expect(build(Self.line + [("content-length", "0")], isEnd: true).0?.framing == .length(0))
    #expect(build(Self.line + [("content-length", "7")], isEnd: true).1 == .contentLengthInvalid)
    #expect(build(Self.line + [("expect", "100-continue")]).0?.expectsContinue == true)
  }

  @Test("T44 Host and :authority agree, or the head is refused")
  func authority() {
    let bare: Fields = [(":method", "GET"), (":scheme", "https"), (":path", "/")]
    #expect(build(bare).1 == .hostMissing)
    #expect(build(bare + [("host", "b")]).0?.authority == "b")
    #expect(build(bare + [("host", "b"), ("host", "b")]).1 == .hostAmbiguous)
    #expect(build(Self.line + [("host", "A")]).0?.fields == ["host=a"])
    #expect(build(Self.line + [("host", "b")]).1 == .hostAmbiguous)
    #expect(build(bare + [(":authority", "u@a")]).1 == .hostInvalid)
  }

  @Test(
    "T51 T68 What HTTP/1 could not say is refused, though a library let it pass",
    arguments: [
      ([("x", "a\r\nb: c")], .fieldValueInvalid), ([("x", "a\nb")], .fieldValueInvalid),
      ([("x", "a\0")], .fieldValueInvalid),
      ([("X", "a")], .fieldNameInvalid), ([("Cookie", "a")], .fieldNameInvalid), ([("", "a")], .fieldNameInvalid),
      ([("a:b", "c")], .fieldNameInvalid), ([("a b", "c")], .fieldNameInvalid), ([("a\r\nb", "c")], .fieldNameInvalid),
      ([("x", " a")], .fieldValueInvalid), ([("x", "a\t")], .fieldValueInvalid),
      ([("cookie", "a\r\nx: y")], .fieldValueInvalid),
      ([("connection", "x")], .connectionInvalid), ([("transfer-encoding", "chunked")], .connectionInvalid),
      ([("upgrade", "x")], .connectionInvalid), ([("te", "gzip")], .connectionInvalid),
      ([("keep-alive", "x")], .connectionInvalid),
      ([("proxy-connection", "x")], .connectionInvalid), ([("transfer_encoding", "x")], .framingAmbiguous),
      ([("content-length", "+1")], .contentLengthInvalid),
      ([("content-length", "1"), ("content-length", "1")], .contentLengthInvalid),
      ([(":path", "/")], .badRequestLine), ([("x", "y"), (":x", "y")], .badRequestLine),
    ] as [(Fields, HeadError)])
  func refused(fields: Fields, error: HeadError) { #expect(build(Self.line + fields).1 == error) }

  @Test(
    "T51 Pseudo-header fields cannot break out of the request line",
    arguments: [
      ("GET /\r\n", "https", "/", .badRequestLine), ("", "https", "/", .badRequestLine),
      ("GET", "https", "/ HTTP/1.1\r\nx: y", .targetInvalid), ("GET", "https", "", .targetInvalid),
      ("GET", "https", "http://b/", .targetInvalid), ("GET", "https", "x", .targetInvalid),
      ("GET", "https", "*", .targetInvalid),
      ("GET", "", "/", .badRequestLine), ("GET", "ht tp", "/", .badRequestLine),
      ("CONNECT", "https", "/", .methodUnsupported),
    ] as [(String, String, String, HeadError)])
  func pseudo(method: String, scheme: String, path: String, error: HeadError) {
    let fields = [(":method", method), (":scheme", scheme), (":authority", "a"), (":path", path)]
    #expect(build(fields).1 == error)
  }

  @Test("OPTIONS for the whole server and extended CONNECT are understood")
  func forms() {
    let options = [(":method", "OPTIONS"), (":scheme", "https"), (":authority", "a"), (":path", "*")]
    #expect(build(options).0?.form == .asterisk)
    let connect = [
      (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "a"), (":path", "/c"),
    ]
    #expect(build(connect).0?.method == .connect)
    #expect(build(Self.line + [(":protocol", "websocket")]).1 == .badRequestLine)
  }

  @Test("T53 T57 Limits count as HTTP/2 counts")
  func limits() {
    // Four pseudo-header fields of 42, 44, 43 and 41 bytes.
    let size = Self.line.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }
    let fields = Self.line + [("x", "y")]
    #expect(build(fields, limits: HeadLimits(byteCountMax: size + 34)).1 == nil)
    #expect(build(fields, limits: HeadLimits(byteCountMax: size + 33)).1 == .headTooLarge)
    #expect(build(fields + [("z", "")], limits: HeadLimits(fieldCountMax: 1)).1 == .tooManyFields)
    // Crumbs of one Cookie are one field.
    let crumbs = (0..<50).map { ("cookie", "c\($0)=1") }
    #expect(build(Self.line + crumbs, limits: HeadLimits(fieldCountMax: 1)).1 == nil)
  }

  @Test("A response's head by way of HTTP/1 and of HTTP/2 has the same fields")
  func responses() {
    var builder = ResponseHeadBuilder()
    builder.begin()
    for (name, value) in [(":status", "404"), ("content-length", "3"), ("set-cookie", "a"), ("set-cookie", "b")] {
      builder.add(name.utf8.span, value.utf8.span, limits: HeadLimits())
    }
    let error = builder.complete()
    #expect(error == nil)
    var head = ResponseHead()
    builder.take(into: &head)
    let built = ResponseReading(head, .complete(byteCount: 0), to: .get)
    let parsed = readResponse("HTTP/1.1 404 \r\ncontent-length: 3\r\nset-cookie: a\r\nset-cookie: b\r\n\r\n")
    #expect(built.fields == parsed.fields && built.status == parsed.status && built.framing == parsed.framing)
    #expect(built.reason == "" && built.version == .http2)
  }

  @Test("A response without a length ends with its stream", arguments: ["200", "204", "304", "103"])
  func responseFraming(status: String) {
    var builder = ResponseHeadBuilder()
    builder.begin()
    builder.add(":status".utf8.span, status.utf8.span, limits: HeadLimits())
    let error = builder.complete()
    #expect(error == nil)
    var head = ResponseHead()
    builder.take(into: &head)
    #expect(head.framing(requestMethod: .get) == (status == "200" ? .chunked : BodyFraming.none))
    #expect(head.framing(requestMethod: .head) == BodyFraming.none)
  }
}
