// What is known of one finished exchange, gathered for its line in the access log. One entry is kept per worker and
// used again, so that filling it allocates nothing once warm.
//
// Invariant: no token and no query ever gets in here (T59): paths and referers are cut at `?` and `#`, as tokens may
// follow there, and there is no field for a credential. Values of a request are those that the file names, which the
// check of the file keeps to places without tokens.

import Bytes
package import Configuration

/// The content of an access log line. Texts are copied. What was not set, or is empty, is absent from the line.
package struct AccessLogEntry: ~Copyable {
  /// A bit for each field that was set, by its place: the fields by their raw values, and behind them the values of
  /// requests that the log has, in the order of the formatter.
  private(set) var present: UInt64 = 0
  /// Numbers by their place. For a text, where it is in `texts`: its start above, its end below.
  private var values = InlineArray<64, UInt64>(repeating: 0)
  private var texts = ByteQueue()
  /// The second of the time, and how it is written: most lines are of the same one as those before them.
  private var second = Int64.min
  private var timestamp = ByteQueue()
  private var apacheTime = ByteQueue()
  private let textFields = AccessLogField.bits { $0.kind.isText } | ~0 << UInt64(AccessLogField.count)
  private let pathFields = AccessLogField.bits { $0.kind == .path }

  // LIMIT: a text is cut at this length, so that no request makes a line of more than some 200 KiB.
  static var textByteCountMax: Int { 8192 }
  // LIMIT: a value of a request is cut at this length, as there may be several of a client's choice.
  static var valueByteCountMax: Int { 1024 }

  package init() {}

  /// Forgets everything and keeps the memory.
  package mutating func reset() {
    present = 0
    texts.removeAll()
  }

  /// Sets a text as it came, hostile or not: escaping is the formatter's. Fields that are not texts are left alone.
  package mutating func set(_ field: AccessLogField, _ text: Span<UInt8>) {
    let bit = field.bit
    guard textFields & bit != 0 else { return }
    var count = min(text.count, Self.textByteCountMax)
    if pathFields & bit != 0 {
      if let query = text.firstIndex(of: UInt8(ascii: "?")) { count = min(count, query) }
      if let fragment = text.firstIndex(of: UInt8(ascii: "#")) { count = min(count, fragment) }
    }
    present = count > 0 ? present | bit : present & ~bit
    let start = texts.count
    texts.append(text.extracting(0..<count))
    values[field.index] = UInt64(truncatingIfNeeded: start << 32 | texts.count)
  }

  package mutating func set(_ field: AccessLogField, _ text: String) {
    set(field, text.utf8.span)
  }

  /// Sets a value of the request.
  /// - Parameter index: among those of the formatter.
  package mutating func set(value index: Int, _ text: Span<UInt8>) {
    let place = AccessLogField.count + index
    guard place < 64, !text.isEmpty else { return }
    present |= 1 << UInt64(truncatingIfNeeded: place)
    let start = texts.count
    texts.append(text.extracting(first: Self.valueByteCountMax))
    values[place] = UInt64(truncatingIfNeeded: start << 32 | texts.count)
  }

  /// Sets a short text of the gateway's own, made of two parts.
  mutating func set(_ field: AccessLogField, _ first: StaticString, _ second: StaticString) {
    guard textFields & field.bit != 0 else { return }
    present |= field.bit
    let start = texts.count
    texts.append(first)
    texts.append(second)
    values[field.index] = UInt64(truncatingIfNeeded: start << 32 | texts.count)
  }

  /// Sets when the exchange began, in milliseconds since 1970.
  package mutating func set(time milliseconds: Int64) {
    set(.time, UInt64(bitPattern: milliseconds))
    let second = milliseconds / 1000
    if second == self.second { return }
    self.second = second
    timestamp.removeAll()
    timestamp.appendTimestamp(CivilTime(unixMilliseconds: milliseconds))
    apacheTime.removeAll()
    apacheTime.appendApacheTime(CivilTime(unixMilliseconds: milliseconds))
  }

  /// The time to a millisecond, as RFC 3339 has it.
  func appendTimestamp(to output: inout ByteQueue) {
    let milliseconds = Int64(truncatingIfNeeded: number(.time))
    guard isWritten(milliseconds) else {
      return output.appendTimestamp(CivilTime(unixMilliseconds: milliseconds))
    }
    output.append(timestamp.span.extracting(first: timestamp.count - 4))
    output.appendPadded(milliseconds % 1000, digits: 3)
    output.append(UInt8(ascii: "Z"))
  }

  func appendApacheTime(to output: inout ByteQueue) {
    let milliseconds = Int64(truncatingIfNeeded: number(.time))
    guard isWritten(milliseconds) else {
      return output.appendApacheTime(CivilTime(unixMilliseconds: milliseconds))
    }
    output.append(apacheTime.span)
  }

  /// Whether the text of that second is at hand.
  private func isWritten(_ milliseconds: Int64) -> Bool { milliseconds >= 0 && milliseconds / 1000 == second }

  /// Sets a number, in the unit of its kind. Fields that are texts are left alone.
  package mutating func set(_ field: AccessLogField, _ number: UInt64) {
    guard textFields & field.bit == 0 else { return }
    present |= field.bit
    values[field.index] = number
  }

  /// A text's bytes. Empty when absent or not a text.
  @inline(__always)
  @_lifetime(borrow self)
  func text(_ field: AccessLogField) -> Span<UInt8> { texts.span.extracting(range(at: field.index)) }

  @inline(__always)
  @_lifetime(borrow self)
  func text(at index: Int) -> Span<UInt8> { texts.span.extracting(range(at: index)) }

  @inline(__always)
  private func range(at index: Int) -> Range<Int> {
    guard present & textFields & (1 << UInt64(truncatingIfNeeded: index)) != 0 else { return 0..<0 }
    return Int(values[index] >> 32)..<Int(values[index] & 0xFFFF_FFFF)
  }

  /// 0 when absent.
  @inline(__always)
  func number(_ field: AccessLogField) -> UInt64 { number(at: field.index) }

  @inline(__always)
  func number(at index: Int) -> UInt64 {
    present & (1 << UInt64(truncatingIfNeeded: index)) == 0 ? 0 : values[index]
  }

  /// Whether no text needs escaping in any format: looked at once for all of them, which costs less than one by one.
  var isPlain: Bool { texts.span.isPlain }
}

extension AccessLogField {
  /// Below 64.
  var index: Int { Int(rawValue & 63) }

  var bit: UInt64 { 1 << UInt64(rawValue & 63) }

  /// A set of fields.
  static func bits(_ isMember: (Record) -> Bool) -> UInt64 {
    allCases.reduce(0) { isMember($1.record) ? $0 | $1.bit : $0 }
  }
}
