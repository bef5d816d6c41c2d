// The answer on its way to the client, with back-pressure: a client that does not read holds the upstream back. A
// compressor is flushed after each read of the upstream's socket, so that a reader waits for nothing that the server
// has said.

import Bytes
import Compression
import Configuration
import HTTPWire

extension Exchange {
  // MARK: A server's answer

  func receivedInformational(_ response: borrowing ResponseHead) {
    guard let downstream else { return }
    answer.isInterimSent = true
    downstream.writeInformational(response, of: self)
    holdUpstreamBack(for: downstream)
  }

  private func holdUpstreamBack(for downstream: any DownstreamStream) {
    if downstream.isOutputFull {
      downstream.awaitDrain()
      delivery.stream?.pauseReading()
    }
  }

  /// - Parameter isEnd: nothing follows the head, not even trailers, whatever its framing says.
  func receivedResponseHead(_ response: borrowing ResponseHead, framing: BodyFraming, isEnd: Bool = false) {
    answer.hasBegun = true
    if request.body.isKept { releaseKeptBody() }
    switch framing {
    case .none, .length: break
    case .chunked, .untilClose: answer.isOpenEnded = !isEnd
    }
    answer.isHeadOnly = isEnd
    times.upstreamRespondedAt = worker.time.nanoseconds
    times.upstreamReceivedAt = times.upstreamRespondedAt
    if let field = response.first(.grpcStatus) {
      answer.noteGRPCStatus(response.bytes.span.extracting(field.value))
    }
    answer.upstreamStatus = response.status
    answer.status = response.status
    var framing = framing
    if let route {
      if let plan = route.compression {
        framing = answer.compress(response, framing, plan, for: request.head, with: &worker.compressors)
      }
      if !route.responseFields.templates.isEmpty {
        request.fill(route.responseFields.templates, templateContext(route), into: &answer.addedLines)
      }
    }
    downstream?.writeHead(response, framing: framing, of: self)
  }

  func receivedResponseBody(_ bytes: Span<UInt8>) {
    times.upstreamReceivedAt = worker.time.nanoseconds
    if tunnel != nil { passToClient(bytes) } else { writeDownstream(bytes) }
  }

  func receivedResponseBody(moving bytes: inout ByteQueue) {
    guard tunnel == nil, answer.compression.compressor == nil, let downstream else {
      return receivedResponseBody(bytes.span)
    }
    passedResponseBody(bytes.count)
    downstream.writeBody(moving: &bytes)
    holdUpstreamBack(for: downstream)
  }

  /// So much of the answer's body goes to the client as it came.
  func passedResponseBody(_ byteCount: Int) {
    times.upstreamReceivedAt = worker.time.nanoseconds
    answer.byteCount &+= UInt64(byteCount)
  }

  /// The client's connection, if the answer's body goes there as it comes.
  var responseRelayTarget: Connection? {
    guard tunnel == nil, answer.compression.compressor == nil, let client = downstream as? HTTP1DownstreamConnection,
      client.takesBodyAsIs
    else { return nil }
    return client
  }

  func writeDownstream(_ bytes: Span<UInt8>) {
    if let compressor = answer.compression.compressor { writeCompressed(bytes, compressor) } else { writePlain(bytes) }
  }

  private func writePlain(_ bytes: Span<UInt8>) {
    answer.byteCount &+= UInt64(bytes.count)
    guard let downstream else { return }
    downstream.writeBody(bytes)
    holdUpstreamBack(for: downstream)
  }

  func receivedTrailers(_ trailers: borrowing FieldSection) {
    let bytes = trailers.bytes.span
    for index in trailers.fields.indices {
      let field = trailers.fields[index]
      if field.known == .grpcStatus { answer.noteGRPCStatus(bytes.extracting(field.value)) }
    }
    if endCompressed() { downstream?.writeEnd(trailers: trailers) }
  }

  func completeResponse() {
    // Cut short just now.
    if downstream == nil { return }
    answer.isComplete = true
    finish(.complete)
  }

  func downstreamDrained() { delivery.stream?.resumeReading() }

  // MARK: A compressed body

  private func writeCompressed(_ bytes: Span<UInt8>, _ compressor: Compressor) {
    pass(bytes, .more, compressor)
    if answer.compression.isFlushDue { return }
    answer.compression.isFlushDue = true
    worker.unflushed.append(self)
  }

  /// The upstream's read is over: what came of it must not wait in here.
  func flushCompressed() {
    guard answer.compression.isFlushDue, let compressor = answer.compression.compressor else { return }
    answer.compression.isFlushDue = false
    pass(Span(), .flush, compressor)
  }

  /// False when the answer could not be completed, and was cut short.
  private func endCompressed() -> Bool {
    guard let compressor = answer.compression.compressor else { return true }
    return pass(Span(), .end, compressor)
  }

  @discardableResult
  private func pass(_ bytes: Span<UInt8>, _ step: CompressionStep, _ compressor: Compressor) -> Bool {
    // Taken out, so that nothing that happens on the way can change the bytes under the reader.
    var coded = ByteQueue()
    swap(&coded, &worker.compressors.coded)
    let isGood = compressor.compress(bytes, step, to: &coded)
    if isGood, !coded.isEmpty { writePlain(coded.span) }
    coded.removeAll()
    swap(&coded, &worker.compressors.coded)
    if !isGood { refuse(.gateway(.compressionFailed)) }
    return isGood
  }

  // MARK: An answer of the gateway's own

  /// Writes an answer and ends the exchange.
  func send(_ made: GatewayAnswer) {
    guard let downstream else { return }
    answer.hasBegun = true
    answer.isComplete = true
    answer.status = made.status
    if made.hasContent(for: request.head.method) { answer.byteCount = UInt64(made.body.count) }
    downstream.write(made, of: self)
    finish(.complete)
  }

  func refusalAnswer(for refusal: Refusal) -> GatewayAnswer {
    request.ensureID(by: snapshot, from: &worker.randomIdentifiers)
    let webCall = request.head.webCall
    if webCall != nil || request.head.isGRPC {
      answer.grpcStatus = refusal.record.grpcStatus.rawValue
      return GatewayAnswer(refusingCall: refusal, webCall)
    }
    return GatewayAnswer(refusing: request, refusal, route, snapshot, operation)
  }

  func respond(_ response: FixedResponse) -> StageOutcome {
    if let index = response.keySet { return answer(withKeysOf: index) }
    var made = GatewayAnswer(response, isTyped: route?.isTypeRuled ?? false)
    if response.isIdentityShown, let route, !addIdentity(of: route, to: &made) {
      return .refuse(.gateway(.assertionUnavailable))
    }
    return .answer(made)
  }

  /// For a proxy that asks this gateway: what an upstream would get, as fields of the answer. False if that must have
  /// what cannot be signed.
  private func addIdentity(of route: CompiledRoute, to made: inout GatewayAnswer) -> Bool {
    var lines = ByteQueue()
    lines.append("Cache-Control: no-store\r\n")
    if let caller {
      route.identity.writeFields(of: caller, withToken: false, into: &lines)
      if let field = route.identity.assertion, !writeAssertion(field, of: caller, into: &lines) { return false }
    }
    if !route.certificateFields.isEmpty, let certificate = downstream?.client.security?.certificate {
      route.writeFields(of: certificate, into: &lines)
    }
    lines.append(authorization.lines)
    made.fieldLines += lines.copied()
    return true
  }

  func redirectOutcome(_ redirect: Redirect) -> StageOutcome {
    guard let route else { return .refuse(.gateway(.routeNotFound)) }
    // An HTTP/1.0 request may say no host.
    if redirect.template.contains(.host), request.head.authority == nil { return .refuse(.head(.hostMissing)) }
    var target = ByteQueue()
    if redirect.template.isEmpty {
      target.append(text: redirect.to)
    } else if !request.fill(redirect.template, templateContext(route), as: .url, into: &target) {
      return .refuse(.gateway(.pathNotNormal))
    }
    return .answer(GatewayAnswer(redirect, to: target.copied(), of: request, route))
  }

  // MARK: Lines of heads, for the codecs

  /// The lines of a server's final head.
  func writeLines<Sink: HeadSink & ~Copyable>(
    of response: borrowing ResponseHead, framing: BodyFraming, to sink: inout Sink
  ) {
    let droppedBits = answer.droppedBits(of: response, framing, for: request.head.method)
    if response.has(.location) || !takesAnswersAsTheyAre, let mapping = addressMapping(of: response) {
      answer.writeKept(response, but: droppedBits, route?.responseFields.drops, mapping, to: &sink)
    } else {
      writeKept(response, but: droppedBits, to: &sink)
    }
    if !response.has(.date) { sink.append(worker.dateField) }
    writeRouteLines(to: &sink)
    answer.writeAdded(to: &sink)
    writeGatewayLines(to: &sink)
  }

  /// The lines of an interim head (RFC 9110 §15.2).
  func writeInterimLines<Sink: HeadSink & ~Copyable>(of response: borrowing ResponseHead, to sink: inout Sink) {
    writeKept(response, but: ClientAnswer.interimBits, to: &sink)
  }

  /// The lines of the head that opens a tunnel.
  func writeTunnelLines<Sink: HeadSink & ~Copyable>(of response: borrowing ResponseHead, to sink: inout Sink) {
    // RFC 8441 §5: an extended CONNECT has no key that could be answered.
    let acceptBit = request.head.connectProtocol == nil ? 0 : KnownField.secWebSocketAccept.bit
    writeKept(response, but: ClientAnswer.interimBits | acceptBit, to: &sink)
    if request.isBearerAnswered(by: response) { sink.append(lines: Self.bearerLine) }
    writeRouteLines(to: &sink)
    writeGatewayLines(to: &sink)
  }

  private static let bearerLine = Array("Sec-WebSocket-Protocol: bearer\r\n".utf8)

  /// The lines of an answer of the gateway's own.
  func writeLines<Sink: HeadSink & ~Copyable>(of made: GatewayAnswer, to sink: inout Sink) {
    sink.append(worker.dateField)
    sink.append(lines: made.fieldLines)
    writeRuledLines(of: made, to: &sink)
    answer.writeAdded(to: &sink)
    writeGatewayLines(to: &sink)
    if answer.refusal != nil, !snapshot.requestID.isInEveryAnswer { writeIDLine(to: &sink) }
    if !made.isBodyless { sink.append(contentLength: made.body.count) }
  }

  /// What `response_headers` write into an answer of the gateway's own: those of its route, or those for what is of no
  /// route.
  private func writeRuledLines<Sink: HeadSink & ~Copyable>(of made: GatewayAnswer, to sink: inout Sink) {
    guard let route else { return sink.append(lines: snapshot.ownAnswerFields.lines) }
    let rules = made.isOfRoute ? route.responseFields : route.ownAnswerFields
    sink.append(lines: rules.lines)
    if rules.templates.isEmpty { return }
    var lines = ByteQueue()
    request.fill(rules.templates, templateContext(route), into: &lines)
    if !lines.isEmpty { sink.append(lines: lines.span) }
  }

  /// Lines that the whole configuration has for every final head.
  @inline(__always)
  private func writeGatewayLines<Sink: HeadSink & ~Copyable>(to sink: inout Sink) {
    if !snapshot.changesAnswers { return }
    writeListenerLines(to: &sink)
    if snapshot.requestID.isInEveryAnswer { writeIDLine(to: &sink) }
  }

  private func writeIDLine<Sink: HeadSink & ~Copyable>(to sink: inout Sink) {
    request.ensureID(by: snapshot, from: &worker.randomIdentifiers)
    var line = ByteQueue()
    request.appendIDLine(of: snapshot, to: &line)
    sink.append(lines: line.span)
  }

  /// The trailers of the server's answer that go on.
  func writeKept(_ trailers: borrowing FieldSection, to lines: inout ByteQueue) {
    if takesAnswersAsTheyAre {
      answer.writeKept(trailers, nil, to: &lines)
    } else {
      answer.writeKept(trailers, route?.responseFields.drops, to: &lines)
    }
  }

  /// Almost no route changes fields: no reference to it is taken for that.
  @inline(__always)
  private func writeKept<Sink: HeadSink & ~Copyable>(
    _ response: borrowing ResponseHead, but droppedBits: UInt64, to sink: inout Sink
  ) {
    if takesAnswersAsTheyAre {
      answer.writeKept(response, but: droppedBits, nil, to: &sink)
    } else {
      answer.writeKept(response, but: droppedBits, route?.responseFields.drops, to: &sink)
    }
  }

  @inline(__always)
  private var takesAnswersAsTheyAre: Bool { !(route?.changesAnswerFields ?? false) }

  /// The lines of the route's `response_headers`, and those that bind the client to a server.
  @inline(__always)
  private func writeRouteLines<Sink: HeadSink & ~Copyable>(to sink: inout Sink) {
    if let route { sink.append(lines: route.responseFields.lines) }
    if let server = delivery.serverToBind {
      sink.append(lines: isClientSecure ? server.secureBindingLines : server.bindingLines)
    }
  }

  /// Whether the client speaks TLS, to us or to a trusted proxy that says so.
  var isClientSecure: Bool { downstream?.client.security != nil || request.isForwardedSecure }
}
