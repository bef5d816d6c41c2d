// The wire format of Protocol Buffers, as far as OTLP needs it: varints, fixed numbers, and what follows its own
// length. Texts are valid UTF-8 whatever bytes they were made of, as a reader refuses the whole message otherwise.

package import Bytes

extension ByteQueue {
  @inline(__always)
  package mutating func append(varint value: UInt64) {
    if value < 0x80 { return append(UInt8(truncatingIfNeeded: value)) }
    appendLong(varint: value)
  }

  @inline(never)
  private mutating func appendLong(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  /// - Parameter field: its number.
  @inline(__always)
  package mutating func append(field: UInt64, number: UInt64) {
    append(varint: field << 3)
    append(varint: number)
  }

  /// Eight bytes, the lowest first.
  @inline(__always)
  package mutating func append(field: UInt64, fixed: UInt64) {
    append(varint: field << 3 | 1)
    append(littleEndian: fixed)
  }

  /// Four bytes, the lowest first.
  @inline(__always)
  package mutating func append(field: UInt64, fixed: UInt32) {
    append(varint: field << 3 | 5)
    append(littleEndian: fixed)
  }

  package mutating func append(field: UInt64, bytes: Span<UInt8>) {
    begin(field: field, byteCount: bytes.count)
    append(bytes)
  }

  /// The head of a message or text, whose bytes follow.
  @inline(__always)
  package mutating func begin(field: UInt64, byteCount: Int) {
    append(varint: field << 3 | 2)
    append(varint: UInt64(clamping: byteCount))
  }

  /// The head of a message of unknown length, which has three bytes of room. A varint may be longer than need be.
  /// - Returns: where it begins, for ``end(_:)``.
  @inline(__always)
  package mutating func begin(field: UInt64) -> Int {
    append(varint: field << 3 | 2)
    append(UInt8(0x80))
    append(UInt8(0x80))
    append(UInt8(0))
    return count
  }

  /// LIMIT: a message has less than two megabytes. The sources of all texts in it have limits of their own.
  @inline(__always)
  package mutating func end(_ start: Int) {
    let byteCount = count - start
    replace(at: start - 3, with: UInt8(truncatingIfNeeded: byteCount) | 0x80)
    replace(at: start - 2, with: UInt8(truncatingIfNeeded: byteCount >> 7) | 0x80)
    replace(at: start - 1, with: UInt8(truncatingIfNeeded: byteCount >> 14) & 0x7F)
  }

  @inline(__always)
  mutating func append(bigEndian value: UInt64) { append(littleEndian: value.byteSwapped) }
}

// MARK: Attributes

extension ByteQueue {
  /// A `KeyValue` with a text of any bytes.
  package mutating func append(field: UInt64, attribute name: StaticString, _ value: Span<UInt8>) {
    if value.isUTF8 { return append(field: field, attribute: name, valid: value) }
    let repaired = value.repairedUTF8()
    append(field: field, attribute: name, valid: repaired.span)
  }

  @inline(__always)
  package mutating func append(field: UInt64, attribute name: StaticString, _ value: String) {
    append(field: field, attribute: name, valid: value.utf8.span)
  }

  /// With a text that is known to be UTF-8.
  @inline(__always)
  package mutating func append(field: UInt64, attribute name: StaticString, valid value: Span<UInt8>) {
    let count = value.count
    let whole = name.utf8CodeUnitCount + count + 6
    // Nearly all are short: their four lengths are a byte each.
    if whole < 0x80, field < 16 {
      appendName(field, name, whole)
      append(
        littleEndian: 0x000A_0012 | UInt32(truncatingIfNeeded: count + 2) << 8 | UInt32(truncatingIfNeeded: count) << 24
      )
      append(value)
    } else {
      appendLong(field, name, value)
    }
  }

  @inline(never)
  private mutating func appendLong(_ field: UInt64, _ name: StaticString, _ value: Span<UInt8>) {
    let byteCount = 1 + Self.byteCount(ofVarint: UInt64(clamping: value.count)) + value.count
    beginAttribute(field, name, valueByteCount: byteCount)
    append(field: 1, bytes: value)
  }

  @inline(__always)
  package mutating func append(field: UInt64, attribute name: StaticString, number: UInt64) {
    let whole = name.utf8CodeUnitCount + 7
    if number < 0x4000, whole < 0x80, field < 16 {
      // Two bytes, of which a small number needs one.
      appendName(field, name, whole)
      append(littleEndian: 0x8018_0312 | UInt32(truncatingIfNeeded: number & 0x7F) << 24)
      append(UInt8(truncatingIfNeeded: number >> 7))
    } else {
      appendLong(field, name, number)
    }
  }

  @inline(never)
  private mutating func appendLong(_ field: UInt64, _ name: StaticString, _ number: UInt64) {
    beginAttribute(field, name, valueByteCount: 1 + Self.byteCount(ofVarint: number))
    append(field: 3, number: number)
  }

  @inline(__always)
  mutating func append(field: UInt64, attribute name: StaticString, isTrue: Bool) {
    beginAttribute(field, name, valueByteCount: 2)
    append(field: 2, number: isTrue ? 1 : 0)
  }

  /// The head of an attribute, its name, and no more.
  @inline(__always)
  private mutating func appendName(_ field: UInt64, _ name: StaticString, _ byteCount: Int) {
    let lengths = UInt32(truncatingIfNeeded: byteCount) << 8 | UInt32(truncatingIfNeeded: name.utf8CodeUnitCount) << 24
    append(littleEndian: 0x000A_0002 | UInt32(truncatingIfNeeded: field) << 3 | lengths)
    append(name)
  }

  private mutating func beginAttribute(_ field: UInt64, _ name: StaticString, valueByteCount: Int) {
    let nameByteCount = name.utf8CodeUnitCount
    let nameVarintByteCount = Self.byteCount(ofVarint: UInt64(clamping: nameByteCount))
    let valueVarintByteCount = Self.byteCount(ofVarint: UInt64(clamping: valueByteCount))
    begin(field: field, byteCount: 2 + nameVarintByteCount + nameByteCount + valueVarintByteCount + valueByteCount)
    begin(field: 1, byteCount: nameByteCount)
    append(name)
    begin(field: 2, byteCount: valueByteCount)
  }

  private static func byteCount(ofVarint value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }
}

// MARK: Texts

extension Span where Element == UInt8 {
  var isUTF8: Bool {
    var high: UInt8 = 0
    for index in indices { high |= self[index] }
    if high < 0x80 { return true }
    var index = 0
    while index < count {
      let length = self[index] < 0x80 ? 1 : decodeScalar(at: index)?.length ?? 0
      if length == 0 { return false }
      index += length
    }
    return true
  }

  /// The text with U+FFFD for each byte that is no part of a scalar.
  func repairedUTF8() -> ByteQueue {
    var result = ByteQueue()
    var index = 0
    while index < count {
      let length = self[index] < 0x80 ? 1 : decodeScalar(at: index)?.length ?? 0
      if length == 0 {
        result.append("\u{FFFD}")
        index += 1
      } else {
        result.append(extracting(index..<index + length))
        index += length
      }
    }
    return result
  }
}
