// Response heads: what is ambiguous is refused as from a client, what every proxy reads is read.

import Bytes
import HTTPWire
import Testing

struct ResponseHeadTests {
  @Test("A plain response is read into its parts")
  func plainResponse() {
    let input = "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nServer: x\r\n\r\n"
    let reading = readResponse(input)
    #expect(reading.progress == .complete(byteCount: input.utf8.count))
    #expect(reading.status == 404)
    #expect(reading.reason == "Not Found")
    #expect(reading.framing == .length(12))
    #expect(reading.isPersistent)
    #expect(reading.fields == ["Content-Length=12", "Server=x"])
  }

  @Test("The reason may be empty, or missing with its space")
  func emptyReason() {
    #expect(readResponse("HTTP/1.1 200 \r\n\r\n").reason == "")
    #expect(readResponse("HTTP/1.1 200\r\n\r\n").status == 200)
    #expect(readResponse("HTTP/1.0 599 a\tb\u{E4}\r\n\r\n").reason == "a\tb\u{E4}")
  }

  @Test(
    "T62 A malformed status line is refused",
    arguments: [
      "HTTP/1.1 20 OK", "HTTP/1.1 2000", "HTTP/1.1 2000 OK", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1  200 OK",
      "HTTP/1.1 200\tOK",
      "HTTP/1.1 +20 OK", "HTTP/1.1 0x2 OK", "HTTP/1.1 099 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 2",
      "http/1.1 200 OK", "HTTP/1 200 OK", "HTTP 1.1 200 OK", "HTTP/1.1 200 O\u{0}K", "HTTP/1.1 200 OK\r", "ICY 200 OK",
      " HTTP/1.1 200 OK", "HTTP/11.1 200 OK", "HTTP/1.1 200OK", "H",
    ])
  func badStatusLine(line: String) {
    #expect(readResponse(line + "\r\n\r\n").progress == .malformed(.badStatusLine))
  }

  @Test("A response of another version is refused")
  func otherVersions() {
    #expect(readResponse("HTTP/2.0 200 OK\r\n\r\n").progress == .malformed(.versionUnsupported))
    #expect(readResponse("HTTP/0.9 200 OK\r\n\r\n").progress == .malformed(.versionUnsupported))
    #expect(readResponse("\r\nHTTP/1.1 200 OK\r\n\r\n").progress == .malformed(.badStatusLine))
  }

  @Test(
    "Lines that end with a bare line feed are read, and kept with a CRLF",
    arguments: [
      "HTTP/1.1 200 OK\nContent-Length: 2\nA: b\n\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\nA: b\n\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n\n", "HTTP/1.1 200 OK\nContent-Length: 2\r\nA: b\n\r\n",
    ])
  func bareLineFeeds(input: String) {
    let reading = readResponse(input)
    #expect(reading.progress == .complete(byteCount: input.utf8.count))
    #expect(reading.reason == "OK")
    #expect(reading.framing == .length(2))
    #expect(reading.fields == ["Content-Length=2", "A=b"])
    var head = ResponseHead()
    let bytes = Array((input + "ok").utf8)
    #expect(head.parse(bytes.span, limits: HeadLimits()) == .complete(byteCount: input.utf8.count))
    #expect(head.bytes.span.text() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n\r\n")
    let lines = head.fields.map { text(head.bytes.span, $0.line) }
    #expect(lines == ["Content-Length: 2\r\n", "A: b\r\n"])
  }

  @Test(
    "T62 A carriage return that ends no line is refused, whatever ends the line",
    arguments: ["HTTP/1.1 200 OK\r\r\n\r\n", "HTTP/1.1 200 OK\nA: b\rC: d\n\n", "HTTP/1.1 200 OK\nA: b\r\r\n\n"])
  func straysAmongBareLineFeeds(input: String) {
    let isRefused = if case .malformed = readResponse(input).progress { true } else { false }
    #expect(isRefused)
  }

  @Test("Fields that Connection names are dropped also where lines end with a bare line feed")
  func bareLineFeedsAndConnection() {
    var head = ResponseHead()
    let bytes = Array("HTTP/1.1 200 OK\nConnection: x-gone\nX-Gone: 1\nX-Kept: 2\n\n".utf8)
    #expect(head.parse(bytes.span, limits: HeadLimits()) == .complete(byteCount: bytes.count))
    let dropped = head.fields.map(\.isHopByHop)
    #expect(dropped == [true, true, false])
  }

  @Test("Statuses up to 999 are read", arguments: [600, 999])
  func strangeStatus(status: Int) {
    let reading = readResponse("HTTP/1.1 \(status) Request denied\r\nContent-Length: 2\r\n\r\n")
    #expect(reading.status == status)
    #expect(reading.framing == .length(2))
  }

  @Test(
    "T62 A malformed or doubtful length is refused",
    arguments: [
      ("Content-Length: 5, 50", HeadError.contentLengthInvalid), ("Content-Length: +5", .contentLengthInvalid),
      ("Content-Length: 0x5", .contentLengthInvalid), ("Content-Length:", .contentLengthInvalid),
      ("Content-Length: 5\r\nContent-Length: 5", .contentLengthInvalid),
      ("Content-Length: 5\r\nTransfer-Encoding: chunked", .framingAmbiguous),
      ("Transfer-Encoding: gzip", .transferEncodingInvalid),
      ("Transfer-Encoding: gzip, chunked", .transferEncodingUnsupported), ("A B: c", .fieldNameInvalid),
      ("A: b\r\n c", .fieldFolded),
    ])
  func badLength(lines: String, error: HeadError) {
    #expect(readResponse("HTTP/1.1 200 OK\r\n" + lines + "\r\n\r\n").progress == .malformed(error))
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(readResponse(old).progress == .malformed(.framingAmbiguous))
  }

  @Test("The body's framing follows RFC 9112 §6.3")
  func framing() {
    func framing(_ status: Int, _ line: String, to method: Method = .get) -> BodyFraming? {
      readResponse("HTTP/1.1 \(status) x\r\n\(line)\r\n\r\n", to: method).framing
    }
    let length = "Content-Length: 9"
    let chunked = "Transfer-Encoding: chunked"
    #expect(framing(200, length) == .length(9))
    #expect(framing(200, chunked) == .chunked)
    #expect(framing(200, "A: b") == .untilClose)
    #expect(framing(200, length, to: .head) == BodyFraming.none)
    #expect(framing(200, chunked, to: .head) == BodyFraming.none)
    #expect(framing(304, length) == BodyFraming.none)
    #expect(framing(304, chunked) == BodyFraming.none)
    #expect(framing(204, length) == BodyFraming.none)
    #expect(framing(204, "A: b") == BodyFraming.none)
    #expect(framing(204, chunked) == BodyFraming.none)
    #expect(framing(100, "A: b") == BodyFraming.none)
    #expect(framing(103, chunked) == BodyFraming.none)
    #expect(framing(205, length, to: .post) == .length(9))
  }

  @Test(
    "T62 A connection does not persist behind a head that announces content where there can be none",
    arguments: [
      ("204 x\r\nTransfer-Encoding: chunked", false), ("204 x\r\nContent-Length: 9", false),
      ("204 x\r\nContent-Length: 0", true), ("304 x\r\nTransfer-Encoding: chunked", false),
      ("304 x\r\nContent-Length: 9", true),
    ])
  func forbiddenContent(lines: String, isPersistent: Bool) {
    #expect(readResponse("HTTP/1.1 \(lines)\r\n\r\n").isPersistent == isPersistent)
  }

  @Test("The connection persists as RFC 9112 §9.3 says, and interim responses are distinguished")
  func persistence() {
    #expect(!readResponse("HTTP/1.0 200 OK\r\n\r\n").isPersistent)
    #expect(readResponse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").isPersistent)
    #expect(!readResponse("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").isPersistent)
    for (status, expected) in [(100, true), (199, true), (200, false)] {
      var head = ResponseHead()
      let bytes = Array("HTTP/1.1 \(status) x\r\nConnection: x-gone\r\nX-Gone: 1\r\nX-Kept: 2\r\n\r\n".utf8)
      #expect(head.parse(bytes.span, limits: HeadLimits()) == .complete(byteCount: bytes.count))
      let is1xx = head.is1xx
      #expect(is1xx == expected)
      let dropped = head.fields.map(\.isHopByHop)
      #expect(dropped == [true, true, false])
    }
  }

  @Test("Bounds hold for responses too")
  func bounds() {
    let bytes = Array("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n".utf8)
    var head = ResponseHead()
    #expect(head.parse(bytes.span, limits: HeadLimits(fieldCountMax: 1)) == .malformed(.tooManyFields))
    head.reset()
    #expect(head.parse(bytes.span, limits: HeadLimits(byteCountMax: 20)) == .malformed(.headTooLarge))
    head.reset()
    #expect(head.parse(bytes.span, limits: HeadLimits(byteCountMax: bytes.count)) == .complete(byteCount: bytes.count))
  }
}
