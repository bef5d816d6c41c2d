// To whom a token is bound (RFC 7800 §3.1): only who shows the key (RFC 9449 §6.1) or the certificate (RFC 8705 §3.1)
// may use it. A token that is bound in a way that is not known here is for nobody (T101).

import Bytes
import JSON

/// `cnf` of a token, read once.
package struct SenderBinding: Sendable, Equatable {
  /// RFC 7638, SHA-256, 32 bytes: of the key that has to sign a proof. Empty where none has to.
  package private(set) var key: [UInt8] = []
  /// SHA-256 of the certificate that the connection has to have, in base64url. Empty where it has to have none.
  package private(set) var certificate: [UInt8] = []
  /// Whether all that `cnf` says is understood.
  package private(set) var isUnderstood = false

  private static let cnf = Array("cnf".utf8)
  private static let jkt = Array("jkt".utf8)
  private static let x5tS256 = Array("x5t#S256".utf8)
  private static let digestByteCount = 32

  /// Nil where anybody who has the token may use it: there is no `cnf`.
  init?(_ claims: JSONDocument) {
    guard claims.kind(claims.root) == .object, let node = claims.member(Self.cnf, of: claims.root) else { return nil }
    guard claims.kind(node) == .object else { return }
    for member in claims.members(of: node) {
      guard let text = claims.stringBytes(at: member.value), let digest = Base64URL.decode(text.span),
        digest.count == Self.digestByteCount
      else { return }
      if claims.stringEquals(member.name, Self.jkt.span) {
        key = digest
      } else if claims.stringEquals(member.name, Self.x5tS256.span) {
        certificate = text
      } else {
        return
      }
    }
    isUnderstood = !key.isEmpty || !certificate.isEmpty
  }
}
