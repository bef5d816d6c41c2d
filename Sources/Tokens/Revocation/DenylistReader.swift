// Reads a denylist: one JSON object a line, from pieces that may end anywhere. A list is taken whole or not at all. One
// that is empty, or ends within a line, was cut, and says nothing.

import Bytes

/// Why bytes are no denylist. The one in use stays as it is (T103).
package enum DenylistError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Nothing is in it, not even a note.
  case empty
  /// The last line has no end, or there are fewer lines than the last one says.
  case cut
  case line(Int, DenylistFault)
  case lineTooLong(Int)
  case tooManyEntries

  package var description: String { (lineNumber.map { "line \($0): " } ?? "") + words }

  /// Of a mistake in one line.
  package var lineNumber: Int? {
    switch self {
    case .line(let number, _), .lineTooLong(let number): number
    case .empty, .cut, .tooManyEntries: nil
    }
  }

  /// Without the number of the line.
  package var words: String {
    switch self {
    case .empty: "the list is empty: write {\"note\": \"nobody\"} in it where nobody is revoked"
    case .cut: "the list was cut: its last line has no end, or 'lines' names another number than there are"
    case .line(_, let fault): fault.rawValue
    case .lineTooLong: "longer than \(DenylistReader.lineByteCountMax) bytes"
    case .tooManyEntries: "more than \(DenylistReader.entryCountMax) entries"
    }
  }

  /// A stable word for metrics.
  package var code: String {
    switch self {
    case .empty: "empty"
    case .cut: "cut"
    case .line, .lineTooLong: "line_invalid"
    case .tooManyEntries: "too_large"
    }
  }
}

/// One list.
package struct DenylistReader {
  package private(set) var table = DenylistTable()
  /// Seconds since 1970. What counts no more by then is left out.
  private let now: Int64
  /// The beginning of a line whose end has not come.
  private var rest: [UInt8] = []
  private var lineNumber = 0
  /// Lines with an entry or a note.
  private var lineCount = 0
  private var announcedCount: Int64?

  /// LIMIT: entries of one list, which take some 43 MB.
  package static let entryCountMax = 2_000_000
  /// LIMIT: bytes of a line.
  package static let lineByteCountMax = 16 * 1024
  /// LIMIT: bytes of a whole list.
  package static let byteCountMax = 256 << 20

  /// - Parameter expected: how many lines there may be.
  package init(now: Int64, expected: Int = 0) {
    self.now = now
    table.reserve(min(expected, Self.entryCountMax))
  }

  package mutating func take(_ bytes: Span<UInt8>) throws(DenylistError) {
    var start = 0
    while let end = bytes.firstIndex(of: 0x0A, from: start) {
      let piece = bytes.extracting(start..<end)
      if rest.isEmpty {
        try takeLine(piece)
      } else {
        try hold(piece)
        let line = rest
        rest = []
        try takeLine(line.span)
      }
      start = end + 1
    }
    try hold(bytes.extracting(start..<bytes.count))
  }

  private mutating func hold(_ piece: Span<UInt8>) throws(DenylistError) {
    if rest.count + piece.count > Self.lineByteCountMax { throw .lineTooLong(lineNumber + 1) }
    rest.append(piece)
  }

  /// The list is over.
  package mutating func finish() throws(DenylistError) -> DenylistTable {
    if !rest.isEmpty { throw .cut }
    if let announcedCount, announcedCount != lineCount { throw .cut }
    if lineCount == 0, announcedCount == nil { throw .empty }
    return table
  }

  private mutating func takeLine(_ line: Span<UInt8>) throws(DenylistError) {
    lineNumber += 1
    if line.count > Self.lineByteCountMax { throw .lineTooLong(lineNumber) }
    if Self.isBlank(line) { return }
    do throws(DenylistFault) {
      if announcedCount != nil { throw .linesMisplaced }
      var scanner = LineScanner(line)
      if let (members, range) = scanner.members() {
        try insert(members, line.extracting(range))
      } else {
        var value: [UInt8] = []
        let members = try DenylistEntry.members(of: line, &value)
        try insert(members, value.span)
      }
    } catch {
      throw .line(lineNumber, error)
    }
    if table.count > Self.entryCountMax { throw .tooManyEntries }
  }

  private mutating func insert(_ members: DenylistMembers, _ value: Span<UInt8>) throws(DenylistFault) {
    if let (selector, times) = try members.checked() {
      if times.until > now { table.insert(selector, value, times) }
    } else if let count = members.lineCount {
      announcedCount = count
      return
    }
    lineCount += 1
  }

  private static func isBlank(_ line: Span<UInt8>) -> Bool {
    for index in line.indices where line[index] != 0x20 && line[index] != 0x09 && line[index] != 0x0D { return false }
    return true
  }
}

/// Reads a line as machines write it: plain ASCII, no escapes, each member once. Gives up on everything else, which is
/// then for the reader of all JSON to take or to refuse.
private struct LineScanner: ~Escapable {
  private let line: Span<UInt8>
  private var offset = 0

  @_lifetime(copy line)
  init(_ line: Span<UInt8>) { self.line = line }

  /// The members, and where the value of the selector is.
  mutating func members() -> (DenylistMembers, value: Range<Int>)? {
    var members = DenylistMembers()
    var value = 0..<0
    guard take(UInt8(ascii: "{")) else { return nil }
    while true {
      guard let range = string(), take(UInt8(ascii: ":")),
        let name = DenylistMembers.Name(line.extracting(range))
      else { return nil }
      switch name {
      case .selector(let selector):
        guard members.selector == nil, let text = string(), !text.isEmpty else { return nil }
        members.selector = selector
        value = text
      case .note:
        guard !members.hasNote, string() != nil else { return nil }
        members.hasNote = true
      case .issuedBefore:
        guard members.issuedBefore == nil, let number = number() else { return nil }
        members.issuedBefore = number
      case .until:
        guard members.until == nil, let number = number() else { return nil }
        members.until = number
      case .lines:
        guard members.lineCount == nil, let number = number() else { return nil }
        members.lineCount = number
      }
      if take(UInt8(ascii: ",")) { continue }
      guard take(UInt8(ascii: "}")) else { return nil }
      skipSpace()
      return offset == line.count ? (members, value) : nil
    }
  }

  private mutating func skipSpace() {
    while offset < line.count, line[offset] == 0x20 || line[offset] == 0x09 || line[offset] == 0x0D { offset += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard offset < line.count, line[offset] == byte else { return false }
    offset += 1
    return true
  }

  /// Between the quotes.
  private mutating func string() -> Range<Int>? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    let start = offset
    while offset < line.count {
      let byte = line[offset]
      if byte == UInt8(ascii: "\"") {
        offset += 1
        return start..<offset - 1
      }
      if byte < 0x20 || byte > 0x7E || byte == UInt8(ascii: "\\") { return nil }
      offset += 1
    }
    return nil
  }

  private mutating func number() -> Int64? {
    skipSpace()
    let start = offset
    var value: Int64 = 0
    while offset < line.count, (0x30...0x39).contains(line[offset]) {
      value = value * 10 + Int64(line[offset] - 0x30)
      offset += 1
      // Longer ones are for the other reader, as are those with a zero in front.
      if offset - start > 15 { return nil }
    }
    if offset == start || offset - start > 1 && line[start] == 0x30 { return nil }
    return value
  }
}
