// The line machine that reads heads as HTTP/1 writes them (RFC 9112 §2.1): a first line, field lines, an empty line.
// Requests and responses differ in their first lines, and in the rules that only the whole head can break.

import Bytes

/// What is read next of a head.
enum HeadStage {
  case start, firstLine, fields
  case finished(HeadProgress)
}

/// A head that is read line by line, as its bytes come.
protocol HeadLines: ~Copyable {
  static var isRequest: Bool { get }
  /// What is wrong with a first line that is longer than a whole head may be.
  static var firstLineTooLong: HeadError { get }
  var fields: [FieldLine] { get set }
  var facts: FieldFacts { get set }
  var scanner: LineScanner { get set }
  var stage: HeadStage { get set }
  mutating func readFirstLine(_ input: Span<UInt8>, _ line: Range<Int>) -> HeadError?
  /// The empty line is there.
  mutating func complete(_ input: Span<UInt8>) -> HeadProgress
}

extension HeadLines where Self: ~Copyable {
  /// Reads as much of the head as is there. A wrong line is refused as soon as it is complete.
  mutating func readLines(_ input: Span<UInt8>, _ limits: HeadLimits) -> HeadProgress {
    while true {
      switch scanner.next(input) {
      case .none:
        if input.count > limits.byteCountMax { return .malformed(sizeError) }
        return .incomplete
      case .bareLineFeed(let line):
        // RFC 9112 §2.2 lets a recipient read it. Clients that send it are not believed (T50).
        if Self.isRequest { return .malformed(.lineEndingInvalid) }
        scanner.takeBareLineFeed(of: line)
        if let progress = take(line, of: input, limits) { return progress }
      case .line(let line):
        if let progress = take(line, of: input, limits) { return progress }
      }
    }
  }

  /// Nil while lines follow.
  @inline(__always)
  private mutating func take(_ line: Range<Int>, of input: Span<UInt8>, _ limits: HeadLimits) -> HeadProgress? {
    if scanner.lineStart > limits.byteCountMax { return .malformed(sizeError) }
    if case .firstLine = stage {
      if let error = readFirstLine(input, line) { return .malformed(error) }
      stage = .fields
      return nil
    }
    if line.isEmpty { return complete(input) }
    if fields.count >= limits.fieldCountMax { return .malformed(.tooManyFields) }
    switch FieldLine.read(input, line: line) {
    case .malformed(let error): return .malformed(error)
    case .line(let field):
      if let error = facts.note(field, in: input, ofRequest: Self.isRequest) { return .malformed(error) }
      fields.append(field)
      return nil
    }
  }

  /// What was refused stays refused, and what is complete is not read again.
  mutating func finished(_ progress: HeadProgress) -> HeadProgress {
    if progress != .incomplete { stage = .finished(progress) }
    return progress
  }

  private var sizeError: HeadError {
    if case .firstLine = stage { Self.firstLineTooLong } else { .headTooLarge }
  }
}
