// The authority of a request: uri-host [ ":" port ] (RFC 9110 §4.2, RFC 3986 §3.2). Stricter than the RFC where
// leniency only helps an attacker: a name is made of letters, digits and `-._~`, without %XX and sub-delims. No user
// information.

import Bytes

/// Whether `text` is a host with an optional port, as Host and the absolute form carry it (T67).
package func isAuthority(_ text: Span<UInt8>) -> Bool {
  guard let hostEnd = authorityHostEnd(text) else { return false }
  if hostEnd == text.count { return true }
  guard text[hostEnd] == 0x3A else { return false }
  // A port may be empty (RFC 3986 §3.2.3) and has at most five digits, leading zeros included.
  if text.count - hostEnd > 6 { return false }
  var port = 0
  for index in hostEnd + 1..<text.count {
    guard isDigit(text[index]) else { return false }
    port = port * 10 + Int(text[index] & 15)
  }
  return port <= 65535
}

/// Whether `text` can be the host of an authority, without port: a name, an IPv4 address, or an IPv6 one in brackets.
package func isHostName(_ text: Span<UInt8>) -> Bool {
  guard let end = authorityHostEnd(text) else { return false }
  return end == text.count
}

/// The host of an authority that ``isAuthority(_:)`` accepts, for comparing with configured names: without port,
/// without the brackets of an IPv6 address and without the one dot that may end a full domain name.
package func hostRange(of authority: Span<UInt8>) -> Range<Int> {
  guard let end = authorityHostEnd(authority), end > 0 else { return 0..<0 }
  return hostRange(of: authority, endingAt: end)
}

@inline(__always)
private func hostRange(of authority: Span<UInt8>, endingAt end: Int) -> Range<Int> {
  if authority[0] == 0x5B { return 1..<end - 1 }
  return 0..<(end > 1 && authority[end - 1] == 0x2E ? end - 1 : end)
}

/// Both at once: the host as ``hostRange(of:)`` has it, and the port. Nil where the authority names none.
package func hostAndPort(of authority: Span<UInt8>) -> (host: Range<Int>, port: Int?) {
  guard let end = authorityHostEnd(authority), end > 0 else { return (0..<0, nil) }
  let host = hostRange(of: authority, endingAt: end)
  if end + 1 >= authority.count || authority.count - end > 6 || authority[end] != 0x3A { return (host, nil) }
  var port = 0
  for index in end + 1..<authority.count {
    guard isDigit(authority[index]) else { return (host, nil) }
    port = port * 10 + Int(authority[index] & 15)
  }
  return (host, port)
}

/// The index behind the host, nil where none begins the text.
private func authorityHostEnd(_ text: Span<UInt8>) -> Int? {
  // LIMIT: names have at most 253 characters (RFC 1035 §3.1). With a final dot and a port that is 260. A longer one is
  // not a valid authority: 400.
  if text.isEmpty || text.count > 260 { return nil }
  if text[0] == 0x5B {
    guard let close = text.firstIndex(of: 0x5D), isIPv6(text.extracting(1..<close)) else { return nil }
    return close + 1
  }
  var index = 0
  // Eight bytes a step while they are letters, digits, hyphens and dots, as in nearly every name.
  while index + 8 <= text.count, PackedBytes(text, at: index).unusualInHost == 0 { index += 8 }
  while index < text.count, isNameByte(text[index]) { index += 1 }
  if index == 0 || text[0] == 0x2E { return nil }
  // One dot may end a full domain name. With more, a rule for the name would not find it (T95).
  return text[index - 1] == 0x2E && text[index - 2] == 0x2E ? nil : index
}

/// The unreserved characters of RFC 3986 §2.3.
@inline(__always)
func isNameByte(_ byte: UInt8) -> Bool {
  (byte | 0x20) &- 0x61 < 26 || isDigit(byte) || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
}

/// An IPv6 address without zone (RFC 3986 §3.2.2): eight groups of up to four digits, one run of them as `::`, the last
/// two perhaps as an IPv4 address.
package func isIPv6(_ text: Span<UInt8>) -> Bool {
  var index = 0
  var groupCount = 0
  var isCompressed = false
  if text.count >= 2, text[0] == 0x3A, text[1] == 0x3A {
    isCompressed = true
    index = 2
  }
  while index < text.count {
    let start = index
    while index < text.count, ByteTables.hexadecimalDigit[Int(text[index])] != 255 { index += 1 }
    if index < text.count, text[index] == 0x2E {
      groupCount += 2
      guard isIPv4(text.extracting(start..<text.count)) else { return false }
      return isCompressed ? groupCount < 8 : groupCount == 8
    }
    groupCount += 1
    if index == start || index - start > 4 || groupCount > 8 { return false }
    if index == text.count { break }
    guard text[index] == 0x3A, index + 1 < text.count else { return false }
    index += 1
    if text[index] == 0x3A {
      if isCompressed { return false }
      isCompressed = true
      index += 1
    }
  }
  return isCompressed ? groupCount < 8 : groupCount == 8
}

/// Four numbers from 0 to 255 without leading zeros, separated by dots.
package func isIPv4(_ text: Span<UInt8>) -> Bool {
  var index = 0
  for part in 0..<4 {
    if part > 0 {
      guard index < text.count, text[index] == 0x2E else { return false }
      index += 1
    }
    let start = index
    var value = 0
    while index < text.count, index - start < 3, isDigit(text[index]) {
      value = value * 10 + Int(text[index] & 15)
      index += 1
    }
    if index == start || value > 255 || (index - start > 1 && text[start] == 0x30) { return false }
  }
  return index == text.count
}
