// The head of a request, here as HTTP/1 writes it: request line and fields as offsets into a copy of its bytes (RFC
// 9112 §3 to §5). `RequestHeadBuilder` makes the same of HTTP/2. What is ambiguous is refused, never repaired.
// Invariant: all that is read from the head is valid only after `parse` returned `.complete`, and until `reset`. Memory
// is kept between requests, so a warm head allocates nothing.

package import Bytes

/// A request's head. One value serves all requests of a connection, one after the other.
package struct RequestHead: HeadLines, ~Copyable {
  /// The head, from the method to behind the empty line. A CRLF in front of it is left out. All ranges are offsets
  /// here.
  package internal(set) var bytes = ByteQueue()
  /// The field lines in the order in which they came. Each begins where the one before it ends.
  package internal(set) var fields: [FieldLine] = []
  package internal(set) var method = Method.other
  package internal(set) var methodRange = 0..<0
  package internal(set) var targetRange = 0..<0
  package internal(set) var targetForm = TargetForm.origin
  /// Path and query of the target, as ``NormalTarget`` takes them. Empty in the asterisk form.
  package internal(set) var pathAndQueryRange = 0..<0
  package internal(set) var version = Version.http11
  /// Where the content ends: never ``BodyFraming/untilClose``.
  package internal(set) var framing = BodyFraming.none
  /// The value of Host, or the authority of an absolute form, which agree. Nil only for HTTP/1.0 without either.
  package internal(set) var authority: Range<Int>?
  /// What an extended CONNECT asks for (RFC 8441). Nil for every other request. Only HTTP/2 has it.
  package internal(set) var connectProtocol: ConnectProtocol?

  var facts = FieldFacts()
  var scanner = LineScanner()
  var stage = HeadStage.start
  /// 2 if a CRLF was in front of the head.
  private var skippedCount = 0

  static var isRequest: Bool { true }
  static var firstLineTooLong: HeadError { .targetTooLong }

  package init() {}

  /// Forgets the head and keeps its memory.
  package mutating func reset() {
    bytes.removeAll()
    fields.removeFew()
    facts = FieldFacts()
    scanner = LineScanner()
    stage = .start
    skippedCount = 0
    method = .other
    methodRange = 0..<0
    targetRange = 0..<0
    targetForm = .origin
    pathAndQueryRange = 0..<0
    version = .http11
    framing = .none
    authority = nil
    connectProtocol = nil
  }

  /// Forgets the head and gives its memory back, for a connection that may be idle for long.
  package mutating func releaseStorage() {
    reset()
    bytes.releaseStorage()
    fields = []
  }

  /// Reads as much of the head as is there. `input` always begins with the head's first byte and only grows from call
  /// to call. A wrong line is refused as soon as it is complete, a first byte that cannot begin a method at once. Until
  /// ``reset()`` the answer stays what it became.
  package mutating func parse(_ input: Span<UInt8>, limits: HeadLimits) -> HeadProgress {
    switch stage {
    case .start:
      if let progress = begin(input) { return finished(progress) }
    case .finished(let progress): return progress
    case .firstLine, .fields: break
    }
    let head = input.extracting(droppingFirst: skippedCount)
    let progress = readLines(head, limits)
    // What was read of a refused head is kept too: the log shows the lines before the one that was wrong.
    if case .malformed = progress, bytes.isEmpty { bytes.append(head.extracting(0..<scanner.lineStart)) }
    return finished(progress)
  }

  /// One empty line in front of a request is skipped (RFC 9112 §2.2), no more than one.
  private mutating func begin(_ input: Span<UInt8>) -> HeadProgress? {
    guard !input.isEmpty else { return .incomplete }
    if input[0] == 0x0D {
      guard input.count > 1 else { return .incomplete }
      guard input[1] == 0x0A else { return .malformed(.lineEndingInvalid) }
      guard input.count > 2 else { return .incomplete }
      skippedCount = 2
    }
    guard isTokenByte(input[skippedCount]) else { return .malformed(.badRequestLine) }
    stage = .firstLine
    return nil
  }

  mutating func readFirstLine(_ input: Span<UInt8>, _ line: Range<Int>) -> HeadError? {
    var index = line.lowerBound
    var word: UInt64 = 0
    while index < line.upperBound, isTokenByte(input[index]) {
      // A method of eight bytes or more leaves its last eight here, which no known method has.
      word = word << 8 | UInt64(input[index])
      index += 1
    }
    methodRange = line.lowerBound..<index
    // " HTTP/1.1" are nine bytes, and the target has one at least.
    let targetEnd = line.upperBound - 9
    guard !methodRange.isEmpty, index + 1 < targetEnd, input[index] == 0x20, input[targetEnd] == 0x20,
      let version = readVersion(input, at: targetEnd + 1)
    else { return .badRequestLine }
    targetRange = index + 1..<targetEnd
    if holdsControlOrSpace(input.extracting(targetRange)) { return .badRequestLine }
    switch version {
    case .failure(let error): return error
    case .success(let version): self.version = version
    }
    method = Method(word: methodRange.count <= 7 ? word : 0)
    if method == .connect { return .methodUnsupported }
    guard let parts = TargetParts.read(input, targetRange, method: method) else { return .targetInvalid }
    targetForm = parts.form
    pathAndQueryRange = parts.pathAndQuery
    authority = parts.authority
    if let authority, !isAuthority(input.extracting(authority)) { return .hostInvalid }
    return nil
  }

  mutating func complete(_ input: Span<UInt8>) -> HeadProgress {
    if let host = first(.host)?.value {
      // RFC 9112 §3.2.2 prefers the target. Two different answers to "for whom?" are refused instead (T44).
      if let authority, !equalsIgnoringCase(input.extracting(authority), input.extracting(host)) {
        return .malformed(.hostAmbiguous)
      }
      authority = host
    } else if version == .http11 {
      return .malformed(.hostMissing)
    }
    if facts.has(.transferEncoding) {
      // Both lengths, or a coding in a version that has none, is how requests are smuggled (RFC 9112 §6.1, T48, T66).
      if facts.has(.contentLength) || version == .http10 { return .malformed(.framingAmbiguous) }
      framing = .chunked
    } else if facts.has(.contentLength) {
      framing = .length(facts.contentLength)
    }
    if facts.options.contains(.nominations) { facts.markNominated(&fields, of: input) }
    bytes.append(input.extracting(0..<scanner.lineStart))
    return .complete(byteCount: scanner.lineStart + skippedCount)
  }
}

extension RequestHead {
  /// Whether the client means to send another request on this connection (RFC 9112 §9.3).
  package var isPersistent: Bool { facts.isPersistent(version) }

  /// Whether the client waits for 100 (Continue) before it sends its content (RFC 9110 §10.1.1).
  package var expectsContinue: Bool {
    guard facts.has(.expect), version != .http10 else { return false }
    return framing != .none && framing != .length(0)
  }

  /// Whether the client asks to leave HTTP/1.1: an Upgrade field that Connection names (RFC 9110 §7.8).
  package var asksForUpgrade: Bool { version == .http11 && facts.has(.upgrade) && facts.options.contains(.upgrade) }

  /// Whether the request is a call of gRPC, with any encoding of its messages. Over HTTP/1 there is none.
  package var isGRPC: Bool {
    guard version.isMultiplexed, count(of: .contentType) == 1, let field = first(.contentType) else { return false }
    let type = bytes.span.extracting(field.value)
    guard type.count >= 16, type.extracting(0..<16).equalsIgnoringCase("application/grpc") else { return false }
    return type.count == 16 || type[16] == UInt8(ascii: "+") || type[16] == UInt8(ascii: ";")
  }

  /// Whether the request is a call of gRPC-Web, which any version of HTTP carries. Nil where it is not.
  package var webCall: WebCall? {
    guard count(of: .contentType) == 1, let field = first(.contentType) else { return nil }
    let type = bytes.span.extracting(field.value)
    guard type.count >= 20, type.extracting(0..<20).equalsIgnoringCase("application/grpc-web") else { return nil }
    let isText = type.count >= 25 && type.extracting(20..<25).equalsIgnoringCase("-text")
    let end = isText ? 25 : 20
    guard type.count == end || type[end] == UInt8(ascii: "+") || type[end] == UInt8(ascii: ";") else { return nil }
    return isText ? .text : .binary
  }

  /// The number of lines of a field.
  package func count(of known: KnownField) -> Int { countFields(known, fields, facts) }

  /// Whether a field of this exact name is there.
  package func has(_ known: KnownField) -> Bool { facts.has(known) }

  /// The first line of a field.
  package func first(_ known: KnownField) -> FieldLine? { firstField(known, fields, facts) }
}

/// How a call of gRPC-Web encodes its messages.
package enum WebCall: Sendable {
  case binary
  /// In base64.
  case text
}
