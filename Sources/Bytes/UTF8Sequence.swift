// Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.

package enum UTF8Sequence {
  /// The length of the well-formed sequence at `offset`, 1 to 4, or 0 when there is none.
  package static func byteCount(_ bytes: Span<UInt8>, at offset: Int) -> Int {
    if offset >= bytes.count { return 0 }
    let first = bytes[offset]
    let count: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch first {
    case 0x00...0x7F: return 1
    case 0xC2...0xDF: count = 2
    case 0xE0:
      count = 3
      second = 0xA0...0xBF
    case 0xED:
      count = 3
      second = 0x80...0x9F
    case 0xE1...0xEF: count = 3
    case 0xF0:
      count = 4
      second = 0x90...0xBF
    case 0xF4:
      count = 4
      second = 0x80...0x8F
    case 0xF1...0xF3: count = 4
    default: return 0
    }
    if bytes.count - offset < count || !second.contains(bytes[offset + 1]) { return 0 }
    for index in offset + 2..<offset + max(2, count) where bytes[index] & 0xC0 != 0x80 { return 0 }
    return count
  }
}
