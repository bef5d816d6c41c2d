// What libyaml says about broken YAML, in words that say what to write.

extension YAMLSource {
  func report(_ problem: YAMLProblem, text: String) {
    switch problem {
    case .syntax(let problem, let position, let context, let start):
      // A quote that is never closed is best looked for where it begins.
      let isOpenQuote = problem == "found unexpected end of stream"
      let place = Self.clamp(isOpenQuote ? start ?? position : position, in: text)
      reportProblem(problem, context: context, at: place, text: text)
    case .tooDeep(let position): reading.error(position, "more than \(Self.depthMax) levels of lists and mappings")
    case .tooMany(let position):
      reading.error(position, "more than \(Self.nodeCountMax) values once the aliases are expanded")
    case .unreadable:
      reading.error(position(line: 1, column: 1), "the file cannot be read as YAML")
    }
  }

  private func reportProblem(_ problem: String, context: String, at position: SourcePosition, text: String) {
    if let format = ForeignFormat(of: text) { return reading.error(self.position(line: 1, column: 1), format.advice) }
    let next = Self.scalar(at: position, in: text)
    switch (problem, context, next) {
    case (_, "while scanning an anchor", _):
      reading.error(
        self.position(line: position.line, column: max(1, position.column - 1)),
        "a value that begins with '&' must be quoted")
    case (_, "while scanning a tag", _), (_, "while parsing a tag", _):
      reading.error(position, quotedMark)
    case (_, _, "\t"):
      reading.error(position, "a tab is not allowed here: indent with spaces")
    case (_, _, "@"), (_, _, "`"), (_, _, "%"):
      reading.error(position, "a value that begins with '\(next.map { String(Character($0)) } ?? "")' must be quoted")
    case ("but found another document", _, _):
      reading.error(
        position, "a second document begins here: remove this line, because a configuration is one document")
    case ("mapping values are not allowed in this context", _, _):
      reading.error(
        position, "a ':' is not allowed here: quote the value if it holds ': ', or check the indentation of this line")
    case ("did not find expected key", _, _):
      reading.error(
        position, "this line does not fit the lines above: check its indentation, and that every key ends in ':'")
    case ("could not find expected ':'", _, _):
      reading.error(position, "a key before this position has no ':': write 'key: value'")
    case ("did not find expected ',' or '}'", _, _):
      reading.error(position, "expected ',' or '}' here: quote text with { } : or , inside { … }")
    case ("did not find expected '-' indicator", _, _):
      reading.error(
        position,
        "this line does not belong to the list above: indent it like the first key of its item, or begin it with '- '")
    case ("did not find expected ',' or ']'", _, _) where Self.line(position.line, of: text).contains("${"):
      reading.error(
        position, "expected ',' or ']' here: quote a value with ${…} inside [ … ], as in [\"${NAME}:9000\"]")
    case ("did not find expected ',' or ']'", _, _):
      reading.error(position, "expected ',' or ']' here: quote text with [ ] : or , inside [ … ]")
    case ("did not find expected node content", _, _):
      reading.error(
        position, "expected a value here: quote text that begins with ':' or ',' inside { … } or [ … ]")
    case ("found unexpected end of stream", _, _):
      reading.error(position, "this quote is never closed: write it at the end of the text, too")
    default:
      let before = context.isEmpty ? "" : context + ": "
      reading.error(position, "this is not YAML: \(before)\(problem)")
    }
  }

  /// Tags of YAML begin so. Of values, only addresses that a route denies do.
  var quotedMark: String { "a value that begins with '!' must be quoted: \"!10.0.0.5\"" }

  private static func line(_ number: Int, of text: String) -> Substring {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    return lines.indices.contains(number - 1) ? lines[number - 1] : ""
  }

  /// The first character that YAML forbids (YAML 1.2 §5.1), or nil.
  static func unprintablePosition(in text: String) -> SourcePosition? {
    var position = SourcePosition.start
    var wasReturn = false
    for scalar in text.unicodeScalars {
      let value = scalar.value
      let isAllowed =
        value == 0x09 || value == 0x0A || value == 0x0D || (0x20...0x7E).contains(value) || value == 0x85
        || (0xA0...0xD7FF).contains(value) || (0xE000...0xFFFD).contains(value) || value >= 0x10000
      if !isAllowed { return position }
      if scalar.isLineBreak {
        if !(wasReturn && scalar == "\n") { position = SourcePosition(line: position.line + 1, column: 1) }
      } else {
        position.column += 1
      }
      wasReturn = scalar == "\r"
    }
    return nil
  }

  /// The line with one `%TAG` too many, or nil.
  static func positionOfExcessTag(in text: String, file: Int) -> SourcePosition? {
    guard text.contains("%TAG") else { return nil }
    var count = 0
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
    where line.hasPrefix("%TAG") {
      count += 1
      if count > tagCountMax { return SourcePosition(file: file, line: index + 1, column: 1) }
    }
    return nil
  }

  /// The nearest position that lies in the text: libyaml may point behind the last line.
  static func clamp(_ position: SourcePosition, in text: String) -> SourcePosition {
    var lengths = [0]
    var wasReturn = false
    for scalar in text.unicodeScalars {
      if scalar.isLineBreak {
        if !(wasReturn && scalar == "\n") { lengths.append(0) }
      } else {
        lengths[lengths.count - 1] += 1
      }
      wasReturn = scalar == "\r"
    }
    if lengths.count > 1, lengths.last == 0 { lengths.removeLast() }
    let line = min(max(position.line, 1), lengths.count)
    let column = line < position.line ? lengths[line - 1] + 1 : min(max(position.column, 1), lengths[line - 1] + 1)
    return SourcePosition(file: position.file, line: line, column: column)
  }

  private static func scalar(at position: SourcePosition, in text: String) -> Unicode.Scalar? {
    var here = SourcePosition(file: position.file, line: 1, column: 1)
    var wasReturn = false
    for scalar in text.unicodeScalars {
      if here == position { return scalar }
      if scalar.isLineBreak {
        if !(wasReturn && scalar == "\n") { here = SourcePosition(file: here.file, line: here.line + 1, column: 1) }
      } else {
        here.column += 1
      }
      wasReturn = scalar == "\r"
    }
    return nil
  }
}

extension Unicode.Scalar {
  /// What libyaml counts as the end of a line.
  var isLineBreak: Bool {
    switch value {
    case 0x0A, 0x0D, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }
}
