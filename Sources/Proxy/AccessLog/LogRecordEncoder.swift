// From an entry to its record for a collector of OpenTelemetry: the same fields as a line in the format `otel`, as
// attributes.

import Bytes
import Configuration
import HTTPWire

/// Numbers of fields and values in `opentelemetry/proto/logs/v1/logs.proto`.
private enum Field {
  static let time: UInt64 = 1
  static let severity: UInt64 = 2
  static let severityText: UInt64 = 3
  static let body: UInt64 = 5
  static let attribute: UInt64 = 6
  static let flags: UInt64 = 8
  static let traceID: UInt64 = 9
  static let spanID: UInt64 = 10
  static let observedTime: UInt64 = 11

  static let info: UInt64 = 9
  static let error: UInt64 = 17
}

/// Immutable: shared by all workers.
package final class LogRecordEncoder: Sendable {
  private let kinds: InlineArray<64, AccessLogField.Kind>
  /// What records have as attributes.
  private let chosen: UInt64
  private let alwaysPresent: UInt64
  private let countsFromTwo: UInt64
  /// The name of each attribute as its field, one behind the other.
  private let names: [UInt8]
  private let nameEnds: InlineArray<64, Int32>

  /// - Parameter values: in the order in which an entry has them.
  init(_ log: AccessLog, values: [LoggedValue]) {
    var log = log
    log.format = .otel
    var members: [Int: AccessLog.Member] = [:]
    for member in log.members {
      switch member.source {
      // They have places of their own in a record.
      case .field(.time), .field(.traceID): break
      case .field(let field): members[field.index] = member
      case .value(let value):
        if let index = values.firstIndex(of: value) { members[AccessLogField.count + index] = member }
      }
    }
    chosen = members.keys.reduce(0) { $0 | 1 << UInt64($1) }
    alwaysPresent = AccessLogField.bits(\.isAlwaysPresent)
    countsFromTwo = AccessLogField.bits(\.countsFromTwo)
    var kinds = InlineArray<64, AccessLogField.Kind>(repeating: .text)
    var names = ByteQueue()
    var ends = InlineArray<64, Int32>(repeating: 0)
    for place in 0..<64 {
      if let member = members[place] {
        let form = log.form(of: member)
        kinds[place] = form.kind
        names.append(field: 1, bytes: form.name.utf8.span)
      }
      ends[place] = Int32(truncatingIfNeeded: names.count)
    }
    self.kinds = kinds
    self.names = names.copied()
    nameEnds = ends
  }

  /// - Parameter spanID: of the request. 0 where it is not traced.
  func append(_ entry: borrowing AccessLogEntry, spanID: UInt64, to buffer: inout RecordBuffer) {
    var output = ByteQueue()
    swap(&output, &buffer.bytes)
    let begin = output.begin(field: RecordBuffer.field)
    let startedAt = entry.number(.time) &* 1_000_000
    output.append(field: Field.time, fixed: startedAt)
    output.append(field: Field.observedTime, fixed: startedAt &+ entry.number(.duration))
    let isError = entry.number(.status) >= 500
    output.append(field: Field.severity, number: isError ? Field.error : Field.info)
    output.begin(field: Field.severityText, byteCount: isError ? 5 : 4)
    output.append(isError ? "ERROR" : "INFO")
    appendBody(of: entry, to: &output)
    appendAttributes(of: entry, to: &output)
    output.appendTrace(entry.text(.traceID), spanID)
    output.end(begin)
    swap(&output, &buffer.bytes)
    buffer.count += 1
  }

  /// `GET /orders/7 200`, for people.
  private func appendBody(of entry: borrowing AccessLogEntry, to output: inout ByteQueue) {
    let body = output.begin(field: Field.body)
    let text = output.begin(field: 1)
    output.append(utf8: entry.text(.method))
    output.append(" ")
    output.append(utf8: entry.text(.path))
    output.append(" ")
    output.append(decimal: entry.number(.status))
    output.end(text)
    output.end(body)
  }

  private func appendAttributes(of entry: borrowing AccessLogEntry, to output: inout ByteQueue) {
    let names = names
    var rest = (entry.present | alwaysPresent) & chosen
    while rest != 0 {
      let index = rest.trailingZeroBitCount
      let bit = rest & (0 &- rest)
      rest &= ~bit
      if countsFromTwo & bit != 0, entry.number(at: index) < 2 { continue }
      let attribute = output.begin(field: Field.attribute)
      let start = index == 0 ? 0 : Int(nameEnds[index - 1])
      output.append(names.span.extracting(start..<Int(nameEnds[index])))
      let value = output.begin(field: 2)
      appendValue(at: index, of: entry, to: &output)
      output.end(value)
      output.end(attribute)
    }
  }

  /// An `AnyValue`.
  private func appendValue(at index: Int, of entry: borrowing AccessLogEntry, to output: inout ByteQueue) {
    let number = entry.number(at: index)
    switch kinds[index] {
    case .text, .path: output.append(text: entry.text(at: index))
    case .host:
      let text = entry.text(at: index)
      output.append(text: text.extracting(hostRange(of: text)))
    case .version:
      let text = entry.text(at: index)
      var start = 0
      while start < text.count, text[start] &- 0x30 >= 10 { start += 1 }
      output.append(text: text.extracting(start..<text.count))
    case .number, .nanoseconds, .time: output.append(field: 3, number: number)
    case .milliseconds: output.append(field: 4, fixed: (Double(number) / 1_000_000).bitPattern)
    case .seconds: output.append(field: 4, fixed: (Double(number) / 1_000_000_000).bitPattern)
    case .boolean: output.append(field: 2, number: number)
    }
  }
}

extension ByteQueue {
  fileprivate mutating func append(text: Span<UInt8>) {
    let begin = begin(field: 1)
    append(utf8: text)
    end(begin)
  }

  fileprivate mutating func append(utf8 text: Span<UInt8>) {
    if text.isUTF8 { return append(text) }
    let repaired = text.repairedUTF8()
    append(repaired.span)
  }

  /// - Parameter text: 32 digits, or none.
  fileprivate mutating func appendTrace(_ text: Span<UInt8>, _ spanID: UInt64) {
    if text.count != 32 { return }
    begin(field: Field.traceID, byteCount: 16)
    for index in stride(from: 0, to: 32, by: 2) {
      let (high, low) = (hexadecimalValue(text[index]) ?? 0, hexadecimalValue(text[index + 1]) ?? 0)
      append(UInt8(truncatingIfNeeded: high << 4 | low))
    }
    if spanID == 0 { return }
    begin(field: Field.spanID, byteCount: 8)
    append(bigEndian: spanID)
    append(field: Field.flags, fixed: UInt32(1))
  }
}
