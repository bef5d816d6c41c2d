// Max-Forwards of OPTIONS (RFC 9110 §7.6.2): how many more intermediaries may pass the request on. TRACE has it too,
// and is not forwarded at all: a server that reflects it would show the client the identity headers.

import Bytes
import HTTPWire

extension Exchange {
  private static let name = Array("max-forwards".utf8)

  /// What the request says, when it is an OPTIONS that says it in the right way. Anything else is passed on as it is.
  var maxForwards: UInt64? {
    if request.head.method != .options { return nil }
    return Self.maxForwards(in: request.head)
  }

  func isMaxForwards(_ field: FieldLine, _ name: Span<UInt8>) -> Bool {
    request.head.method == .options && Self.isNamed(field, name)
  }

  private static func isNamed(_ field: FieldLine, _ text: Span<UInt8>) -> Bool {
    field.known == .other && text.count == name.count && foldedEquals(text, name.span)
  }

  private static func maxForwards(in head: borrowing RequestHead) -> UInt64? {
    let bytes = head.bytes.span
    var found: UInt64?
    for index in head.fields.indices {
      let field = head.fields[index]
      guard isNamed(field, bytes.extracting(field.name)) else { continue }
      let value = bytes.extracting(field.value)
      // LIMIT: nine digits. More hops than that nobody counts.
      guard found == nil, (1...9).contains(value.count) else { return nil }
      var number: UInt64 = 0
      for index in value.indices {
        guard value[index] >= 0x30, value[index] <= 0x39 else { return nil }
        number = number * 10 + UInt64(value[index] - 0x30)
      }
      found = number
    }
    return found
  }
}
