// Foreign bytes and numbers in log lines. Whatever a client sent, it can neither end a line nor leave its quotes, and a
// terminal that shows the log is given no control character.

import Bytes

extension ByteQueue {
  /// Appends the inside of a JSON string (RFC 8259 §7). Control characters, also those of Latin-1, and characters that
  /// end lines or turn the direction of text are written as `\u…`. Bytes that are not UTF-8 as U+FFFD, one each.
  mutating func appendJSONText(_ text: Span<UInt8>) {
    if text.isPlain {
      append(text)
      return
    }
    reserve(text.count + 16)
    var index = 0
    while index < text.count {
      let byte = text[index]
      if byte < 0x80 {
        appendJSONByte(byte)
        index += 1
        continue
      }
      guard let (scalar, length) = text.decodeScalar(at: index) else {
        append("\\ufffd")
        index += 1
        continue
      }
      if Self.isUnsafeInText(scalar) {
        append("\\u")
        append(hexadecimal: UInt64(scalar), width: 4)
      } else {
        append(text.extracting(index..<index + length))
      }
      index += length
    }
  }

  private mutating func appendJSONByte(_ byte: UInt8) {
    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
      append(UInt8(ascii: "\\"))
      append(byte)
    } else if byte < 0x20 || byte == 0x7F {
      append("\\u00")
      append(hexadecimal: UInt64(byte), width: 2)
    } else {
      append(byte)
    }
  }

  /// C1 controls (0x9B opens terminal sequences, 0x85 ends a line), line and paragraph separators, direction overrides.
  private static func isUnsafeInText(_ scalar: UInt32) -> Bool {
    scalar < 0xA0 || (scalar >= 0x2028 && scalar <= 0x202E) || (scalar >= 0x2066 && scalar <= 0x2069)
  }

  /// Appends text as Apache writes it in its logs: `"` and `\` behind a backslash, other bytes that are not printable
  /// ASCII as `\xhh`.
  ///
  /// - Parameter escapesSpace: for a column without quotes.
  mutating func appendLogText(_ text: Span<UInt8>, escapesSpace: Bool = false) {
    if !escapesSpace, text.isPlain {
      append(text)
      return
    }
    reserve(text.count + 16)
    for index in text.indices {
      let byte = text[index]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        append(UInt8(ascii: "\\"))
        append(byte)
      } else if byte < 0x20 || byte > 0x7E || (escapesSpace && byte == 0x20) {
        append("\\x")
        append(hexadecimal: UInt64(byte), width: 2)
      } else {
        append(byte)
      }
    }
  }

  /// Decimal digits by constant divisors, which `append(decimal:)` does not have: a line holds some thirty digits.
  mutating func appendNumber(_ value: UInt64) {
    if value < 10 {
      append(UInt8(truncatingIfNeeded: 48 &+ value))
      return
    }
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var rest = value
    var first = 20
    while rest > 0, first > 0 {
      first -= 1
      digits[first] = UInt8(truncatingIfNeeded: 48 &+ rest % 10)
      rest /= 10
    }
    append(digits.span.extracting(first..<20))
  }

  /// A number of exactly two or three digits.
  mutating func appendPadded(_ value: Int64, digits: Int) {
    if digits > 2 { append(UInt8(truncatingIfNeeded: 48 &+ value / 100 % 10)) }
    append(UInt8(truncatingIfNeeded: 48 &+ value / 10 % 10))
    append(UInt8(truncatingIfNeeded: 48 &+ value % 10))
  }

  /// Nanoseconds as milliseconds with three decimals.
  mutating func appendMilliseconds(_ nanoseconds: UInt64) {
    let microseconds = nanoseconds / 1000
    appendNumber(microseconds / 1000)
    append(UInt8(ascii: "."))
    appendPadded(Int64(microseconds % 1000), digits: 3)
  }

  /// Nanoseconds as seconds with six decimals.
  mutating func appendSeconds(_ nanoseconds: UInt64) {
    let microseconds = nanoseconds / 1000
    appendNumber(microseconds / 1_000_000)
    append(UInt8(ascii: "."))
    appendPadded(Int64(microseconds / 1000 % 1000), digits: 3)
    appendPadded(Int64(microseconds % 1000), digits: 3)
  }
}

extension Span where Element == UInt8 {
  /// Whether all bytes are printable ASCII without quote and backslash: then nothing is to be escaped in any format.
  /// Without an early exit the loop is made of vector instructions.
  var isPlain: Bool {
    var odd: UInt8 = 0
    for index in indices {
      let byte = self[index]
      odd |= (byte &- 0x20 > 0x5E ? 1 : 0) | (byte == 0x22 ? 1 : 0) | (byte == 0x5C ? 1 : 0)
    }
    return odd == 0
  }

  /// The scalar that begins at an index, with its length. Nil when the bytes there are not UTF-8 (RFC 3629: no overlong
  /// forms, no surrogates, nothing above U+10FFFF).
  func decodeScalar(at index: Int) -> (scalar: UInt32, length: Int)? {
    let lead = self[index]
    let (length, initial, minimum): (Int, UInt8, UInt32)
    switch lead {
    case 0xC2...0xDF: (length, initial, minimum) = (2, lead & 0x1F, 0x80)
    case 0xE0...0xEF: (length, initial, minimum) = (3, lead & 0x0F, 0x800)
    case 0xF0...0xF4: (length, initial, minimum) = (4, lead & 0x07, 0x10000)
    default: return nil
    }
    if count - index < length { return nil }
    var scalar = UInt32(initial)
    for offset in 1..<length {
      let byte = self[index + offset]
      if byte & 0xC0 != 0x80 { return nil }
      scalar = scalar << 6 | UInt32(byte & 0x3F)
    }
    if scalar < minimum || scalar > 0x10FFFF || (scalar >= 0xD800 && scalar <= 0xDFFF) { return nil }
    return (scalar, length)
  }
}
