// From an entry to its line: the last stage of a request's way, and the only place where log lines are made.
//
// Invariant: exactly one line feed per entry, at its end, whatever bytes the entry holds.

package import Bytes
package import Configuration
import HTTPWire

/// Writes access log lines in one of the formats. Immutable: shared by all workers.
package final class AccessLogFormatter: Sendable {
  private enum Part: Sendable {
    case text([UInt8])
    /// The place in an entry.
    case place(Int, isQuoted: Bool)
  }

  private enum Style: Sendable {
    case json
    case combined
    case template([Part])
  }

  /// Where a text is written.
  private enum Escaping {
    /// In json, and nothing of it needs escaping.
    case none
    case json
    /// Between the quotes of a template.
    case quoted
    /// In a template, outside of quotes.
    case column
  }

  /// What of a request the lines have beside the fields. Behind them in an entry, in this order.
  let values: [LoggedValue]
  /// Whether there is a log at all, besides what a collector gets.
  let writesLines: Bool
  /// Nil where no collector gets records.
  let encoder: LogRecordEncoder?
  private let style: Style
  private let kinds: InlineArray<64, AccessLogField.Kind>
  private let alwaysPresent: UInt64
  /// What json has.
  private let chosen: UInt64
  /// Fields that json leaves out when they are 1.
  private let countsFromTwo: UInt64
  /// How a json line begins.
  private let beginning: [UInt8]
  /// What comes before each value in json, such as `,"status":`, one after the other.
  private let openings: [UInt8]
  private let openingEnds: InlineArray<64, Int32>

  package init(_ log: AccessLog, isCollected: Bool = false) {
    let values = Array(log.values.prefix(LoggedValue.countMax))
    self.values = values
    writesLines = log.destination != .off
    encoder = isCollected ? LogRecordEncoder(log, values: values) : nil
    var beginning = "{"
    switch log.format {
    case .json, .otel: style = .json
    case .ecs:
      style = .json
      beginning = #"{"ecs.version":"8.11.0","event.dataset":"catraca.access""#
    case .combined: style = .combined
    case .template(let parts): style = .template(Self.prepared(parts, values))
    }
    self.beginning = Array(beginning.utf8)
    alwaysPresent = AccessLogField.bits(\.isAlwaysPresent)
    countsFromTwo = AccessLogField.bits(\.countsFromTwo)
    var members: [Int: AccessLog.Member] = [:]
    for member in log.members { if let place = Self.place(of: member.source, values) { members[place] = member } }
    chosen = members.keys.reduce(0) { $0 | 1 << UInt64($1) }
    var kinds = InlineArray<64, AccessLogField.Kind>(repeating: .text)
    for field in AccessLogField.allCases { kinds[field.index] = field.record.kind }
    var openings = ByteQueue()
    var ends = InlineArray<64, Int32>(repeating: 0)
    for place in 0..<64 {
      if let member = members[place] {
        let form = log.form(of: member)
        kinds[place] = form.kind
        openings.append(",\"")
        openings.appendJSONText(form.name.utf8.span)
        openings.append(form.kind.isQuoted ? "\":\"" : "\":")
      }
      ends[place] = Int32(truncatingIfNeeded: openings.count)
    }
    self.kinds = kinds
    self.openings = openings.span.copied()
    openingEnds = ends
  }

  private static func place(of source: AccessLog.Source, _ values: [LoggedValue]) -> Int? {
    switch source {
    case .field(let field): field.index
    case .value(let value): values.firstIndex(of: value).map { AccessLogField.count + $0 }
    }
  }

  private static func prepared(_ parts: [AccessLog.TemplatePart], _ values: [LoggedValue]) -> [Part] {
    var isQuoted = false
    return parts.compactMap { part in
      switch part {
      case .text(let text):
        if !text.count(where: { $0 == "\"" }).isMultiple(of: 2) { isQuoted.toggle() }
        return .text(Array(text.utf8))
      case .source(let source): return place(of: source, values).map { .place($0, isQuoted: isQuoted) }
      }
    }
  }

  /// Appends one line with its line feed. Allocates nothing but room in `output`.
  package func append(_ entry: borrowing AccessLogEntry, to output: inout ByteQueue) {
    switch style {
    case .json: appendJSONLine(entry, to: &output)
    case .combined: output.appendCombinedLine(entry)
    case .template(let parts):
      for part in parts {
        switch part {
        case .text(let text): output.append(text.span)
        case .place(let place, let isQuoted):
          appendTemplateValue(at: place, of: entry, isQuoted: isQuoted, to: &output)
        }
      }
    }
    output.append(UInt8(ascii: "\n"))
  }

  /// One object, its members in the order of the table. Absent ones are left out.
  private func appendJSONLine(_ entry: borrowing AccessLogEntry, to output: inout ByteQueue) {
    let isPlain = entry.isPlain
    let openings = openings
    let beginning = beginning
    output.append(beginning.span)
    // Nothing is in front of the first comma but a brace.
    var skipped = beginning.count == 1 ? 1 : 0
    var rest = (entry.present | alwaysPresent) & chosen
    while rest != 0 {
      let index = rest.trailingZeroBitCount
      let bit = rest & (0 &- rest)
      rest &= ~bit
      if countsFromTwo & bit != 0, entry.number(at: index) < 2 { continue }
      let start = index == 0 ? 0 : Int(openingEnds[index - 1])
      output.append(openings.span.extracting(start + skipped..<Int(openingEnds[index])))
      skipped = 0
      appendValue(at: index, of: entry, escaping: isPlain ? .none : .json, to: &output)
      if kinds[index].isQuoted { output.append(UInt8(ascii: "\"")) }
    }
    output.append(UInt8(ascii: "}"))
  }

  /// One value, `-` when absent. Between quotes it cannot end them, and without quotes it stays one column.
  private func appendTemplateValue(
    at index: Int, of entry: borrowing AccessLogEntry, isQuoted: Bool, to output: inout ByteQueue
  ) {
    if (entry.present | alwaysPresent) >> UInt64(index) & 1 == 0 { return output.append(UInt8(ascii: "-")) }
    appendValue(at: index, of: entry, escaping: isQuoted ? .quoted : .column, to: &output)
  }

  @inline(__always)
  private func appendValue(
    at index: Int, of entry: borrowing AccessLogEntry, escaping: Escaping, to output: inout ByteQueue
  ) {
    switch kinds[index] {
    case .text, .path: Self.append(entry.text(at: index), escaping, to: &output)
    case .number, .nanoseconds: output.appendNumber(entry.number(at: index))
    case .milliseconds: output.appendMilliseconds(entry.number(at: index))
    case .boolean: output.append(entry.number(at: index) == 1 ? "true" : "false")
    case .time:
      entry.appendTimestamp(to: &output)
    case .host, .version, .seconds: appendForeignForm(at: index, of: entry, escaping: escaping, to: &output)
    }
  }

  /// What only the names of others require.
  private func appendForeignForm(
    at index: Int, of entry: borrowing AccessLogEntry, escaping: Escaping, to output: inout ByteQueue
  ) {
    let text = entry.text(at: index)
    switch kinds[index] {
    case .host: Self.append(text.extracting(hostRange(of: text)), escaping, to: &output)
    case .version:
      var start = 0
      while start < text.count, text[start] &- 0x30 >= 10 { start += 1 }
      Self.append(text.extracting(start..<text.count), escaping, to: &output)
    case .seconds: output.appendSeconds(entry.number(at: index))
    case .text, .path, .number, .nanoseconds, .milliseconds, .boolean, .time: break
    }
  }

  @inline(__always)
  private static func append(_ text: Span<UInt8>, _ escaping: Escaping, to output: inout ByteQueue) {
    switch escaping {
    case .none: output.append(text)
    case .json: output.appendJSONText(text)
    case .quoted: output.appendLogText(text)
    case .column: output.appendLogText(text, escapesSpace: true)
    }
  }
}

extension AccessLogField.Kind {
  /// In json.
  fileprivate var isQuoted: Bool {
    switch self {
    case .text, .path, .host, .version, .time: true
    case .number, .nanoseconds, .milliseconds, .seconds, .boolean: false
    }
  }
}

extension ByteQueue {
  /// Apache's combined format, whose user is the token's subject, with the reason of a refusal behind it.
  fileprivate mutating func appendCombinedLine(_ entry: borrowing AccessLogEntry) {
    let isPlain = entry.isPlain
    appendColumn(entry.text(.clientIP), isPlain)
    append(" - ")
    appendColumn(entry.text(.subject), isPlain)
    append(" [")
    entry.appendApacheTime(to: &self)
    append("] \"")
    appendColumn(entry.text(.method), isPlain)
    append(UInt8(ascii: " "))
    appendColumn(entry.text(.path), isPlain)
    append(UInt8(ascii: " "))
    appendColumn(entry.text(.protocol), isPlain)
    append("\" ")
    appendCount(entry.number(.status))
    append(UInt8(ascii: " "))
    appendCount(entry.number(.responseBytes))
    append(" \"")
    appendQuoted(entry.text(.referer), isPlain)
    append("\" \"")
    appendQuoted(entry.text(.userAgent), isPlain)
    append("\" \"")
    appendQuoted(entry.text(.reason), isPlain)
    append(UInt8(ascii: "\""))
  }

  /// - Parameter isPlain: whether nothing but a space may need escaping.
  private mutating func appendColumn(_ text: Span<UInt8>, _ isPlain: Bool) {
    if text.isEmpty {
      append(UInt8(ascii: "-"))
    } else if isPlain, text.firstIndex(of: UInt8(ascii: " ")) == nil {
      append(text)
    } else {
      appendLogText(text, escapesSpace: true)
    }
  }

  private mutating func appendQuoted(_ text: Span<UInt8>, _ isPlain: Bool) {
    if text.isEmpty {
      append(UInt8(ascii: "-"))
    } else if isPlain {
      append(text)
    } else {
      appendLogText(text)
    }
  }

  private mutating func appendCount(_ number: UInt64) {
    if number > 0 { appendNumber(number) } else { append(UInt8(ascii: "-")) }
  }
}
