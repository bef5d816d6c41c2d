// Heads of requests and responses: read whole and byte by byte alike, and what was read says no more than the bytes.

import Bytes
import HTTPWire

/// Small, so that short inputs reach them.
private let limits = HeadLimits(byteCountMax: 2048, fieldCountMax: 24)

@_cdecl("fuzz_request_heads")
func libFuzzRequestHeads(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzRequestHeads)
}

func fuzzRequestHeads(_ input: [UInt8]) throws {
  var whole = RequestHead()
  let progress = whole.parse(input.span, limits: limits)
  var pieced = RequestHead()
  var piecedProgress = HeadProgress.incomplete
  for end in 0...input.count {
    piecedProgress = pieced.parse(input.span.extracting(0..<end), limits: limits)
    if piecedProgress != .incomplete { break }
  }
  try expectSame(progress, piecedProgress)
  guard case .complete(let byteCount) = progress else { return }
  try expect(byteCount <= input.count, "more than there is: \(byteCount)")
  try expect(whole.bytes.span.equals(pieced.bytes.span), "other bytes when it comes in pieces")
  try expect(whole.framing == pieced.framing && whole.method == pieced.method, "another head when it comes in pieces")
  try checkLines(whole.bytes.copied(), input, byteCount)
  try check(whole)
  try checkFraming(whole)
  // What follows a head changes nothing of it, and the head alone is that head again.
  let bytes = whole.bytes.copied()
  for suffix in ["", "GET / HTTP/1.1\r\n", "\n\u{0}: "] {
    var again = RequestHead()
    let text = bytes + Array(suffix.utf8)
    try expect(again.parse(text.span, limits: limits) == .complete(byteCount: bytes.count), "not itself again")
    try expect(again.bytes.span.equals(bytes) && again.framing == whole.framing, "another head when read again")
  }
}

/// What holds of every head that is read, whatever the protocol.
func check(_ head: borrowing RequestHead) throws {
  let bytes = head.bytes.copied()
  let text = bytes.span
  try checkFields(head.fields, bytes)
  try expect(isToken(text.extracting(head.methodRange)), "a method that is no token")
  try expect(!head.targetRange.isEmpty, "no target")
  for index in head.targetRange { try expect(bytes[index] > 0x20 && bytes[index] != 0x7F, "a control in the target") }
  if let authority = head.authority {
    try expect(isAuthority(text.extracting(authority)), "an authority that is none")
  }
  try expect(head.version == .http10 || head.authority != nil, "nobody knows for whom it is")
  for known in KnownField.allCases where known != .other {
    let count = head.fields.count { $0.known == known }
    try expect(head.count(of: known) == count, "\(known) is counted wrongly")
    try expect((head.first(known) != nil) == (count > 0), "\(known) is not found")
  }
}

/// The framing once more, by a reader that knows nothing but lines.
private func checkFraming(_ head: borrowing RequestHead) throws {
  let lengths = values(of: "content-length", head.bytes.copied())
  let codings = values(of: "transfer-encoding", head.bytes.copied())
  switch head.framing {
  case .none: try expect(lengths.isEmpty && codings.isEmpty, "a body is left out")
  case .length(let length):
    try expect(codings.isEmpty && lengths.count == 1 && UInt64(lengths[0]) == length, "a length that is not said")
  case .chunked:
    try expect(lengths.isEmpty && codings.map { $0.lowercased() } == ["chunked"], "chunks that are not said")
    try expect(head.version == .http11, "chunks in an old version")
  case .untilClose: throw Fault("a request without an end")
  }
}

@_cdecl("fuzz_response_heads")
func libFuzzResponseHeads(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzResponseHeads)
}

func fuzzResponseHeads(_ input: [UInt8]) throws {
  var whole = ResponseHead()
  let progress = whole.parse(input.span, limits: limits)
  var pieced = ResponseHead()
  var piecedProgress = HeadProgress.incomplete
  for end in 0...input.count {
    piecedProgress = pieced.parse(input.span.extracting(0..<end), limits: limits)
    if piecedProgress != .incomplete { break }
  }
  try expectSame(progress, piecedProgress)
  guard case .complete(let byteCount) = progress else { return }
  try expect(byteCount <= input.count, "more than there is: \(byteCount)")
  try expect(whole.bytes.span.equals(pieced.bytes.span), "other bytes when it comes in pieces")
  try expect(whole.status == pieced.status && (100...999).contains(whole.status), "status \(whole.status)")
  let bytes = whole.bytes.copied()
  let sent = withReturns(input[..<byteCount])
  try checkLines(bytes, sent, sent.count)
  try checkFields(whole.fields, bytes)
  let (lengths, codings) = (values(of: "content-length", bytes), values(of: "transfer-encoding", bytes))
  for method in [Method.get, .head] {
    switch whole.framing(requestMethod: method) {
    case .none:
      try expect(method == .head || whole.is1xx || whole.status == 204 || whole.status == 304, "a body is left out")
    case .length(let length):
      try expect(codings.isEmpty && lengths.count == 1 && UInt64(lengths[0]) == length, "a length that is not said")
    case .chunked:
      try expect(lengths.isEmpty && codings.map { $0.lowercased() } == ["chunked"], "chunks that are not said")
    case .untilClose: try expect(lengths.isEmpty && codings.isEmpty, "a length that is not heard")
    }
  }
}

/// The lines with a CRLF behind each, whatever ended them.
private func withReturns(_ lines: ArraySlice<UInt8>) -> [UInt8] {
  var rewritten: [UInt8] = []
  for byte in lines {
    if byte == 0x0A, rewritten.last != 0x0D { rewritten.append(0x0D) }
    rewritten.append(byte)
  }
  return rewritten
}

// MARK: What heads have in common

/// The same answer. Which of two faults is found first may hang on the size of the pieces, where one is the size.
private func expectSame(_ whole: HeadProgress, _ pieced: HeadProgress) throws {
  if whole == pieced { return }
  let sizes: [HeadError] = [.headTooLarge, .targetTooLong]
  if case .malformed(let first) = whole, case .malformed(let second) = pieced,
    sizes.contains(first) || sizes.contains(second)
  {
    return
  }
  throw Fault("\(whole) as a whole, \(pieced) in pieces")
}

/// The head is what is in the input, and each of its lines ends in CR LF and in nothing else.
private func checkLines(_ head: [UInt8], _ input: [UInt8], _ byteCount: Int) throws {
  try expect(input[..<byteCount].suffix(head.count).elementsEqual(head), "the head is not the input's")
  try expect(byteCount - head.count == 0 || input.starts(with: [0x0D, 0x0A]), "something in front of the head is lost")
  try expect(head.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A], "no empty line at the end")
  for index in head.indices {
    switch head[index] {
    case 0x0A: try expect(index > 0 && head[index - 1] == 0x0D, "a bare LF")
    case 0x0D: try expect(index + 1 < head.count && head[index + 1] == 0x0A, "a bare CR")
    case 0x09, 0x20...0x7E, 0x80...: break
    default: throw Fault("a control character in a head")
    }
  }
}

func checkFields(_ fields: [FieldLine], _ bytes: [UInt8]) throws {
  var end = 0
  for field in fields {
    try expect(field.line.lowerBound >= end && field.line.upperBound <= bytes.count, "lines overlap")
    end = field.line.upperBound
    try expect(field.name.upperBound < field.value.upperBound || field.value.isEmpty, "a value in front of its name")
    let name = bytes[field.name]
    try expect(isToken(bytes.span.extracting(field.name)), "a name that is no token")
    try expect(isFieldValue(bytes.span.extracting(field.value)), "a value that no line can carry")
    // However a server behind the gateway spells names: what frames a message is that field itself, or was refused.
    let folded = String(decoding: name.map { isWord($0) ? $0 | 0x20 : 0x2D }, as: UTF8.self)
    if ["host", "content-length", "transfer-encoding"].contains(folded) {
      try expect(field.known.isFramingOrRouting, "another spelling of \(folded) came through")
    }
    if field.known != .other {
      try expect(
        String(decoding: name, as: UTF8.self).lowercased() == "\(field.known.name)", "\(field.known) is not named so")
    }
  }
}

/// An ASCII letter or digit.
func isWord(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
  default: false
  }
}

/// The values of a field, by the plainest reader that there can be.
func values(of name: String, _ head: [UInt8]) -> [String] {
  head.split(separator: 0x0A).compactMap { line in
    guard let colon = line.firstIndex(of: 0x3A) else { return nil }
    guard String(decoding: line[..<colon], as: UTF8.self).lowercased() == name else { return nil }
    return String(decoding: trimmed(line[(colon + 1)...]), as: UTF8.self)
  }
}

/// Without white space at either end.
func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
  let start = bytes.firstIndex { !isSpace($0) } ?? bytes.endIndex
  return bytes[start...].dropLast(bytes[start...].reversed().prefix(while: isSpace).count)
}
