// Values that are valid and are rarely what was meant: patterns where none are known, claims in the spelling of other
// programs, text that is the name of a file.

enum SuspiciousValues {
  /// The items of a list that was written as one text: `a b`, `a, b`.
  static func items(of text: String) -> [String] {
    text.split { $0 == "," || $0.isWhitespace }.map(String.init)
  }

  /// What a text has between the quotes of a word processor, or nil.
  static func inTypographicQuotes(_ text: String) -> String? {
    // None of these is ASCII.
    guard text.utf8.first.map({ $0 >= 0x80 }) == true, let first = text.first, let last = text.last, text.count > 2,
      "“”„‘’«".contains(first), "“”‘’»".contains(last)
    else { return nil }
    return String(text.dropFirst().dropLast())
  }

  // MARK: Patterns

  /// What a regular expression has and a plain value does not.
  private static let expressionSigns = [".*", ".+", "[0-9]", "[a-z", "[A-Z", "[^", "\\d", "\\w", "\\.", "\\S", "(?"]

  /// Whether a value that is compared as it is looks like a pattern.
  static func isPattern(_ value: String) -> Bool {
    if value == "*/*" { return false }
    return value.hasPrefix("*") || value.hasSuffix("*") || value.hasPrefix("^") || value.hasPrefix("~")
      || isExpression(value)
  }

  static func isExpression(_ text: String) -> Bool {
    // Each of them begins with one of these.
    text.contains(anyOf: ".[\\(") && expressionSigns.contains { text.contains($0) }
  }

  /// What a path that is a regular expression, or has `<name>` segments, begins with: the part before its first
  /// segment that is not plain. Nil for other paths.
  static func plainStart(ofExpression path: String) -> String? {
    let isSuspicious =
      path.hasPrefix("~") || path.contains(anyOf: "[]^|") || isExpression(path)
      || path.contains("/<") || (path.contains("(") && path.hasSuffix("$"))
    guard isSuspicious, !path.hasPrefix("~/") else { return nil }
    let body = path.drop { $0 != "/" }.split(separator: "/")
    let plain = body.prefix { segment in !segment.contains { "[]^|()<>\\*+?$".contains($0) } }
    return plain.map { "/" + $0 }.joined()
  }

  // MARK: Names

  /// The claim that `{sub}`, `$jwt_claim_sub` and the like mean, or nil.
  static func claim(meantBy text: String) -> String? {
    var name = Substring(text)
    let prefixes = ["${", "{{", "{", "$", ".", "jwt_claim_", "jwt_", "claims.", "claim:", "claim_", "."]
    guard name.hasPrefix("{") || name.hasPrefix("$") || name.hasPrefix("claim:") else { return nil }
    name = name.prefix { $0 != "}" }
    for prefix in prefixes {
      name = name.drop(while: \.isWhitespace)
      if name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
    }
    name = name.prefix { !$0.isWhitespace }
    return name.isEmpty ? "sub" : String(name)
  }

  /// Whether a text looks like the name of a header: `X-User-Id`.
  static func isHeaderName(_ text: String) -> Bool {
    text.lowercased().hasPrefix("x-") && FieldRules.isToken(text)
  }

  /// Whether the text of a page is the name of a file.
  static func isFileName(_ text: String) -> Bool {
    !text.hasPrefix("file:")
      && [".html", ".htm", ".txt", ".json", ".xml"].contains { text.lowercased().hasSuffix($0) }
      && !text.contains { $0.isWhitespace || "<>{}".contains($0) }
  }

  /// The URL in front of the well-known path of a discovery document (RFC 8414 §3), or nil.
  static func issuer(ofDiscovery url: String) -> String? {
    guard let mark = url.firstRange(of: "/.well-known/") else { return nil }
    let rest = url[mark.upperBound...]
    guard rest.hasPrefix("openid-configuration") || rest.hasPrefix("oauth-authorization-server") else { return nil }
    return url[..<mark.lowerBound] + (rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "")
  }
}
