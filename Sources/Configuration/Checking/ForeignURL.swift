// A URL where the file has an address, a host or a path, cut into the pieces that go there.

/// A text with `://` in it.
struct ForeignURL {
  var isSecure: Bool
  /// Without a port. Brackets of an IPv6 address are kept.
  var host: String
  /// As it is written, or the usual one of the scheme.
  var port: String
  /// Empty where there is none. Without a query.
  var path: String

  /// `host:port`
  var address: String { "\(host):\(port)" }

  init?(_ text: String) {
    guard let mark = text.firstRange(of: "://") else { return nil }
    let rest = text[mark.upperBound...]
    var authority = rest.prefix { !"/?#".contains($0) }
    path = String(rest.dropFirst(authority.count).prefix { !"?#".contains($0) })
    if let user = authority.lastIndex(of: "@") { authority = authority[authority.index(after: user)...] }
    isSecure = ["https", "wss", "tls", "grpcs"].contains(text[..<mark.lowerBound].lowercased())
    port = isSecure ? "443" : "80"
    if !authority.hasSuffix("]"), let colon = authority.lastIndex(of: ":") {
      let digits = authority[authority.index(after: colon)...]
      if !digits.isEmpty { port = String(digits) }
      authority = authority[..<colon]
    }
    host = String(authority)
  }
}
