// What the file says of one login, as the service needs it.

package import Configuration
internal import Tokens

package struct LoginRules: Sendable, Equatable {
  /// The session's name in the file.
  package var session: String
  /// The provider: whose ID tokens are taken.
  package var issuer: Issuer
  package var login: SessionLogin

  package init(session: String, issuer: Issuer, login: SessionLogin) {
    self.session = session
    self.issuer = issuer
    self.login = login
  }

  /// The rules for its ID tokens: those of the issuer, but for the audience, which is the client.
  var idTokenRules: IssuerRules { rules(for: "id_token+jwt", requiring: ["exp", "iat", "sub"]) }

  /// The rules for its logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.6).
  var logoutTokenRules: IssuerRules { rules(for: "logout+jwt", requiring: ["iat"]) }

  private func rules(for purpose: String, requiring claims: [String]) -> IssuerRules {
    var policy = issuer.policy
    policy.audiences = [login.clientID]
    policy.tokenTypes = nil
    policy.purpose = purpose
    policy.requiredClaims = claims
    policy.maxAgeSeconds = nil
    return IssuerRules(policy)
  }

  /// What begins when a person has signed in. Only what is of use later is kept of the tokens.
  func session(of person: SignedIn, now: Int64) -> NewSession {
    let isForwarded = login.forward == .accessToken
    let isRefreshed = login.refresh && person.refreshToken != nil
    let end = person.accessTokenEndsAt ?? .max
    let tokens = ProviderTokens(
      accessToken: isForwarded ? Array(person.accessToken.utf8) : [],
      refreshToken: isRefreshed ? Array((person.refreshToken ?? "").utf8) : [], idToken: Array(person.idToken.utf8),
      issuedAt: now, endsAt: max(now, end))
    // Without its access token the session would be of no use to services.
    let isEnding = isForwarded && !isRefreshed && end < .max
    return NewSession(
      claims: person.claims, issuer: issuer.name, tokens: tokens.encoded, lifetimeSeconds: isEnding ? end - now : nil)
  }
}
