// What a test of the file writes in place of a credential that no file should have: a key, a cookie, a certificate.

/// `api_key:` of a test: the name of an entry, in place of its key.
package struct TestAPIKey: Sendable, Equatable {
  /// Index into ``GatewayConfiguration/apiKeys``.
  package var set = 0
  package var id = ""
  package var position = SourcePosition.start

  package init() {}
}

/// `session:` of a test: claims, in place of a session that somebody has begun.
package struct TestSession: Sendable, Equatable {
  /// Index into ``GatewayConfiguration/sessions``.
  package var session = 0
  /// Index into ``GatewayConfiguration/issuers``. Nil stands for the one that the session's rules name first.
  package var issuer: Int?
  package var claims: [TestToken.Claim] = []

  package init() {}
}

/// `certificate:` of a test: what is read of a client's certificate, in place of one.
package struct TestCertificate: Sendable, Equatable {
  /// RFC 2253.
  package var subject = ""
  package var alternativeNames = ""
  /// SHA-256 in base64url, as in `x5t#S256` (RFC 8705 §3.1).
  package var thumbprint = String(repeating: "A", count: 43)

  package init() {}
}

extension TestAPIKey {
  static let settings = Settings<TestAPIKey>(
    "tests[].api_key", title: "'api_key'", example: "api_key: { set: partners, id: acme }", blank: TestAPIKey(),
    finish: { key, section in key.position = section.position },
    [
      Setting("set", \.set, .testAPIKeySet, "One of `api_keys`.", required: "write set: NAME"),
      Setting("id", \.id, .line(), "The `id` of its entry.", required: "write id: NAME"),
    ])
}

extension TestSession {
  static let settings = Settings<TestSession>(
    "tests[].session", title: "'session'", example: "session: { name: web, claims: { sub: ada } }",
    blank: TestSession(),
    [
      Setting("name", \.session, .testSession, "One of `sessions`.", required: "write name: NAME"),
      Setting(
        "issuer", .testIssuer, "Whose token the session began with, one of `issuers`.",
        otherwise: "that of its `login`, or the first of its `exchange`",
        store: { session, issuer in session.issuer = issuer }),
      Setting(
        "claims", \.claims, .testClaims,
        "Its claims, beside `iss`, `aud`, `iat` and `exp`, as those of a token are.", otherwise: "none"),
    ])
}

extension TestCertificate {
  static let settings = Settings<TestCertificate>(
    "tests[].certificate", title: "'certificate'", example: "certificate: { subject: \"CN=ada\" }",
    blank: TestCertificate(),
    [
      Setting("subject", \.subject, .line(), "`tls.subject`.", otherwise: "empty"),
      Setting("san", \.alternativeNames, .line(), "`tls.san`, such as `DNS:a.example`.", otherwise: "empty"),
      Setting(
        "thumbprint", \.thumbprint, .testThumbprint,
        "`tls.thumbprint`: the SHA-256 digest in base64url, as a token has it in `cnf` (`x5t#S256`).",
        otherwise: "43 times `A`"),
    ])
}
