// The URL of a document to fetch, cut into what a connection and a request need. Invariant: the target is the URL's own
// bytes from the path on. Nothing is decoded, joined or tidied (T73).

internal import Configuration
internal import NIOCore

/// An absolute http or https URL (RFC 9110 §4.2), checked so that no part of it can break out of a request's head
/// (T52).
package struct FetchURL: Sendable, Hashable, CustomStringConvertible {
  /// The whole URL as it was given.
  package let text: String
  package let isSecure: Bool
  /// A name in lower case, or an IP address in its usual spelling without brackets.
  package let host: String
  package let port: UInt16
  /// Path and query as they are, `/` when there is neither.
  package let target: String

  /// Nil unless the text is `http://` or `https://`, a host, an optional port and visible ASCII. User information and
  /// fragments are refused, for neither means anything to the one who fetches.
  package init?(_ text: String) {
    // LIMIT: 2,048 bytes: longer URLs of key sets are not met in practice, and are refused.
    guard text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x5c }) else { return nil }
    guard let schemeEnd = text.firstRange(of: "://") else { return nil }
    switch text[..<schemeEnd.lowerBound].lowercased() {
    case "http": isSecure = false
    case "https": isSecure = true
    default: return nil
    }
    let rest = text[schemeEnd.upperBound...]
    guard !rest.contains("#") else { return nil }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    guard let (host, port) = Self.split(authority, isSecure: isSecure) else { return nil }
    let tail = rest[authority.endIndex...]
    self.text = text
    self.host = host
    self.port = port
    target = tail.first == "/" ? String(tail) : "/" + tail
  }

  /// Without the query, which may hold a secret (T89).
  package var description: String { text.withoutURLSecrets }

  /// The value of the Host field: the port only where it is not the scheme's own.
  package var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
  }

  /// Whether the host means this machine: `localhost` and names below it (RFC 6761 §6.3), 127.0.0.0/8, ::1.
  package var isLoopback: Bool {
    if host == "localhost" || host.hasSuffix(".localhost") { return true }
    if host == "::1" || host.hasPrefix("::ffff:127.") { return true }
    let parts = Self.ipv4(host)
    return parts?.first == 127
  }

  /// Whether the host is an address that only means something nearby: loopback, private (RFC 1918, RFC 4193),
  /// link-local (where clouds keep their metadata), unspecified. Names are not resolved here.
  package var isNearby: Bool {
    if isLoopback { return true }
    if let parts = Self.ipv4(host) {
      switch (parts[0], parts[1]) {
      case (0, _), (10, _), (192, 168), (169, 254): return true
      case (172, 16...31), (100, 64...127): return true
      default: return false
      }
    }
    guard host.contains(":") else { return false }
    // `64:ff9b:` is the prefix of an embedded IPv4 address (RFC 6052), whichever.
    return ["::", "fc", "fd", "fe8", "fe9", "fea", "feb", "64:ff9b:"].contains { host.hasPrefix($0) }
  }

  private static func split(_ authority: Substring, isSecure: Bool) -> (host: String, port: UInt16)? {
    guard !authority.contains("@") else { return nil }
    var name = authority
    var port: UInt16 = isSecure ? 443 : 80
    if authority.first == "[" {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      name = authority[authority.index(after: authority.startIndex)..<end]
      guard name.contains(":"), name.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
      // The one usual spelling (RFC 5952), which the checks below look at: `0:0:0:0:0:0:0:1` is `::1`.
      guard let usual = (try? SocketAddress(ipAddress: String(name), port: 0))?.ipAddress else { return nil }
      name = Substring(usual)
      let after = authority[authority.index(after: end)...]
      guard let parsed = parsePort(after, otherwise: port) else { return nil }
      port = parsed
    } else {
      name = authority.prefix { $0 != ":" }
      guard let parsed = parsePort(authority[name.endIndex...], otherwise: port) else { return nil }
      port = parsed
      guard name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" || $0 == "." || $0 == "_" }) else { return nil }
    }
    // A name that ends in a number would be read as an address in one of its old spellings (`127.1`, `0x7f000001`),
    // past the checks below that look at the usual one.
    let last = name.split(separator: ".").last ?? ""
    let isNumber = last.allSatisfy { ("0"..."9").contains($0) } || last.lowercased().hasPrefix("0x")
    if authority.first != "[", isNumber, ipv4(String(name)) == nil { return nil }
    return name.isEmpty || name.utf8.count > 253 ? nil : (name.lowercased(), port)
  }

  private static func parsePort(_ text: Substring, otherwise: UInt16) -> UInt16? {
    if text.isEmpty { return otherwise }
    let digits = text.dropFirst()
    guard text.first == ":", !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
    guard let port = UInt16(digits), port > 0 else { return nil }
    return port
  }

  private static func ipv4(_ host: String) -> [UInt8]? {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    let bytes = parts.compactMap { $0.count > 1 && $0.first == "0" ? nil : UInt8($0) }
    return parts.count == 4 && bytes.count == 4 ? bytes : nil
  }
}
