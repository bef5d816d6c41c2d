// Step 4: `iss` (RFC 7519 §4.1.1) must be, byte by byte, that of an issuer which the route takes (T17, T20).

import Bytes
import JSON

enum IssuerCheck {
  static let iss = Array("iss".utf8)

  /// The index of the issuer among the route's. It is checked also when the route takes one only.
  static func issuer(
    _ payload: JSONDocument, candidates: [Int], issuers: [IssuerRules]
  ) throws(TokenRefusal) -> Int {
    guard let node = payload.member(iss, of: payload.root) else { throw .issuerUnknown }
    if payload.kind(node) != .string { throw .claimInvalid }
    for candidate in candidates where candidate >= 0 && candidate < issuers.count {
      if isNamed(payload, node, issuers[candidate]) { return candidate }
    }
    throw .issuerUnknown
  }

  /// Of an answer of the issuer itself, which need not name it.
  static func checkNamed(_ claims: JSONDocument, _ rules: IssuerRules) throws(TokenRefusal) {
    guard let node = claims.member(iss, of: claims.root) else {
      // Nothing else says whose tenant it is.
      if rules.tenants != nil { throw .issuerUnknown }
      return
    }
    if claims.kind(node) != .string { throw .claimInvalid }
    if !isNamed(claims, node, rules) { throw .issuerUnknown }
  }

  private static func isNamed(_ claims: JSONDocument, _ node: JSONDocument.Index, _ rules: IssuerRules) -> Bool {
    if let tenants = rules.tenants { return tenants.hold(claims, issuer: node) }
    let issuer = rules.issuer
    return claims.stringEquals(node, issuer.span)
  }
}
