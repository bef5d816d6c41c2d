// Step 5: `typ` (RFC 7515 §4.1.9, RFC 8725 §3.11): an access token is not a logout token, however well it is signed
// (T18).

import Bytes
import JSON

enum TypeCheck {
  private static let typ = Array("typ".utf8)
  private static let application = Array("application/".utf8)

  /// JWTs that are signed by the same issuers for other ends: logout tokens, proofs, events, ID tokens, credentials.
  private static let others: [[UInt8]] = [
    "logout+jwt", "dpop+jwt", "secevent+jwt", "id_token+jwt", "id+jwt", "idtoken+jwt", "oauth-authz-req+jwt",
    "oauth-client-attestation+jwt", "oauth-client-attestation-pop+jwt", "client-authentication+jwt",
    "token-introspection+jwt", "statuslist+jwt", "kb+jwt", "dc+sd-jwt", "vc+sd-jwt", "vc+jwt", "vp+jwt",
    "openid4vci-proof+jwt", "entity-statement+jwt", "resolve-response+jwt", "trust-mark+jwt", "jwk-set+jwt",
    "authorization-challenge+jwt", "wallet-attestation+jwt", "passport", "refresh+jwt", "rt+jwt",
  ].map { Array($0.utf8) }

  static func check(_ header: JSONDocument, _ rules: IssuerRules) throws(TokenRefusal) {
    guard let node = header.member(typ, of: header.root) else {
      if rules.tokenTypes != nil { throw .typeNotAllowed }
      return
    }
    let isListed: Bool
    let list = rules.tokenTypes ?? others
    if let plain = header.plainStringRange(at: node), isNormal(header.bytes.span.extracting(plain)) {
      isListed = contains(list, header.bytes.span.extracting(plain))
    } else {
      guard let bytes = header.stringBytes(at: node) else { throw .tokenMalformed }
      isListed = list.contains(normalized(bytes))
    }
    if isListed == (rules.tokenTypes != nil) { return }
    guard let purpose = rules.purpose, let type = header.stringBytes(at: node), normalized(type) == purpose else {
      throw .typeNotAllowed
    }
  }

  private static func contains(_ list: [[UInt8]], _ type: Span<UInt8>) -> Bool {
    for index in list.indices where type.equals(list[index]) { return true }
    return false
  }

  /// Whether ``normalized(_:)`` would certainly change nothing.
  private static func isNormal(_ type: Span<UInt8>) -> Bool {
    for index in type.indices {
      let byte = type[index]
      if byte >= 0x41 && byte <= 0x5A || byte == UInt8(ascii: "/") { return false }
    }
    return true
  }

  /// Lower case, as media types are compared, and without `application/` when that leaves a name without a slash.
  static func normalized(_ type: [UInt8]) -> [UInt8] {
    let lower = type.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    guard lower.starts(with: application) else { return lower }
    let rest = Array(lower.dropFirst(application.count))
    return rest.contains(UInt8(ascii: "/")) ? lower : rest
  }
}
