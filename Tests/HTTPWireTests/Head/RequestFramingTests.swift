// Where a request ends, what becomes of its connection, and the bounds that it is held to.

import Bytes
import HTTPWire
import Testing

struct RequestFramingTests {
  @Test(
    "T48 T50 T66 A request whose length is in doubt is refused",
    arguments: [
      ("Content-Length: 5\r\nTransfer-Encoding: chunked", HeadError.framingAmbiguous),
      ("Transfer-Encoding: chunked\r\nContent-Length: 5", .framingAmbiguous),
      ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .framingAmbiguous),
      ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", .framingAmbiguous),
      ("Transfer-Encoding: chunked, chunked", .transferEncodingInvalid),
      ("Transfer-Encoding: chunked, identity", .transferEncodingInvalid),
      ("Transfer-Encoding: xchunked", .transferEncodingInvalid),
      ("Transfer-Encoding: identity", .transferEncodingInvalid),
      ("Transfer-Encoding: gzip", .transferEncodingInvalid), ("Transfer-Encoding:", .transferEncodingInvalid),
      ("Transfer-Encoding: \"chunked\"", .transferEncodingInvalid),
      ("Transfer-Encoding: chunked;a=b", .transferEncodingInvalid),
      ("Transfer-Encoding: ,chunked", .transferEncodingInvalid),
      ("Transfer-Encoding: chunked,", .transferEncodingInvalid),
      ("Transfer-Encoding: chunked x", .transferEncodingInvalid),
      ("Transfer-Encoding: gzip, chunked", .transferEncodingUnsupported),
      ("Transfer_Encoding: chunked", .framingAmbiguous), ("transfer.encoding: chunked", .framingAmbiguous),
      ("Content_Length: 5", .framingAmbiguous), ("CONTENT.LENGTH: 5", .framingAmbiguous),
      ("Content-Length: 5\r\nContent-Length: 5", .contentLengthInvalid),
      ("Content-Length: 5\r\nContent-Length: 6", .contentLengthInvalid),
      ("Content-Length:", .contentLengthInvalid), ("Content-Length: 5, 5", .contentLengthInvalid),
      ("Content-Length: 5,", .contentLengthInvalid),
      ("Content-Length: +5", .contentLengthInvalid), ("Content-Length: -5", .contentLengthInvalid),
      ("Content-Length: 0x5", .contentLengthInvalid),
      ("Content-Length: 5 5", .contentLengthInvalid), ("Content-Length: 5.0", .contentLengthInvalid),
      ("Content-Length: \u{663}", .contentLengthInvalid),
      ("Content-Length: 9223372036854775808", .contentLengthInvalid),
      ("Content-Length: 18446744073709551621", .contentLengthInvalid),
      ("Content-Length: 99999999999999999999999999", .contentLengthInvalid),
      ("Content-Length: 1e3", .contentLengthInvalid),
    ])
  func doubtfulLength(lines: String, error: HeadError) {
    #expect(readRequest(request("POST / HTTP/1.1", fields: lines)).progress == .malformed(error))
  }

  @Test("T48 T66 HTTP/1.0 has no Transfer-Encoding")
  func codingInOldVersion() {
    let input = request("POST / HTTP/1.0", fields: "Connection: keep-alive", "Transfer-Encoding: chunked")
    #expect(readRequest(input).progress == .malformed(.framingAmbiguous))
  }

  @Test("The body's framing follows from the fields")
  func framing() {
    #expect(readRequest(request()).framing == .none)
    #expect(readRequest(request(fields: "Content-Length: 0")).framing == .length(0))
    #expect(readRequest(request(fields: "CONTENT-LENGTH:007")).framing == .length(7))
    #expect(readRequest(request(fields: "content-length: 9223372036854775807")).framing == .length(UInt64(Int64.max)))
    #expect(readRequest(request(fields: "transfer-ENCODING: \t Chunked ")).framing == .chunked)
  }

  @Test("The connection persists as RFC 9112 §9.3 says")
  func persistence() {
    #expect(readRequest(request()).isPersistent)
    #expect(!readRequest(request(fields: "Connection: close")).isPersistent)
    #expect(!readRequest(request(fields: "Connection: keep-alive , CLOSE")).isPersistent)
    #expect(!readRequest(request(fields: "Connection: x", "Connection: close")).isPersistent)
    #expect(readRequest(request(fields: "Connection: closed")).isPersistent)
    #expect(!readRequest(request("GET / HTTP/1.0")).isPersistent)
    #expect(readRequest(request("GET / HTTP/1.0", fields: "Connection: Keep-Alive")).isPersistent)
    #expect(!readRequest(request("GET / HTTP/1.0", fields: "Connection: keep-alive, close")).isPersistent)
    #expect(!readRequest(request("GET / HTTP/1.0", fields: "Connection: keep_alive")).isPersistent)
  }

  @Test("Hop-by-hop fields are those of the list and those that Connection names")
  func hopByHop() {
    let reading = readRequest(
      request(
        fields: "Connection: X-One, , authorization", "X-One: 1", "x~one: 1", "X-Two: 2", "Authorization: Bearer a",
        "TE: trailers", "Keep-Alive: timeout=5", "connection: x-two", "Proxy-Connection: a", "Upgrade: h2c",
        "Proxy-Authorization: b", "Trailer: a", "Cookie: c"))
    #expect(
      reading.hopByHop == [
        "Connection", "X-One", "x~one", "X-Two", "Authorization", "TE", "Keep-Alive", "connection", "Proxy-Connection",
        "Upgrade",
        "Proxy-Authorization", "Trailer",
      ])
  }

  @Test("Connection cannot name what frames or routes a message, and must be a list of tokens")
  func connectionNominations() {
    for value in ["host", "Content-Length", "close, transfer-encoding", "content~length", "transfer_encoding"] {
      #expect(readRequest(request(fields: "Connection: \(value)")).progress == .malformed(.connectionInvalid))
    }
    for value in ["a b", "\"close\"", "a;b", "(x)", "a=b"] {
      #expect(readRequest(request(fields: "Connection: \(value)")).progress == .malformed(.connectionInvalid))
    }
    #expect(readRequest(request(fields: "Connection:")).isPersistent)
  }

  @Test("T74 Connection names at most 32 fields, over all of its lines, in requests and in answers")
  func connectionNameCount() {
    let names = (0..<32).map { "x-\($0)" }
    let named = names.map { "\($0): 1" }
    let lines = ["Connection: " + names.prefix(20).joined(separator: ","), "Connection:,,"]
    let last = "Connection: " + names.dropFirst(20).joined(separator: ", ")
    let full = lines + [last] + named
    let reading = readRequest(request(fields: full.joined(separator: "\r\n")))
    #expect(reading.hopByHop.count == 3 + 32)
    let answer = readResponse("HTTP/1.1 200 OK\r\n" + full.joined(separator: "\r\n") + "\r\n\r\n")
    #expect(answer.progress != .malformed(.connectionInvalid) && answer.fields.count == full.count)
    for more in [last + ", close", last + ",x-0"] {
      let over = lines + [more] + named
      #expect(readRequest(request(fields: over.joined(separator: "\r\n"))).progress == .malformed(.connectionInvalid))
      let answer = "HTTP/1.1 200 OK\r\n" + over.joined(separator: "\r\n") + "\r\n\r\n"
      #expect(readResponse(answer).progress == .malformed(.connectionInvalid))
    }
  }

  @Test("Only 100-continue can be expected")
  func expectation() {
    let fields = ["Content-Length: 5", "Expect: 100-Continue"]
    #expect(readRequest(request("POST / HTTP/1.1", fields: fields[0], fields[1])).expectsContinue)
    #expect(!readRequest(request("POST / HTTP/1.0", fields: fields[0], fields[1])).expectsContinue)
    #expect(!readRequest(request("GET / HTTP/1.1", fields: fields[1])).expectsContinue)
    for value in ["100_continue", "100-continue, x", "200-ok", "", "100-continu", "100-continued"] {
      #expect(readRequest(request(fields: "Expect: \(value)")).progress == .malformed(.expectationFailed))
    }
  }

  @Test("An upgrade is requested only when Connection names it")
  func upgrade() {
    #expect(readRequest(request(fields: "Connection: Upgrade", "Upgrade: websocket")).asksForUpgrade)
    #expect(!readRequest(request(fields: "Upgrade: websocket")).asksForUpgrade)
    #expect(!readRequest(request(fields: "Connection: upgrade")).asksForUpgrade)
    #expect(!readRequest(request("GET / HTTP/1.0", fields: "Connection: upgrade", "Upgrade: websocket")).asksForUpgrade)
  }

  @Test("T53 A head of too many bytes or fields is refused at its bound, not before")
  func bounds() {
    let bytes = Array(request(fields: "A: b", "C: d").utf8)
    let count = bytes.count
    #expect(readRequest(bytes, limits: HeadLimits(byteCountMax: count)).progress == .complete(byteCount: count))
    #expect(readRequest(bytes, limits: HeadLimits(byteCountMax: count - 1)).progress == .malformed(.headTooLarge))
    #expect(readRequest(bytes, limits: HeadLimits(byteCountMax: 15)).progress == .malformed(.targetTooLong))
    #expect(readRequest(bytes, limits: HeadLimits(fieldCountMax: 3)).progress == .complete(byteCount: count))
    #expect(readRequest(bytes, limits: HeadLimits(fieldCountMax: 2)).progress == .malformed(.tooManyFields))
    let endless = [UInt8](repeating: 0x41, count: 40_000)
    #expect(RequestReading.byteByByte(endless).progress == .malformed(.targetTooLong))
  }

  @Test("Known fields are counted and found")
  func lookUp() {
    var head = RequestHead()
    let bytes = Array(request(fields: "Cookie: a", "cookie: b", "X-Forwarded_For: c").utf8)
    #expect(head.parse(bytes.span, limits: HeadLimits()) == .complete(byteCount: bytes.count))
    let counts = [KnownField.cookie, .authorization, .xForwardedFor].map { countOfLines($0, bytes) }
    #expect(counts == [2, 0, 0])
    let first = head.first(.cookie).map { text(head.bytes.span, $0.value) }
    #expect(first == "a")
    let alias = head.first(.xForwardedFor)
    #expect(alias?.line == nil)
    let hopByHop = head.fields.map(\.isHopByHop)
    #expect(!hopByHop.contains(true))
  }

  private func countOfLines(_ known: KnownField, _ bytes: [UInt8]) -> Int {
    var head = RequestHead()
    _ = head.parse(bytes.span, limits: HeadLimits())
    return head.count(of: known)
  }
}
