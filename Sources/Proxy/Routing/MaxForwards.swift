// Max-Forwards of OPTIONS (RFC 9110 §7.6.2): how many more intermediaries may pass the request on. TRACE has it too,
// and is not forwarded at all: a server that reflects it would show the client the identity headers.

import Bytes
import HTTPWire

extension RequestHead {
  private static let maxForwardsName = Array("max-forwards".utf8)

  /// What an OPTIONS says in the right way. Anything else is passed on as it is.
  var maxForwards: UInt64? {
    let bytes = bytes.span
    var found: UInt64?
    for index in fields.indices {
      let field = fields[index]
      guard isMaxForwards(field, bytes.extracting(field.name)) else { continue }
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

  func isMaxForwards(_ field: FieldLine, _ name: Span<UInt8>) -> Bool {
    method == .options && field.known == .other && name.count == Self.maxForwardsName.count
      && foldedEquals(name, Self.maxForwardsName.span)
  }
}
