// What encodes the lines of an answer's head: one for each protocol that clients speak. AnswerHead.swift decides which
// lines there are.

import HTTPWire

/// Takes a head's lines in their order. Code that writes to it is generic, so that each call is a direct one.
protocol HeadSink: ~Copyable {
  /// Takes neighbouring field lines of a server's head, by their indices.
  mutating func append(_ fields: Range<Int>, of response: borrowing ResponseHead)
  /// Takes lines of the gateway's own: `Name: value`, each with its CRLF.
  mutating func append(lines: Span<UInt8>)
  mutating func append(_ date: DateField)
  mutating func append(contentLength: Int)
}

extension HeadSink where Self: ~Copyable {
  @inline(__always)
  mutating func append(lines: [UInt8]) {
    if !lines.isEmpty { append(lines: lines.span) }
  }
}
