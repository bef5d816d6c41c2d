// What the file says of one login, as the service needs it.

package import Configuration
internal import Tokens

package struct LoginRules: Sendable, Equatable {
  /// The session's name in the file.
  package var session: String
  /// The provider: whose ID tokens are taken.
  package var issuer: Issuer
  package var login: SessionLogin
  /// The ways to sign in that routes of the session require (`acr`). Nobody can ask the provider for others.
  package var contexts: Set<String>

  package init(session: String, issuer: Issuer, login: SessionLogin, contexts: Set<String> = []) {
    self.contexts = contexts
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
    policy.jwtQuestion = nil
    return IssuerRules(policy)
  }

  /// What begins when a person has signed in. Only what is of use later is kept of the tokens.
  func session(of person: SignedIn, now: Int64) -> NewSession {
    let tokens = kept(person.tokens, now: now)
    // Without its access token the session would be of no use to services.
    let isEnding = login.forward == .accessToken && tokens.refreshToken.isEmpty && tokens.endsAt < .max
    return NewSession(
      claims: person.claims, issuer: issuer.name, tokens: tokens.encoded,
      lifetimeSeconds: isEnding ? tokens.endsAt - now : nil)
  }

  /// - Parameter before: what the provider does not replace stays good (RFC 6749 §6).
  func kept(_ grant: TokenGrant, before: ProviderTokens? = nil, now: Int64) -> ProviderTokens {
    func bytes(_ text: String?, _ before: [UInt8]?) -> [UInt8] { text.map { Array($0.utf8) } ?? before ?? [] }
    return ProviderTokens(
      accessToken: login.forward == .accessToken ? Array(grant.accessToken.utf8) : [],
      refreshToken: login.refresh ? bytes(grant.refreshToken, before?.refreshToken) : [],
      idToken: bytes(grant.idToken, before?.idToken), issuedAt: now,
      endsAt: grant.expiresInSeconds.map { now + min($0, 1 << 40) } ?? .max)
  }
}
