// Makes a `ResponseHead` of a decoded HTTP/2 header block (RFC 9113 §8.3.2). The same invariant as for
// `RequestHeadBuilder`: what it makes differs from a parsed head in its version only.

import Bytes

/// Takes the fields of one header block after the other.
package struct ResponseHeadBuilder: ~Copyable {
  private var head = ResponseHead()
  /// The head's bytes until it is whole.
  private var bytes = ByteQueue()
  private var size = FieldListSize()
  private var error: HeadError?

  package init() {}

  /// Forgets what there is. The memory stays.
  package mutating func begin() {
    head.reset()
    bytes.removeAll()
    size = FieldListSize()
    error = nil
  }

  /// Takes the next field. After the first wrong one nothing is kept.
  package mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>, limits: HeadLimits) {
    if error == nil { error = take(name, value, limits) }
  }

  private mutating func take(_ name: Span<UInt8>, _ value: Span<UInt8>, _ limits: HeadLimits) -> HeadError? {
    let isPseudo = name.count > 0 && name[0] == 0x3A
    if let error = size.add(name, value, countsAsField: !isPseudo, limits: limits) { return error }
    if isPseudo { return takeStatus(name, value) }
    if head.status == 0 { return .badStatusLine }
    switch FieldLine.append(name, value, to: &bytes) {
    case .malformed(let error): return error
    case .line(let field):
      var facts = head.facts
      if let error = facts.note(field, in: bytes.span, ofRequest: false) { return error }
      head.facts = facts
      head.fields.append(field)
      return nil
    }
  }

  private mutating func takeStatus(_ name: Span<UInt8>, _ value: Span<UInt8>) -> HeadError? {
    guard name.equalsIgnoringCase(":status"), head.status == 0, value.count == 3, isDigit(value[0]), isDigit(value[1]),
      isDigit(value[2])
    else { return .badStatusLine }
    let status = Int(value[0] & 15) * 100 + Int(value[1] & 15) * 10 + Int(value[2] & 15)
    guard status >= 100 else { return .badStatusLine }
    head.status = status
    head.version = .http2
    bytes.append("HTTP/2 ")
    bytes.append(value)
    bytes.append(" \r\n")
    head.reasonRange = bytes.count - 2..<bytes.count - 2
    return nil
  }

  /// What is wrong with the head, now that it is whole.
  package mutating func complete() -> HeadError? {
    if error == nil, head.status == 0 { error = .badStatusLine }
    if let error {
      head.reset()
      return error
    }
    bytes.append("\r\n")
    swap(&bytes, &head.bytes)
    return nil
  }

  /// Whether the finished head is interim.
  package var is1xx: Bool { head.is1xx }

  /// Swaps the finished head with `other`, which is forgotten.
  package mutating func take(into other: inout ResponseHead) {
    swap(&head, &other)
    head.reset()
  }

  /// Gives the memory back.
  package mutating func releaseStorage() {
    begin()
    head.releaseStorage()
    bytes.releaseStorage()
  }
}
