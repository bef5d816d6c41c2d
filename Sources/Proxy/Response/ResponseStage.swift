// The upstream's response on its way to the client, with back-pressure: a client that does not read holds the upstream
// back.

import Bytes
import HTTP2
import HTTPWire

extension Exchange {
  func receivedInformational(_ response: borrowing ResponseHead) {
    guard let downstream else { return }
    isInterimSent = true
    downstream.writeInformational(response, of: self)
    holdUpstreamBack(for: downstream)
  }

  private func holdUpstreamBack(for downstream: any DownstreamStream) {
    if downstream.isOutputFull {
      downstream.awaitDrain()
      upstream?.pauseReading()
    }
  }

  /// - Parameter isEnd: nothing follows the head, not even trailers, whatever its framing says.
  func receivedResponseHead(_ response: borrowing ResponseHead, framing: BodyFraming, isEnd: Bool = false) {
    hasResponseBegun = true
    switch framing {
    case .none, .length: break
    case .chunked, .untilClose: isAnswerOpenEnded = !isEnd
    }
    isResponseHeadOnly = isEnd
    upstreamRespondedAt = worker.time.nanoseconds
    upstreamReceivedAt = upstreamRespondedAt
    if let field = response.first(.grpcStatus) { noteGRPCStatus(field, response.bytes.span.extracting(field.value)) }
    upstreamStatus = response.status
    responseStatus = response.status
    var framing = framing
    if let route {
      if let plan = route.compression { framing = framingOfCompressed(response, framing, plan) }
      if !route.responseTemplates.isEmpty { fill(route.responseTemplates, route, into: &addedLines) }
    }
    downstream?.writeHead(response, framing: framing, of: self)
  }

  /// Fields of the upstream's head that do not go on, as bits: they belong to that connection, or say nothing about
  /// this message.
  func droppedBits(of response: borrowing ResponseHead, framing: BodyFraming) -> UInt64 {
    var bits = KnownField.hopByHopBits
    // RFC 9110 §8.6: no Content-Length in a 204. In answers to HEAD and in 304 it describes what was not sent.
    if response.status == 204 || framing == .chunked && head.method != .head { bits |= KnownField.contentLength.bit }
    if isTagWeakened { bits |= KnownField.etag.bit }
    return bits
  }

  /// Whether ``isDropped(_:of:)`` has to be asked: for most heads it has not.
  func mayDropByName(_ response: borrowing ResponseHead) -> Bool {
    isCompressed || response.hasNominations || !(route?.responseDrops.isEmpty ?? true)
  }

  /// Whether a field of the upstream's head does not go on because of its name: Connection names it, it is not true of
  /// the compressed body, or the route takes it out.
  func isDropped(_ field: FieldLine, of response: borrowing ResponseHead) -> Bool {
    if field.isHopByHop { return true }
    if isCompressed, isUntrueOfCompressed(field, of: response.bytes.span) { return true }
    return isRuledOut(field, of: response.bytes.span)
  }

  func appendAddedLines(to output: inout ByteQueue) {
    if !addedLines.isEmpty { Self.append(addedLines, to: &output) }
  }

  func appendAddedLines(to list: inout HeaderList) {
    if !addedLines.isEmpty { Self.append(addedLines, to: &list) }
  }

  private static func append(_ lines: borrowing ByteQueue, to output: inout ByteQueue) { output.append(lines.span) }

  private static func append(_ lines: borrowing ByteQueue, to list: inout HeaderList) { list.append(lines: lines.span) }

  func isDroppedFromInterim(_ field: FieldLine, of response: borrowing ResponseHead) -> Bool {
    // RFC 9110 §8.6: no Content-Length in a 1xx.
    field.isHopByHop || field.known == .contentLength || isRuledOut(field, of: response.bytes.span)
  }

  func appendKept(_ trailers: borrowing FieldSection, to output: inout ByteQueue) {
    let bytes = trailers.bytes.span
    for index in trailers.fields.indices {
      let field = trailers.fields[index]
      if isCompressed, isUntrueOfCompressed(field, of: bytes) { continue }
      if !field.isHopByHop, !isRuledOut(field, of: bytes) { output.append(bytes.extracting(field.line)) }
    }
  }

  /// What the route takes out of final heads must not come in front of them or behind the body.
  private func isRuledOut(_ field: FieldLine, of bytes: Span<UInt8>) -> Bool {
    guard let drops = route?.responseDrops, !drops.isEmpty else { return false }
    return drops.contains(bytes.extracting(field.name), hash: field.foldedHash)
  }

  func receivedResponseBody(_ bytes: Span<UInt8>) {
    upstreamReceivedAt = worker.time.nanoseconds
    if tunnel != nil { passToClient(bytes) } else { writeDownstream(bytes) }
  }

  func receivedResponseBody(moving bytes: inout ByteQueue) {
    guard tunnel == nil, compressor == nil, let downstream else { return receivedResponseBody(bytes.span) }
    passedResponseBody(bytes.count)
    downstream.writeBody(moving: &bytes)
    holdUpstreamBack(for: downstream)
  }

  /// So much of the answer's body goes to the client as it came.
  func passedResponseBody(_ byteCount: Int) {
    upstreamReceivedAt = worker.time.nanoseconds
    responseByteCount &+= UInt64(byteCount)
  }

  func writeDownstream(_ bytes: Span<UInt8>) {
    if let compressor { writeCompressed(bytes, compressor) } else { writePlain(bytes) }
  }

  func writePlain(_ bytes: Span<UInt8>) {
    responseByteCount &+= UInt64(bytes.count)
    guard let downstream else { return }
    downstream.writeBody(bytes)
    holdUpstreamBack(for: downstream)
  }

  func receivedTrailers(_ trailers: borrowing FieldSection) {
    let bytes = trailers.bytes.span
    for index in trailers.fields.indices {
      let field = trailers.fields[index]
      if field.known == .grpcStatus { noteGRPCStatus(field, bytes.extracting(field.value)) }
    }
    if endCompressed() { downstream?.writeEnd(trailers: trailers) }
  }

  func completeResponse() {
    // Cut short just now.
    if downstream == nil { return }
    isResponseComplete = true
    finish(.complete)
  }

  func downstreamDrained() { upstream?.resumeReading() }
}
