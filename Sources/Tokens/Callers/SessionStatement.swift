// What a store keeps of a session and says of it, and what is asked of the store.

import Bytes
package import JSON

/// A session that begins.
package struct SessionRecord: Sendable {
  /// The name of the session's rules. Under another name the cookie is none.
  package var session: String
  /// The name of the issuer, since its index may be another after a reload.
  package var issuer: String
  package var subject: [UInt8]
  /// `sid`, by which an issuer can end it. Empty without one.
  package var providerSession: [UInt8]
  /// The text of a JSON object.
  package var claims: [UInt8]
  package var lifetimeSeconds: Int64
  package var idleSeconds: Int64
  /// The tokens of the provider, as the control plane encodes them. Empty without any.
  package var tokens: [UInt8] = []

  package init(
    session: String, issuer: String, subject: [UInt8], providerSession: [UInt8], claims: [UInt8],
    lifetimeSeconds: Int64, idleSeconds: Int64
  ) {
    self.session = session
    self.issuer = issuer
    self.subject = subject
    self.providerSession = providerSession
    self.claims = claims
    self.lifetimeSeconds = lifetimeSeconds
    self.idleSeconds = idleSeconds
  }

  /// Of a caller that was proved.
  /// - Parameter issuer: its name.
  package init(
    _ session: String, of caller: Caller, issuer: String, lifetimeSeconds: Int64, idleSeconds: Int64
  ) {
    self.init(
      session, claims: caller.claims, issuer: issuer, lifetimeSeconds: lifetimeSeconds, idleSeconds: idleSeconds)
  }

  /// Of claims that were proved.
  package init(
    _ session: String, claims document: JSONDocument, issuer: String, lifetimeSeconds: Int64, idleSeconds: Int64
  ) {
    func text(_ name: String) -> [UInt8] {
      let node = document.member(name.utf8.span, of: document.root)
      return node.flatMap { document.stringBytes(at: $0) } ?? []
    }
    self.init(
      session: session, issuer: issuer, subject: text("sub"), providerSession: text("sid"), claims: document.bytes,
      lifetimeSeconds: lifetimeSeconds, idleSeconds: idleSeconds)
  }
}

/// What is asked of the store of a session.
package enum SessionChange: Sendable {
  /// - Parameter replaced: the digest of the cookie that the browser sent before. That session ends.
  case begin(SessionRecord, digest: [UInt8], replaced: [UInt8]?)
  /// - Parameter session: the name of its rules.
  case end(digest: [UInt8], session: String)
}

/// What a store says of a session that it has.
package struct SessionStatement: Sendable {
  /// The name of its issuer.
  package let issuer: String
  /// The text of a JSON object.
  package let claims: [UInt8]
  /// The first second in which it is over, used or not.
  package let endsAt: Int64
  /// See ``SessionRecord/tokens``.
  package let tokens: [UInt8]
  /// For so long it may be remembered, at most.
  package let freshSeconds: Int64
  /// All that the store has of it, to be compared with what it says the next time. Empty where that is not done.
  package let stored: [UInt8]

  package init(
    issuer: String, claims: [UInt8], endsAt: Int64, tokens: [UInt8] = [], freshSeconds: Int64 = .max,
    stored: [UInt8] = []
  ) {
    self.tokens = tokens
    self.stored = stored
    self.freshSeconds = freshSeconds
    self.issuer = issuer
    self.claims = claims
    self.endsAt = endsAt
  }

  /// The claims obeyed the issuer's rules when the session began. Who signed them must still be the issuer.
  /// - Parameters:
  ///   - issuer: its index now. Nil when there is none of that name.
  ///   - provided: what of the provider's tokens counts under the session's rules.
  ///   - seconds: how long the caller may be remembered.
  package func verdict(
    on session: SessionKey, of index: Int, issuer: Int?, issuers: [IssuerRules], provided: ProviderTokens?,
    rememberedFor seconds: Int64, now: Int64
  ) -> Verdict {
    guard let issuer, issuers.indices.contains(issuer), now < endsAt,
      let claims = try? JSONDocument(claims), claims.kind(claims.root) == .object
    else { return .refused(.sessionExpired, issuer: nil) }
    do throws(TokenRefusal) {
      try IssuerCheck.checkNamed(claims, issuers[issuer])
      let key = session.bytes
      let freshUntil = min(now &+ min(seconds, freshSeconds), provided?.nextLook(after: now) ?? .max)
      return .caller(
        Caller(
          credential: key.span, issuer: issuer, proof: .answer(.session(index), freshUntil: freshUntil),
          claims: claims, payloadPart: nil, validity: TimeCheck.Validity(beginsAt: .min, endsAt: endsAt),
          subject: try ClaimsCheck.subject(claims), accessToken: provided?.accessToken ?? [],
          storedValue: storedValue(provided, now: now)))
    } catch {
      return .refused(error, issuer: issuer)
    }
  }

  private func storedValue(_ provided: ProviderTokens?, now: Int64) -> StoredValue? {
    if stored.isEmpty { return nil }
    let refreshAt = provided?.refreshAt ?? .max
    let holdsUntil = min(now &+ freshSeconds, refreshAt)
    return now < holdsUntil ? StoredValue(bytes: stored, holdsUntil: holdsUntil) : nil
  }
}
