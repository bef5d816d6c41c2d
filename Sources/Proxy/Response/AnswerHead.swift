// The lines of every head that goes to a client: which of the server's lines are kept, and what the gateway adds. Each
// protocol writes its first line and its framing around them.

import Bytes
import HTTPWire

extension Exchange {
  /// The lines of a server's final head.
  func writeLines<Sink: HeadSink & ~Copyable>(
    of response: borrowing ResponseHead, framing: BodyFraming, to sink: inout Sink
  ) {
    writeKept(response, but: droppedBits(of: response, framing: framing), to: &sink)
    if !response.has(.date) { sink.append(worker.dateField) }
    writeRouteLines(to: &sink)
    Self.write(answer.addedLines, to: &sink)
  }

  /// The lines of an interim head (RFC 9110 §15.2).
  func writeInterimLines<Sink: HeadSink & ~Copyable>(of response: borrowing ResponseHead, to sink: inout Sink) {
    writeKept(response, but: Self.interimBits, to: &sink)
  }

  /// The lines of the head that opens a tunnel.
  func writeTunnelLines<Sink: HeadSink & ~Copyable>(of response: borrowing ResponseHead, to sink: inout Sink) {
    // RFC 8441 §5: an extended CONNECT has no key that could be answered.
    let acceptBit = request.head.connectProtocol == nil ? 0 : KnownField.secWebSocketAccept.bit
    writeKept(response, but: Self.interimBits | acceptBit, to: &sink)
    if request.isBearerAnswered(by: response) { sink.append(lines: Self.bearerLine) }
    writeRouteLines(to: &sink)
  }

  /// The lines of an answer of the gateway's own.
  func writeLines<Sink: HeadSink & ~Copyable>(of answer: GatewayAnswer, to sink: inout Sink) {
    sink.append(worker.dateField)
    sink.append(lines: answer.fieldLines)
    Self.write(self.answer.addedLines, to: &sink)
    if !answer.isBodyless { sink.append(contentLength: answer.body.count) }
  }

  /// The trailers of the server's answer that go on.
  func writeKept(_ trailers: borrowing FieldSection, to lines: inout ByteQueue) {
    let bytes = trailers.bytes.span
    for index in trailers.fields.indices {
      let field = trailers.fields[index]
      if !field.isHopByHop, !isDroppedByName(field, of: bytes) { lines.append(bytes.extracting(field.line)) }
    }
  }

  /// Whether nothing follows the head. A head that was the server's last word stays that: for gRPC its fields are
  /// trailers only then.
  func isHeadOnly(_ framing: BodyFraming) -> Bool {
    framing == .none || framing == .length(0) || answer.isHeadOnly
  }

  func hasContent(_ answer: GatewayAnswer) -> Bool {
    request.head.method != .head && !answer.isBodyless && !answer.body.isEmpty
  }

  private static let bearerLine = Array("Sec-WebSocket-Protocol: bearer\r\n".utf8)

  /// RFC 9110 §8.6: no Content-Length in a 1xx.
  private static var interimBits: UInt64 { KnownField.hopByHopBits | KnownField.contentLength.bit }

  /// Fields of the server's head that do not go on, as bits: they belong to that connection, or say nothing about this
  /// message.
  private func droppedBits(of response: borrowing ResponseHead, framing: BodyFraming) -> UInt64 {
    var bits = KnownField.hopByHopBits
    // RFC 9110 §8.6: no Content-Length in a 204. In answers to HEAD and in 304 it describes what was not sent.
    if response.status == 204 || framing == .chunked && request.head.method != .head {
      bits |= KnownField.contentLength.bit
    }
    if answer.compression.isTagWeakened { bits |= KnownField.etag.bit }
    return bits
  }

  /// Neighbouring lines go on together. What Connection names has its bit.
  private func writeKept<Sink: HeadSink & ~Copyable>(
    _ response: borrowing ResponseHead, but droppedBits: UInt64, to sink: inout Sink
  ) {
    let mayDropByName = answer.compression.isApplied || !(route?.responseDrops.isEmpty ?? true)
    let count = response.fields.count
    var first = 0
    for index in 0..<count {
      let field = response.fields[index]
      if droppedBits & field.folded.bit == 0, !mayDropByName || !isDroppedByName(field, of: response.bytes.span) {
        continue
      }
      if first < index { sink.append(first..<index, of: response) }
      first = index + 1
    }
    if first < count { sink.append(first..<count, of: response) }
  }

  /// Whether a field does not go on because of its name: it is not true of the compressed body, or the route takes it
  /// out. What the route takes out of final heads must not come in front of them or behind the body.
  private func isDroppedByName(_ field: FieldLine, of bytes: Span<UInt8>) -> Bool {
    if answer.compression.isApplied, isUntrueOfCompressed(field, of: bytes) { return true }
    guard let drops = route?.responseDrops, !drops.isEmpty else { return false }
    return drops.contains(bytes.extracting(field.name), hash: field.foldedHash)
  }

  /// The lines of the route's `response_headers`, and those that bind the client to a server.
  @inline(__always)
  private func writeRouteLines<Sink: HeadSink & ~Copyable>(to sink: inout Sink) {
    if let route { sink.append(lines: route.responseLines) }
    if let bindingLines { sink.append(lines: bindingLines) }
  }

  private static func write<Sink: HeadSink & ~Copyable>(_ lines: borrowing ByteQueue, to sink: inout Sink) {
    if !lines.isEmpty { sink.append(lines: lines.span) }
  }
}
