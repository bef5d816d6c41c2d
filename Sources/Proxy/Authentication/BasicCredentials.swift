// Tokens of programs that know names and passwords only, in `Authorization: Basic` (RFC 7617): the password is the
// token, or the name where the password is empty. On other routes such credentials are the service's own.

import Bytes
import HTTPWire
import Tokens

extension ClientRequest {
  /// Looks for a token in Basic credentials, and keeps what was decoded.
  mutating func findTokenInBasic() -> TokenSearch {
    let found = head.credentials(of: "basic")
    guard case .found(.field(let range)) = found else { return found }
    guard let pair = Self.decode(head.bytes.span.extracting(range)),
      let colon = pair.firstIndex(of: UInt8(ascii: ":"))
    else { return .malformed }
    let password = pair[(colon + 1)...]
    let token = password.isEmpty ? pair[..<colon] : password
    if token.isEmpty { return .missing }
    basicToken = Array(token)
    return .found(.basic(range))
  }

  /// The name and the password of Basic credentials. Nil where there are none, or more than one field.
  func basicPair() -> (name: [UInt8], password: [UInt8])? {
    guard case .found(.field(let range)) = head.credentials(of: "basic"),
      let pair = Self.decode(head.bytes.span.extracting(range)), let colon = pair.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    return (Array(pair[..<colon]), Array(pair[(colon + 1)...]))
  }

  /// Base64 with its padding, or without any.
  private static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    var digits = text.copied()
    if digits.count % 4 == 0 {
      for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits.removeLast() }
    }
    for index in digits.indices {
      switch digits[index] {
      case UInt8(ascii: "+"): digits[index] = UInt8(ascii: "-")
      case UInt8(ascii: "/"): digits[index] = UInt8(ascii: "_")
      case UInt8(ascii: "-"), UInt8(ascii: "_"): return nil
      default: break
      }
    }
    return Base64URL.decode(digits.span)
  }

  /// Whether a field holds credentials that the route does not look at, in which no service finds a bearer token: the
  /// scheme Basic, spaces, and the digits of base64.
  func isBasicOfService(_ field: FieldLine, _ route: CompiledRoute) -> Bool {
    if route.token.isBasicSource || field.known != .authorization { return false }
    let value = head.bytes.span.extracting(field.value)
    guard value.count > 6, value.extracting(0..<5).equalsIgnoringCase("basic"), value[5] == 0x20 else { return false }
    var index = 6
    while index < value.count, value[index] == 0x20 { index += 1 }
    var isPadded = false
    while index < value.count {
      switch value[index] {
      case UInt8(ascii: "="): isPadded = true
      case UInt8(ascii: "+"), UInt8(ascii: "/"), 0x30...0x39, 0x41...0x5A, 0x61...0x7A: if isPadded { return false }
      default: return false
      }
      index += 1
    }
    return true
  }
}
