// The elements of a comma-separated list of tokens (RFC 9110 §5.6.1), one after the other, without allocating.

struct TokenList {
  struct Element {
    var range: Range<Int>
    var name: FieldName
    var count: Int { range.count }
  }

  private var index: Int
  private let end: Int
  /// Whether something other than tokens, commas and white space was met. The list ends there.
  private(set) var isMalformed = false

  /// The list that is written in `range` of the input given to ``next(_:)``.
  init(_ range: Range<Int>) {
    index = range.lowerBound
    end = range.upperBound
  }

  /// The next token. Empty elements are skipped.
  mutating func next(_ input: Span<UInt8>) -> Element? {
    while index < end, isWhitespace(input[index]) || input[index] == 0x2C { index += 1 }
    if index >= end { return nil }
    let name = FieldName(input, from: index, to: end)
    let range = index..<name.end
    index = name.end
    while index < end, isWhitespace(input[index]) { index += 1 }
    if range.isEmpty || (index < end && input[index] != 0x2C) {
      isMalformed = true
      index = end
      return nil
    }
    return Element(range: range, name: name)
  }
}
