// Step 3: the header's members (RFC 7515 §4.1). Of all of them only `alg`, `kid`, `typ` and `crit` are read, and where
// there is no `kid` the names `x5t` and `x5t#S256`. `jwk`, `jku`, `x5u` and `x5c` are whatever the sender likes them to
// be, and nothing here looks at them (T06).

import Bytes
import JSON

enum HeaderCheck {
  private static let alg = Array("alg".utf8)
  private static let kid = Array("kid".utf8)
  private static let x5t = Array("x5t".utf8)
  private static let x5tS256 = Array("x5t#S256".utf8)
  private static let crit = Array("crit".utf8)
  private static let b64 = Array("b64".utf8)

  /// T11: no extension is known here, so whatever `crit` says, the token is not for us. `b64` changes what is signed
  /// (RFC 7797), with or without `crit`.
  static func checkCritical(_ header: JSONDocument) throws(TokenRefusal) {
    if header.member(crit, of: header.root) != nil { throw .criticalHeaderUnknown }
    if header.member(b64, of: header.root) != nil { throw .tokenMalformed }
  }

  /// The node of `kid`, or nil when there is none. T19: opaque bytes, of any content.
  static func keyID(_ header: JSONDocument) throws(TokenRefusal) -> JSONDocument.Index? {
    guard let node = header.member(kid, of: header.root) else { return nil }
    if header.kind(node) != .string { throw .tokenMalformed }
    return node
  }

  /// The digest of the certificate whose key has signed, as text: another name of the key (RFC 7515 §4.1.7, §4.1.8).
  static func certificateDigest(_ header: JSONDocument) throws(TokenRefusal) -> [UInt8]? {
    guard let node = header.member(x5tS256, of: header.root) ?? header.member(x5t, of: header.root) else { return nil }
    guard let digest = header.stringBytes(at: node) else { throw .tokenMalformed }
    return digest
  }

  /// T01, T04: `alg` must be on the issuer's list before anything is computed.
  static func algorithm(_ header: JSONDocument, _ rules: IssuerRules) throws(TokenRefusal) -> SignatureAlgorithm {
    guard let node = header.member(alg, of: header.root), header.kind(node) == .string else { throw .tokenMalformed }
    // A name with escapes is none of ours: they are short and plain.
    guard let range = header.plainStringRange(at: node),
      let algorithm = SignatureAlgorithm.named(header.bytes.span.extracting(range)),
      rules.algorithms.contains(algorithm)
    else { throw .algorithmNotAllowed }
    return algorithm
  }
}
