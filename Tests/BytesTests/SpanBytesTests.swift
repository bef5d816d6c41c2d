// Comparing, searching, hashing and copying spans.

import Bytes
import Testing

private func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool { a.span.equals(b.span) }
private func index(_ bytes: [UInt8], _ byte: UInt8, from: Int = 0) -> Int? {
  bytes.span.firstIndex(of: byte, from: from)
}
private func hash(_ bytes: [UInt8], _ key0: UInt64 = 1, _ key1: UInt64 = 2) -> UInt64 {
  bytes.span.keyedHash(key0, key1)
}

struct SpanBytesTests {
  @Test("Spans are equal when all bytes are")
  func equality() {
    #expect(equal([], []))
    #expect(equal([1, 2, 3], [1, 2, 3]))
    #expect(!equal([1, 2, 3], [1, 2]))
    #expect(!equal([], [0]))
    for place in 0..<40 {
      var other = [UInt8](repeating: 5, count: 40)
      other[place] = 6
      #expect(!equal([UInt8](repeating: 5, count: 40), other))
    }
  }

  @Test("The first occurrence at or behind a place is found, and none outside")
  func search() {
    let bytes: [UInt8] = [1, 2, 3, 2, 1]
    #expect(index(bytes, 2) == 1)
    #expect(index(bytes, 2, from: 1) == 1)
    #expect(index(bytes, 2, from: 2) == 3)
    #expect(index(bytes, 2, from: 4) == nil)
    #expect(index(bytes, 1, from: 1) == 4)
    #expect(index(bytes, 9) == nil)
    #expect(index(bytes, 1, from: 5) == nil)
    #expect(index(bytes, 1, from: 6) == nil)
    #expect(index(bytes, 1, from: -1) == nil)
    #expect(index([], 1) == nil)
  }

  @Test("A hash depends on every byte, on the length and on both keys")
  func keyedHash() {
    for count in 0..<40 {
      let bytes = [UInt8](repeating: 3, count: count)
      #expect(hash(bytes) == hash(bytes))
      #expect(hash(bytes) != hash(bytes, 3, 2))
      #expect(hash(bytes + [0]) != hash(bytes))
      if count > 0 { #expect(hash(bytes) != hash(bytes, 1, 5)) }
      for place in 0..<count {
        var other = bytes
        other[place] ^= 0x80
        #expect(hash(other) != hash(bytes), "byte \(place) of \(count)")
      }
    }
  }

  @Test("Two spans are copied one behind the other")
  func copiesOfTwo() {
    let bytes = Array(UInt8(0)..<40)
    for cut in [0, 1, 20, 39, 40] {
      let whole = bytes.span.extracting(0..<cut).copied(before: bytes.span.extracting(cut..<40))
      #expect(whole == bytes)
    }
  }

  @Test("Copies hold the same bytes, and text replaces what is not UTF-8")
  func copies() {
    let bytes: [UInt8] = [0x61, 0xFF, 0x62]
    #expect(bytes.span.copied() == bytes)
    #expect([UInt8]().span.copied() == [])
    #expect(bytes.span.text() == "a\u{FFFD}b")
  }
}
