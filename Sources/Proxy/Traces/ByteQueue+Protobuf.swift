// The wire format of Protocol Buffers, as far as spans have use for it: varints, fixed numbers, and what follows its
// own length. Texts are valid UTF-8 whatever bytes they were made of, as a reader refuses the whole message otherwise.

package import Bytes

extension ByteQueue {
  package mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  /// - Parameter field: its number.
  package mutating func append(field: UInt64, number: UInt64) {
    append(varint: field << 3)
    append(varint: number)
  }

  /// Eight bytes, the lowest first.
  mutating func append(field: UInt64, fixed: UInt64) {
    append(varint: field << 3 | 1)
    append(bigEndian: fixed.byteSwapped)
  }

  /// Four bytes, the lowest first.
  mutating func append(field: UInt64, fixed: UInt32) {
    append(varint: field << 3 | 5)
    for shift in [UInt32(0), 8, 16, 24] { append(UInt8(truncatingIfNeeded: fixed >> shift)) }
  }

  package mutating func append(field: UInt64, bytes: Span<UInt8>) {
    begin(field: field, byteCount: bytes.count)
    append(bytes)
  }

  /// The head of a message or text, whose bytes follow.
  package mutating func begin(field: UInt64, byteCount: Int) {
    append(varint: field << 3 | 2)
    append(varint: UInt64(clamping: byteCount))
  }

  mutating func append(bigEndian value: UInt64) {
    var shift: UInt64 = 64
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}

// MARK: Attributes

extension ByteQueue {
  /// A `KeyValue` with a text.
  package mutating func append(field: UInt64, attribute name: StaticString, _ value: Span<UInt8>) {
    if !value.isUTF8 {
      let repaired = value.repairedUTF8()
      return append(field: field, attribute: name, repaired.span)
    }
    beginAttribute(field, name, valueByteCount: 1 + Self.byteCount(ofVarint: value.count) + value.count)
    append(field: 1, bytes: value)
  }

  package mutating func append(field: UInt64, attribute name: StaticString, _ value: String) {
    append(field: field, attribute: name, value.utf8.span)
  }

  mutating func append(field: UInt64, attribute name: StaticString, number: UInt64) {
    beginAttribute(field, name, valueByteCount: 1 + Self.byteCount(ofVarint: number))
    append(field: 3, number: number)
  }

  mutating func append(field: UInt64, attribute name: StaticString, isTrue: Bool) {
    beginAttribute(field, name, valueByteCount: 2)
    append(field: 2, number: isTrue ? 1 : 0)
  }

  private mutating func beginAttribute(_ field: UInt64, _ name: StaticString, valueByteCount: Int) {
    begin(field: field, byteCount: Self.byteCount(ofAttribute: name, valueByteCount: valueByteCount))
    begin(field: 1, byteCount: name.utf8CodeUnitCount)
    append(name)
    begin(field: 2, byteCount: valueByteCount)
  }

  private static func byteCount(ofAttribute name: StaticString, valueByteCount: Int) -> Int {
    let nameByteCount = name.utf8CodeUnitCount
    return 2 + byteCount(ofVarint: nameByteCount) + nameByteCount + byteCount(ofVarint: valueByteCount) + valueByteCount
  }

  private static func byteCount(ofVarint value: Int) -> Int { byteCount(ofVarint: UInt64(clamping: value)) }

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
