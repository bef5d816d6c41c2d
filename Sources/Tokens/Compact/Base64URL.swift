// base64url without padding, exactly as JWS requires (RFC 7515 §2, RFC 4648 §5).
//
// Invariant: one text for one run of bytes. Padding, `+`, `/`, white space and spare bits that are not zero are refused
// (T13), so that nobody can write the same token in two ways.

import Bytes

package enum Base64URL {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  /// The value of each byte as a digit. 255 for those that are none. A literal, so that it is constant data.
  private static let values: InlineArray<256, UInt8> = [
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 62, 255, 255,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 255, 255, 255, 255, 255, 255,
    255, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 255, 255, 255, 255, 63,
    255, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
  ]

  /// The bytes that `text` encodes, or nil when it is not in the one right form.
  package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    let rest = text.count % 4
    if rest == 1 { return nil }
    let wholeCount = text.count - rest
    var result = [UInt8](repeating: 0, count: text.count / 4 * 3 + max(0, rest - 1))
    var output = result.mutableSpan
    var written = 0
    var offset = 0
    // Every digit's value is below 64, so one bit of 0xC0 in the union reveals a byte that is not a digit.
    var union: UInt8 = 0
    // Eight digits at a time, which are 48 bits. The bounds are looked at once for all of them.
    while offset &+ 8 <= wholeCount, written &+ 6 <= output.count {
      let digits = text.extracting(offset..<offset &+ 8)
      let a = Self.values[Int(digits[0])]
      let b = Self.values[Int(digits[1])]
      let c = Self.values[Int(digits[2])]
      let d = Self.values[Int(digits[3])]
      let e = Self.values[Int(digits[4])]
      let f = Self.values[Int(digits[5])]
      let g = Self.values[Int(digits[6])]
      let h = Self.values[Int(digits[7])]
      union |= a | b | c | d | e | f | g | h
      let high = UInt32(a) << 26 | UInt32(b) << 20 | UInt32(c) << 14 | UInt32(d) << 8 | UInt32(e) << 2 | UInt32(f) >> 4
      let low = UInt32(f) << 12 | UInt32(g) << 6 | UInt32(h)
      output[written] = UInt8(truncatingIfNeeded: high >> 24)
      output[written &+ 1] = UInt8(truncatingIfNeeded: high >> 16)
      output[written &+ 2] = UInt8(truncatingIfNeeded: high >> 8)
      output[written &+ 3] = UInt8(truncatingIfNeeded: high)
      output[written &+ 4] = UInt8(truncatingIfNeeded: low >> 8)
      output[written &+ 5] = UInt8(truncatingIfNeeded: low)
      offset &+= 8
      written &+= 6
    }
    if offset &+ 4 <= wholeCount, written &+ 3 <= output.count {
      let digits = text.extracting(offset..<offset &+ 4)
      let a = Self.values[Int(digits[0])]
      let b = Self.values[Int(digits[1])]
      let c = Self.values[Int(digits[2])]
      let d = Self.values[Int(digits[3])]
      union |= a | b | c | d
      let word = UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
      output[written] = UInt8(truncatingIfNeeded: word >> 16)
      output[written &+ 1] = UInt8(truncatingIfNeeded: word >> 8)
      output[written &+ 2] = UInt8(truncatingIfNeeded: word)
      offset &+= 4
      written &+= 3
    }
    if rest >= 2 {
      let a = Self.values[Int(text[offset])]
      let b = Self.values[Int(text[offset + 1])]
      union |= a | b
      output[written] = a << 2 | b >> 4
      var spareBits = b & 0x0F
      if rest == 3 {
        let c = Self.values[Int(text[offset + 2])]
        union |= c
        output[written + 1] = b << 4 | c >> 2
        spareBits = c & 0x03
      }
      if spareBits != 0 { return nil }
    }
    return union & 0xC0 == 0 ? result : nil
  }

  package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
    let alphabet = Self.alphabet
    var result: [UInt8] = []
    result.reserveCapacity((bytes.count * 4 + 2) / 3)
    var buffer: UInt32 = 0
    var bitCount = 0
    for index in bytes.indices {
      buffer = buffer << 8 | UInt32(bytes[index])
      bitCount += 8
      while bitCount >= 6 {
        bitCount -= 6
        result.append(alphabet[Int(buffer >> UInt32(bitCount) & 0x3F)])
      }
    }
    if bitCount > 0 { result.append(alphabet[Int(buffer << UInt32(6 - bitCount) & 0x3F)]) }
    return result
  }
}
