// Reads JSON from hostile bytes (RFC 8259) into a flat list of nodes. Strict: no byte order mark, no duplicate members
// (T12), no invalid UTF-8, no lone surrogates, no NaN, nothing behind the value.
//
// Invariant: recursion is as deep as the text and never deeper than the limit. Every byte is looked at once.

import Bytes

/// Bounds on a text that a stranger wrote.
package struct JSONLimits: Sendable {
  /// Arrays and objects inside one another.
  package var depthMax: Int
  /// Values and member names.
  package var nodeCountMax: Int

  package init(depthMax: Int = 16, nodeCountMax: Int = 4096) {
    self.depthMax = depthMax
    self.nodeCountMax = nodeCountMax
  }
}

/// Why a text was not read.
package enum JSONError: Error, Sendable, Equatable {
  /// The text breaks the grammar at a byte offset. It is the text's length when the text ends too early.
  case syntax(offset: Int)
  /// A string that is not UTF-8, or a `\u` escape that names half a surrogate pair.
  case notUnicode(offset: Int)
  case duplicateMember(offset: Int)
  case tooDeep
  case tooManyNodes
  /// Longer than offsets can count (4 GiB).
  case tooLarge
}

struct JSONReader: ~Escapable {
  private let text: Span<UInt8>
  private let limits: JSONLimits
  private var offset = 0
  var nodes: [JSONNode] = []
  private(set) var names = JSONNames()

  @_lifetime(copy text)
  init(_ text: Span<UInt8>, limits: JSONLimits) {
    self.text = text
    self.limits = limits
  }

  mutating func readText() throws(JSONError) {
    if text.count >= UInt32.max { throw .tooLarge }
    // Claims have some 11 bytes a node. What is reserved stays with a remembered token.
    nodes.reserveCapacity(min(limits.nodeCountMax, 4 + text.count / 10))
    skipWhitespace()
    try readValue(depth: 0)
    skipWhitespace()
    if offset != text.count { throw .syntax(offset: offset) }
  }

  @inline(__always)
  private mutating func skipWhitespace() {
    // Machines write none.
    if offset < text.count, text[offset] > 0x20 { return }
    skipAllWhitespace()
  }

  @inline(never)
  private mutating func skipAllWhitespace() {
    while offset < text.count {
      switch text[offset] {
      case 0x20, 0x09, 0x0A, 0x0D: offset += 1
      default: return
      }
    }
  }

  private mutating func readValue(depth: Int) throws(JSONError) {
    guard offset < text.count else { throw .syntax(offset: offset) }
    switch text[offset] {
    case UInt8(ascii: "{"): try readObject(depth: depth + 1)
    case UInt8(ascii: "["): try readArray(depth: depth + 1)
    case UInt8(ascii: "\""): try readString()
    case UInt8(ascii: "t"): try readWord("true", .true)
    case UInt8(ascii: "f"): try readWord("false", .false)
    case UInt8(ascii: "n"): try readWord("null", .null)
    default: try readNumber()
    }
  }

  /// Adds a node that begins here. Its end and its successor are filled in when they are known.
  private mutating func beginNode(_ kind: JSONDocument.Kind) throws(JSONError) -> Int {
    // LIMIT: a text with more values is refused whole.
    if nodes.count >= limits.nodeCountMax { throw .tooManyNodes }
    nodes.append(
      JSONNode(
        start: UInt32(truncatingIfNeeded: offset), end: 0, next: UInt32(truncatingIfNeeded: nodes.count + 1),
        kind: kind,
        hasEscapes: false))
    return nodes.count - 1
  }

  private mutating func endNode(_ index: Int) {
    nodes[index].end = UInt32(truncatingIfNeeded: offset)
    nodes[index].next = UInt32(truncatingIfNeeded: nodes.count)
  }

  private mutating func readObject(depth: Int) throws(JSONError) {
    // LIMIT: a deeper text is refused whole. It bounds the stack as well.
    if depth > limits.depthMax { throw .tooDeep }
    let object = try beginNode(.object)
    offset += 1
    var memberCount = 0
    var hasEscapedName = false
    skipWhitespace()
    if offset < text.count, text[offset] == UInt8(ascii: "}") {
      offset += 1
      endNode(object)
      return
    }
    while true {
      guard offset < text.count, text[offset] == UInt8(ascii: "\"") else { throw .syntax(offset: offset) }
      let name = nodes.count
      try readString()
      if nodes[name].hasEscapes { hasEscapedName = true }
      memberCount += 1
      skipWhitespace()
      guard offset < text.count, text[offset] == UInt8(ascii: ":") else { throw .syntax(offset: offset) }
      offset += 1
      skipWhitespace()
      try readValue(depth: depth)
      skipWhitespace()
      guard offset < text.count else { throw .syntax(offset: offset) }
      let byte = text[offset]
      if byte != UInt8(ascii: ","), byte != UInt8(ascii: "}") { throw .syntax(offset: offset) }
      offset += 1
      if byte == UInt8(ascii: "}") { break }
      skipWhitespace()
    }
    endNode(object)
    let duplicate = names.duplicate(
      in: object, memberCount: memberCount, hasEscapes: hasEscapedName, nodes: nodes, text: text)
    if let duplicate {
      throw .duplicateMember(offset: Int(nodes[duplicate].start))
    }
  }

  private mutating func readArray(depth: Int) throws(JSONError) {
    if depth > limits.depthMax { throw .tooDeep }
    let array = try beginNode(.array)
    offset += 1
    skipWhitespace()
    if offset < text.count, text[offset] == UInt8(ascii: "]") {
      offset += 1
      endNode(array)
      return
    }
    while true {
      try readValue(depth: depth)
      skipWhitespace()
      guard offset < text.count else { throw .syntax(offset: offset) }
      let byte = text[offset]
      if byte != UInt8(ascii: ","), byte != UInt8(ascii: "]") { throw .syntax(offset: offset) }
      offset += 1
      if byte == UInt8(ascii: "]") { break }
      skipWhitespace()
    }
    endNode(array)
  }

  private mutating func readWord(_ word: String, _ kind: JSONDocument.Kind) throws(JSONError) {
    let node = try beginNode(kind)
    for expected in word.utf8 {
      guard offset < text.count, text[offset] == expected else { throw .syntax(offset: offset) }
      offset += 1
    }
    endNode(node)
  }

  private mutating func skipDigits() -> Int {
    let start = offset
    while offset < text.count, text[offset] >= 0x30, text[offset] <= 0x39 { offset += 1 }
    return offset - start
  }

  private mutating func readNumber() throws(JSONError) {
    let node = try beginNode(.integer)
    let start = offset
    if text[offset] == UInt8(ascii: "-") { offset += 1 }
    let isZero = offset < text.count && text[offset] == 0x30
    let digitCount = skipDigits()
    if digitCount == 0 || isZero && digitCount > 1 { throw .syntax(offset: offset) }
    var isPlain = true
    if offset < text.count, text[offset] == UInt8(ascii: ".") {
      isPlain = false
      offset += 1
      if skipDigits() == 0 { throw .syntax(offset: offset) }
    }
    if offset < text.count, text[offset] | 0x20 == UInt8(ascii: "e") {
      isPlain = false
      offset += 1
      if offset < text.count, text[offset] == UInt8(ascii: "+") || text[offset] == UInt8(ascii: "-") { offset += 1 }
      if skipDigits() == 0 { throw .syntax(offset: offset) }
    }
    if !isPlain || Self.integer(text.extracting(start..<offset)) == nil { nodes[node].kind = .number }
    endNode(node)
  }

  /// The value of an optional minus sign and digits, or nil when it does not fit.
  static func integer(_ digits: Span<UInt8>) -> Int64? {
    let isNegative = digits.count > 0 && digits[0] == UInt8(ascii: "-")
    // Negative on the way: the least Int64 has no positive counterpart.
    var value: Int64 = 0
    for index in (isNegative ? 1 : 0)..<digits.count {
      let (shifted, overflow1) = value.multipliedReportingOverflow(by: 10)
      let (next, overflow2) = shifted.subtractingReportingOverflow(Int64(digits[index] &- 0x30))
      if overflow1 || overflow2 { return nil }
      value = next
    }
    if isNegative { return value }
    let (positive, overflow) = Int64(0).subtractingReportingOverflow(value)
    return overflow ? nil : positive
  }

  private mutating func readString() throws(JSONError) {
    let node = try beginNode(.string)
    offset += 1
    while true {
      offset = endOfPlainText(from: offset)
      if offset >= text.count { break }
      let byte = text[offset]
      if byte == UInt8(ascii: "\"") {
        offset += 1
        endNode(node)
        return
      }
      if byte == UInt8(ascii: "\\") {
        nodes[node].hasEscapes = true
        try skipEscape()
      } else if byte < 0x20 {
        throw .syntax(offset: offset)
      } else if byte < 0x80 {
        offset += 1
      } else {
        let count = UTF8Sequence.byteCount(text, at: offset)
        if count == 0 { throw .notUnicode(offset: offset) }
        offset += count
      }
    }
    throw .syntax(offset: offset)
  }

  /// The next byte that is a quote, a backslash, a control or no ASCII, or a place from which eight bytes at once
  /// cannot be looked at.
  private func endOfPlainText(from start: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops = ones &* 0x80
    var offset = start
    while offset &+ 8 <= text.count {
      let bytes = text.extracting(offset..<offset &+ 8)
      let word =
        UInt64(bytes[0]) | UInt64(bytes[1]) << 8 | UInt64(bytes[2]) << 16 | UInt64(bytes[3]) << 24
        | UInt64(bytes[4]) << 32 | UInt64(bytes[5]) << 40 | UInt64(bytes[6]) << 48 | UInt64(bytes[7]) << 56
      // Each byte's top bit says what the byte is. Without it, no sum runs over into the next byte.
      let seven = word & ~tops
      let isNoQuote = (seven ^ ones &* 0x22) &+ ones &* 0x7F
      let isNoBackslash = (seven ^ ones &* 0x5C) &+ ones &* 0x7F
      let isNoControl = seven &+ ones &* 0x60
      let found = (~(isNoQuote & isNoBackslash & isNoControl) | word) & tops
      if found != 0 { return offset &+ found.trailingZeroBitCount / 8 }
      offset &+= 8
    }
    return offset
  }

  private mutating func skipEscape() throws(JSONError) {
    let start = offset
    guard offset + 1 < text.count else { throw .syntax(offset: text.count) }
    switch text[offset + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      offset += 2
    case UInt8(ascii: "u"):
      guard let unit = JSONEscapes.hexadecimal(text, at: offset + 2) else { throw .syntax(offset: offset) }
      offset += 6
      if unit & 0xFC00 == 0xDC00 { throw .notUnicode(offset: start) }
      if unit & 0xFC00 == 0xD800 {
        guard offset + 1 < text.count, text[offset] == UInt8(ascii: "\\"), text[offset + 1] == UInt8(ascii: "u"),
          let low = JSONEscapes.hexadecimal(text, at: offset + 2), low & 0xFC00 == 0xDC00
        else { throw .notUnicode(offset: start) }
        offset += 6
      }
    default: throw .syntax(offset: offset)
    }
  }
}
