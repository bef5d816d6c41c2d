// One segment of a path into its normal form: %XX of characters that a segment may hold bare decoded, the
// digits of the rest in upper case, what no URI may hold bare encoded. So each name has one spelling.

import Bytes

struct SegmentWriter {
  /// What a segment's name, without its parameters, means for the path.
  enum Kind { case name, empty, dot, dotDot, ambiguous }

  /// Where the segment begins in the bytes written.
  let start: Int
  /// The place of the first `;` in the bytes written.
  private(set) var parameters: Int?
  /// The place of the first `%3B`, behind which some servers see parameters too.
  private var encodedSemicolon: Int?
  private var hasEncodedPercent = false

  init(start: Int) { self.start = start }

  /// Writes the segment that begins at `index` and leaves `index` at the slash behind it or at `end`.
  mutating func write(
    _ raw: Span<UInt8>, _ index: inout Int, _ end: Int, to bytes: inout ByteQueue
  ) -> TargetError? {
    while index < end {
      let runStart = index
      while index < end, ByteTables.pathByte[Int(raw[index])] == 1 { index += 1 }
      if index > runStart { bytes.append(raw.extracting(runStart..<index)) }
      if index == end { break }
      let byte = raw[index]
      switch ByteTables.pathByte[Int(byte)] {
      case 0: return .byteInvalid
      case 2: appendEncoded(byte, to: &bytes)
      default:
        if byte == 0x2F { return hasEncodedPercent ? doubleEncodingError(bytes.span) : nil }
        if byte == 0x25 {
          if let error = writeEncoded(raw, index, end, to: &bytes) { return error }
          index += 2
        } else {
          if parameters == nil { parameters = bytes.count }
          bytes.append(byte)
        }
      }
      index += 1
    }
    return hasEncodedPercent ? doubleEncodingError(bytes.span) : nil
  }

  /// Writes what the `%XX` at `index` stands for.
  private mutating func writeEncoded(
    _ raw: Span<UInt8>, _ index: Int, _ end: Int, to bytes: inout ByteQueue
  ) -> TargetError? {
    guard end - index >= 3 else { return .percentInvalid }
    let high = ByteTables.hexadecimalDigit[Int(raw[index + 1])]
    let low = ByteTables.hexadecimalDigit[Int(raw[index + 2])]
    guard high < 16, low < 16 else { return .percentInvalid }
    let byte = high << 4 | low
    if byte < 0x20 || byte == 0x7F { return .encodedControl }
    if byte == 0x2F || byte == 0x5C { return .encodedSlash }
    // Not only the unreserved ones, as RFC 3986 §6.2.2.2 has it: a server that decodes sees `@` in `%40`, so a rule for
    // `/users/@me` must hold for that spelling too (T39).
    if ByteTables.pathByte[Int(byte)] == 1 {
      bytes.append(byte)
      return nil
    }
    if byte == 0x25 { hasEncodedPercent = true }
    if byte == 0x3B, encodedSemicolon == nil { encodedSemicolon = bytes.count }
    appendEncoded(byte, to: &bytes)
    return nil
  }

  private func appendEncoded(_ byte: UInt8, to bytes: inout ByteQueue) {
    bytes.append(0x25)
    bytes.append(upperDigit(byte >> 4))
    bytes.append(upperDigit(byte & 15))
  }

  private func upperDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x37 + value }

  /// `%25` with two digits behind it: a server that decodes twice would read another path. Asked of what was written, so
  /// that digits which came encoded count as well.
  private func doubleEncodingError(_ bytes: Span<UInt8>) -> TargetError? {
    var index = start
    while index + 4 < bytes.count {
      if bytes[index] == 0x25, bytes[index + 1] == 0x32, bytes[index + 2] == 0x35,
        ByteTables.hexadecimalDigit[Int(bytes[index + 3])] < 16, ByteTables.hexadecimalDigit[Int(bytes[index + 4])] < 16
      {
        return .doubleEncoding
      }
      index += 1
    }
    return nil
  }

  /// What the name at `range`, as written, means. A dot segment with parameters is refused (T40): `..;` is a name to some
  /// servers and a way up to others.
  func kind(of range: Range<Int>, in bytes: Span<UInt8>) -> Kind {
    let nameEnd = min(range.upperBound, encodedSemicolon ?? range.upperBound)
    let count = nameEnd - range.lowerBound
    let isDots = count > 0 && count <= 2 && bytes[range.lowerBound] == 0x2E && bytes[nameEnd - 1] == 0x2E
    if !isDots { return range.isEmpty ? .empty : .name }
    if parameters != nil || encodedSemicolon != nil { return .ambiguous }
    return count == 1 ? .dot : .dotDot
  }
}
