// The spans of one finished request, in the form in which a collector gets them: one for the request, and one for each
// attempt at a server. Names are those of the stable conventions for HTTP, and our own begin with `catraca.`.
//
// Invariant: no query and no token ever gets in here (T59): of a target there is the path, cut at `?` and `#`.

import Bytes
import Configuration
import HTTPWire

/// Numbers of fields and values in `opentelemetry/proto/trace/v1/trace.proto`.
private enum Field {
  static let traceID: UInt64 = 1
  static let spanID: UInt64 = 2
  static let parentID: UInt64 = 4
  static let name: UInt64 = 5
  static let kind: UInt64 = 6
  static let start: UInt64 = 7
  static let end: UInt64 = 8
  static let attribute = SpanAttributes.field
  static let event: UInt64 = 11
  static let status: UInt64 = 15
  static let flags: UInt64 = 16

  static let serverKind: UInt64 = 2
  static let clientKind: UInt64 = 3
}

extension Exchange {
  /// Where requests are traced: writes the spans of one that is. To be called once, when all is known of it.
  /// - Returns: the id of the span for the request. 0 where it is not traced.
  func recordTrace(status: Int, now: Int64) -> UInt64 {
    decideOnTrace()
    guard let trace = tracing.trace else { return 0 }
    trace.end(.answered(status: answer.upstreamStatus), answer.refusal, answered: 0, now)
    // Apart from the worker while it grows, which makes writing cheaper.
    var spans = ByteQueue()
    swap(&spans, &worker.spans.bytes)
    writeServerSpan(trace, status, now, into: &spans)
    for index in trace.attempts.indices { writeClientSpan(trace, index, into: &spans) }
    swap(&spans, &worker.spans.bytes)
    worker.spans.count += 1 + trace.attempts.count
    if let route = route?.counterID { noteExemplar(of: trace, route, now) }
    tracing.end()
    if worker.spans.isFull { worker.commands.append(.exportRecords) }
    return trace.spanID
  }

  /// Writes the spans of a request of the gateway's own. The span of the request that it was sent for is their parent.
  func recordAttempts(_ now: Int64) {
    guard let trace = tracing.trace else { return }
    trace.end(.answered(status: answer.upstreamStatus), answer.refusal, answered: 0, now)
    var spans = ByteQueue()
    swap(&spans, &worker.spans.bytes)
    for index in trace.attempts.indices { writeClientSpan(trace, index, into: &spans) }
    swap(&spans, &worker.spans.bytes)
    worker.spans.count += trace.attempts.count
    tracing.end()
    if worker.spans.isFull { worker.commands.append(.exportRecords) }
  }

  private func noteExemplar(of trace: RequestTrace, _ route: Int, _ now: Int64) {
    let elapsed = max(0, now &- times.startedAt)
    worker.counters.noteExemplar(
      route: route,
      Exemplar(
        traceHigh: trace.high, traceLow: trace.low, spanID: trace.spanID, nanoseconds: UInt64(elapsed),
        unixMilliseconds: times.startedUnixMilliseconds + elapsed / 1_000_000))
  }

  // MARK: The request

  private func writeServerSpan(_ trace: RequestTrace, _ status: Int, _ now: Int64, into span: inout ByteQueue) {
    let begin = span.begin(field: RecordBuffer.field)
    let isRemote: UInt32 = trace.parentID == 0 ? 0x100 : 0x300
    span.appendIDs(of: trace, trace.spanID, parent: trace.parentID, kind: Field.serverKind, flags: isRemote | 1)
    span.append(field: Field.start, fixed: unixNanoseconds(times.startedAt))
    span.append(field: Field.end, fixed: unixNanoseconds(now))
    span.appendName(of: request, route?.spanName)
    span.appendMethod(of: request, isServer: true)
    if let route { span.append(route.spanAttributes) }
    // Taken once: each access holds a reference of its own.
    let client = downstream?.client
    writeTarget(isSecure: client?.security != nil || request.isForwardedSecure, into: &span)
    writeClient(client, into: &span)
    if answer.status > 0 {
      span.append(field: Field.attribute, attribute: "http.response.status_code", number: UInt64(clamping: status))
    }
    if request.body.byteCount > 0 {
      span.append(field: Field.attribute, attribute: "http.request.body.size", number: request.body.byteCount)
    }
    if answer.byteCount > 0 {
      span.append(field: Field.attribute, attribute: "http.response.body.size", number: answer.byteCount)
    }
    if let refusal = answer.refusal {
      span.append(field: Field.attribute, attribute: "error.type", refusal.code)
    } else if status >= 500 {
      span.append(field: Field.attribute, attribute: "error.type", "\(status)")
    }
    writeOwnAttributes(trace, into: &span)
    if let result = trace.tokenResult { writeTokenCheck(result, at: trace.tokenCheckedAt, into: &span) }
    // What a client does wrong is no error of the server's.
    if status >= 500 || answer.refusal.map({ $0.status >= 500 }) ?? false { span.appendErrorStatus() }
    span.end(begin)
  }

  private func writeTarget(isSecure: Bool, into span: inout ByteQueue) {
    span.append(field: Field.attribute, attribute: "url.scheme", isSecure ? "https" : "http")
    if snapshot.traces.hasPaths { span.appendPath(of: request) }
    span.appendAuthority(of: request, isSecure: isSecure)
  }

  private func writeClient(_ client: Client?, into span: inout ByteQueue) {
    switch request.peer.namedClient {
    case .peer:
      if let client { span.append(field: Field.attribute, attribute: "client.address", client.addressText) }
    case .address(let client): span.append(field: Field.attribute, attribute: "client.address", client.text)
    case .unknown: break
    }
    switch request.head.version {
    case .http10: span.append(field: Field.attribute, attribute: "network.protocol.version", "1.0")
    case .http11: span.append(field: Field.attribute, attribute: "network.protocol.version", "1.1")
    case .http2: span.append(field: Field.attribute, attribute: "network.protocol.version", "2")
    }
    span.appendUserAgent(of: request)
  }

  private func writeOwnAttributes(_ trace: RequestTrace, into span: inout ByteQueue) {
    if !request.id.isEmpty {
      span.append(field: Field.attribute, attribute: "catraca.request_id", valid: request.id.span)
    }
    if let issuer, snapshot.configuration.issuers.indices.contains(issuer) {
      span.append(field: Field.attribute, attribute: "catraca.issuer", snapshot.configuration.issuers[issuer].name)
    }
    if let pool = delivery.pool {
      span.append(field: Field.attribute, attribute: "catraca.upstream", pool.configuration.name)
    }
    if caller != nil {
      span.append(field: Field.attribute, attribute: "catraca.token.cached", isTrue: trace.isTokenRemembered)
    }
  }

  private func writeTokenCheck(_ result: AuthenticationResult, at moment: Int64, into span: inout ByteQueue) {
    let begin = span.begin(field: Field.event)
    span.append(field: 1, fixed: unixNanoseconds(moment))
    span.append(field: 2, bytes: "catraca.token_check".utf8.span)
    span.append(field: 3, attribute: "catraca.token.result", result.label)
    span.end(begin)
  }

  // MARK: An attempt

  private func writeClientSpan(_ trace: RequestTrace, _ index: Int, into span: inout ByteQueue) {
    let begin = span.begin(field: RecordBuffer.field)
    span.appendIDs(
      of: trace, trace.attempts[index].spanID, parent: trace.spanID, kind: Field.clientKind, flags: 0x101)
    span.append(field: Field.start, fixed: unixNanoseconds(trace.attempts[index].startedAt))
    span.append(field: Field.end, fixed: unixNanoseconds(trace.attempts[index].endedAt))
    span.appendName(of: request, nil)
    span.appendMethod(of: request, isServer: false)
    span.append(trace.attempts[index].server.spanAttributes)
    if index > 0 {
      span.append(field: Field.attribute, attribute: "http.request.resend_count", number: UInt64(clamping: index))
    }
    let status = trace.attempts[index].status
    if status > 0 {
      span.append(field: Field.attribute, attribute: "http.response.status_code", number: UInt64(clamping: status))
    }
    if let pool = delivery.pool {
      span.append(field: Field.attribute, attribute: "catraca.upstream", pool.configuration.name)
    }
    if status >= 400 || !trace.attempts[index].errorType.isEmpty {
      let type = trace.attempts[index].errorType
      span.append(field: Field.attribute, attribute: "error.type", type.isEmpty ? "\(status)" : type)
      span.appendErrorStatus()
    }
    span.end(begin)
  }

  /// A moment of this request, since 1970.
  private func unixNanoseconds(_ moment: Int64) -> UInt64 {
    UInt64(clamping: times.startedUnixMilliseconds) &* 1_000_000 &+ UInt64(clamping: moment &- times.startedAt)
  }
}

// MARK: What the client has sent

extension ByteQueue {
  // LIMIT: texts of a client's choice are cut at these lengths.
  private static var pathByteCountMax: Int { 2048 }
  private static var textByteCountMax: Int { 512 }

  /// In the name of a span an unknown method is HTTP, so that clients make no names.
  fileprivate mutating func appendName(of request: borrowing ClientRequest, _ rest: [UInt8]?) {
    let isKnown = request.head.method != .other && !request.head.methodRange.isEmpty
    let count = isKnown ? request.head.methodRange.count : 4
    begin(field: Field.name, byteCount: count + (rest?.count ?? 0))
    if isKnown {
      append(request.head.bytes.span.extracting(request.head.methodRange))
    } else {
      append("HTTP")
    }
    if let rest { append(rest) }
  }

  fileprivate mutating func appendMethod(of request: borrowing ClientRequest, isServer: Bool) {
    let method = request.head.bytes.span.extracting(request.head.methodRange)
    if request.head.method != .other, !method.isEmpty {
      return append(field: Field.attribute, attribute: "http.request.method", valid: method)
    }
    append(field: Field.attribute, attribute: "http.request.method", "_OTHER")
    if isServer, !method.isEmpty {
      append(
        field: Field.attribute, attribute: "http.request.method_original",
        method.extracting(first: Self.textByteCountMax))
    }
  }

  fileprivate mutating func appendAuthority(of request: borrowing ClientRequest, isSecure: Bool) {
    guard let range = request.head.authority else { return }
    let authority = request.head.bytes.span.extracting(range)
    let (host, port) = hostAndPort(of: authority)
    if host.isEmpty { return }
    append(field: Field.attribute, attribute: "server.address", valid: authority.extracting(host))
    append(
      field: Field.attribute, attribute: "server.port", number: UInt64(clamping: port ?? (isSecure ? 443 : 80)))
  }

  /// The path that was matched, or as it came where that is not known.
  fileprivate mutating func appendPath(of request: borrowing ClientRequest) {
    if request.target.pathCount > 0 {
      let path = request.target.bytes.span.extracting(0..<request.target.pathCount)
      return append(field: Field.attribute, attribute: "url.path", path.extracting(first: Self.pathByteCountMax))
    }
    let target = request.head.bytes.span.extracting(request.head.pathAndQueryRange)
    let path = target.extracting(0..<min(target.firstIndex(of: 0x3F) ?? target.count, Self.pathByteCountMax))
    let end = path.firstIndex(of: 0x23) ?? path.count
    if end > 0 { append(field: Field.attribute, attribute: "url.path", path.extracting(0..<end)) }
  }

  fileprivate mutating func appendUserAgent(of request: borrowing ClientRequest) {
    guard let field = request.head.first(.userAgent) else { return }
    let text = request.head.bytes.span.extracting(field.value)
    append(field: Field.attribute, attribute: "user_agent.original", text.extracting(first: Self.textByteCountMax))
  }
}

// MARK: Messages

extension ByteQueue {
  fileprivate mutating func appendIDs(
    of trace: RequestTrace, _ id: UInt64, parent: UInt64, kind: UInt64, flags: UInt32
  ) {
    begin(field: Field.traceID, byteCount: 16)
    append(bigEndian: trace.high)
    append(bigEndian: trace.low)
    begin(field: Field.spanID, byteCount: 8)
    append(bigEndian: id)
    if parent != 0 {
      begin(field: Field.parentID, byteCount: 8)
      append(bigEndian: parent)
    }
    append(field: Field.kind, number: kind)
    append(field: Field.flags, fixed: flags)
  }

  /// `Status` with STATUS_CODE_ERROR.
  fileprivate mutating func appendErrorStatus() {
    begin(field: Field.status, byteCount: 2)
    append(field: 3, number: 2)
  }
}
