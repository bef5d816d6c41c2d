// Templates: text in which `{name}` means a segment of the route's path and `{*}` for what `/*` matched. In header
// values braces are common (JSON), so that only a word or a star between them makes a capture. `{{name}}` is `{name}`.

extension Reading {
  /// The pieces of a text, neighbouring text as one. Nil after an error was reported.
  /// - Parameter takesHost: whether `{host}` is the request's host.
  func template(
    _ text: String, pattern: PathPattern, takesHost: Bool = false, at position: SourcePosition
  ) -> [TemplatePart]? {
    if !text.contains("{") { return text.isEmpty ? [] : [.text(text)] }
    var parts: [TemplatePart] = []
    var literal = ""
    var rest = Substring(text)
    while let first = rest.first {
      // `${` was written as `$${` and is text.
      guard first == "{", literal.last != "$", let end = rest.firstIndex(of: "}") else {
        literal.append(first)
        rest = rest.dropFirst()
        continue
      }
      let name = String(rest[rest.index(after: rest.startIndex)..<end])
      let behind = rest[rest.index(after: end)...]
      if name == "*" || PathRules.isParameterName(name) {
        guard let part = capture(name, pattern: pattern, takesHost: takesHost, at: position) else { return nil }
        if !literal.isEmpty { parts.append(.text(literal)) }
        literal = ""
        parts.append(part)
        rest = behind
      } else if isValue(name) {
        guard let part = value(name, pattern: pattern, at: position) else { return nil }
        if !literal.isEmpty { parts.append(.text(literal)) }
        literal = ""
        parts.append(part)
        rest = behind
      } else if name.hasPrefix("{"), behind.hasPrefix("}"), isName(String(name.dropFirst())) {
        literal += name + "}"
        rest = behind.dropFirst()
      } else {
        literal.append(first)
        rest = rest.dropFirst()
      }
    }
    if !literal.isEmpty { parts.append(.text(literal)) }
    return parts
  }

  private func capture(_ name: String, pattern: PathPattern, takesHost: Bool, at position: SourcePosition)
    -> TemplatePart?
  {
    if name == "*" {
      if pattern.isPrefix { return .rest }
      error(position, "'{*}' is what '/*' matched, and the route's path \(pattern.description.quoted) has none")
      return nil
    }
    if pattern.segments.contains(.parameter(name)) { return .parameter(name) }
    if takesHost, name == "host" { return .host }
    if name == RequestValueForm.clientIP.rawValue { return .value(.clientIP) }
    let known = pattern.segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } }
    let list = known.isEmpty ? "none" : known.map { "{\($0)}" }.joined(separator: ", ")
    error(position, "the route's path has no segment \("{\(name)}".quoted): it has \(list)")
    return nil
  }

  /// Whether it names a value of the request, or is close to one that does.
  private func isValue(_ name: String) -> Bool {
    let (word, rest) = Self.cut(name)
    if rest == nil { return false }
    if Self.valueWords.contains(word) { return true }
    // Short words are common in JSON and styles.
    return word.utf8.count >= 4 && word.utf8.allSatisfy { $0 == 0x5F || $0.isAlphanumeric }
      && nearestName(to: word, among: Self.valueWords) != nil
  }

  private func isName(_ name: String) -> Bool { PathRules.isParameterName(name) || isValue(name) }

  private static let valueWords = ["path"] + RequestValueForm.allCases.map(\.rawValue)

  private func value(_ name: String, pattern: PathPattern, at position: SourcePosition) -> TemplatePart? {
    let (word, rest) = Self.cut(name)
    if word == "path" { return capture(rest ?? "", pattern: pattern, takesHost: false, at: position) }
    return requestValue(name, "a template", RequestValueForm.allCases, words: ["path:NAME"], at: position)
      .map { .value($0) }
  }

  /// A template with a plain word in the place of each capture: what its value looks like.
  func shape(of parts: [TemplatePart]) -> String {
    parts.map { if case .text(let text) = $0 { text } else { "p" } }.joined()
  }

  /// Whether a template is text alone.
  func isPlain(_ parts: [TemplatePart]) -> Bool {
    parts.allSatisfy { if case .text = $0 { true } else { false } }
  }
}
