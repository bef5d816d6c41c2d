// What a message may show. Text out of the file is between two marks until the message is kept. Then the marks are
// taken out, and with them whatever variables and files of secrets have put there (T59, T89).

extension String {
  /// The text in single quotes for a message, with control characters made visible.
  var quoted: String { Redaction.marked("'" + visible + "'") }

  /// The text for a message where quotes would be in the way, as in `write 10.0.0.1:8080`.
  var shown: String { Redaction.marked(visible) }

  /// The text with control characters made visible.
  var visible: String {
    var result = ""
    for scalar in unicodeScalars {
      if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value) {
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// What variables and files have put into which values of the file.
struct Redaction {
  /// Control characters, of which ``Swift/String/visible`` lets none through.
  static let marks: ClosedRange<Unicode.Scalar> = "\u{2}"..."\u{3}"

  private struct Secret: Hashable {
    /// As it would look in a message, small letters.
    var text: String
    /// What is shown instead: `${NAME}`.
    var name: String
  }

  private var secrets: [Secret] = []
  private var indices: [Secret: Int] = [:]
  /// The scalars that hold one, as they are written in the file.
  private var scalars: [SourcePosition: (written: String, secrets: [Int])] = [:]

  static func marked(_ text: String) -> String {
    String(marks.lowerBound) + text + String(marks.upperBound)
  }

  /// The scalar at this position holds these values, each by the name that may be shown.
  mutating func note(_ values: [(value: String, name: String)], in written: String, at position: SourcePosition) {
    for (value, name) in values where !value.isEmpty {
      let secret = Secret(text: value.visible.lowercased(), name: name)
      let index = indices[secret] ?? secrets.count
      if index == secrets.count {
        secrets.append(secret)
        indices[secret] = index
      }
      scalars[position, default: (written.visible, [])].secrets.append(index)
    }
  }

  func isSubstituted(_ position: SourcePosition) -> Bool { scalars[position] != nil }

  /// The message as it may be shown at this position.
  func fit(_ message: String, at position: SourcePosition) -> String {
    let here = scalars[position]
    let isOwn = { (index: Int) in here?.secrets.contains(index) == true }
    var result = ""
    var rest = message.unicodeScalars[...]
    while let begin = rest.firstIndex(of: Self.marks.lowerBound) {
      let end = rest[begin...].firstIndex(of: Self.marks.upperBound) ?? rest.endIndex
      result += String(rest[..<begin])
      let text = String(rest[rest.index(after: begin)..<end])
      if let here, here.secrets.contains(where: { Self.isPiece(text, of: secrets[$0]) }) {
        // Which piece of which value it is may say something, too: the position shows what is meant.
        result += text.hasPrefix("'") ? "'\(here.written)'" : here.written
      } else {
        result += text
      }
      rest = end == rest.endIndex ? rest[end...] : rest[rest.index(after: end)...]
    }
    result += String(rest)
    // What is unmarked, or is reported at another position.
    for (index, secret) in secrets.enumerated() where secret.text.utf8.count >= (isOwn(index) ? 3 : 8) {
      result = Self.replacing(secret.text, by: secret.name, in: result)
    }
    return result
  }

  /// Whether a text reveals some of a secret: all of it, or four scalars in a row.
  private static func isPiece(_ text: String, of secret: Secret) -> Bool {
    let folded = text.lowercased()
    if folded.contains(secret.text) { return true }
    let bare = folded.hasPrefix("'") && folded.hasSuffix("'") ? String(folded.dropFirst().dropLast()) : folded
    if bare.unicodeScalars.count < 4 { return !bare.isEmpty && secret.text.contains(bare) }
    let runs = Set(runs(of: bare))
    return self.runs(of: secret.text).contains { runs.contains($0) }
  }

  private static func runs(of text: String) -> some Sequence<[Unicode.Scalar]> {
    let scalars = Array(text.unicodeScalars)
    return (0..<max(0, scalars.count - 3)).lazy.map { Array(scalars[$0..<$0 + 4]) }
  }

  private static func replacing(_ secret: String, by name: String, in text: String) -> String {
    // That it is not there is the rule.
    guard secret.utf8.count <= text.utf8.count, text.lowercased().contains(secret) else { return text }
    var result = ""
    var rest = text[...]
    while let found = rest.firstRange(ofFolded: secret) {
      result += rest[..<found.lowerBound] + name
      rest = rest[found.upperBound...]
    }
    return result + rest
  }
}

extension Substring {
  /// Where a text in small letters appears first, in letters of either case.
  fileprivate func firstRange(ofFolded text: String) -> Range<Index>? {
    let count = text.count
    var start = startIndex
    while start < endIndex {
      guard let end = index(start, offsetBy: count, limitedBy: endIndex) else { return nil }
      if self[start..<end].lowercased() == text { return start..<end }
      start = index(after: start)
    }
    return nil
  }
}
