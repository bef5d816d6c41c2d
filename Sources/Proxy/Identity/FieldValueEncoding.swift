// How values from tokens, certificates and clients are written into header values, paths and URLs. They are encoded, so
// that they end neither a line nor a segment, and can be decoded without doubt.

import Bytes
import JSON

extension ByteQueue {
  /// A claim as a header's value: a string as it is, a number or boolean as in JSON, a list of those joined by commas,
  /// anything else as JSON. A comma in a string is encoded: `a,b` and the list of `a` and `b` are two things (T91).
  /// False for null and an empty list.
  mutating func append(claim index: JSONDocument.Index, of document: JSONDocument) -> Bool {
    switch document.kind(index) {
    case .null: return false
    case .array:
      var isFirst = true
      for element in document.elements(of: index) {
        if !isFirst { append(",") }
        isFirst = false
        appendScalar(element, of: document, keepsCommas: false)
      }
      return !isFirst
    default:
      appendScalar(index, of: document, keepsCommas: document.kind(index) != .string)
      return true
    }
  }

  private mutating func appendScalar(_ index: JSONDocument.Index, of document: JSONDocument, keepsCommas: Bool) {
    if document.kind(index) != .string {
      append(fieldValue: document.bytes.span.extracting(document.rawRange(of: index)), keepsCommas: keepsCommas)
    } else if let plain = document.plainStringRange(at: index) {
      append(fieldValue: document.bytes.span.extracting(plain), keepsCommas: keepsCommas)
    } else if let bytes = document.stringBytes(at: index) {
      append(fieldValue: bytes.span, keepsCommas: keepsCommas)
    }
  }

  /// Visible ASCII and inner spaces stay. Controls, `%`, bytes over 0x7E, spaces at the ends, and most often the comma
  /// are percent-encoded (T35).
  mutating func append(fieldValue bytes: Span<UInt8>, keepsCommas: Bool) {
    if isPlainText(bytes) { return append(bytes) }
    var run = 0
    for index in bytes.indices {
      let byte = bytes[index]
      let isAtEnd = index == 0 || index == bytes.count - 1
      let isPlain =
        byte > 0x20 && byte < 0x7F && byte != 0x25 && (keepsCommas || byte != 0x2C) || byte == 0x20 && !isAtEnd
      if isPlain { continue }
      append(bytes.extracting(run..<index))
      appendEncoded(byte)
      run = index + 1
    }
    append(bytes.extracting(run..<bytes.count))
  }

  /// A piece of one segment: percent-encoded but for what RFC 3986 §2.3 calls unreserved. Writes nothing and returns
  /// false for what a server could read as more than a piece: nothing, `.` and `..`, a slash of either kind, `%`,
  /// controls and what is not UTF-8.
  mutating func append(segment bytes: Span<UInt8>) -> Bool {
    if bytes.isEmpty || bytes[0] == 0x2E && (bytes.count == 1 || bytes.count == 2 && bytes[1] == 0x2E) { return false }
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byte < 0x20 || byte == 0x7F || byte == 0x25 || byte == 0x2F || byte == 0x5C { return false }
      guard byte < 0x80 else {
        guard let (_, length) = bytes.decodeScalar(at: index) else { return false }
        index += length
        continue
      }
      index += 1
    }
    for index in bytes.indices {
      if isUnreserved(bytes[index]) { append(bytes[index]) } else { appendEncoded(bytes[index]) }
    }
    return true
  }

  /// The value of a parameter in a query: percent-encoded but for what is unreserved, and slashes.
  mutating func append(parameterValue bytes: Span<UInt8>) {
    for index in bytes.indices {
      let byte = bytes[index]
      if isUnreserved(byte) || byte == 0x2F { append(byte) } else { appendEncoded(byte) }
    }
  }

  private mutating func appendEncoded(_ byte: UInt8) {
    append("%")
    appendHexadecimal(byte >> 4)
    appendHexadecimal(byte & 15)
  }

  private mutating func appendHexadecimal(_ nibble: UInt8) { append(nibble < 10 ? 0x30 + nibble : 0x37 + nibble) }
}

/// Whether certainly nothing has to be encoded. Without a way out of the loop, so that the compiler takes many bytes a
/// step.
private func isPlainText(_ bytes: Span<UInt8>) -> Bool {
  var found: UInt8 = 0
  for index in bytes.indices {
    let byte = bytes[index]
    found |= (byte < 0x21 ? 1 : 0) | (byte > 0x7E ? 1 : 0) | (byte == 0x25 ? 1 : 0) | (byte == 0x2C ? 1 : 0)
  }
  return found == 0
}

private func isUnreserved(_ byte: UInt8) -> Bool {
  (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
}
