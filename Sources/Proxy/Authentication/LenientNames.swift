// Names of cookies and of query parameters as the most lenient service reads them. What such a service could take for
// the token's source was verified, or it does not go on (T93).

import Bytes
import HTTPWire

/// A name that may hold a token.
///
/// Read so: `%XX` and `%uXXXX` are decoded, letters count in either case, and all bytes other than digits count as one
/// (PHP makes `_` of `.`, of a space and of `[`). Spaces around the name, and what follows a `[` or a NUL, do not
/// count. A name beyond that is another name.
struct LenientName: Sendable {
  private let folded: [UInt8]

  init(_ name: String) {
    let bytes = Array(name.utf8)
    folded = bytes.map(Self.folded)
  }

  func matches(_ name: Span<UInt8>) -> Bool {
    var index = 0
    var matched = 0
    var isBegun = false
    while let byte = Self.decode(name, at: &index) {
      if byte <= 0x20 && (!isBegun || matched == folded.count) {
        if byte == 0, isBegun { return true }
        continue
      }
      isBegun = true
      if matched == folded.count { return byte == UInt8(ascii: "[") }
      if Self.folded(byte) != folded[matched] { return false }
      matched += 1
    }
    return isBegun && matched == folded.count
  }

  /// The byte that is at `index`, which moves on. Code points beyond ASCII are in no name: they are as good as any
  /// byte.
  private static func decode(_ name: Span<UInt8>, at index: inout Int) -> UInt8? {
    if index >= name.count { return nil }
    let byte = name[index]
    index += 1
    if byte == UInt8(ascii: "+") { return 0x20 }
    guard byte == UInt8(ascii: "%") else { return byte }
    if let code = hexadecimal(name, from: index, count: 2) {
      index += 2
      return UInt8(truncatingIfNeeded: code)
    }
    if index < name.count, name[index] | 0x20 == UInt8(ascii: "u"),
      let code = hexadecimal(name, from: index + 1, count: 4)
    {
      index += 5
      return code < 0x80 ? UInt8(truncatingIfNeeded: code) : 0xFF
    }
    return byte
  }

  private static func hexadecimal(_ name: Span<UInt8>, from start: Int, count: Int) -> Int? {
    if name.count - start < count { return nil }
    var value = 0
    for index in start..<start + count {
      guard let digit = hexadecimalValue(name[index]) else { return nil }
      value = value << 4 | Int(digit)
    }
    return value
  }

  private static func folded(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x41...0x5A: byte | 0x20
    case 0x61...0x7A, 0x30...0x39, 0x80...: byte
    default: UInt8(ascii: "-")
    }
  }
}

extension [LenientName] {
  func contain(_ name: Span<UInt8>) -> Bool {
    for index in indices where self[index].matches(name) { return true }
    return false
  }

  /// Whether one of the names could be read anywhere in a cookie's pair: readers of RFC 2109 end a pair at a comma as
  /// well, others at a space.
  func contain(anyIn pair: Range<Int>, of bytes: Span<UInt8>) -> Bool {
    var nameStart = pair.lowerBound
    var nameEnd = pair.lowerBound
    var isSeparated = false
    for index in pair {
      switch bytes[index] {
      case UInt8(ascii: ","), 0x20, 0x09:
        isSeparated = true
      case UInt8(ascii: "="):
        if contain(bytes.extracting(nameStart..<nameEnd)) { return true }
      default:
        if isSeparated { nameStart = index }
        isSeparated = false
        nameEnd = index + 1
      }
    }
    return false
  }
}
