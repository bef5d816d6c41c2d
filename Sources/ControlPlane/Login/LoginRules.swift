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
  var idTokenRules: IssuerRules {
    var policy = issuer.policy
    policy.audiences = [login.clientID]
    policy.tokenTypes = nil
    policy.purpose = "id_token+jwt"
    policy.requiredClaims = ["exp", "iat", "sub"]
    policy.maxAgeSeconds = nil
    return IssuerRules(policy)
  }
}
