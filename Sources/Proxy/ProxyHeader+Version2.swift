// Version 2 of the PROXY protocol: sixteen bytes, the addresses that the family has, and values with a type and a
// length. A length is compared with what is there before anything is read at it.

extension ProxyHeader {
  private static let signature = "\r\n\r\n\u{0}\r\nQUIT\n"
  private static let fixedByteCount = 16

  static func readVersion2(_ bytes: Span<UInt8>) -> Reading {
    if !agree(bytes, with: signature) { return .malformed }
    if bytes.count <= 12 { return .incomplete }
    // The version in the upper half. Below it LOCAL or PROXY.
    if bytes[12] != 0x20, bytes[12] != 0x21 { return .malformed }
    let isLocal = bytes[12] == 0x20
    if bytes.count <= 13 { return .incomplete }
    let family = bytes[13]
    // UNSPEC, INET, INET6, UNIX. UNSPEC, STREAM, DGRAM. LOCAL comes with any: its family is not looked at.
    if !isLocal, family >> 4 > 3 || family & 0x0F > 2 { return .malformed }
    if bytes.count < fixedByteCount { return .incomplete }
    let end = fixedByteCount + number(bytes, at: 14)
    if end > byteCountMax { return .malformed }
    // Without a family or a kind of socket nobody can say where the addresses end: like a LOCAL header, this one is
    // skipped unread (§2.2), and nothing of it is believed.
    guard !isLocal, let addressByteCount = addressByteCount(family) else {
      return bytes.count < end ? .incomplete : .complete(byteCount: end, source: nil)
    }
    let valuesStart = fixedByteCount + addressByteCount
    if end < valuesStart { return .malformed }
    if bytes.count < end { return .incomplete }
    if !areValuesSound(bytes.extracting(0..<end), from: valuesStart) { return .malformed }
    guard let source = source(bytes, family) else { return .complete(byteCount: end, source: nil) }
    return isClaimable(source) ? .complete(byteCount: end, source: source) : .malformed
  }

  /// The bytes of both addresses with their ports, if the family is known.
  private static func addressByteCount(_ family: UInt8) -> Int? {
    switch family {
    case 0x11, 0x12: 12
    case 0x21, 0x22: 36
    case 0x31, 0x32: 216
    default: nil
    }
  }

  /// The client's address, if it speaks TCP. The caller has seen that the addresses are there.
  private static func source(_ bytes: Span<UInt8>, _ family: UInt8) -> PeerAddress? {
    switch family {
    case 0x11: PeerAddress(high: 0, low: 0xFFFF_0000_0000 | word(bytes, at: 16, byteCount: 4))
    case 0x21: PeerAddress(high: word(bytes, at: 16, byteCount: 8), low: word(bytes, at: 24, byteCount: 8))
    default: nil
    }
  }

  /// Whether the values fill the rest of the header to its last byte and its checksum, if any, is right (§2.2.3).
  private static func areValuesSound(_ header: Span<UInt8>, from start: Int) -> Bool {
    var index = start
    var checksum: Int?
    while index < header.count {
      if header.count - index < 3 { return false }
      let type = header[index]
      let byteCount = number(header, at: index + 1)
      index += 3
      if byteCount > header.count - index { return false }
      if type == 0x03 {
        // Of two, each would be computed over the other.
        if byteCount != 4 || checksum != nil { return false }
        checksum = index
      }
      index += byteCount
    }
    guard let checksum else { return true }
    return word(header, at: checksum, byteCount: 4) == UInt64(crc32c(header, withZerosAt: checksum..<checksum + 4))
  }

  /// CRC-32C (RFC 9260 appendix A), bit by bit: a header is short, and there is one a connection.
  private static func crc32c(_ bytes: Span<UInt8>, withZerosAt zeros: Range<Int>) -> UInt32 {
    var remainder = UInt32.max
    for index in bytes.indices {
      if !zeros.contains(index) { remainder ^= UInt32(bytes[index]) }
      for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 0 ? 0 : 0x82F6_3B78) }
    }
    return ~remainder
  }

  private static func number(_ bytes: Span<UInt8>, at index: Int) -> Int {
    Int(bytes[index]) << 8 | Int(bytes[index + 1])
  }

  /// At most eight bytes, the first one highest.
  private static func word(_ bytes: Span<UInt8>, at start: Int, byteCount: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in start..<start + byteCount { value = value << 8 | UInt64(bytes[index]) }
    return value
  }
}
