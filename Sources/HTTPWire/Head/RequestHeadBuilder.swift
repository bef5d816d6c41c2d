// Makes a `RequestHead` of a decoded HTTP/2 header block (RFC 9113 §8.3.1), so that every stage behind it is the one
// that serves HTTP/1. Invariant: a finished head differs from a parsed one in its version only: the same bytes in the
// same places, held to the same rules. Nothing is believed because a library looked at it before (T51).

import Bytes

/// What an extended CONNECT asks for (RFC 8441 §4).
package enum ConnectProtocol: Sendable {
  case webSocket
  /// Any other protocol.
  case other
}

/// Takes the fields of one header block after the other. The head's limits count as RFC 9113 §6.5.2 does.
package struct RequestHeadBuilder: ~Copyable {
  private var head = RequestHead()
  /// The values of the pseudo-header fields, until the first regular field or the end shows that they are all there.
  private var pseudo = ByteQueue()
  private var method: Range<Int>?
  private var scheme: Range<Int>?
  private var authority: Range<Int>?
  private var path: Range<Int>?
  private var connectProtocol: Range<Int>?
  /// The Cookie crumbs, joined (RFC 9113 §8.2.3).
  private var cookies = ByteQueue()
  private var hasCookie = false
  /// The head's bytes until it is whole.
  private var bytes = ByteQueue()
  private var size = FieldListSize()
  private var hasRequestLine = false
  private var error: HeadError?

  package init() {}

  /// Forgets what there is. The memory stays.
  package mutating func begin() {
    head.reset()
    head.version = .http2
    bytes.removeAll()
    pseudo.removeAll()
    method = nil
    scheme = nil
    authority = nil
    path = nil
    connectProtocol = nil
    cookies.removeAll()
    hasCookie = false
    size = FieldListSize()
    hasRequestLine = false
    error = nil
  }

  /// Takes the next field. After the first wrong one nothing is kept.
  package mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>, limits: HeadLimits) {
    if error == nil { error = take(name, value, limits) }
  }

  private mutating func take(_ name: Span<UInt8>, _ value: Span<UInt8>, _ limits: HeadLimits) -> HeadError? {
    let isPseudo = name.count > 0 && name[0] == 0x3A
    let isCookie = name.count == 6 && name[0] == 0x63 && name.equalsIgnoringCase("cookie")
    // Crumbs are one field in the end.
    let countsAsField = !isPseudo && !(isCookie && hasCookie)
    if let error = size.add(name, value, countsAsField: countsAsField, limits: limits) { return error }
    if isPseudo { return takePseudo(name, value) }
    if let error = beginFields() { return error }
    if isCookie {
      for index in name.indices where name[index] & 0x20 == 0 { return .fieldNameInvalid }
      if hasCookie { cookies.append("; ") }
      cookies.append(value)
      hasCookie = true
      return nil
    }
    let start = bytes.count
    return note(FieldLine.append(name, value, to: &bytes), from: start)
  }

  private mutating func takePseudo(_ name: Span<UInt8>, _ value: Span<UInt8>) -> HeadError? {
    if hasRequestLine { return .badRequestLine }
    let range = pseudo.count..<pseudo.count + value.count
    let isFirst: Bool
    if name.equalsIgnoringCase(":method") {
      isFirst = method == nil
      method = range
    } else if name.equalsIgnoringCase(":path") {
      isFirst = path == nil
      path = range
    } else if name.equalsIgnoringCase(":authority") {
      isFirst = authority == nil
      authority = range
    } else if name.equalsIgnoringCase(":scheme") {
      isFirst = scheme == nil
      scheme = range
    } else if name.equalsIgnoringCase(":protocol") {
      isFirst = connectProtocol == nil
      connectProtocol = range
    } else {
      isFirst = false
    }
    pseudo.append(value)
    return isFirst ? nil : .badRequestLine
  }

  /// Writes request line and Host, once no pseudo-header field may follow.
  private mutating func beginFields() -> HeadError? {
    if hasRequestLine { return nil }
    hasRequestLine = true
    // Taken out while it is read: a span of one property bars changes to the others.
    var taken = ByteQueue()
    swap(&taken, &pseudo)
    defer { swap(&taken, &pseudo) }
    return writeRequestLine(of: taken.span)
  }

  private mutating func writeRequestLine(of pseudo: Span<UInt8>) -> HeadError? {
    guard let method, isToken(pseudo.extracting(method)) else { return .badRequestLine }
    head.method = Method(pseudo.extracting(method))
    // Without `:protocol` a CONNECT asks for a tunnel to anywhere (RFC 9113 §8.5).
    if head.method == .connect, connectProtocol == nil { return .methodUnsupported }
    if head.method != .connect, connectProtocol != nil { return .badRequestLine }
    if let connectProtocol {
      head.connectProtocol =
        pseudo.extracting(connectProtocol).equalsIgnoringCase("websocket") ? .webSocket : .other
    }
    guard let scheme, isScheme(pseudo.extracting(scheme)) else { return .badRequestLine }
    guard let path, !path.isEmpty, !holdsControlOrSpace(pseudo.extracting(path)) else { return .targetInvalid }
    bytes.append(pseudo.extracting(method))
    head.methodRange = 0..<bytes.count
    bytes.append(" ")
    let targetStart = bytes.count
    bytes.append(pseudo.extracting(path))
    head.targetRange = targetStart..<bytes.count
    bytes.append(" HTTP/2\r\n")
    guard let parts = TargetParts.read(bytes.span, head.targetRange, method: head.method), parts.authority == nil
    else { return .targetInvalid }
    head.targetForm = parts.form
    head.pathAndQueryRange = parts.pathAndQuery
    guard let authority else { return nil }
    let start = bytes.count
    bytes.append("host: ")
    return note(
      FieldLine.append(pseudo.extracting(authority), toLineFrom: start, of: &bytes), from: start)
  }

  private mutating func note(_ reading: FieldLineReading, from start: Int) -> HeadError? {
    switch reading {
    case .malformed(let error): return error
    case .line(let field):
      if field.known == .host, let known = head.authority, authority != nil {
        // Two different answers to "for whom?" are refused, two equal ones are one (T44).
        let isEqual = equalsIgnoringCase(bytes.span.extracting(known), bytes.span.extracting(field.value))
        bytes.truncate(to: start)
        return isEqual ? nil : .hostAmbiguous
      }
      var facts = head.facts
      if let error = facts.note(field, in: bytes.span, ofRequest: true) { return error }
      head.facts = facts
      if field.known == .host { head.authority = field.value }
      head.fields.append(field)
      return nil
    }
  }

  /// The rules that only the whole block can break.
  /// - Parameter isEnd: whether the stream ends with it: there is no content.
  package mutating func complete(isEnd: Bool) -> HeadError? {
    if error == nil { error = finish(isEnd) }
    // What was read of a refused head is kept, too: it says how to refuse it, and the log shows it.
    if error != nil { swap(&bytes, &head.bytes) }
    return error
  }

  private mutating func finish(_ isEnd: Bool) -> HeadError? {
    if let error = beginFields() { return error }
    if hasCookie {
      let start = bytes.count
      bytes.append("cookie: ")
      var crumbs = ByteQueue()
      swap(&crumbs, &cookies)
      defer { swap(&crumbs, &cookies) }
      let reading = FieldLine.append(crumbs.span, toLineFrom: start, of: &bytes)
      if let error = note(reading, from: start) { return error }
    }
    if head.authority == nil { return .hostMissing }
    if head.facts.has(.contentLength) {
      if isEnd, head.facts.contentLength > 0 { return .contentLengthInvalid }
      head.framing = .length(head.facts.contentLength)
    } else {
      head.framing = isEnd ? .none : .chunked
    }
    bytes.append("\r\n")
    swap(&bytes, &head.bytes)
    return nil
  }

  /// Swaps the finished or refused head with `other`, which is forgotten.
  package mutating func take(into other: inout RequestHead) {
    swap(&head, &other)
    head.reset()
  }

  /// Gives the memory back, for a connection that may be idle for long.
  package mutating func releaseStorage() {
    begin()
    head.releaseStorage()
    bytes.releaseStorage()
    pseudo.releaseStorage()
    cookies.releaseStorage()
  }
}

/// scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) (RFC 3986 §3.1).
private func isScheme(_ text: Span<UInt8>) -> Bool {
  // LIMIT: sixteen characters. Longer names of schemes are refused with 400.
  if text.isEmpty || text.count > 16 || (text[0] | 0x20) &- 0x61 >= 26 { return false }
  for index in text.indices {
    let byte = text[index]
    let isAllowed =
      (byte | 0x20) &- 0x61 < 26 || isDigit(byte) || byte == 0x2B || byte == 0x2D || byte == 0x2E
    if !isAllowed { return false }
  }
  return true
}
