// The head of an HTTP/1 response from an upstream: status line and fields as offsets into a copy of its bytes (RFC 9112
// §4 to §6). What could be read in two ways is a 502, not passed on (T62). What can be read in one way only is read as
// other proxies read it, and written as the RFC has it: lines that end with a bare line feed, and statuses up to 999.
// The same invariant as for `RequestHead`: what is read from it is valid between `.complete` and `reset`.

package import Bytes

/// A response's head. One value serves all responses of a connection, interim ones included, one after the other.
package struct ResponseHead: HeadLines, ~Copyable {
  /// The head, from the version to behind the empty line. All ranges are offsets here.
  package internal(set) var bytes = ByteQueue()
  /// The field lines in the order in which they came. Each begins where the one before it ends.
  package internal(set) var fields: [FieldLine] = []
  /// The status code, 100 to 999. Above 599 it has no meaning (RFC 9110 §15), and is passed on.
  package internal(set) var status = 0
  package internal(set) var reasonRange = 0..<0
  package internal(set) var version = Version.http11

  var facts = FieldFacts()
  var scanner = LineScanner()
  var stage = HeadStage.start

  static var isRequest: Bool { false }
  static var firstLineTooLong: HeadError { .headTooLarge }

  package init() {}

  /// Forgets the head and keeps its memory.
  package mutating func reset() {
    bytes.removeAll()
    fields.removeFew()
    facts = FieldFacts()
    scanner = LineScanner()
    stage = .start
    status = 0
  }

  /// Forgets the head and gives its memory back.
  package mutating func releaseStorage() {
    reset()
    bytes.releaseStorage()
    fields = []
  }

  /// Reads as much of the head as is there. `input` always begins with the head's first byte and only grows from call
  /// to call. Until ``reset()`` the answer stays what it became.
  package mutating func parse(_ input: Span<UInt8>, limits: HeadLimits) -> HeadProgress {
    switch stage {
    case .start:
      if input.isEmpty { return .incomplete }
      if input[0] != 0x48 { return finished(.malformed(.badStatusLine)) }
      stage = .firstLine
    case .finished(let progress): return progress
    case .firstLine, .fields: break
    }
    return finished(readLines(input, limits))
  }

  /// `HTTP/1.1 200 OK`. The space behind the code may be missing together with the reason: many servers leave it out,
  /// and nothing is ambiguous about it.
  mutating func readFirstLine(_ input: Span<UInt8>, _ line: Range<Int>) -> HeadError? {
    let start = line.lowerBound
    guard line.count >= 12, let version = readVersion(input, at: start), input[start + 8] == 0x20,
      isDigit(input[start + 9]), isDigit(input[start + 10]), isDigit(input[start + 11]),
      line.count == 12 || input[start + 12] == 0x20
    else { return .badStatusLine }
    switch version {
    case .failure(let error): return error
    case .success(let version): self.version = version
    }
    status = Int(input[start + 9] & 15) * 100 + Int(input[start + 10] & 15) * 10 + Int(input[start + 11] & 15)
    guard status >= 100 else { return .badStatusLine }
    reasonRange = min(start + 13, line.upperBound)..<line.upperBound
    return holdsControl(input.extracting(reasonRange)) ? .badStatusLine : nil
  }

  mutating func complete(_ input: Span<UInt8>) -> HeadProgress {
    if facts.has(.transferEncoding), facts.has(.contentLength) || version == .http10 {
      return .malformed(.framingAmbiguous)
    }
    if scanner.hasTakenBareLineFeed { return completeRewritten(input.extracting(0..<scanner.lineStart)) }
    if facts.options.contains(.nominations) { facts.markNominated(&fields, of: input) }
    bytes.append(input.extracting(0..<scanner.lineStart))
    return .complete(byteCount: scanner.lineStart)
  }

  /// Reads the head again with a CRLF behind each line: runs of its lines are passed on as they are.
  private mutating func completeRewritten(_ input: Span<UInt8>) -> HeadProgress {
    var lines = ByteQueue()
    var start = 0
    while let lineFeed = input.firstIndex(of: 0x0A, from: start) {
      let hasReturn = lineFeed > start && input[lineFeed - 1] == 0x0D
      lines.append(input.extracting(start..<(hasReturn ? lineFeed - 1 : lineFeed)))
      lines.append("\r\n")
      start = lineFeed + 1
    }
    reset()
    stage = .firstLine
    // It was held to its limits as it came.
    let progress = readLines(lines.span, HeadLimits(byteCountMax: .max, fieldCountMax: .max))
    guard case .complete = progress else { return progress }
    return .complete(byteCount: input.count)
  }
}

extension ResponseHead {
  /// Whether the response is interim: another head follows it. 101 (Switching Protocols) is among them.
  package var is1xx: Bool { status < 200 }

  /// Where the content ends, given the method of the request that is answered (RFC 9112 §6.3). Where there is none by
  /// rule (HEAD, 1xx, 204, 304), neither Content-Length nor Transfer-Encoding says anything about this message.
  package func framing(requestMethod: Method) -> BodyFraming {
    if status < 200 || status == 204 || status == 304 || requestMethod == .head { return .none }
    if facts.has(.transferEncoding) { return .chunked }
    if facts.has(.contentLength) { return .length(facts.contentLength) }
    return version.isMultiplexed ? .chunked : .untilClose
  }

  /// What Content-Length says, of whatever it speaks. Nil without one.
  package var contentLength: UInt64? { facts.has(.contentLength) ? facts.contentLength : nil }

  /// Whether the upstream keeps the connection open (RFC 9112 §9.3). Content that ends with the connection is not
  /// looked at here: see ``framing(requestMethod:)``. Behind a head that announces content where there can be none,
  /// content may come, and would be read as the next answer.
  package var isPersistent: Bool { facts.isPersistent(version) && !announcesForbiddenContent }

  private var announcesForbiddenContent: Bool {
    switch status {
    case 204: facts.has(.transferEncoding) || facts.has(.contentLength) && facts.contentLength > 0
    case 304: facts.has(.transferEncoding)
    default: false
    }
  }

  /// Whether the server leaves HTTP/1.1 for what its Upgrade field says, which Connection names (RFC 9110 §7.8).
  package var isUpgrade: Bool { version == .http11 && facts.has(.upgrade) && facts.options.contains(.upgrade) }

  /// The number of lines of a field.
  package func count(of known: KnownField) -> Int { countFields(known, fields, facts) }

  /// Whether a field of this exact name is there.
  package func has(_ known: KnownField) -> Bool { facts.has(known) }

  /// The first line of a field.
  package func first(_ known: KnownField) -> FieldLine? { firstField(known, fields, facts) }
}
