// Assertions: what the gateway signs about a caller, so that services need not believe the network.

package import Tokens

/// One of `assertions:`.
package struct AssertionRules: Sendable, Equatable {
  /// The raw values are what the header's `typ` says.
  package enum TokenType: String, Sendable, CaseIterable {
    case jwt = "JWT"
    /// Of a transaction token.
    case transaction = "txntoken+jwt"
  }

  /// The name in the file.
  package var name: String
  /// `iss`.
  package var issuer: String
  /// A folder of private keys, or one of them. Already resolved.
  package var keys: String
  package var algorithm = SignatureAlgorithm.es256
  /// How old a key gets before the gateway makes another one. Nil where somebody else puts them there.
  package var rotation: Duration?
  package var lifetime = Duration.seconds(60)
  /// Those of the caller's claims that are copied.
  package var claims = [ClaimPath("sub")]
  package var type = TokenType.jwt

  package init(name: String, issuer: String, keys: String) {
    self.name = name
    self.issuer = issuer
    self.keys = keys
  }
}

/// `assertion:` of a route's `identity`.
package struct IdentityAssertion: Sendable, Hashable {
  /// Index into ``GatewayConfiguration/assertions``.
  package var signer: Int
  package var header = "X-Assertion"
  /// `aud`.
  package var audience: String
}

/// `token:` of an exchange: a short pass for a session.
package struct SessionPass: Sendable, Equatable {
  /// Index into ``GatewayConfiguration/assertions``.
  package var signer: Int
  /// `aud`.
  package var audience: String
}

extension AssertionRules {
  static let settings = Settings<AssertionRules>(
    "assertions{}", title: "an assertion",
    example: "internal: { issuer: https://gateway.example.com, keys: keys/assertion }",
    blank: AssertionRules(name: "", issuer: "", keys: ""),
    finish: { rules, section in section.reading.check(rules, section) },
    [
      Setting(
        "issuer", \.issuer, .line(), "What `iss` says.", required: "write issuer: https://gateway.example.com"),
      Setting(
        "keys", \.keys, .path("folder or file"),
        "A folder of private keys, or one of them: PEM files and JWKs (`.pem`, `.key`, `.jwk`, `.json`). The newest file "
          + "signs, a minute after it came, and the public halves of all are shown by `respond: { key_set: NAME }`. "
          + "Changes are noticed.",
        required: "write keys: keys/assertion, with a key by 'catraca token key --out keys/assertion/1.pem'"),
      Setting("algorithm", \.algorithm, .assertionAlgorithm, "What is signed with."),
      Setting(
        "rotate", \.rotation, .wholeSeconds(from: .hours(1), to: .days(365)),
        "How old a key gets before the gateway makes another one in the folder `keys`, which it may write to. It removes "
          + "those that it made and needs no more. For one gateway: a fleet is given its keys.",
        otherwise: "never: keys are put there"),
      Setting(
        "lifetime", \.lifetime, .wholeSeconds(from: .seconds(2), to: .hours(1)),
        "Until `exp`, which is never past the end of the caller's own credential. After half of it another one is signed."
      ),
      Setting(
        "claims", \.claims, .assertionClaims,
        "The caller's claims that are copied, with dots for nested ones. One that is missing is left out."),
      Setting("type", \.type, .choice, "What `typ` of the header says."),
    ])
}

extension IdentityAssertion {
  static let settings = Settings<IdentityAssertion>(
    "routes[].identity.assertion", title: "'assertion'", example: "assertion: { name: internal, audience: orders }",
    blank: IdentityAssertion(signer: 0, audience: ""),
    [
      Setting("name", \.signer, .assertionName, "One of `assertions`.", required: "write name: NAME"),
      Setting("header", \.header, .identityName, "The header that carries it. Clients cannot send it, on any route."),
      Setting(
        "audience", \.audience, .line(), "What `aud` says: the service's own name.",
        required: "write audience: NAME-OF-THE-SERVICE"),
    ])
}
