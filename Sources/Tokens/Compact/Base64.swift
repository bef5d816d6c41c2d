// Base64 as header fields of HTTP have it. All that tokens have is in the other alphabet, see Base64URL.

package enum Base64 {
  /// With padding (RFC 4648 §4).
  package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
    var text = Base64URL.encode(bytes).map { digit in
      digit == UInt8(ascii: "-") ? UInt8(ascii: "+") : digit == UInt8(ascii: "_") ? UInt8(ascii: "/") : digit
    }
    while !text.count.isMultiple(of: 4) { text.append(UInt8(ascii: "=")) }
    return text
  }
}
