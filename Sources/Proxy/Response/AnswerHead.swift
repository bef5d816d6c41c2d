// Which lines of a server's head go to a client. Each protocol writes its first line and its framing around them.

import Bytes
import HTTPWire

extension ClientAnswer {
  /// Writes those lines of a server's head that go on. Neighbouring lines go on together. What Connection names has its
  /// bit.
  /// - Parameters:
  ///   - droppedBits: see ``KnownField/bit``.
  ///   - drops: the names that the route takes out. Nil for none.
  func writeKept<Sink: HeadSink & ~Copyable>(
    _ response: borrowing ResponseHead, but droppedBits: UInt64, _ drops: FieldNameSet?, to sink: inout Sink
  ) {
    let mayDropByName = compression.isApplied || drops != nil
    let count = response.fields.count
    var first = 0
    for index in 0..<count {
      let field = response.fields[index]
      if droppedBits & field.folded.bit == 0, !mayDropByName || !isDropped(field, of: response.bytes.span, drops) {
        continue
      }
      if first < index { sink.append(first..<index, of: response) }
      first = index + 1
    }
    if first < count { sink.append(first..<count, of: response) }
  }

  /// The same with the addresses in them as the client reaches them.
  func writeKept<Sink: HeadSink & ~Copyable>(
    _ response: borrowing ResponseHead, but droppedBits: UInt64, _ drops: FieldNameSet?, _ mapping: AddressMapping,
    to sink: inout Sink
  ) {
    let bytes = response.bytes.span
    for index in response.fields.indices {
      let field = response.fields[index]
      if droppedBits & field.folded.bit != 0 || isDropped(field, of: bytes, drops) { continue }
      var line = ByteQueue()
      if mapping.write(field, of: bytes, into: &line) {
        sink.append(lines: line.span)
      } else {
        sink.append(index..<index + 1, of: response)
      }
    }
  }

  /// Writes those trailers of a server's answer that go on.
  func writeKept(_ trailers: borrowing FieldSection, _ drops: FieldNameSet?, to lines: inout ByteQueue) {
    let bytes = trailers.bytes.span
    for index in trailers.fields.indices {
      let field = trailers.fields[index]
      if !field.isHopByHop, !isDropped(field, of: bytes, drops) { lines.append(bytes.extracting(field.line)) }
    }
  }

  /// Whether a field does not go on because of its name: it is not true of the compressed body, or the route takes it
  /// out. What the route takes out of final heads must not come in front of them or behind the body.
  private func isDropped(_ field: FieldLine, of bytes: Span<UInt8>, _ drops: FieldNameSet?) -> Bool {
    if compression.isApplied, AnswerCompression.isUntrue(field, of: bytes) { return true }
    return drops?.contains(bytes.extracting(field.name), hash: field.foldedHash) ?? false
  }

  /// Fields of a server's final head that do not go on, as bits: they belong to that connection, or say nothing about
  /// this message.
  func droppedBits(of response: borrowing ResponseHead, _ framing: BodyFraming, for method: Method) -> UInt64 {
    var bits = KnownField.hopByHopBits
    // RFC 9110 §8.6: no Content-Length in a 204. In answers to HEAD and in 304 it describes what was not sent.
    if response.status == 204 || framing == .chunked && method != .head { bits |= KnownField.contentLength.bit }
    if compression.isTagWeakened { bits |= KnownField.etag.bit }
    return bits
  }

  /// RFC 9110 §8.6: no Content-Length in a 1xx.
  static var interimBits: UInt64 { KnownField.hopByHopBits | KnownField.contentLength.bit }

  /// The lines that the gateway adds.
  func writeAdded<Sink: HeadSink & ~Copyable>(to sink: inout Sink) {
    if !addedLines.isEmpty { sink.append(lines: addedLines.span) }
  }

  /// Whether nothing follows the head. A head that was the server's last word stays that: for gRPC its fields are
  /// trailers only then.
  func endsWithHead(_ framing: BodyFraming) -> Bool { framing == .none || framing == .length(0) || isHeadOnly }
}
