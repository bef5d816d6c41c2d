// No bytes trap a parser, and no way of cutting them changes the answer.

import Bytes
import HTTPWire
import TestBasics
import Testing

struct AnyBytesTests {
  /// Pieces from which both good and nearly good messages are made.
  private static let pieces = [
    "GET", " ", "/", "HTTP/1.1", "HTTP/1.0", "\r\n", "\r", "\n", "Host", ":", "a", "Content-Length",
    "Transfer-Encoding", "chunked", "5", "\0", "\t",
    "Connection", "close", ",", "x_y", "Expect", "100-continue", "http://a/", "*", "OPTIONS", "é",
    "GET / HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n",
    "HTTP/1.1 200 OK\r\n", "1\r\nx\r\n", "0\r\n", ";a=\"b\"", "[::1]", "averylongfieldname-averylongfieldname",
  ]

  private static func message(_ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = Array((Bool.random(using: &generator) ? "GET / HTTP/1.1\r\nHost: a\r\n" : "").utf8)
    for _ in 0..<Int.random(in: 0...14, using: &generator) {
      bytes += Array(pieces[Int.random(in: 0..<pieces.count, using: &generator)].utf8)
    }
    if !bytes.isEmpty, Int.random(in: 0..<4, using: &generator) == 0 {
      bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
    }
    return bytes
  }

  @Test("Any bytes as a request get one answer, whole or byte by byte")
  func requests() {
    var generator = SeededGenerator(seed: 1)
    var completeCount = 0
    for _ in 0..<20_000 {
      let bytes = Self.message(&generator)
      let whole = RequestReading.whole(bytes)
      if case .complete = whole.progress { completeCount += 1 }
      if RequestReading.byteByByte(bytes) != whole { Issue.record("\(bytes)") }
    }
    #expect(completeCount > 200)
  }

  @Test("Any bytes as a response get one answer, whole or byte by byte")
  func responses() {
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<10_000 {
      let bytes = Array("HTTP/1.1 200 OK\r\n".utf8) + Self.message(&generator)
      var head = ResponseHead()
      let whole = ResponseReading(head, head.parse(bytes.span, limits: HeadLimits()), to: .get)
      head.reset()
      var progress = HeadProgress.incomplete
      for count in 0...bytes.count where progress == .incomplete {
        progress = head.parse(bytes.span.extracting(0..<count), limits: HeadLimits())
      }
      if ResponseReading(head, progress, to: .get) != whole { Issue.record("\(bytes)") }
    }
  }

  @Test("Good heads with one byte changed never trap and never grow a field")
  func oneByteChanged() {
    let good = Array(
      request("POST /a?b HTTP/1.1", fields: "Content-Length: 5", "Connection: x, close", "Cookie: a=b").utf8)
    for index in good.indices {
      for byte in UInt8.min...UInt8.max {
        var bytes = good
        bytes[index] = byte
        let reading = RequestReading.whole(bytes)
        #expect(reading.fields.count <= 4)
        if case .complete(let count) = reading.progress { #expect(count <= bytes.count) }
      }
    }
  }
}
