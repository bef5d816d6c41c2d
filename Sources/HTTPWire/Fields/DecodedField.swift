// A field as HPACK gives it, name and value apart, becomes the same line that HTTP/1 would have carried, and is read by
// the same reader: what that refuses cannot enter by way of HTTP/2 (T51).

import Bytes

/// The size of a decoded field section as its limits count it (RFC 9113 §6.5.2).
struct FieldListSize {
  private(set) var byteCount = 0
  private(set) var fieldCount = 0

  /// What is wrong once this field has come, too.
  mutating func add(
    _ name: Span<UInt8>, _ value: Span<UInt8>, countsAsField: Bool, limits: HeadLimits
  ) -> HeadError? {
    byteCount += name.count + value.count + 32
    if countsAsField { fieldCount += 1 }
    if byteCount > limits.byteCountMax { return .headTooLarge }
    return fieldCount > limits.fieldCountMax ? .tooManyFields : nil
  }
}

extension FieldLine {
  /// Appends a field as a line and reads it. Fields that speak of a connection have no place in HTTP/2 (RFC 9113
  /// §8.2.2, T68).
  static func append(_ name: Span<UInt8>, _ value: Span<UInt8>, to bytes: inout ByteQueue) -> FieldLineReading {
    for index in name.indices where name[index] &- 0x41 < 26 { return .malformed(.fieldNameInvalid) }
    let start = bytes.count
    bytes.append(name)
    bytes.append(": ")
    return append(value, toLineFrom: start, of: &bytes)
  }

  /// Ends the line that begins at `start` and is written up to the space behind its colon.
  static func append(_ value: Span<UInt8>, toLineFrom start: Int, of bytes: inout ByteQueue) -> FieldLineReading {
    if !value.isEmpty, isWhitespace(value[0]) || isWhitespace(value[value.count - 1]) {
      return .malformed(.fieldValueInvalid)
    }
    let nameEnd = bytes.count - 2
    bytes.append(value)
    bytes.append("\r\n")
    let reading = read(bytes.span, line: start..<bytes.count - 2)
    guard case .line(let field) = reading else { return reading }
    // A colon in the name would move the border between name and value.
    if field.name.upperBound != nameEnd { return .malformed(.fieldNameInvalid) }
    switch field.known {
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade:
      return .malformed(.connectionInvalid)
    case .te where !value.equalsIgnoringCase("trailers"):
      return .malformed(.connectionInvalid)
    default: return reading
    }
  }
}

/// Makes a trailer section of the fields of a header block that came behind the content.
package struct FieldSectionBuilder: ~Copyable {
  private var section = FieldSection()
  private var size = FieldListSize()
  private var error: HeadError?

  package init() {}

  /// Forgets what there is. The memory stays.
  package mutating func begin() {
    section.reset()
    size = FieldListSize()
    error = nil
  }

  /// Takes the next field. After the first wrong one nothing is kept.
  package mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>, limits: HeadLimits) {
    if error != nil { return }
    error = size.add(name, value, countsAsField: true, limits: limits)
    if error != nil { return }
    switch FieldLine.append(name, value, to: &section.bytes) {
    case .malformed(let error): self.error = error
    case .line(let field):
      if field.known.isFramingOrRouting { error = .trailerFieldForbidden }
      section.fields.append(field)
    }
  }

  /// What is wrong with the section, now that it is whole.
  package mutating func complete() -> HeadError? {
    if error != nil { section.reset() }
    return error
  }

  /// Swaps the finished section with `other`, which is forgotten.
  package mutating func take(into other: inout FieldSection) {
    swap(&section, &other)
    section.reset()
  }

  /// Gives the memory back.
  package mutating func releaseStorage() { section.releaseStorage() }
}
