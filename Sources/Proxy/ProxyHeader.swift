// What a balancer writes in front of a connection to say whose it is: the PROXY protocol (HAProxy's
// proxy-protocol.txt), version 1 as a line of text and version 2 as bytes. The header is required where it is read, and
// only what is exactly one counts: nothing is guessed.

import Bytes

/// The header of a connection on a listener with `proxy_protocol: true`. Keeps no state: while it is incomplete, the
/// caller asks again with all bytes since the connection's first, never more than ``byteCountMax`` of them.
package enum ProxyHeader {
  package enum Reading: Sendable, Equatable {
    /// So far the beginning of a header. Ever more bytes end this: each version has its bound.
    case incomplete
    /// A header takes the first `byteCount` bytes, what follows is the client's. `source` is nil where the header names
    /// no TCP address (LOCAL, UNKNOWN, UNSPEC, UNIX, DGRAM): then the connection's own address counts.
    case complete(byteCount: Int, source: PeerAddress?)
    /// No header, whatever may follow: the connection is closed.
    case malformed
  }

  // LIMIT: bytes of a whole header, as in nginx. Version 2 could announce 64 KiB. A longer one is malformed as soon as
  // it says its length. Real ones, with the names of a certificate, have a few hundred.
  package static let byteCountMax = 4096

  // LIMIT: bytes of a line of version 1 with its CRLF (§2.1). One without an end in them is malformed.
  static let lineByteCountMax = 107

  package static func read(_ bytes: Span<UInt8>) -> Reading {
    if bytes.isEmpty { return .incomplete }
    return bytes[0] == UInt8(ascii: "P") ? readVersion1(bytes) : readVersion2(bytes)
  }

  /// Whether the bytes begin with the word or, while they are fewer, may still.
  static func agree(_ bytes: Span<UInt8>, with word: String) -> Bool {
    var index = 0
    for byte in word.utf8 {
      if index == bytes.count { return true }
      if bytes[index] != byte { return false }
      index += 1
    }
    return true
  }

  /// All zero is how ``PeerAddress`` says that a peer has no address (a Unix socket), which no header may claim.
  static func isClaimable(_ address: PeerAddress) -> Bool { address.high != 0 || address.low != 0 }

  private static func readVersion1(_ bytes: Span<UInt8>) -> Reading {
    let isUnknown = agree(bytes, with: "PROXY UNKNOWN")
    let isIPv6 = agree(bytes, with: "PROXY TCP6 ")
    if !isUnknown, !isIPv6, !agree(bytes, with: "PROXY TCP4 ") { return .malformed }
    var index = isUnknown ? 13 : 11
    let start = index
    while index < bytes.count, index <= lineByteCountMax - 2 {
      // Neither of the two ends a line alone, nor is it part of one.
      if bytes[index] == 0x0A { return .malformed }
      if bytes[index] == 0x0D {
        if index + 1 == bytes.count { return .incomplete }
        if bytes[index + 1] != 0x0A { return .malformed }
        let fields = bytes.extracting(start..<index)
        if !isUnknown { return readFields(fields, isIPv6: isIPv6, byteCount: index + 2) }
        // What follows the word is ignored, but it is another word without the space.
        if !fields.isEmpty, fields[0] != 0x20 { return .malformed }
        return .complete(byteCount: index + 2, source: nil)
      }
      index += 1
    }
    return index <= lineByteCountMax - 2 ? .incomplete : .malformed
  }

  /// Reads source, destination and their ports with one space between each.
  private static func readFields(_ fields: Span<UInt8>, isIPv6: Bool, byteCount: Int) -> Reading {
    guard let first = fields.firstIndex(of: 0x20),
      let second = fields.firstIndex(of: 0x20, from: first + 1),
      let third = fields.firstIndex(of: 0x20, from: second + 1),
      let source = address(fields.extracting(0..<first), isIPv6: isIPv6), isClaimable(source),
      address(fields.extracting(first + 1..<second), isIPv6: isIPv6) != nil,
      isPort(fields.extracting(second + 1..<third)),
      isPort(fields.extracting(third + 1..<fields.count))
    else { return .malformed }
    return .complete(byteCount: byteCount, source: source)
  }

  private static func address(_ text: Span<UInt8>, isIPv6: Bool) -> PeerAddress? {
    // Only IPv6 has colons, and all of it has.
    (text.firstIndex(of: 0x3A) != nil) == isIPv6 ? PeerAddress(text) : nil
  }

  /// Whether this is 0...65535 in decimal digits, without a sign or zeros in front.
  private static func isPort(_ text: Span<UInt8>) -> Bool {
    if text.isEmpty || text.count > 5 { return false }
    if text[0] == 0x30 { return text.count == 1 }
    var value = 0
    for index in text.indices {
      let byte = text[index]
      if byte < 0x30 || byte > 0x39 { return false }
      value = value * 10 + Int(byte - 0x30)
    }
    return value <= 65_535
  }
}
