// A key set that is written into the file as YAML, as JSON text.

/// A tree as JSON text (RFC 8259): scalars are strings, but for a plain true, false and null.
struct JSONText {
  var bytes: [UInt8] = []

  /// false after an error was reported.
  mutating func append(_ node: SourceNode, reading: Reading) -> Bool {
    switch node.content {
    case .scalar(let scalar):
      if scalar.isPlain, ["true", "false", "null"].contains(scalar.text) {
        bytes += Array(scalar.text.utf8)
        return true
      }
      guard let text = reading.secret(scalar.text, at: node.position) else { return false }
      append(text)
    case .list(let items):
      bytes.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        guard append(item, reading: reading) else { return false }
      }
      bytes.append(UInt8(ascii: "]"))
    case .mapping(let entries):
      bytes.append(UInt8(ascii: "{"))
      for (index, entry) in entries.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(entry.key)
        bytes.append(UInt8(ascii: ":"))
        guard append(entry.value, reading: reading) else { return false }
      }
      bytes.append(UInt8(ascii: "}"))
    }
    return true
  }

  static func quoted(_ text: String) -> String {
    var json = JSONText()
    json.append(text)
    return String(decoding: json.bytes, as: UTF8.self)
  }

  private mutating func append(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
