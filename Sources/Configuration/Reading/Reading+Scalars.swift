// Single values: text, numbers, switches, and lists of them. Each reports what is wrong at the value's
// position and returns nil. No value is guessed.

extension Reading {
  /// Text. A number is taken as it is written. `true`, `false` and `null` require quotes, so that no one is surprised.
  func text(_ node: SourceNode, _ what: String) -> String? {
    guard case .scalar(let scalar) = node.content else {
      error(node.position, "\(what) must be text, not \(node.kind)")
      return nil
    }
    if let inner = SuspiciousValues.inTypographicQuotes(scalar.text) {
      warn(node.position, "typographic quotes are part of the text: write \("\"\(inner)\"".shown)")
    }
    if scalar.isPlain, Self.switchValue(scalar.text) != nil || node.isNull {
      let advice = scalar.text.isEmpty ? "" : ": put it in quotes"
      error(node.position, "\(what) must be text, not \(node.kind)\(advice)")
      return nil
    }
    return scalar.text
  }

  /// Text with at least one character and without control characters.
  func line(_ node: SourceNode, _ what: String) -> String? {
    guard let text = text(node, what) else { return nil }
    if text.isEmpty {
      error(node.position, "\(what) is empty")
      return nil
    }
    if !text.utf8.span.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
      error(node.position, "\(what) contains a control character: \(text.quoted)")
      return nil
    }
    return text
  }

  func boolean(_ node: SourceNode, _ what: String) -> Bool? {
    if case .scalar(let scalar) = node.content, scalar.isPlain, let value = Self.switchValue(scalar.text) {
      return value
    }
    error(node.position, "\(what) must be true or false (without quotes), not \(node.kind)")
    return nil
  }

  /// YAML 1.2 §10.3.2.
  private static func switchValue(_ text: String) -> Bool? {
    switch text {
    case "true", "True", "TRUE": true
    case "false", "False", "FALSE": false
    default: nil
    }
  }

  func integer(_ node: SourceNode, _ what: String, in range: ClosedRange<Int>) -> Int? {
    let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
    guard case .scalar(let scalar) = node.content, scalar.isPlain else {
      error(node.position, "\(what) must be \(expected), without quotes, not \(node.kind)")
      return nil
    }
    guard let value = decimal(scalar.text), range.contains(value) else {
      error(node.position, "\(what) must be \(expected), not \(node.kind)")
      return nil
    }
    return value
  }

  /// The items of a list. `isEmptyAllowed` only where an empty one means something.
  func list(_ node: SourceNode, _ what: String, isEmptyAllowed: Bool = false) -> [SourceNode]? {
    guard case .list(let items) = node.content else {
      if case .scalar(let scalar) = node.content, !node.isNull {
        let advice =
          isSubstituted(node.position)
          ? "a variable is one value, so write [\(scalar.text.shown)] with a variable for each item"
          : "write [\(SuspiciousValues.items(of: scalar.text).joined(separator: ", ").shown)]"
        error(node.position, "\(what) must be a list: \(advice)")
      } else {
        error(node.position, "\(what) must be a list, not \(node.kind)")
      }
      return nil
    }
    if items.isEmpty, !isEmptyAllowed {
      error(node.position, "\(what) is an empty list: write at least one item, or remove the key")
      return nil
    }
    return items
  }

  /// A list of different texts. `check` answers what is wrong with one of them.
  func names(
    _ node: SourceNode, _ what: String, item: String, isEmptyAllowed: Bool = false,
    check: (String) -> String? = { _ in nil }
  ) -> [String]? {
    guard let items = list(node, what, isEmptyAllowed: isEmptyAllowed) else { return nil }
    var result: [String] = []
    var known: Set<String> = []
    for item_ in items {
      guard let name = line(item_, item) else { continue }
      if let problem = check(name) {
        error(item_.position, problem)
      } else if !known.insert(name).inserted {
        error(item_.position, "\(name.quoted) appears twice in \(what): remove one")
      } else {
        result.append(name)
      }
    }
    return result
  }

  /// The entries of a mapping whose keys are free names.
  func entries(_ node: SourceNode, _ what: String, example: String) -> [SourceNode.Entry]? {
    guard case .mapping(let entries) = node.content else {
      error(node.position, "\(what) must be a mapping, not \(node.kind): write \(example)")
      return nil
    }
    return entries
  }

  /// One of a few words.
  func choice(_ node: SourceNode, _ what: String, among known: [String]) -> String? {
    guard let text = text(node, what) else { return nil }
    if known.contains(text) { return text }
    if let near = nearestName(to: text, among: known) {
      error(node.position, "\(text.quoted) is not a valid value for \(what): did you mean '\(near)'?")
    } else {
      error(node.position, "\(text.quoted) is not a valid value for \(what): write \(alternatives(known))")
    }
    return nil
  }
}

/// `a`, `a or b`, `a, b or c`.
func alternatives(_ words: [String]) -> String {
  words.count < 2 ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
}

/// Decimal digits only, with an optional minus: no `+`, `0x`, `1e3`, `_` or leading zeros.
func decimal(_ text: String) -> Int? {
  let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
  guard !digits.isEmpty, digits.count == 1 || digits.first != UInt8(ascii: "0") else { return nil }
  guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
  return Int(text)
}
