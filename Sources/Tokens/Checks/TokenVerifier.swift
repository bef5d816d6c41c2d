// All checks of a token in their order, from its size to its claims. The first that fails gives the reason. Nothing is
// computed with a key before `iss` and `alg` are known to be allowed, and no claim counts before the signature holds.

import Bytes
import Cryptography
import JSON

/// One a worker: it keeps the worker's prepared contexts for each key.
package final class TokenVerifier {
  package var tokenByteCountMax: Int
  /// The check that took place last. Who explains a verdict looks at it, and nobody else does.
  private(set) var step = TokenStep.form
  private var knownHeader = CompactFormCheck.KnownHeader()
  private var signatureVerifiers: [UInt64: SignatureVerifier] = [:]
  /// LIMIT: keys with prepared contexts. Beyond it all are freed, and prepared again as they are needed.
  private static let signatureVerifierCountMax = 256

  package init(tokenByteCountMax: Int = 16 * 1024) {
    self.tokenByteCountMax = tokenByteCountMax
  }

  /// Checks a token against those of `issuers` whose indices are in `candidates`. `keySets` are the current ones, by
  /// the same index, nil where none was fetched. `now` in seconds since 1970.
  package func verify(
    _ token: Span<UInt8>, candidates: [Int], issuers: [IssuerRules], keySets: [KeySet?], now: Int64
  ) -> Verdict {
    var issuer: Int?
    /// The claims, once a key of the issuer has proved them.
    var proved: JSONDocument?
    do throws(TokenRefusal) {
      step = .form
      let parts = try CompactFormCheck.parse(token, byteCountMax: tokenByteCountMax, known: &knownHeader)
      _ = try HeaderCheck.keyID(parts.header)
      step = .issuer
      let candidate = try IssuerCheck.issuer(parts.payload, candidates: candidates, issuers: issuers)
      issuer = candidate
      let rules = issuers[candidate]
      step = .type
      try TypeCheck.check(parts.header, rules)
      step = .algorithm
      let algorithm = try HeaderCheck.algorithm(parts.header, rules)
      step = .keys
      if rules.jwtQuestion == .signature { return .ask(.introspection(issuer: candidate)) }
      guard candidate < keySets.count, let keys = keySets[candidate] else { throw .keysUnavailable }
      step = .key
      guard let key = try provenKey(parts, token, algorithm, keys) else { return .ask(.keySet(issuer: candidate)) }
      proved = parts.payload
      step = .times
      let validity = try TimeCheck.validity(parts.payload, rules, now: now)
      step = .audience
      try ClaimsCheck.checkAudience(parts.payload, rules)
      step = .subject
      let subject = try ClaimsCheck.subject(parts.payload)
      step = .requiredClaims
      try ClaimsCheck.checkRequired(parts.payload, rules)
      let caller = Caller(
        credential: token, issuer: candidate, proof: .signature(key, algorithm), claims: parts.payload,
        payloadPart: parts.payloadPart, validity: validity, subject: subject)
      return rules.jwtQuestion == .confirmation ? .confirm(caller) : .caller(caller)
    } catch {
      return .refused(error, issuer: issuer, subject: proved.flatMap(ClaimsCheck.subjectText))
    }
  }

  /// Steps 7 and 8: the key that has signed the token. Nil when only a newer set may have it.
  private func provenKey(
    _ parts: UnverifiedToken, _ token: Span<UInt8>, _ algorithm: SignatureAlgorithm, _ keys: KeySet
  ) throws(TokenRefusal) -> VerificationKey? {
    if let keyID = try HeaderCheck.keyID(parts.header) {
      guard let named = try Self.key(keyID, algorithm, parts.header, keys) else { return nil }
      step = .signature
      if !isSignatureValid(parts, token, named, algorithm) { throw .signatureInvalid }
      return named
    }
    guard let possible = try Self.unnamedKeys(algorithm, parts.header, keys) else { return nil }
    if possible.isEmpty { throw .keyUnknown }
    step = .signature
    guard let found = possible.first(where: { isSignatureValid(parts, token, $0, algorithm) }) else {
      throw .signatureInvalid
    }
    return found
  }

  /// Whether a key of the issuer has signed a token of another kind. False when only a newer set may have the key.
  func isSigned(
    _ parts: UnverifiedToken, _ token: Span<UInt8>, _ rules: IssuerRules, _ keys: KeySet
  ) throws(TokenRefusal) -> Bool {
    try provenKey(parts, token, try HeaderCheck.algorithm(parts.header, rules), keys) != nil
  }

  /// Step 7: the key by (issuer, kid), of a type and curve that fit (T20, T28, T65). nil when the set has no such
  /// `kid`. Throws when waiting for a newer set would not help: a key of another type is under it.
  private static func key(
    _ keyID: JSONDocument.Index, _ algorithm: SignatureAlgorithm, _ header: JSONDocument, _ keys: KeySet
  ) throws(TokenRefusal) -> VerificationKey? {
    if let range = header.plainStringRange(at: keyID) {
      return try key(id: header.bytes.span.extracting(range), algorithm, keys)
    }
    guard let unescaped = header.stringBytes(at: keyID) else { throw .tokenMalformed }
    return try key(id: unescaped.span, algorithm, keys)
  }

  /// Step 7 for a token without `kid`: the keys that bear the digest of its certificate, or else the few that fit the
  /// algorithm, of which each is tried. nil when the set names keys by digests, and none by this one. Empty when
  /// waiting for a newer set would not help (T22).
  private static func unnamedKeys(
    _ algorithm: SignatureAlgorithm, _ header: JSONDocument, _ keys: KeySet
  ) throws(TokenRefusal) -> [VerificationKey]? {
    if let digest = try HeaderCheck.certificateDigest(header), let named = keys.keys(certificateDigest: digest) {
      return named.isEmpty ? nil : named.filter { $0.mayVerify(algorithm) }.prefix(KeySet.unnamedKeyCountMax).map { $0 }
    }
    return keys.keys(for: algorithm)
  }

  private static func key(
    id: Span<UInt8>, _ algorithm: SignatureAlgorithm, _ keys: KeySet
  ) throws(TokenRefusal) -> VerificationKey? {
    if let key = keys.key(id: id, for: algorithm) { return key }
    if keys.hasKey(id: id) { throw .keyUnknown }
    return nil
  }

  /// Step 8: the signature over the first two parts as they were sent.
  private func isSignatureValid(
    _ parts: UnverifiedToken, _ token: Span<UInt8>, _ key: VerificationKey, _ algorithm: SignatureAlgorithm
  ) -> Bool {
    let slot = key.serial << 4 | algorithm.index
    if let verifier = signatureVerifiers[slot] {
      return verifier.isValid(parts.signature.span, over: token.extracting(parts.signedPart))
    }
    guard let verifier = SignatureVerifier(key: key.publicKey, scheme: algorithm.scheme) else { return false }
    if signatureVerifiers.count >= Self.signatureVerifierCountMax {
      signatureVerifiers.removeAll(keepingCapacity: true)
    }
    signatureVerifiers[slot] = verifier
    return verifier.isValid(parts.signature.span, over: token.extracting(parts.signedPart))
  }
}
