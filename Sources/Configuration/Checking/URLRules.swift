// http and https URLs of key sets, issuers and redirects. They are taken as they are (T73): this only says whether a
// text is one, and where it leads.

struct WebURL {
  var isSecure: Bool
  var host: String
  var pathAndQuery: String

  /// 127.0.0.0/8, ::1 or localhost: the one place where plain http gives nothing away.
  var isLoopback: Bool { host.lowercased() == "localhost" || IPAddress(host)?.isLoopback == true }

  /// The URL, or what is wrong with it.
  static func parse(_ text: String) -> Result<WebURL, PathRules.Problem> {
    var shown: String { text.withoutURLSecrets.quoted }
    let isSecure = text.hasPrefix("https://")
    guard isSecure || text.hasPrefix("http://") else {
      return .failure(.init("\(shown) is not a URL that begins with https://"))
    }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"\"<>\\^`{|}".utf8.contains($0) }) else {
      return .failure(.init("\(shown) contains a character that is not allowed in a URL: percent-encode it"))
    }
    if text.contains("#") { return .failure(.init("\(shown) has a fragment: remove '#' and what follows")) }
    // ASCII by now.
    let rest = text.utf8.dropFirst(isSecure ? 8 : 7)
    let authority = Substring(rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") })
    if authority.contains("@") {
      return .failure(.init("\(shown) contains user information before '@': remove it"))
    }
    guard let host = host(of: authority) else { return .failure(.init("\(shown) has no valid host or port")) }
    return .success(
      WebURL(isSecure: isSecure, host: host, pathAndQuery: String(Substring(rest.dropFirst(authority.utf8.count)))))
  }

  private static func host(of authority: Substring) -> String? {
    var host = authority
    var port: Substring?
    if authority.hasPrefix("[") {
      guard let close = authority.firstIndex(of: "]") else { return nil }
      let behind = authority[authority.index(after: close)...]
      if !behind.isEmpty {
        guard behind.hasPrefix(":") else { return nil }
        port = behind.dropFirst()
      }
      host = authority[authority.index(after: authority.startIndex)..<close]
      guard let literal = IPAddress(String(host)), !literal.isIPv4 else { return nil }
    } else {
      if let colon = authority.firstIndex(of: ":") {
        port = authority[authority.index(after: colon)...]
        host = authority[..<colon]
      }
      guard IPAddress(String(host)) != nil || (!host.contains(":") && hostNameProblem(String(host)) == nil) else {
        return nil
      }
    }
    if let port {
      guard let number = decimal(String(port)), (1...65_535).contains(number) else { return nil }
    }
    return String(host)
  }
}

extension String {
  /// A URL as findings, logs and `/status` show it: without user information, query and fragment, which may hold
  /// secrets (T89).
  package var withoutURLSecrets: String {
    let start = firstRange(of: "://")?.upperBound ?? startIndex
    let user = self[start...].prefix { $0 != "/" }.lastIndex(of: "@")
    let kept = self[(user ?? start)...].prefix { $0 != "?" && $0 != "#" }
    return self[..<start] + (user == nil ? "" : "…") + kept
      + (kept.endIndex < endIndex ? "\(self[kept.endIndex])…" : "")
  }
}
