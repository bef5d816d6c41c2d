// A CIDR block as an operator writes it.

extension AddressRange: CustomStringConvertible {
  /// `10.0.0.0/8`, `10.0.0.1`, `2001:db8::/32`.
  package var description: String {
    if high == 0, low >> 32 == 0xFFFF, prefixLength >= 96 {
      let bytes = stride(from: 24, through: 0, by: -8).map { "\(low >> UInt64($0) & 0xFF)" }
      return bytes.joined(separator: ".") + (prefixLength == 128 ? "" : "/\(prefixLength - 96)")
    }
    let groups = [high, low].flatMap { half in stride(from: 48, through: 0, by: -16).map { half >> UInt64($0) & 0xFFFF }
    }
    return Self.shortened(groups) + (prefixLength == 128 ? "" : "/\(prefixLength)")
  }

  /// The longest run of empty groups is left out (RFC 5952).
  private static func shortened(_ groups: [UInt64]) -> String {
    var longest = 0..<0
    var start = 0
    for index in 0...groups.count where index == groups.count || groups[index] != 0 {
      if index - start > max(longest.count, 1) { longest = start..<index }
      start = index + 1
    }
    func text(_ part: ArraySlice<UInt64>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
    if longest.isEmpty { return text(groups[...]) }
    return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
  }
}
