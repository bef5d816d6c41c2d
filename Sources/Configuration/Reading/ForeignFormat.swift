// Files of other programs that are given to this one.

/// The format that a text is probably in, where it is not ours.
enum ForeignFormat {
  /// `server {`, or lines that end with `;`.
  case braces
  /// `[section]`, or `name = "value"`.
  case toml

  init?(of text: String) {
    let lines = text.split(whereSeparator: \.isNewline).lazy.map { $0.drop(while: \.isWhitespace) }
    guard let first = lines.first(where: { !$0.isEmpty && !$0.hasPrefix("#") }) else { return nil }
    if first.last == ";" || Self.hasBlock(first) {
      self = .braces
    } else if (first.hasPrefix("[") && first.last == "]") || first.contains(" = ") {
      self = .toml
    } else {
      return nil
    }
  }

  /// Whether a line opens a block after a word, as YAML never does.
  private static func hasBlock(_ line: Substring) -> Bool {
    guard let brace = line.firstIndex(of: "{") else { return false }
    let stem = line[..<brace]
    guard stem.last == " ", let sign = stem.last(where: { $0 != " " }) else { return false }
    return !stem.contains(": ") && !stem.hasPrefix("-") && !":,[-\"'".contains(sign)
  }

  var advice: String {
    let name = self == .braces ? "nginx or Caddy" : "TOML"
    return "this looks like the format of \(name), and this file is YAML: "
      + "write listeners: [{ address: 0.0.0.0:8080 }], then 'upstreams' and 'routes'"
  }
}
