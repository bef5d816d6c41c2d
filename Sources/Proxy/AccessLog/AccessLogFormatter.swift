// From an entry to its line: the last stage of a request's way, and the only place where log lines are made.
//
// Invariant: exactly one line feed per entry, at its end, whatever bytes the entry holds.

package import Bytes
package import Configuration

/// Writes access log lines in one of the formats. Immutable: shared by all workers.
package final class AccessLogFormatter: Sendable {
  private enum Part: Sendable {
    case text([UInt8])
    case field(AccessLogField, isQuoted: Bool)
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

  private let style: Style
  private let kinds: InlineArray<64, AccessLogField.Kind>
  private let alwaysPresent: UInt64
  /// Fields that json leaves out when they are 1.
  private let countsFromTwo: UInt64
  /// What comes before each field's value in json, such as `,"status":`, one after the other.
  private let openings: [UInt8]
  private let openingEnds: InlineArray<64, Int32>

  package init(_ format: AccessLog.Format) {
    switch format {
    case .json: style = .json
    case .combined: style = .combined
    case .template(let parts): style = .template(Self.prepared(parts))
    }
    alwaysPresent = AccessLogField.bits(\.isAlwaysPresent)
    countsFromTwo = AccessLogField.bits(\.countsFromTwo)
    var kinds = InlineArray<64, AccessLogField.Kind>(repeating: .text)
    var openings: [UInt8] = []
    var ends = InlineArray<64, Int32>(repeating: 0)
    for field in AccessLogField.allCases {
      let record = field.record
      kinds[field.index] = record.kind
      openings += Array("\(openings.isEmpty ? "{" : ",")\"\(record.name)\":".utf8)
      if record.kind.isQuoted { openings.append(UInt8(ascii: "\"")) }
      ends[field.index] = Int32(truncatingIfNeeded: openings.count)
    }
    self.kinds = kinds
    self.openings = openings
    openingEnds = ends
  }

  private static func prepared(_ parts: [AccessLog.TemplatePart]) -> [Part] {
    var isQuoted = false
    return parts.map { part in
      switch part {
      case .text(let text):
        if !text.count(where: { $0 == "\"" }).isMultiple(of: 2) { isQuoted.toggle() }
        return .text(Array(text.utf8))
      case .field(let field): return .field(field, isQuoted: isQuoted)
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
        case .field(let field, let isQuoted):
          appendTemplateField(field, of: entry, isQuoted: isQuoted, to: &output)
        }
      }
    }
    output.append(UInt8(ascii: "\n"))
  }

  /// One object, its members in the order of the table. Absent ones are left out.
  private func appendJSONLine(_ entry: borrowing AccessLogEntry, to output: inout ByteQueue) {
    let isPlain = entry.isPlain
    let openings = openings
    var rest = entry.present | alwaysPresent
    while rest != 0 {
      let index = rest.trailingZeroBitCount
      let bit = rest & (0 &- rest)
      rest &= ~bit
      if countsFromTwo & bit != 0, entry.number(at: index) < 2 { continue }
      let start = index == 0 ? 0 : Int(openingEnds[index - 1])
      output.append(openings.span.extracting(start..<Int(openingEnds[index])))
      appendValue(at: index, of: entry, escaping: isPlain ? .none : .json, to: &output)
      if kinds[index].isQuoted { output.append(UInt8(ascii: "\"")) }
    }
    output.append(UInt8(ascii: "}"))
  }

  /// One field, `-` when absent. Between quotes it cannot end them, and without quotes it stays one column.
  private func appendTemplateField(
    _ field: AccessLogField, of entry: borrowing AccessLogEntry, isQuoted: Bool, to output: inout ByteQueue
  ) {
    if (entry.present | alwaysPresent) & field.bit == 0 { return output.append(UInt8(ascii: "-")) }
    appendValue(at: field.index, of: entry, escaping: isQuoted ? .quoted : .column, to: &output)
  }

  @inline(__always)
  private func appendValue(
    at index: Int, of entry: borrowing AccessLogEntry, escaping: Escaping, to output: inout ByteQueue
  ) {
    switch kinds[index] {
    case .text, .path:
      switch escaping {
      case .none: output.append(entry.text(at: index))
      case .json: output.appendJSONText(entry.text(at: index))
      case .quoted: output.appendLogText(entry.text(at: index))
      case .column: output.appendLogText(entry.text(at: index), escapesSpace: true)
      }
    case .number: output.appendNumber(entry.number(at: index))
    case .milliseconds: output.appendMilliseconds(entry.number(at: index))
    case .boolean: output.append(entry.number(at: index) == 1 ? "true" : "false")
    case .time:
      output.appendTimestamp(CivilTime(unixMilliseconds: Int64(truncatingIfNeeded: entry.number(at: index))))
    }
  }
}

extension AccessLogField.Kind {
  /// In json.
  fileprivate var isQuoted: Bool {
    switch self {
    case .text, .path, .time: true
    case .number, .milliseconds, .boolean: false
    }
  }
}

extension ByteQueue {
  /// Apache's combined format, whose user is the token's subject.
  fileprivate mutating func appendCombinedLine(_ entry: borrowing AccessLogEntry) {
    appendColumn(entry.text(.clientIP), escapesSpace: true)
    append(" - ")
    appendColumn(entry.text(.subject), escapesSpace: true)
    append(" [")
    appendApacheTime(CivilTime(unixMilliseconds: Int64(truncatingIfNeeded: entry.number(.time))))
    append("] \"")
    appendColumn(entry.text(.method), escapesSpace: true)
    append(UInt8(ascii: " "))
    appendColumn(entry.text(.path), escapesSpace: true)
    append(UInt8(ascii: " "))
    appendColumn(entry.text(.protocol), escapesSpace: true)
    append("\" ")
    appendCount(entry.number(.status))
    append(UInt8(ascii: " "))
    appendCount(entry.number(.responseBytes))
    append(" \"")
    appendColumn(entry.text(.referer), escapesSpace: false)
    append("\" \"")
    appendColumn(entry.text(.userAgent), escapesSpace: false)
    append(UInt8(ascii: "\""))
  }

  private mutating func appendColumn(_ text: Span<UInt8>, escapesSpace: Bool) {
    if text.isEmpty { append(UInt8(ascii: "-")) } else { appendLogText(text, escapesSpace: escapesSpace) }
  }

  private mutating func appendCount(_ number: UInt64) {
    if number > 0 { appendNumber(number) } else { append(UInt8(ascii: "-")) }
  }
}
