// What a refused token says beside what was expected, for the operator. It is read again from the token, because a
// check that fails keeps nothing, and only for the few refusals that are reported.
//
// Invariant: no signature, no whole token and no claim about a person gets in here (T59). What a stranger wrote is
// encoded and cut.

import Bytes
import JSON

/// Both are empty where there is nothing to compare.
package struct RefusalDetail: Sendable, Equatable {
  package var expected: String
  package var got: String

  package init(expected: String = "", got: String = "") {
    self.expected = expected
    self.got = got
  }
}

/// What a refused token is compared with.
package struct RefusalCircumstances {
  /// Those of the route.
  let candidates: [Int]
  /// The one that the refusal is about.
  let issuer: Int?
  let issuers: [IssuerRules]
  let keySets: [KeySet?]
  /// Seconds since 1970.
  let now: Int64

  package init(candidates: [Int], issuer: Int?, issuers: [IssuerRules], keySets: [KeySet?], now: Int64) {
    self.candidates = candidates
    self.issuer = issuer
    self.issuers = issuers
    self.keySets = keySets
    self.now = now
  }

  var rules: IssuerRules? {
    guard let issuer, issuers.indices.contains(issuer) else { return nil }
    return issuers[issuer]
  }

  var keys: [VerificationKey] {
    guard let issuer, keySets.indices.contains(issuer) else { return [] }
    return keySets[issuer]?.keys ?? []
  }
}

extension TokenVerifier {
  package func detail(
    of refusal: TokenRefusal, _ token: Span<UInt8>, _ circumstances: RefusalCircumstances
  ) -> RefusalDetail {
    if refusal == .tokenTooLarge {
      return RefusalDetail(expected: "at most \(tokenByteCountMax) bytes", got: "\(token.count) bytes")
    }
    var known = CompactFormCheck.KnownHeader()
    let parts: UnverifiedToken
    do {
      parts = try CompactFormCheck.parse(token, byteCountMax: tokenByteCountMax, known: &known)
    } catch {
      return refusal == .tokenMalformed ? Self.form(of: token) : RefusalDetail()
    }
    switch refusal {
    case .issuerUnknown, .algorithmNotAllowed, .typeNotAllowed, .audienceMismatch, .claimMissing:
      return parts.policyDetail(of: refusal, circumstances)
    case .keyUnknown, .signatureInvalid: return parts.keyDetail(of: refusal, circumstances)
    case .tokenExpired, .tokenNotYetValid, .tokenTooOld: return parts.timeDetail(of: refusal, circumstances)
    case .scopeMissing: return RefusalDetail(got: parts.payload.shown("scope") ?? parts.payload.shown("scp") ?? "none")
    case .tokenMissing, .schemeNotBearer, .tokenAmbiguous, .tokenMalformed, .tokenTooLarge, .criticalHeaderUnknown,
      .keysUnavailable, .introspectionUnavailable, .tokenInactive, .tokenRevoked, .revocationUnavailable, .claimInvalid,
      .claimMismatch,
      .authenticationInsufficient, .sessionMissing, .sessionExpired, .sessionStoreUnavailable,
      .apiKeyMissing, .apiKeyInvalid, .apiKeyExpired, .apiKeyStoreUnavailable, .proofMissing, .proofInvalid,
      .proofReplayed, .proofNonceDemanded, .proofsUnavailable, .tokenBound:
      return RefusalDetail()
    }
  }

  /// Most that are no JWT are opaque.
  private static func form(of token: Span<UInt8>) -> RefusalDetail {
    var partCount = 1
    for index in token.indices where token[index] == UInt8(ascii: ".") { partCount += 1 }
    let expected = "a JWT of three parts with dots between them"
    switch partCount {
    case 3: return RefusalDetail(expected: expected, got: "three parts that are not JSON objects in base64url")
    case 5: return RefusalDetail(expected: expected, got: "five parts, an encrypted token (JWE)")
    default:
      return RefusalDetail(
        expected: expected, got: "\(partCount) \(partCount == 1 ? "part, an opaque token perhaps" : "parts")")
    }
  }
}

extension UnverifiedToken {
  fileprivate func policyDetail(of refusal: TokenRefusal, _ circumstances: RefusalCircumstances) -> RefusalDetail {
    let rules = circumstances.rules
    switch refusal {
    case .issuerUnknown:
      let known = circumstances.candidates.filter(circumstances.issuers.indices.contains)
      // No more of the tenant: its claim may be about a person.
      let ofMany = known.contains { circumstances.issuers[$0].tenants != nil }
      return RefusalDetail(
        expected: shownList(known.map { circumstances.issuers[$0].issuer })
          + (ofMany ? " with a listed tenant, which the claim in { } repeats" : ""),
        got: payload.shown("iss") ?? "no iss")
    case .algorithmNotAllowed:
      let names = SignatureAlgorithm.allCases.filter { rules?.algorithms.contains($0) ?? false }.map(\.rawValue)
      return RefusalDetail(expected: names.joined(separator: ", "), got: header.shown("alg") ?? "no alg")
    case .typeNotAllowed:
      let expected = rules?.tokenTypes.map(shownList) ?? "any type but those of other tokens"
      return RefusalDetail(expected: expected, got: header.shown("typ") ?? "no typ")
    case .audienceMismatch:
      return RefusalDetail(expected: shownList(rules?.audiences ?? []), got: payload.shown("aud") ?? "no aud")
    case .claimMissing:
      let missing = (rules?.requiredClaims ?? []).filter { path in
        payload.claim(path).map { payload.kind($0) == .null } ?? true
      }
      let names = missing.isEmpty ? ["iat"] : missing.map(\.description)
      return RefusalDetail(expected: shownList(names.map { Array($0.utf8) }), got: "a token without")
    default: return RefusalDetail()
    }
  }

  fileprivate func keyDetail(of refusal: TokenRefusal, _ circumstances: RefusalCircumstances) -> RefusalDetail {
    let named = header.shown("kid").map { "kid \($0)" }
    let digest = (header.shown("x5t#S256") ?? header.shown("x5t")).map { "x5t \($0)" }
    let got = (named ?? digest ?? "no kid") + ", alg " + (header.shown("alg") ?? "none")
    if refusal == .signatureInvalid {
      return RefusalDetail(expected: "a signature by a key of the issuer", got: got)
    }
    let known = circumstances.keys.compactMap(\.keyID)
    return RefusalDetail(expected: known.isEmpty ? "a key of the issuer" : "kid " + shownList(known), got: got)
  }

  fileprivate func timeDetail(of refusal: TokenRefusal, _ circumstances: RefusalCircumstances) -> RefusalDetail {
    let leeway = "leeway \(circumstances.rules?.leewaySeconds ?? 0)s"
    switch refusal {
    case .tokenExpired:
      return RefusalDetail(expected: "exp ahead, \(leeway)", got: payload.age("exp", at: circumstances.now))
    case .tokenNotYetValid:
      let names = ["nbf", "iat"].filter { payload.shown($0) != nil }
      return RefusalDetail(
        expected: "nbf and iat in the past, \(leeway)",
        got: names.map { payload.age($0, at: circumstances.now) }.joined(separator: ", "))
    default:
      return RefusalDetail(
        expected: "iat at most \(circumstances.rules?.maxAgeSeconds ?? 0)s ago, \(leeway)",
        got: payload.age("iat", at: circumstances.now))
    }
  }
}

extension JSONDocument {
  /// A member of the root: a text, a list of texts, or what kind of value it is.
  func shown(_ name: String) -> String? {
    guard let node = member(name, of: root) else { return nil }
    switch kind(node) {
    case .string: return shownText(stringBytes(at: node) ?? [])
    case .array:
      var texts: [[UInt8]] = []
      // LIMIT: of long lists the first are shown.
      for element in elements(of: node) where texts.count < 9 { texts.append(stringBytes(at: element) ?? []) }
      return shownList(texts)
    case .integer, .number, .true, .false, .null, .object: return "not a text"
    }
  }

  /// `exp 1h ago`, or how far ahead.
  func age(_ name: String, at now: Int64) -> String {
    guard let date = member(name, of: root).flatMap({ integer(at: $0) }) else { return "\(name) is not a number" }
    let (seconds, overflow) = now.subtractingReportingOverflow(date)
    if overflow { return "\(name) is not a sensible time" }
    return seconds >= 0 ? "\(name) \(seconds)s ago" : "\(name) \(seconds.magnitude)s ahead"
  }
}

// LIMIT: of long lists the first eight are shown.
func shownList(_ texts: [[UInt8]]) -> String {
  if texts.isEmpty { return "none" }
  return texts.prefix(8).map(shownText).joined(separator: ", ") + (texts.count > 8 ? " and more" : "")
}

/// Text of a stranger: what is not visible ASCII is written as `%XX`, and the end of a long one is cut off.
private func shownText(_ text: [UInt8]) -> String {
  // LIMIT: so much of one text.
  let shown = text.prefix(96).map { byte in
    if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "%") { return String(UnicodeScalar(byte)) }
    return "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }
  return text.isEmpty ? "\"\"" : shown.joined() + (text.count > 96 ? "…" : "")
}
