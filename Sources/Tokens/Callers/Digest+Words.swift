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
