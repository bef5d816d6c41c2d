// What the writer makes of any bytes is JSON, and reads as what went in.

import Bytes
import Testing

@testable import JSON

@Suite struct JSONWriterTests {
  private func written(_ bytes: [UInt8]) -> [UInt8] {
    var queue = ByteQueue()
    JSONWriter.append(string: bytes.span, to: &queue)
    return queue.span.copied()
  }

  @Test("Every single byte and every text comes back")
  func roundTrip() throws {
    for byte in UInt8.min...0x7F {
      #expect(try JSONDocument(written([0x61, byte, 0x62])).stringBytes(at: 0) == [0x61, byte, 0x62])
    }
    for text in ["", "a", "é😀\u{10FFFF}", "\"\\\u{0}\n\r\t\u{1F}\u{7F}"] {
      #expect(try JSONDocument(written(Array(text.utf8))).string(at: 0) == text)
    }
    #expect(written(Array("a\n\u{1}".utf8)) == Array("\"a\\n\\u0001\"".utf8))
  }

  @Test("Bytes that are not UTF-8 are replaced")
  func replaced() throws {
    for first in UInt8(0x80)...0xFF {
      let text = try #require(try JSONDocument(written([0x61, first, 0x22, 0x62])).string(at: 0))
      #expect(text == "a\u{FFFD}\"b")
    }
    #expect(try JSONDocument(written([0xF0, 0x9F, 0x98])).string(at: 0) == "\u{FFFD}\u{FFFD}\u{FFFD}")
  }

  @Test("Integers are written whole, the least one too")
  func integers() throws {
    for value in [Int64.min, -1, 0, 7, .max] {
      var queue = ByteQueue()
      JSONWriter.append(integer: value, to: &queue)
      #expect(try JSONDocument(queue.span.copied()).integer(at: 0) == value)
    }
  }
}
