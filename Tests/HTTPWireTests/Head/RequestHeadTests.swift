// Request heads: what is read from good ones, and by which code each kind of bad one is refused.

import Bytes
import HTTPWire
import Testing

struct RequestHeadTests {
  @Test("A plain request is read into its parts")
  func plainRequest() {
    let input =
      "POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nContent-Length: 12\r\nX-Empty:\r\nx: \t y z \t\r\n\r\n"
    let reading = readRequest(input)
    #expect(reading.progress == .complete(byteCount: input.utf8.count))
    #expect(reading.method == .post)
    #expect(reading.target == "/a/b?c=d")
    #expect(reading.pathAndQuery == "/a/b?c=d")
    #expect(reading.version == .http11)
    #expect(reading.framing == .length(12))
    #expect(reading.authority == "example.com:8080")
    #expect(reading.isPersistent)
    #expect(reading.fields == ["Host=example.com:8080", "Content-Length=12", "X-Empty=", "x=y z"])
  }

  @Test("What follows the head is left alone")
  func pipelined() {
    let first = request()
    let reading = RequestReading.whole(Array((first + request("PUT /second HTTP/1.1") + "body").utf8))
    #expect(reading.progress == .complete(byteCount: first.utf8.count))
    #expect(reading.fields == ["Host=a"])
  }

  @Test("Field lines touch, so that kept lines can be copied as one run")
  func linesTouch() throws {
    let bytes = Array(request(fields: "A: 1", "B:2", "C:   ").utf8)
    var head = RequestHead()
    #expect(head.parse(bytes.span, limits: HeadLimits()) == .complete(byteCount: bytes.count))
    let fields = head.fields
    var next = try #require(fields.first).line.lowerBound
    for field in fields {
      #expect(field.line.lowerBound == next)
      next = field.line.upperBound
    }
    #expect(next == bytes.count - 2)
    #expect(text(head.bytes.span, fields[1].line) == "A: 1\r\n")
  }

  @Test("A head can be read again after reset, and memory can be given back")
  func reset() {
    var head = RequestHead()
    let chunked = Array(
      request("POST /long HTTP/1.1", fields: "Transfer-Encoding: chunked", "Connection: close, x").utf8)
    let plain = Array(request("GET / HTTP/1.0").utf8)
    #expect(head.parse(chunked.span, limits: HeadLimits()) == .complete(byteCount: chunked.count))
    let framing = head.framing
    #expect(framing == .chunked)
    head.reset()
    #expect(head.parse(plain.span, limits: HeadLimits()) == .complete(byteCount: plain.count))
    #expect(RequestReading(head, .complete(byteCount: plain.count)) == RequestReading.whole(plain))
    head.releaseStorage()
    let allocated = head.bytes.allocatedByteCount
    #expect(allocated == 0)
    #expect(head.parse(chunked.span, limits: HeadLimits()) == .complete(byteCount: chunked.count))
  }

  @Test("An answer stays what it is until reset")
  func answerStays() {
    var head = RequestHead()
    let bad = Array("GET / HTTP/1.1\r\nBad Name: x\r\n".utf8)
    let good = Array(request().utf8)
    #expect(head.parse(bad.span, limits: HeadLimits()) == .malformed(.fieldNameInvalid))
    #expect(head.parse(good.span, limits: HeadLimits()) == .malformed(.fieldNameInvalid))
    head.reset()
    #expect(head.parse(good.span, limits: HeadLimits()) == .complete(byteCount: good.count))
    #expect(head.parse(bad.span, limits: HeadLimits()) == .complete(byteCount: good.count))
  }

  @Test("A wrong line is refused as soon as it is complete, a wrong first byte at once")
  func earlyRefusal() {
    #expect(RequestReading.whole(Array("GET / HTTP/1.1\r\nA B: c\r\n".utf8)).progress == .malformed(.fieldNameInvalid))
    #expect(RequestReading.whole(Array("GET / HTTP/3.1\r\n".utf8)).progress == .malformed(.versionUnsupported))
    #expect(RequestReading.whole([0x16, 0x03, 0x01]).progress == .malformed(.badRequestLine))
    #expect(RequestReading.whole([0x80]).progress == .malformed(.badRequestLine))
  }

  @Test("One empty line in front of a request is skipped and counted, a second one is not")
  func leadingEmptyLine() {
    let input = request()
    let reading = readRequest("\r\n" + input)
    #expect(reading.progress == .complete(byteCount: input.utf8.count + 2))
    #expect(reading.fields == ["Host=a"])
    #expect(readRequest("\r\n\r\n" + input).progress == .malformed(.badRequestLine))
    #expect(readRequest("\n" + input).progress == .malformed(.badRequestLine))
    #expect(readRequest("\rG").progress == .malformed(.lineEndingInvalid))
  }

  @Test(
    "A malformed request line is refused",
    arguments: [
      ("GET  / HTTP/1.1", HeadError.badRequestLine), ("GET /  HTTP/1.1", .badRequestLine),
      ("GET / HTTP/1.1 ", .badRequestLine),
      (" GET / HTTP/1.1", .badRequestLine), ("GET\t/ HTTP/1.1", .badRequestLine), ("GET /\tHTTP/1.1", .badRequestLine),
      ("GET / http/1.1", .badRequestLine), ("GET /", .badRequestLine), ("GET", .badRequestLine),
      ("GET HTTP/1.1", .badRequestLine),
      ("GET  HTTP/1.1", .badRequestLine), ("GET / HTTP/1.10", .badRequestLine), ("GET / HTTP/11", .badRequestLine),
      ("GET / HTTP/1,1", .badRequestLine), ("GET / HTTP/a.1", .badRequestLine),
      ("GET / HTTP/1.1\u{0}", .badRequestLine),
      ("G@T / HTTP/1.1", .badRequestLine), ("GET /a b HTTP/1.1", .badRequestLine),
      ("GET /\u{1} HTTP/1.1", .badRequestLine),
      ("GET /aaaaaaaaaaaaaaa\u{0}aaaaaaaaa HTTP/1.1", .badRequestLine), ("GET /\u{7F} HTTP/1.1", .badRequestLine),
      ("GET /\r HTTP/1.1", .badRequestLine), ("GET / HTTP/2.0", .versionUnsupported),
      ("PRI * HTTP/2.0", .versionUnsupported),
      ("GET / HTTP/0.9", .versionUnsupported), ("GET / HTTP/9.9", .versionUnsupported),
      ("GET * HTTP/1.1", .targetInvalid), ("GET a HTTP/1.1", .targetInvalid), ("GET a/b HTTP/1.1", .targetInvalid),
      ("GET ftp://a/ HTTP/1.1", .targetInvalid), ("GET http:/a HTTP/1.1", .targetInvalid),
      ("GET http HTTP/1.1", .targetInvalid),
      ("GET httpss://a/ HTTP/1.1", .targetInvalid), ("OPTIONS *a HTTP/1.1", .targetInvalid),
      ("GET ?a HTTP/1.1", .targetInvalid),
      ("GET a:80 HTTP/1.1", .targetInvalid), ("GET ://a/ HTTP/1.1", .targetInvalid),
      ("CONNECT a:443 HTTP/1.1", .methodUnsupported), ("CONNECT / HTTP/1.1", .methodUnsupported),
      ("GET http:// HTTP/1.1", .hostInvalid), ("GET http:///a HTTP/1.1", .hostInvalid),
      ("GET http://u@a/ HTTP/1.1", .hostInvalid),
    ])
  func badRequestLine(line: String, error: HeadError) {
    #expect(readRequest(line + "\r\nHost: a\r\n\r\n").progress == .malformed(error))
  }

  @Test("T44 Absolute and asterisk forms are read, and Host must say the same")
  func targetForms() {
    let absolute = readRequest("GET HTTP://A:80/p?q HTTP/1.1\r\nHost: a:80\r\n\r\n")
    #expect(absolute.form == .absolute)
    #expect(absolute.pathAndQuery == "/p?q")
    #expect(absolute.authority == "a:80")
    #expect(readRequest("GET https://a?q HTTP/1.1\r\nHost: a\r\n\r\n").pathAndQuery == "?q")
    #expect(readRequest("GET https://a HTTP/1.0\r\n\r\n").authority == "a")
    #expect(readRequest("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").form == .asterisk)
    #expect(readRequest("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n").form == .asterisk)
    #expect(readRequest("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n").form == .absolute)
    #expect(readRequest("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n").progress == .malformed(.hostAmbiguous))
    #expect(readRequest("GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n").progress == .malformed(.hostAmbiguous))
    #expect(readRequest("GET http://a/ HTTP/1.1\r\n\r\n").progress == .malformed(.hostMissing))
  }

  @Test(
    "T67 Exactly one valid Host is asked of HTTP/1.1",
    arguments: [
      ("", HeadError.hostMissing), ("Host: a\r\nHost: a\r\n", .hostAmbiguous),
      ("Host: a\r\nhost: b\r\n", .hostAmbiguous),
      ("Host:\r\n", .hostInvalid), ("Host: a b\r\n", .hostInvalid), ("Host: a/b\r\n", .hostInvalid),
      ("Host: u@a\r\n", .hostInvalid),
      ("Host: a, b\r\n", .hostInvalid), ("Host: a:b\r\n", .hostInvalid), ("Host: a:99999\r\n", .hostInvalid),
      ("Host: [::1\r\n", .hostInvalid),
      ("Host: a%2e\r\n", .hostInvalid), ("Host: a#\r\n", .hostInvalid), ("Host: a\\b\r\n", .hostInvalid),
      ("Host : a\r\n", .fieldNameInvalid),
    ])
  func hosts(lines: String, error: HeadError) {
    #expect(readRequest("GET / HTTP/1.1\r\n" + lines + "\r\n").progress == .malformed(error))
  }

  @Test("HTTP/1.0 needs no Host and HTTP/1.2 counts as 1.1")
  func versions() {
    let old = readRequest("GET / HTTP/1.0\r\n\r\n")
    #expect(old.progress == .complete(byteCount: 18))
    #expect(old.version == .http10)
    #expect(old.authority == nil)
    #expect(!old.isPersistent)
    #expect(readRequest("GET / HTTP/1.0\r\nHost: a\r\n\r\n").authority == "a")
    #expect(readRequest("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").progress == .malformed(.hostAmbiguous))
    #expect(readRequest(request("GET / HTTP/1.2")).version == .http11)
  }

  @Test(
    "T50 T67 A malformed field line is refused",
    arguments: [
      (": x", HeadError.fieldNameInvalid), ("A : x", .fieldNameInvalid), ("A\t: x", .fieldNameInvalid),
      ("A", .fieldNameInvalid),
      ("A B: x", .fieldNameInvalid), ("A(: x", .fieldNameInvalid), ("Ä: x", .fieldNameInvalid),
      ("A\u{0}: x", .fieldNameInvalid),
      ("Content-Length\u{0}: 5", .fieldNameInvalid), ("Transfer-Encoding : chunked", .fieldNameInvalid),
      (" A: x", .fieldFolded),
      ("\tA: x", .fieldFolded), ("A: x\r\n continued", .fieldFolded), ("A: x\r\n\t", .fieldFolded),
      ("A: x\u{0}y", .fieldValueInvalid),
      ("A: \u{1}", .fieldValueInvalid), ("A: \u{7F}", .fieldValueInvalid), ("A: x\ry", .fieldValueInvalid),
      ("A: 0123456789\u{B}0123", .fieldValueInvalid),
      ("A: x\r", .fieldValueInvalid), ("A: x\ny: z", .lineEndingInvalid), ("A: x\n", .lineEndingInvalid),
      ("\u{7F}: x", .fieldNameInvalid),
    ])
  func badFieldLine(line: String, error: HeadError) {
    #expect(readRequest(request(fields: line)).progress == .malformed(error))
  }

  @Test("Values may hold HTAB and bytes beyond ASCII")
  func unusualValues() {
    #expect(readRequest(request(fields: "A: x\ty\u{E4}")).fields.last == "A=x\ty\u{E4}")
  }

  @Test("Every byte is allowed in a name or a value exactly where the RFC allows it")
  func everyByte() {
    let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for byte in UInt8.min...UInt8.max {
      for name in [[byte], Array("ab".utf8) + [byte], Array("abcdefghi".utf8) + [byte] + Array("jklmnopqrstuv".utf8)] {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8) + name + Array(": value\r\n\r\n".utf8)
        // A colon ends the name early. CR and LF end other things.
        if byte == 0x3A { continue }
        let isGood = RequestReading.whole(bytes).progress == .complete(byteCount: bytes.count)
        #expect(isGood == token.contains(byte), "\(byte) in a name of \(name.count)")
      }
      for length in [1, 7, 8, 9, 20] {
        for place in 0..<length {
          var value = [UInt8](repeating: 0x78, count: length)
          value[place] = byte
          let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nA:".utf8) + value + Array("\r\n\r\n".utf8)
          let isGood = RequestReading.whole(bytes).progress == .complete(byteCount: bytes.count)
          #expect(isGood == (byte >= 0x20 && byte != 0x7F || byte == 0x09), "\(byte) at \(place) of \(length)")
        }
      }
    }
  }
}
