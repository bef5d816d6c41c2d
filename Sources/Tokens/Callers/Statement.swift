// From a source's answer to a caller: its claims obey the issuer's rules just as those of a token do.

package import JSON

/// What a source says of a credential.
package struct Statement: Sendable {
  /// A JSON object.
  package let claims: JSONDocument
  /// The first second, since 1970, in which the source must be asked again.
  package let freshUntil: Int64

  package init(claims: JSONDocument, freshUntil: Int64) {
    self.claims = claims
    self.freshUntil = freshUntil
  }

  /// - Parameter credential: what the source was asked about.
  package func verdict(
    on credential: Span<UInt8>, from source: Question.Source, issuers: [IssuerRules], now: Int64
  ) -> Verdict {
    guard let issuer = source.issuer, issuers.indices.contains(issuer) else {
      return .refused(.issuerUnknown, issuer: nil)
    }
    do throws(TokenRefusal) {
      guard claims.kind(claims.root) == .object else { throw .claimInvalid }
      try IssuerCheck.checkNamed(claims, issuers[issuer])
      let validity = try TimeCheck.validity(claims, issuers[issuer], now: now)
      try ClaimsCheck.checkAudience(claims, issuers[issuer])
      let subject = try ClaimsCheck.subject(claims)
      try ClaimsCheck.checkRequired(claims, issuers[issuer])
      return .caller(
        Caller(
          credential: credential, issuer: issuer, proof: .answer(source, freshUntil: freshUntil), claims: claims,
          payloadPart: nil, validity: validity, subject: subject))
    } catch {
      return .refused(error, issuer: issuer, subject: ClaimsCheck.subjectText(claims))
    }
  }

  /// Of a token whose own claims count, because they were proved here: what the answer says beside must agree.
  /// - Parameter caller: what the checks here gave.
  package func verdict(confirming caller: Caller, issuers: [IssuerRules], now: Int64) -> Verdict {
    guard let issuer = caller.issuer, issuers.indices.contains(issuer) else {
      return .refused(.issuerUnknown, issuer: nil)
    }
    let rules = issuers[issuer]
    let subject = ClaimsCheck.subjectText(caller.claims)
    do throws(TokenRefusal) {
      guard claims.kind(claims.root) == .object else { throw .claimInvalid }
      if claims.member(IssuerCheck.iss, of: claims.root) != nil { try IssuerCheck.checkNamed(claims, rules) }
      let validity = try TimeCheck.period(claims, leeway: rules.leewaySeconds, now: now)
      if claims.member(ClaimsCheck.aud, of: claims.root) != nil { try ClaimsCheck.checkAudience(claims, rules) }
      if let named = ClaimsCheck.subjectText(claims), let subject, named != subject { throw .claimInvalid }
      guard let confirmed = caller.confirmed(freshUntil: freshUntil, endsAt: validity.endsAt) else {
        throw .claimInvalid
      }
      return .caller(confirmed)
    } catch {
      return .refused(error, issuer: issuer, subject: subject)
    }
  }
}
