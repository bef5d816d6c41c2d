// One text for one run of bytes.

import TestBasics
import Testing

@testable import Tokens

@Suite struct Base64URLTests {
  @Test("Every run of bytes comes back, whatever its length")
  func roundTrip() {
    var generator = SeededGenerator(seed: 1)
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let text = Base64URL.encode(bytes)
      #expect(Base64URL.decode(text) == bytes)
    }
    #expect(Base64URL.encode([0xFB, 0xFF]) == Array("-_8".utf8))
  }

  @Test("T13 Of all texts of up to three digits, those that decode are exactly those that encoding makes")
  func canonical() {
    for a in UInt8.min...UInt8.max {
      #expect(Base64URL.decode([a]) == nil)
      for b in UInt8.min...UInt8.max {
        if let bytes = Base64URL.decode([a, b]) { #expect(Base64URL.encode(bytes) == [a, b]) }
        if let bytes = Base64URL.decode([0x41, a, b]) { #expect(Base64URL.encode(bytes) == [0x41, a, b]) }
        if let bytes = Base64URL.decode([a, 0x41, b, 0x41]) {
          #expect(Base64URL.encode(bytes) == [a, 0x41, b, 0x41])
        }
      }
    }
    for text in ["AA==", "AA=", "A+A/", "A/", "A A", "AAAA\n", "AAA\u{0}", "A", "AAAAA", "AB", "AAB"] {
      #expect(Base64URL.decode(text) == nil, "\(text)")
    }
  }
}
