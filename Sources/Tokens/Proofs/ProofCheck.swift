// A proof that the sender of a token has its key (RFC 9449 §4.3). Nothing in it counts before its signature holds, and
// the signature only of the key that the token is bound to.
//
// What the URL is that the client used, and what was seen before, is not known here.

import Bytes
import Cryptography
import JSON

/// What a proof says, once its signature and all that a token and a time decide have held.
package struct CheckedProof {
  package let algorithm: SignatureAlgorithm
  /// `htu`, as the client wrote it.
  package let target: [UInt8]
  /// Of the key and `jti`: SHA-256, 32 bytes. Two clients may have the same `jti`.
  package let identity: [UInt8]
  /// The first second in which the proof is too old, so that its identity can be forgotten.
  package let endsAt: Int64
  /// Nil where it has none.
  package let nonce: [UInt8]?
}

package enum ProofCheck {
  /// LIMIT: a longer proof is not even looked at. The largest that is any good, of RSA with 8192 bits, has half of it.
  package static let byteCountMax = 8192
  // LIMIT: of `jti`. Random ones are shorter.
  private static let identifierByteCountMax = 512

  private static let htm = Array("htm".utf8)
  private static let htu = Array("htu".utf8)
  private static let iat = Array("iat".utf8)
  private static let jti = Array("jti".utf8)
  private static let ath = Array("ath".utf8)
  private static let nonce = Array("nonce".utf8)

  /// - Parameters:
  ///   - caller: whose token is bound to a key. It keeps the key for the next proof.
  ///   - method: of the request.
  ///   - otherMethod: that it may be known under as well. Empty for none.
  ///   - now: seconds since 1970.
  /// - Throws: the check that failed. ``ProofStep/target``, ``ProofStep/nonce`` and ``ProofStep/replay`` are not made.
  package static func check(
    _ proof: Span<UInt8>, of caller: Caller, method: Span<UInt8>, or otherMethod: Span<UInt8> = Span(),
    rules: IssuerRules, now: Int64
  ) throws(ProofStep) -> CheckedProof {
    if proof.count > byteCountMax { throw .form }
    guard let firstDot = proof.firstIndex(of: UInt8(ascii: ".")),
      let secondDot = proof.firstIndex(of: UInt8(ascii: "."), from: firstDot + 1),
      let signature = Base64URL.decode(proof.extracting(secondDot + 1..<proof.count)), !signature.isEmpty
    else { throw .form }
    let key = try key(proof.extracting(0..<firstDot), of: caller)
    guard let bytes = Base64URL.decode(proof.extracting(firstDot + 1..<secondDot)),
      let payload = try? JSONDocument(bytes), payload.kind(payload.root) == .object
    else { throw .form }
    if !key.hasSigned(proof.extracting(0..<secondDot), signature.span) { throw .signature }
    caller.keep(key)
    guard let node = payload.member(htm, of: payload.root),
      payload.stringEquals(node, method) || !otherMethod.isEmpty && payload.stringEquals(node, otherMethod)
    else { throw .method }
    return try checkPayload(payload, key, of: caller, rules: rules, now: now)
  }

  private static func key(_ headerPart: Span<UInt8>, of caller: Caller) throws(ProofStep) -> ProofKey {
    if let known = caller.proofKey {
      let text = known.headerPart
      if headerPart.equals(text) { return known }
    }
    let key = try ProofKey(headerPart)
    guard let binding = caller.binding, key.thumbprint == binding.key else { throw .thumbprint }
    return key
  }

  private static func checkPayload(
    _ payload: JSONDocument, _ key: ProofKey, of caller: Caller, rules: IssuerRules, now: Int64
  ) throws(ProofStep) -> CheckedProof {
    guard let target = payload.member(htu, of: payload.root).flatMap({ payload.stringBytes(at: $0) }) else {
      throw .target
    }
    let endsAt = try end(payload, rules, now: now)
    guard let identifier = payload.member(jti, of: payload.root).flatMap({ payload.stringBytes(at: $0) }),
      !identifier.isEmpty, identifier.count <= identifierByteCountMax
    else { throw .identifier }
    guard let text = payload.member(ath, of: payload.root).flatMap({ payload.stringBytes(at: $0) }),
      let digest = Base64URL.decode(text.span), digest == caller.digest
    else { throw .token }
    var shown: [UInt8]?
    if let node = payload.member(nonce, of: payload.root) {
      guard let text = payload.stringBytes(at: node) else { throw .nonce }
      shown = text
    }
    let identity = key.thumbprint + identifier
    return CheckedProof(
      algorithm: key.algorithm, target: target, identity: SHA256.digest(identity.span), endsAt: endsAt, nonce: shown)
  }

  /// `iat` may be as far behind as the window says and as far ahead as clocks may differ.
  private static func end(_ payload: JSONDocument, _ rules: IssuerRules, now: Int64) throws(ProofStep) -> Int64 {
    // At most the year 9999: no sum of it and of an hour or two can overflow.
    guard let date = try? NumericDate.read(payload, iat) else { throw .time }
    let endsAt = date.seconds + rules.proofWindowSeconds + rules.leewaySeconds + 1
    guard now < endsAt, date.roundedUp - rules.leewaySeconds <= now else { throw .time }
    return endsAt
  }
}
