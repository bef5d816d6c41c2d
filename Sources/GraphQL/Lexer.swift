// Cuts a GraphQL document into its lexical tokens (GraphQL, September 2025, §2.1). What a string says is checked and
// never read.
//
// Invariant: every byte is looked at once. Strings and comments are valid UTF-8.

import Bytes

/// What a token is: a punctuator by its byte, or one of a few.
struct TokenKind: Equatable {
  let code: UInt8

  static var end: TokenKind { TokenKind(code: 0) }
  static var name: TokenKind { TokenKind(code: 1) }
  static var number: TokenKind { TokenKind(code: 2) }
  static var string: TokenKind { TokenKind(code: 3) }
  /// `...`
  static var spread: TokenKind { TokenKind(code: 4) }
  static var bang: TokenKind { TokenKind(code: 0x21) }
  static var dollar: TokenKind { TokenKind(code: 0x24) }
  static var parenthesisOpen: TokenKind { TokenKind(code: 0x28) }
  static var parenthesisClose: TokenKind { TokenKind(code: 0x29) }
  static var colon: TokenKind { TokenKind(code: 0x3A) }
  static var equals: TokenKind { TokenKind(code: 0x3D) }
  static var at: TokenKind { TokenKind(code: 0x40) }
  static var bracketOpen: TokenKind { TokenKind(code: 0x5B) }
  static var bracketClose: TokenKind { TokenKind(code: 0x5D) }
  static var braceOpen: TokenKind { TokenKind(code: 0x7B) }
  static var braceClose: TokenKind { TokenKind(code: 0x7D) }
}

struct Lexer: ~Escapable {
  let text: Span<UInt8>
  private var offset = 0
  /// The token that was read last.
  private(set) var kind = TokenKind.end
  private(set) var start = 0
  var end: Int { offset }
  private var tokensLeft: Int
  private let tokenCountMax: Int
  var tokenCount: Int { tokenCountMax - tokensLeft }

  @_lifetime(copy text)
  init(_ text: Span<UInt8>, tokenCountMax: Int) {
    self.text = text
    self.tokenCountMax = tokenCountMax
    tokensLeft = tokenCountMax
  }

  var range: TextRange { TextRange(start, offset) }

  /// Whether the token is this word. Names only.
  @inline(__always)
  func isWord(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    return kind == .name && offset - start == count && text.extracting(start..<offset).equals(word)
  }

  /// Reads the next token. Comments and commas are none.
  mutating func advance() throws(DocumentError) {
    // In registers, and written back once a token.
    let text = text
    var index = offset
    while index < text.count {
      let byte = text[index]
      let known = ByteClasses.table[Int(byte)]
      if known == ByteClasses.ignored {
        index &+= 1
        continue
      }
      start = index
      if known == ByteClasses.letter {
        repeat { index &+= 1 } while index < text.count && ByteClasses.isNameByte(text[index])
        offset = index
        return try accept(.name)
      }
      if known == ByteClasses.punctuator {
        offset = index &+ 1
        return try accept(TokenKind(code: byte))
      }
      offset = index
      if known == ByteClasses.digit, skipPlainInteger(byte) { return try accept(.number) }
      if try readRare(byte, known) { return }
      index = offset
    }
    offset = index
    start = index
    kind = .end
  }

  @inline(__always)
  private mutating func accept(_ kind: TokenKind) throws(DocumentError) {
    self.kind = kind
    tokensLeft &-= 1
    // LIMIT: `max_tokens`. Nothing behind it is read.
    if tokensLeft < 0 { throw .tooManyTokens }
  }

  /// - Returns: false for what is no token.
  @inline(never)
  private mutating func readRare(_ byte: UInt8, _ known: UInt8) throws(DocumentError) -> Bool {
    switch known {
    case ByteClasses.comment:
      try skipComment()
      return false
    case ByteClasses.byteOrderMark:
      guard text.count - offset >= 3, text[offset + 1] == 0xBB, text[offset + 2] == 0xBF else { break }
      offset += 3
      return false
    case ByteClasses.quote:
      try readString()
      try accept(.string)
      return true
    case ByteClasses.dot:
      guard text.count - offset >= 3, text[offset + 1] == 0x2E, text[offset + 2] == 0x2E else { break }
      offset += 3
      try accept(.spread)
      return true
    case ByteClasses.digit, ByteClasses.minus:
      try readNumber()
      try accept(.number)
      return true
    default: break
    }
    throw .syntax(offset: offset)
  }

  private mutating func skipComment() throws(DocumentError) {
    while offset < text.count, text[offset] != 0x0A, text[offset] != 0x0D { try skipCharacter() }
  }

  /// One Unicode scalar.
  @inline(__always)
  private mutating func skipCharacter() throws(DocumentError) {
    if text[offset] < 0x80 {
      offset &+= 1
      return
    }
    let count = UTF8Sequence.byteCount(text, at: offset)
    if count == 0 { throw .syntax(offset: offset) }
    offset += count
  }

  private func byte(at offset: Int) -> UInt8? { offset < text.count ? text[offset] : nil }

  // MARK: Numbers

  /// Most numbers are a few digits.
  /// - Returns: false for what is more than that, which is still to be read.
  @inline(__always)
  private mutating func skipPlainInteger(_ first: UInt8) -> Bool {
    let text = text
    var index = offset &+ 1
    while index < text.count, ByteClasses.isDigit(text[index]) { index &+= 1 }
    if index < text.count, text[index] == UInt8(ascii: ".") || ByteClasses.isNameByte(text[index]) { return false }
    if first == UInt8(ascii: "0"), index &- offset > 1 { return false }
    offset = index
    return true
  }

  private mutating func readNumber() throws(DocumentError) {
    if byte(at: offset) == UInt8(ascii: "-") { offset += 1 }
    let isZero = byte(at: offset) == UInt8(ascii: "0")
    let digitCount = skipDigits()
    if digitCount == 0 || isZero && digitCount > 1 { throw .syntax(offset: offset) }
    if byte(at: offset) == UInt8(ascii: ".") {
      offset += 1
      if skipDigits() == 0 { throw .syntax(offset: offset) }
    }
    if let exponent = byte(at: offset), exponent | 0x20 == UInt8(ascii: "e") {
      offset += 1
      if let sign = byte(at: offset), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { offset += 1 }
      if skipDigits() == 0 { throw .syntax(offset: offset) }
    }
    if let next = byte(at: offset), next == UInt8(ascii: ".") || ByteClasses.isNameByte(next) {
      throw .syntax(offset: offset)
    }
  }

  private mutating func skipDigits() -> Int {
    let start = offset
    while offset < text.count, ByteClasses.isDigit(text[offset]) { offset &+= 1 }
    return offset - start
  }

  // MARK: Strings

  private mutating func readString() throws(DocumentError) {
    offset += 1
    if byte(at: offset) == UInt8(ascii: "\""), byte(at: offset + 1) == UInt8(ascii: "\"") {
      offset += 2
      return try readBlock()
    }
    while offset < text.count {
      switch text[offset] {
      case UInt8(ascii: "\""):
        offset += 1
        return
      case UInt8(ascii: "\\"): try skipEscape()
      case 0x0A, 0x0D: throw .syntax(offset: offset)
      default: try skipCharacter()
      }
    }
    throw .syntax(offset: offset)
  }

  private mutating func readBlock() throws(DocumentError) {
    while offset < text.count {
      if text[offset] == UInt8(ascii: "\""), isTriple(at: offset) {
        offset += 3
        return
      }
      if text[offset] == UInt8(ascii: "\\"), isTriple(at: offset + 1) {
        offset += 4
      } else {
        try skipCharacter()
      }
    }
    throw .syntax(offset: offset)
  }

  private func isTriple(at offset: Int) -> Bool {
    text.count - offset >= 3 && text[offset] == 0x22 && text[offset + 1] == 0x22 && text[offset + 2] == 0x22
  }

  private mutating func skipEscape() throws(DocumentError) {
    let begin = offset
    switch byte(at: offset + 1) {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      offset += 2
    case UInt8(ascii: "u"):
      offset += 2
      if byte(at: offset) == UInt8(ascii: "{") { return try skipBracedScalar() }
      guard let unit = hexadecimal(at: offset, count: 4) else { throw .syntax(offset: begin) }
      offset += 4
      if unit & 0xF800 != 0xD800 { return }
      // Half a surrogate pair needs the other half.
      guard unit < 0xDC00, byte(at: offset) == UInt8(ascii: "\\"), byte(at: offset + 1) == UInt8(ascii: "u"),
        let low = hexadecimal(at: offset + 2, count: 4), low & 0xFC00 == 0xDC00
      else { throw .syntax(offset: begin) }
      offset += 6
    default: throw .syntax(offset: begin)
    }
  }

  /// `{1F600}`. LIMIT: eight digits, as other readers have it.
  private mutating func skipBracedScalar() throws(DocumentError) {
    let begin = offset
    offset += 1
    var scalar: UInt32 = 0
    var digitCount = 0
    while let byte = byte(at: offset), let digit = Self.hexadecimalValue(byte) {
      if digitCount == 8 { throw .syntax(offset: begin) }
      scalar = scalar << 4 | digit
      digitCount += 1
      offset += 1
    }
    guard digitCount > 0, byte(at: offset) == UInt8(ascii: "}"), scalar < 0xD800 || 0xE000...0x10FFFF ~= scalar else {
      throw .syntax(offset: begin)
    }
    offset += 1
  }

  private func hexadecimal(at offset: Int, count: Int) -> UInt32? {
    if text.count - offset < count { return nil }
    var value: UInt32 = 0
    for index in offset..<offset + count {
      guard let digit = Self.hexadecimalValue(text[index]) else { return nil }
      value = value << 4 | digit
    }
    return value
  }

  private static func hexadecimalValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x30...0x39: UInt32(byte - 0x30)
    case 0x41...0x46: UInt32(byte - 0x37)
    case 0x61...0x66: UInt32(byte - 0x57)
    default: nil
    }
  }
}
