// Response heads: an upstream is read as strictly as a client.

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
    #expect(reading.framing == .success(.length(12)))
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
      "HTTP/1.1 +20 OK", "HTTP/1.1 0x2 OK", "HTTP/1.1 099 OK", "HTTP/1.1 600 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 2",
      "http/1.1 200 OK", "HTTP/1 200 OK", "HTTP 1.1 200 OK", "HTTP/1.1 200 O\u{0}K", "HTTP/1.1 200 OK\r", "ICY 200 OK",
      " HTTP/1.1 200 OK", "HTTP/11.1 200 OK", "HTTP/1.1 200OK", "H",
    ])
  func badStatusLine(line: String) {
    #expect(readResponse(line + "\r\n\r\n").progress == .malformed(.badStatusLine))
  }

  @Test("A response of another version, or one with a bare line feed, is refused")
  func otherVersions() {
    #expect(readResponse("HTTP/2.0 200 OK\r\n\r\n").progress == .malformed(.versionUnsupported))
    #expect(readResponse("HTTP/0.9 200 OK\r\n\r\n").progress == .malformed(.versionUnsupported))
    #expect(readResponse("HTTP/1.1 200 OK\n\n").progress == .malformed(.lineEndingInvalid))
    #expect(readResponse("\r\nHTTP/1.1 200 OK\r\n\r\n").progress == .malformed(.badStatusLine))
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
    func framing(_ status: Int, _ line: String, to method: Method = .get) -> Result<BodyFraming, HeadError>? {
      readResponse("HTTP/1.1 \(status) x\r\n\(line)\r\n\r\n", to: method).framing
    }
    let length = "Content-Length: 9"
    let chunked = "Transfer-Encoding: chunked"
    #expect(framing(200, length) == .success(.length(9)))
    #expect(framing(200, chunked) == .success(.chunked))
    #expect(framing(200, "A: b") == .success(.untilClose))
    #expect(framing(200, length, to: .head) == .success(.none))
    #expect(framing(200, chunked, to: .head) == .success(.none))
    #expect(framing(304, length) == .success(.none))
    #expect(framing(304, chunked) == .success(.none))
    #expect(framing(204, length) == .success(.none))
    #expect(framing(204, "A: b") == .success(.none))
    #expect(framing(204, chunked) == .failure(.framingAmbiguous))
    #expect(framing(100, "A: b") == .success(.none))
    #expect(framing(103, chunked) == .failure(.framingAmbiguous))
    #expect(framing(205, length, to: .post) == .success(.length(9)))
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
