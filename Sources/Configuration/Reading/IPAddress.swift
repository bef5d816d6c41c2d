// IPv4 and IPv6 literals (RFC 4291 §2.2, RFC 6890 loopback), strictly: no octal parts, no zone, no short IPv4.

/// An address as 128 bits. IPv4 in its mapped form ::ffff:0:0/96.
struct IPAddress: Hashable {
  var high: UInt64
  var low: UInt64
  var isIPv4: Bool

  /// Nil when the text is not a literal.
  init?(_ text: String) {
    if text.utf8.contains(UInt8(ascii: ":")) {
      guard let groups = Self.groups(text) else { return nil }
      high = groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
      low = groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
      isIPv4 = false
    } else {
      guard let value = Self.version4(text[...]) else { return nil }
      high = 0
      low = 0xFFFF_0000_0000 | UInt64(value)
      isIPv4 = true
    }
  }

  /// `0.0.0.0` or `::`.
  var isUnspecified: Bool { high == 0 && (isIPv4 ? low == 0xFFFF_0000_0000 : low == 0) }

  /// 127.0.0.0/8, also in mapped form, or `::1`.
  var isLoopback: Bool { high == 0 && (low == 1 || low >> 24 == 0xFFFF_7F) }

  private static func version4(_ text: Substring) -> UInt32? {
    // Most texts are names.
    guard let first = text.utf8.first, (0x30...0x39).contains(first) else { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }),
        part.count == 1 || part.first != 0x30, let number = UInt8(String(Substring(part)))
      else { return nil }
      value = value << 8 | UInt32(number)
    }
    return value
  }

  private static func groups(_ text: String) -> [UInt16]? {
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    guard halves.count <= 2, let head = run(halves[0], mayEndInIPv4: halves.count == 1) else { return nil }
    if halves.count == 1 { return head.count == 8 ? head : nil }
    guard let tail = run(halves[1], mayEndInIPv4: true), head.count + tail.count <= 7 else { return nil }
    return head + [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail
  }

  private static func run(_ text: Substring, mayEndInIPv4: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    var result: [UInt16] = []
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      if mayEndInIPv4, index == parts.count - 1, part.contains(".") {
        guard let value = version4(part) else { return nil }
        result += [UInt16(value >> 16), UInt16(value & 0xFFFF)]
      } else {
        guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(\.isHexDigit), let group = UInt16(part, radix: 16)
        else { return nil }
        result.append(group)
      }
    }
    return result
  }
}

extension UInt8 {
  var isHexDigit: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
    default: false
    }
  }
}
