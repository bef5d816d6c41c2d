// Digests as keys of tables and of stores, eight bytes at a time: byte by byte they cost more than what is looked up.

package import Bytes

extension [UInt8] {
  /// Eight bytes from `start` on, or fewer where it ends. The first is the highest.
  fileprivate func word(at start: Int) -> UInt64 {
    var word: UInt64 = 0
    for index in start..<Swift.min(start + 8, count) { word = word << 8 | UInt64(self[index]) }
    return word
  }
}

extension [UInt8] {
  /// What ``ByteQueue/append(digest:count:)`` has written of SHA-256. Nil for everything else.
  init?(digest text: Span<UInt8>) {
    if text.count != 64 { return nil }
    self = []
    reserveCapacity(32)
    for index in stride(from: 0, to: 64, by: 2) {
      guard let high = Self.value(of: text[index]), let low = Self.value(of: text[index + 1]) else { return nil }
      append(high << 4 | low)
    }
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x61...0x66: digit - 0x61 + 10
    default: nil
    }
  }
}

extension Hasher {
  /// The beginning of a digest does, for its bits are random already.
  package mutating func combine(digest: [UInt8]) { combine(digest.word(at: 0)) }
}

extension ByteQueue {
  /// A digest, whose bytes are a multiple of eight, in lower case.
  /// - Parameter count: so many bytes of it.
  package mutating func append(digest: [UInt8], count: Int) {
    for start in stride(from: 0, to: Swift.min(count, digest.count), by: 8) {
      append(hexadecimal: digest.word(at: start), width: 16)
    }
  }
}
