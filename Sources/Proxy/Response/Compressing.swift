// Compressing an upstream's answer on its way to the client (RFC 9110 §8.4). Whether it is done is decided by the head,
// in the same way for HEAD as for GET. Then the body goes through in pieces as it comes, and what came with one read of
// the upstream's socket is flushed with it, so that a reader waits for nothing that the server has said.

import Bytes
import Compression
import HTTPWire

extension Exchange {
  /// Decides, writes the fields that say so into ``addedLines``, and gives the framing that the body will have.
  func framingOfCompressed(
    _ response: borrowing ResponseHead, _ framing: BodyFraming, _ plan: CompressionPlan
  ) -> BodyFraming {
    if response.status == 304 {
      weakenMatchedTag(response)
      return framing
    }
    guard mayCompress(response, plan) else { return framing }
    if !variesByEncoding(response) { answer.addedLines.append("Vary: Accept-Encoding\r\n") }
    guard request.head.version != .http10, let choice = plan.choice(Self.acceptedCodings(request.head)) else {
      return framing
    }
    if request.head.method != .head {
      // No memory, or too many at one time: it goes as it is.
      guard let compressor = worker.compressors.take(choice) else { return framing }
      answer.compression.compressor = compressor
    }
    answer.compression.isApplied = true
    answer.addedLines.append("Content-Encoding: ")
    answer.addedLines.append(choice.coding.name)
    answer.addedLines.append("\r\n")
    if let tag = strongTag(of: response) { addWeakTag(response.bytes.span, tag) }
    return request.head.method == .head ? framing : .chunked
  }

  private static func acceptedCodings(_ head: borrowing RequestHead) -> AcceptedCodings {
    var accepted = AcceptedCodings()
    if head.count(of: .acceptEncoding) == 0 { return accepted }
    for index in head.fields.indices where head.fields[index].known == .acceptEncoding {
      accepted.read(head.bytes.span, head.fields[index].value)
    }
    return accepted
  }

  /// Whether the answer is one that gains and may be changed, for any client.
  private func mayCompress(_ response: borrowing ResponseHead, _ plan: CompressionPlan) -> Bool {
    switch response.status {
    // No content, or a part of something that the client puts together (RFC 9110 §15.3.5 to §15.3.7).
    case 204, 205, 206: return false
    case 200...299: break
    default: return false
    }
    guard response.count(of: .contentEncoding) == 0, response.count(of: .contentRange) == 0, !answer.isHeadOnly,
      !request.head.isGRPC, let field = response.first(.contentType), response.count(of: .contentType) == 1
    else { return false }
    if let length = response.contentLength, length < max(plan.minimumSize, 1) { return false }
    let bytes = response.bytes.span
    guard plan.takes(bytes.extracting(mediaType(in: bytes, field.value))) else { return false }
    // RFC 9110 §7.7, RFC 9111 §5.2.1.6: both sides can forbid it.
    return !lists(.cacheControl, "no-transform", in: response) && !Self.forbidsTransforming(request.head)
  }

  private func lists(_ known: KnownField, _ word: StaticString, in response: borrowing ResponseHead) -> Bool {
    if response.count(of: known) == 0 { return false }
    let bytes = response.bytes.span
    for index in response.fields.indices where response.fields[index].known == known {
      var elements = ListElements(response.fields[index].value)
      while let element = elements.next(in: bytes) {
        if bytes.extracting(element).equalsIgnoringCase(word) { return true }
      }
    }
    return false
  }

  private static func forbidsTransforming(_ head: borrowing RequestHead) -> Bool {
    if head.count(of: .cacheControl) == 0 { return false }
    let bytes = head.bytes.span
    for index in head.fields.indices where head.fields[index].known == .cacheControl {
      var elements = ListElements(head.fields[index].value)
      while let element = elements.next(in: bytes) {
        if bytes.extracting(element).equalsIgnoringCase("no-transform") { return true }
      }
    }
    return false
  }

  private func variesByEncoding(_ response: borrowing ResponseHead) -> Bool {
    lists(.vary, "accept-encoding", in: response) || lists(.vary, "*", in: response)
  }

  // MARK: Entity tags (RFC 9110 §8.8.3)

  /// A strong tag says that the bytes are the same, which they are not any more.
  private func strongTag(of response: borrowing ResponseHead) -> Range<Int>? {
    guard let field = response.first(.etag), response.bytes.span.extracting(field.value).firstIndex(of: 0x22) == 0
    else {
      return nil
    }
    return field.value
  }

  private func addWeakTag(_ bytes: Span<UInt8>, _ tag: Range<Int>) {
    answer.compression.isTagWeakened = true
    answer.addedLines.append("ETag: W/")
    answer.addedLines.append(bytes.extracting(tag))
    answer.addedLines.append("\r\n")
  }

  /// A client that asks with the tag of a compressed answer gets that tag again. Otherwise its cache would not know
  /// which of its answers is still good (RFC 9111 §4.3.4).
  private func weakenMatchedTag(_ response: borrowing ResponseHead) {
    guard let tag = strongTag(of: response), Self.asksWithWeak(response.bytes.span, tag, request.head) else { return }
    addWeakTag(response.bytes.span, tag)
    if !variesByEncoding(response) { answer.addedLines.append("Vary: Accept-Encoding\r\n") }
  }

  private static func asksWithWeak(_ bytes: Span<UInt8>, _ tag: Range<Int>, _ head: borrowing RequestHead) -> Bool {
    if head.count(of: .ifNoneMatch) == 0 { return false }
    let asked = head.bytes.span
    for index in head.fields.indices where head.fields[index].known == .ifNoneMatch {
      var elements = ListElements(head.fields[index].value)
      while let element = elements.next(in: asked) {
        guard element.count == tag.count + 2, asked[element.lowerBound] == UInt8(ascii: "W"),
          asked[element.lowerBound + 1] == UInt8(ascii: "/")
        else { continue }
        if asked.extracting(element.lowerBound + 2..<element.upperBound).equals(bytes.extracting(tag)) { return true }
      }
    }
    return false
  }

  /// Whether a field speaks of bytes that are not the ones that go out.
  func isUntrueOfCompressed(_ field: FieldLine, of bytes: Span<UInt8>) -> Bool {
    switch field.known {
    case .contentLength, .acceptRanges: true
    case .other: Self.digestFields.contains(bytes.extracting(field.name), hash: field.foldedHash)
    default: false
    }
  }

  /// RFC 9530, and what it replaced.
  private static let digestFields = FieldNameSet(["content-digest", "repr-digest", "digest", "content-md5"])

  // MARK: The body

  func writeCompressed(_ bytes: Span<UInt8>, _ compressor: Compressor) {
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
  func endCompressed() -> Bool {
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

  func releaseCompressor() {
    guard let compressor = answer.compression.compressor else { return }
    answer.compression.compressor = nil
    worker.compressors.giveBack(compressor)
  }
}
