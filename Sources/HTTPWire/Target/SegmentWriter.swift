// One segment of a path into its normal form: %XX of unreserved characters decoded, the digits of the rest in upper
// case, what no URI may hold bare encoded. All of it means the same to every server (RFC 3986 §6.2.2).

import Bytes

struct SegmentWriter {
  /// What a segment's name, without its parameters, means for the path.
  enum Kind { case name, empty, dot, dotDot, ambiguous }

  /// Of which characters there is %XX.
  struct Encoded: OptionSet {
    let rawValue: UInt8

    /// One that is reserved and may appear unencoded: `@`, `+`, `=`.
    static let delimiter = Encoded(rawValue: 1)
    static let percent = Encoded(rawValue: 2)
    /// A slash, or a backslash, which some servers read as one.
    static let slash = Encoded(rawValue: 4)
    /// What is `%2F`, `%5C` or `%25` once it is decoded.
    static let twiceEncodedSlash = Encoded(rawValue: 8)
  }

  /// Where the segment begins in the bytes written.
  let start: Int
  /// The place of the first `;` in the bytes written.
  private(set) var parameters: Int?
  /// The place of the first `%3B`, behind which some servers see parameters too.
  private var encodedSemicolon: Int?
  private(set) var encoded: Encoded = []

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
        if byte == 0x2F { return structureError(bytes.span) }
        if byte == 0x25 {
          if let error = writeEncoded(raw, &index, end, to: &bytes) { return error }
          continue
        } else {
          if parameters == nil { parameters = bytes.count }
          bytes.append(byte)
        }
      }
      index += 1
    }
    return structureError(bytes.span)
  }

  /// Writes what the `%XX` at `index` stands for, and leaves `index` behind it.
  private mutating func writeEncoded(
    _ raw: Span<UInt8>, _ index: inout Int, _ end: Int, to bytes: inout ByteQueue
  ) -> TargetError? {
    guard let byte = encodedByte(raw, index, end) else { return .percentInvalid }
    if byte >= 0x80 { return writeSequence(raw, &index, end, to: &bytes) }
    if byte < 0x20 || byte == 0x7F { return .encodedControl }
    index += 3
    if isNameByte(byte) {
      bytes.append(byte)
      return nil
    }
    if byte == 0x25 { encoded.insert(.percent) }
    if byte == 0x2F || byte == 0x5C { encoded.insert(.slash) }
    if byte == 0x3B, encodedSemicolon == nil { encodedSemicolon = bytes.count }
    // It goes on as it came: some servers take a bare `+` for a space.
    if ByteTables.pathByte[Int(byte)] == 1 { encoded.insert(.delimiter) }
    appendEncoded(byte, to: &bytes)
    return nil
  }

  /// Writes the `%XX` that make one character beyond ASCII. Overlong forms are read as `/` or `.` by old decoders
  /// (T95).
  private func writeSequence(
    _ raw: Span<UInt8>, _ index: inout Int, _ end: Int, to bytes: inout ByteQueue
  ) -> TargetError? {
    var sequence = InlineArray<4, UInt8>(repeating: 0)
    var known = 0
    while known < 4, let byte = encodedByte(raw, index + 3 * known, end), byte >= 0x80 {
      sequence[known] = byte
      known += 1
    }
    let count = UTF8Sequence.byteCount(sequence.span.extracting(0..<known), at: 0)
    if count == 0 { return .notUTF8 }
    for index in 0..<count { appendEncoded(sequence[index], to: &bytes) }
    index += 3 * count
    return nil
  }

  private func encodedByte(_ raw: Span<UInt8>, _ index: Int, _ end: Int) -> UInt8? {
    guard end - index >= 3, raw[index] == 0x25 else { return nil }
    return hexadecimalByte(raw, at: index + 1)
  }

  private func appendEncoded(_ byte: UInt8, to bytes: inout ByteQueue) {
    bytes.append(0x25)
    bytes.append(upperDigit(byte >> 4))
    bytes.append(upperDigit(byte & 15))
  }

  private func upperDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x37 + value }

  /// Whether a server that decodes the segment would read another way through the path.
  @inline(__always)
  private mutating func structureError(_ bytes: Span<UInt8>) -> TargetError? {
    encoded.isDisjoint(with: [.percent, .slash]) ? nil : encodedStructureError(bytes)
  }

  private mutating func encodedStructureError(_ bytes: Span<UInt8>) -> TargetError? {
    if encoded.contains(.percent), let error = doubleEncodingError(bytes) { return error }
    if encoded.isDisjoint(with: [.slash, .twiceEncodedSlash]) || !hasDotsBesideSlash(bytes) { return nil }
    return encoded.contains(.slash) ? .encodedSlash : .doubleEncoding
  }

  /// Whether `.` or `..` is between encoded slashes, so that a server that decodes them goes another way.
  private func hasDotsBesideSlash(_ bytes: Span<UInt8>) -> Bool {
    var part = start
    for index in start..<bytes.count {
      guard let count = encodedSlashCount(bytes, at: index) else { continue }
      if isDotSegmentTwiceDecoded(bytes, part..<index) { return true }
      part = index + count
    }
    return isDotSegmentTwiceDecoded(bytes, part..<bytes.count)
  }

  /// How many bytes an encoded slash has that begins here, encoded once or twice.
  private func encodedSlashCount(_ bytes: Span<UInt8>, at index: Int) -> Int? {
    guard index + 2 < bytes.count, bytes[index] == 0x25 else { return nil }
    let once = hexadecimalByte(bytes, at: index + 1)
    if once == 0x2F || once == 0x5C { return 3 }
    let twice = twiceEncodedByte(bytes, at: index)
    return twice == 0x2F || twice == 0x5C ? 5 : nil
  }

  /// Whether a server that decodes twice would read another path. Asked of what was written, so that digits which came
  /// encoded count as well.
  private mutating func doubleEncodingError(_ bytes: Span<UInt8>) -> TargetError? {
    var index = start
    while index < bytes.count {
      if let byte = twiceEncodedByte(bytes, at: index) {
        if byte < 0x20 || byte == 0x7F { return .doubleEncoding }
        if byte == 0x25 || byte == 0x2F || byte == 0x5C { encoded.insert(.twiceEncodedSlash) }
      }
      index += 1
    }
    return isDotSegmentTwiceDecoded(bytes, start..<bytes.count) ? .doubleEncoding : nil
  }

  /// What `%25XX` stands for once it is decoded twice.
  private func twiceEncodedByte(_ bytes: Span<UInt8>, at index: Int) -> UInt8? {
    guard index + 4 < bytes.count, bytes[index] == 0x25, bytes[index + 1] == 0x32, bytes[index + 2] == 0x35 else {
      return nil
    }
    return hexadecimalByte(bytes, at: index + 3)
  }

  private func isDotSegmentTwiceDecoded(_ bytes: Span<UInt8>, _ part: Range<Int>) -> Bool {
    var dotCount = 0
    var index = part.lowerBound
    while index < part.upperBound {
      let twice = twiceEncodedByte(bytes, at: index)
      if bytes[index] == 0x3B || isEncodedSemicolon(bytes, at: index) || twice == 0x3B { break }
      guard bytes[index] == 0x2E || twice == 0x2E else { return false }
      dotCount += 1
      index += twice == nil ? 1 : 5
    }
    return dotCount == 1 || dotCount == 2
  }

  private func isEncodedSemicolon(_ bytes: Span<UInt8>, at index: Int) -> Bool {
    index + 2 < bytes.count && bytes[index] == 0x25 && hexadecimalByte(bytes, at: index + 1) == 0x3B
  }

  /// What the name at `range`, as written, means. A dot segment with parameters is refused (T40): `..;` is a name to
  /// some servers and a way up to others.
  func kind(of range: Range<Int>, in bytes: Span<UInt8>) -> Kind {
    let nameEnd = min(range.upperBound, encodedSemicolon ?? range.upperBound)
    let count = nameEnd - range.lowerBound
    let isDots = count > 0 && count <= 2 && bytes[range.lowerBound] == 0x2E && bytes[nameEnd - 1] == 0x2E
    if !isDots { return range.isEmpty ? .empty : .name }
    if parameters != nil || encodedSemicolon != nil { return .ambiguous }
    return count == 1 ? .dot : .dotDot
  }
}

/// Appends a written name, with %XX of delimiters decoded that may appear unencoded.
func appendWithBareDelimiters(_ name: Span<UInt8>, to bytes: inout ByteQueue) {
  var index = 0
  while index < name.count {
    if name[index] == 0x25, index + 2 < name.count, let byte = hexadecimalByte(name, at: index + 1),
      ByteTables.pathByte[Int(byte)] == 1
    {
      bytes.append(byte)
      index += 3
    } else {
      bytes.append(name[index])
      index += 1
    }
  }
}

/// The byte that two hexadecimal digits at `index` write.
private func hexadecimalByte(_ text: Span<UInt8>, at index: Int) -> UInt8? {
  let high = ByteTables.hexadecimalDigit[Int(text[index])]
  let low = ByteTables.hexadecimalDigit[Int(text[index + 1])]
  return high < 16 && low < 16 ? high << 4 | low : nil
}
