// What a byte begins in a GraphQL document (GraphQL, September 2025, §2.1). Literals of an `InlineArray` compile to
// constant memory: a look-up is one load.

enum ByteClasses {
  static var invalid: UInt8 { 0 }
  static var ignored: UInt8 { 1 }
  static var letter: UInt8 { 2 }
  static var digit: UInt8 { 3 }
  static var minus: UInt8 { 4 }
  static var punctuator: UInt8 { 5 }
  static var quote: UInt8 { 6 }
  static var dot: UInt8 { 7 }
  static var comment: UInt8 { 8 }
  /// The first byte of a byte order mark, which is ignored wherever it is.
  static var byteOrderMark: UInt8 { 9 }

  static let table: InlineArray<256, UInt8> = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 5, 6, 8, 5, 0, 5, 0, 5, 5, 0, 0, 1, 4, 7, 0,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 5, 0, 0, 5, 0, 0,
    5, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5, 0, 5, 0, 2,
    0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5, 5, 5, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  ]

  @inline(__always)
  static func isNameByte(_ byte: UInt8) -> Bool {
    let known = table[Int(byte)]
    return known == letter || known == digit
  }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
}
