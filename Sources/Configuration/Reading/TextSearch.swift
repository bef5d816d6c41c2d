// In this module texts are searched byte by byte. The standard library goes from character to character, each of which
// is as many scalars as belong together: that was a third of what it took to read a file with many routes. A text that
// is looked for here is ASCII or whole scalars, whose bytes are no part of other scalars.

import Bytes

// These come before the standard library's functions of the same names.

extension String {
  func contains(_ text: String) -> Bool { text.isEmpty || utf8.span.firstIndex(of: text.utf8.span) != nil }

  func contains(anyOf characters: ASCIISet) -> Bool { !utf8.span.allSatisfy { !characters.contains($0) } }

  /// Where a text begins first, and where it ends.
  func firstRange(of text: String) -> Range<Index>? {
    utf8.span.firstIndex(of: text.utf8.span).map { start in
      let lower = utf8.index(startIndex, offsetBy: start)
      return lower..<utf8.index(lower, offsetBy: text.utf8.count)
    }
  }

  /// With another text in place of each of these.
  func replacing(_ text: String, with other: String) -> String {
    if !contains(text) { return self }
    var result = ""
    var rest = self[...]
    while let start = rest.utf8.span.firstIndex(of: text.utf8.span) {
      let found = rest.utf8.index(rest.startIndex, offsetBy: start)
      result += rest[..<found]
      result += other
      rest = rest[rest.utf8.index(found, offsetBy: text.utf8.count)...]
    }
    result += rest
    return result
  }

  /// What is in front of the first of these.
  func cut(before characters: ASCIISet) -> String {
    let end = utf8.firstIndex(where: characters.contains) ?? endIndex
    return String(self[..<end])
  }

  /// The pieces between the places of an ASCII character, empty ones as well.
  func pieces(between separator: Unicode.Scalar) -> [Substring] {
    var result: [Substring] = []
    var start = startIndex
    var offset = 0
    while let end = utf8.span.firstIndex(of: UInt8(ascii: separator), from: offset) {
      let place = utf8.index(start, offsetBy: end - offset)
      result.append(self[start..<place])
      start = utf8.index(after: place)
      offset = end + 1
    }
    result.append(self[start...])
    return result
  }

  /// The standard library's is slow for text that is not known to be ASCII.
  var inLowerCase: String {
    utf8.span.allSatisfy { $0 < 0x80 && !(0x41...0x5A).contains($0) } ? self : lowercased()
  }
}

extension Substring {
  func contains(_ text: String) -> Bool { text.isEmpty || utf8.span.firstIndex(of: text.utf8.span) != nil }
}

extension Span where Element == UInt8 {
  func allSatisfy(_ isGood: (UInt8) -> Bool) -> Bool {
    for index in indices where !isGood(self[index]) { return false }
    return true
  }

  /// Where these bytes begin first. Nil when they do not, or when there are none.
  fileprivate func firstIndex(of word: Span<UInt8>) -> Int? {
    guard let first = word.count > 0 ? word[0] : nil else { return nil }
    var from = 0
    while let index = firstIndex(of: first, from: from), index + word.count <= count {
      if extracting(index..<index + word.count).equals(word) { return index }
      from = index + 1
    }
    return nil
  }
}

/// Some ASCII characters.
struct ASCIISet: Sendable, ExpressibleByStringLiteral {
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  init(stringLiteral text: String) {
    for byte in text.utf8 {
      if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte & 63) }
    }
  }

  func contains(_ byte: UInt8) -> Bool { (byte < 64 ? low : byte < 128 ? high : 0) >> UInt64(byte & 63) & 1 == 1 }
}
