// What may be in `origins:`: what a browser would write into Origin (RFC 6454 §6.2), or that with a `*`.

enum OriginRules {
  static func origin(_ text: String) -> Result<CORS.Origin, PathRules.Problem> {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      return .failure(problem(text, "write visible ASCII only, and names of other scripts in their 'xn--' form"))
    }
    let folded = text.lowercased()
    if folded == "*" { return .success(.any) }
    if folded == "null" || folded == "file://" { return .success(.exact(folded)) }
    guard let mark = folded.firstRange(of: "://") else {
      return .failure(problem(text, "its scheme is missing: write \("https://\(text)".quoted)"))
    }
    let scheme = String(folded[..<mark.lowerBound])
    guard isScheme(scheme) else { return .failure(problem(text, "\(scheme.quoted) is not a valid scheme")) }
    let authority = String(folded[mark.upperBound...])
    if let slash = authority.utf8.firstIndex(where: ASCIISet("/?#").contains) {
      let short = text.utf8.prefix(text.utf8.count - authority.utf8[slash...].count)
      return .failure(problem(text, "an origin has no path: write \(String(Substring(short)).quoted)"))
    }
    if authority.contains("@") {
      return .failure(problem(text, "it contains user information: remove '@' and what is before it"))
    }
    return hostAndPort(authority, scheme: scheme, text)
  }

  private static func hostAndPort(
    _ authority: String, scheme: String, _ text: String
  ) -> Result<CORS.Origin, PathRules.Problem> {
    var host = authority
    var port = OriginPattern.Port.none
    if let colon = authority.utf8.lastIndex(of: UInt8(ascii: ":")), !authority.hasSuffix("]") {
      host = String(authority[..<colon])
      let digits = String(authority[authority.index(after: colon)...])
      if digits == "*" {
        port = .any
      } else if let number = decimal(digits), (1...65_535).contains(number) {
        let standard = ["http": 80, "https": 443, "ws": 80, "wss": 443][scheme]
        if number == standard {
          return .failure(
            problem(text, "browsers omit the default port: write \("\(scheme)://\(host)".quoted)"))
        }
        port = .exact(digits)
      } else {
        return .failure(problem(text, "\(digits.quoted) is not a valid port"))
      }
    }
    let isSubdomain = host.hasPrefix("*.")
    if isSubdomain { host = String(host.dropFirst(2)) }
    guard isHost(host) else {
      if host == "*" { return .failure(problem(text, "write \"*\" for every origin, or *.example.com for subdomains")) }
      return .failure(problem(text, "\(host.quoted) is not a valid host"))
    }
    if !isSubdomain, port != .any { return .success(.exact("\(scheme)://\(authority)")) }
    return .success(
      .pattern(OriginPattern(scheme: scheme + "://", host: host, isSubdomain: isSubdomain, port: port)))
  }

  private static func problem(_ text: String, _ what: String) -> PathRules.Problem {
    PathRules.Problem("\(text.quoted) is not a valid origin: \(what)")
  }

  /// RFC 3986 §3.1.
  private static func isScheme(_ text: String) -> Bool {
    guard let first = text.utf8.first, (0x61...0x7A).contains(first) else { return false }
    return text.utf8.allSatisfy { $0.isAlphanumeric || "+-.".utf8.contains($0) }
  }

  /// A name, an address, or what apps and extensions have in its place.
  private static func isHost(_ text: String) -> Bool {
    if text.hasPrefix("["), text.hasSuffix("]") {
      return IPAddress(String(text.dropFirst().dropLast()))?.isIPv4 == false
    }
    guard !text.isEmpty, text.utf8.count <= 253, !text.hasPrefix("."), !text.contains("..") else { return false }
    return text.utf8.allSatisfy { $0.isAlphanumeric || "-._".utf8.contains($0) }
  }
}
