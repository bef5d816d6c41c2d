// Compressing an upstream's answer on its way to the client (RFC 9110 §8.4). Whether it is done is decided by the head,
// in the same way for HEAD as for GET.

import Bytes
import Compression
import HTTPWire

/// How an answer is compressed on its way to the client.
struct AnswerCompression {
  /// The answer goes out compressed, or would, if it were to GET.
  private(set) var isApplied = false
  /// The answer's added lines have its entity tag.
  fileprivate(set) var isTagWeakened = false
  private(set) var compressor: Compressor?
  /// The compressor has something that must not stay there.
  var isFlushDue = false

  /// False when there is no memory, or too much is compressed at one time: the answer goes as it is.
  fileprivate mutating func begin(_ choice: CompressionPlan.Choice, with compressors: inout CompressorPool) -> Bool {
    compressor = compressors.take(choice)
    isApplied = compressor != nil
    return isApplied
  }

  /// For the head of an answer to HEAD.
  fileprivate mutating func applyWithoutBody() { isApplied = true }

  @inline(__always)
  mutating func release(to compressors: inout CompressorPool) {
    guard let compressor else { return }
    self.compressor = nil
    compressors.giveBack(compressor)
  }

  /// Whether a field speaks of bytes that are not the ones that go out.
  static func isUntrue(_ field: FieldLine, of bytes: Span<UInt8>) -> Bool {
    switch field.known {
    case .contentLength, .acceptRanges: true
    case .other: digestFields.contains(bytes.extracting(field.name), hash: field.foldedHash)
    default: false
    }
  }

  /// RFC 9530, and what it replaced.
  private static let digestFields = FieldNameSet(["content-digest", "repr-digest", "digest", "content-md5"])
}

extension ClientAnswer {
  /// Decides, adds the lines that say so, and gives the framing that the body will have.
  mutating func compress(
    _ response: borrowing ResponseHead, _ framing: BodyFraming, _ plan: CompressionPlan,
    for head: borrowing RequestHead, with compressors: inout CompressorPool
  ) -> BodyFraming {
    if response.status == 304 {
      weakenMatchedTag(of: response, for: head)
      return framing
    }
    guard !isHeadOnly, !head.isGRPC, response.gains(from: plan), !head.forbidsTransforming else { return framing }
    if !response.variesByEncoding { addedLines.append("Vary: Accept-Encoding\r\n") }
    guard head.version != .http10, let choice = plan.choice(head.acceptedCodings) else { return framing }
    if head.method == .head {
      compression.applyWithoutBody()
    } else if !compression.begin(choice, with: &compressors) {
      return framing
    }
    addedLines.append("Content-Encoding: ")
    addedLines.append(choice.coding.name)
    addedLines.append("\r\n")
    if let tag = response.strongTag { addWeakTag(response.bytes.span.extracting(tag)) }
    return head.method == .head ? framing : .chunked
  }

  /// A client that asks with the tag of a compressed answer gets that tag again. Otherwise its cache would not know
  /// which of its answers is still good (RFC 9111 §4.3.4).
  private mutating func weakenMatchedTag(of response: borrowing ResponseHead, for head: borrowing RequestHead) {
    guard let tag = response.strongTag, head.asksWithWeak(response.bytes.span.extracting(tag)) else { return }
    addWeakTag(response.bytes.span.extracting(tag))
    if !response.variesByEncoding { addedLines.append("Vary: Accept-Encoding\r\n") }
  }

  private mutating func addWeakTag(_ tag: Span<UInt8>) {
    compression.isTagWeakened = true
    addedLines.append("ETag: W/")
    addedLines.append(tag)
    addedLines.append("\r\n")
  }
}

// MARK: What the heads say

extension ResponseHead {
  /// Whether the answer is one that gains and may be changed, for any client.
  fileprivate func gains(from plan: CompressionPlan) -> Bool {
    switch status {
    // No content, or a part of something that the client puts together (RFC 9110 §15.3.5 to §15.3.7).
    case 204, 205, 206: return false
    case 200...299: break
    default: return false
    }
    guard count(of: .contentEncoding) == 0, count(of: .contentRange) == 0, let field = first(.contentType),
      count(of: .contentType) == 1
    else { return false }
    if let length = contentLength, length < max(plan.minimumSize, 1) { return false }
    let bytes = bytes.span
    guard plan.takes(bytes.extracting(mediaType(in: bytes, field.value))) else { return false }
    // RFC 9110 §7.7, RFC 9111 §5.2.1.6: both sides can forbid it.
    return !lists(.cacheControl, "no-transform")
  }

  fileprivate var variesByEncoding: Bool { lists(.vary, "accept-encoding") || lists(.vary, "*") }

  private func lists(_ known: KnownField, _ word: StaticString) -> Bool {
    if count(of: known) == 0 { return false }
    let bytes = bytes.span
    for index in fields.indices where fields[index].known == known {
      if listHas(word, fields[index].value, of: bytes) { return true }
    }
    return false
  }

  /// A strong tag (RFC 9110 §8.8.3) says that the bytes are the same, which they are not any more.
  fileprivate var strongTag: Range<Int>? {
    guard let field = first(.etag), bytes.span.extracting(field.value).firstIndex(of: 0x22) == 0 else { return nil }
    return field.value
  }
}

extension RequestHead {
  fileprivate var forbidsTransforming: Bool {
    if count(of: .cacheControl) == 0 { return false }
    let bytes = bytes.span
    for index in fields.indices where fields[index].known == .cacheControl {
      if listHas("no-transform", fields[index].value, of: bytes) { return true }
    }
    return false
  }

  fileprivate var acceptedCodings: AcceptedCodings {
    var accepted = AcceptedCodings()
    if count(of: .acceptEncoding) == 0 { return accepted }
    for index in fields.indices where fields[index].known == .acceptEncoding {
      accepted.read(bytes.span, fields[index].value)
    }
    return accepted
  }

  /// Whether If-None-Match has the weak form of a tag.
  fileprivate func asksWithWeak(_ tag: Span<UInt8>) -> Bool {
    if count(of: .ifNoneMatch) == 0 { return false }
    let bytes = bytes.span
    for index in fields.indices where fields[index].known == .ifNoneMatch {
      var elements = ListElements(fields[index].value)
      while let element = elements.next(in: bytes) {
        guard element.count == tag.count + 2, bytes[element.lowerBound] == UInt8(ascii: "W"),
          bytes[element.lowerBound + 1] == UInt8(ascii: "/")
        else { continue }
        if bytes.extracting(element.lowerBound + 2..<element.upperBound).equals(tag) { return true }
      }
    }
    return false
  }
}

private func listHas(_ word: StaticString, _ list: Range<Int>, of bytes: Span<UInt8>) -> Bool {
  var elements = ListElements(list)
  while let element = elements.next(in: bytes) {
    if bytes.extracting(element).equalsIgnoringCase(word) { return true }
  }
  return false
}
