// The address of a client, once as numbers for trust decisions and once as text for fields and the log.

import Bytes

/// An IPv4 (in IPv6-mapped form) or IPv6 address. All zero for a peer that has none (a Unix socket).
package struct PeerAddress: Sendable, Hashable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A peer on a Unix socket, which has no address.
  package var isUnix: Bool { high == 0 && low == 0 }

  package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

  /// What counts as one client: an IPv4 address, or so many bits of an IPv6 one, of which a subscriber has many.
  package func network(prefix: Int) -> PeerAddress {
    if isIPv4 || prefix >= 128 { return self }
    if prefix <= 64 { return PeerAddress(high: high & ~(UInt64.max >> UInt64(clamping: prefix)), low: 0) }
    return PeerAddress(high: high, low: low & ~(UInt64.max >> UInt64(prefix - 64)))
  }

  /// Reads an IPv4 or IPv6 literal (RFC 4291 §2.2), without brackets or zone. Nil for anything else.
  package init?(_ text: Span<UInt8>) {
    guard let parsed = Self.parseIPv4(text, from: 0) ?? Self.parseIPv6(text) else { return nil }
    self = parsed
  }

  private static func parseIPv4(_ text: Span<UInt8>, from start: Int) -> PeerAddress? {
    var value: UInt64 = 0
    var part: UInt64 = 0
    var digits = 0
    var dots = 0
    for index in start..<text.count {
      let byte = text[index]
      if byte == 0x2E {
        if digits == 0 || dots == 3 { return nil }
        value = value << 8 | part
        (part, digits) = (0, 0)
        dots += 1
      } else if byte >= 0x30, byte <= 0x39 {
        if digits > 0 && part == 0 || digits == 3 { return nil }
        part = part * 10 + UInt64(byte - 0x30)
        digits += 1
        if part > 255 { return nil }
      } else {
        return nil
      }
    }
    if dots != 3 || digits == 0 { return nil }
    return PeerAddress(high: 0, low: 0xFFFF_0000_0000 | value << 8 | part)
  }

  private static func parseIPv6(_ text: Span<UInt8>) -> PeerAddress? {
    var groups: [UInt16] = []
    var gap: Int?
    var index = 0
    let count = text.count
    if count < 2 || count > 45 { return nil }
    if text[0] == 0x3A {
      if text[1] != 0x3A { return nil }
      gap = 0
      index = 2
    }
    while index < count {
      var value = 0
      var digits = 0
      let groupStart = index
      while index < count, let nibble = hexadecimalValue(text[index]) {
        value = value << 4 | nibble
        digits += 1
        index += 1
        if digits > 4 { return nil }
      }
      if index < count, text[index] == 0x2E {
        guard groups.count <= 6, let tail = parseIPv4(text, from: groupStart) else { return nil }
        groups.append(UInt16(truncatingIfNeeded: tail.low >> 16))
        groups.append(UInt16(truncatingIfNeeded: tail.low))
        index = count
        break
      }
      if digits == 0 || groups.count == 8 { return nil }
      groups.append(UInt16(truncatingIfNeeded: value))
      if index == count { break }
      if text[index] != 0x3A { return nil }
      index += 1
      if index == count { return nil }
      if text[index] == 0x3A {
        if gap != nil { return nil }
        gap = groups.count
        index += 1
      }
    }
    if let gap {
      if groups.count > 7 { return nil }
      groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
    }
    if groups.count != 8 { return nil }
    let high = groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
    let low = groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
    return PeerAddress(high: high, low: low)
  }

  /// The address as RFC 5952 writes it (IPv4-mapped ones as IPv4).
  package var text: String {
    if !isIPv4 { return textOfIPv6 }
    // Every new connection asks for it: no memory is taken for it.
    var text = InlineArray<15, UInt8>(repeating: 0x2E)
    var count = 0
    for place in 1...4 {
      let part = UInt8(truncatingIfNeeded: low >> UInt64(32 - place * 8))
      var power: UInt8 = part >= 100 ? 100 : part >= 10 ? 10 : 1
      while power > 0 {
        text[count] = 0x30 + part / power % 10
        count += 1
        power /= 10
      }
      // The dot is there.
      if place < 4 { count += 1 }
    }
    return text.span.extracting(0..<count).text()
  }

  private var textOfIPv6: String {
    let groups = (0..<8).map { (index: Int) -> UInt64 in
      let half = index < 4 ? high : low
      return (half >> UInt64(48 - index % 4 * 16)) & 0xFFFF
    }
    var best = 0..<0
    var index = 0
    while index < 8 {
      var end = index
      while end < 8, groups[end] == 0 { end += 1 }
      if end - index > max(best.count, 1) { best = index..<end }
      index = max(end, index + 1)
    }
    if best.isEmpty { return groups.map { String($0, radix: 16) }.joined(separator: ":") }
    let front = groups[..<best.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
    let back = groups[best.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
    return front + "::" + back
  }
}

/// The value of a hexadecimal digit, or nil.
func hexadecimalValue(_ byte: UInt8) -> Int? {
  switch byte {
  case 0x30...0x39: Int(byte) - 0x30
  case 0x41...0x46: Int(byte) - 0x37
  case 0x61...0x66: Int(byte) - 0x57
  default: nil
  }
}
