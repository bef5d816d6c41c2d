// Who may sign tokens, where its keys come from, and what a token of it must say.

package import Tokens

package struct Issuer: Sendable, Equatable {
  /// The name in the file, in metrics and in logs. Never `public`.
  package var name: String
  /// What the checker of tokens needs to know.
  package var policy: IssuerPolicy
  package var keys: KeySource
  /// In shadow its tokens are checked, and pass without identity whatever that finds.
  package var mode = RuleMode.enforce
  /// `refresh:` 1 s or more.
  package var refresh = Duration.seconds(600)
  /// How long the last good keys serve while the issuer is down.
  package var stale = Duration.seconds(24 * 3600)
  /// PEM file with the trust anchors for the fetch. Nil is the system's store.
  package var certificateAuthority: String?
  /// The file with the bearer token that the issuer's own host gets with each fetch. Already resolved.
  package var tokenFile: String?
  /// nil asks nobody about tokens that are not JWTs.
  package var introspection: Introspection?
  /// Index into ``GatewayConfiguration/stores``: where the fleet remembers proofs. Nil remembers them in this process.
  package var proofStore: Int?
  /// Nil looks in no list.
  package var revocation: Revocation?
  /// Whether an http:// key URL on a host that is not loopback is allowed.
  package var isInsecureAllowed = false

  package init(name: String, policy: IssuerPolicy, keys: KeySource) {
    self.name = name
    self.policy = policy
    self.keys = keys
  }
}

package enum KeySource: Sendable, Equatable {
  /// A key set written into the file, as JSON text.
  case inline([UInt8])
  /// A file, picked up when it changes. Absolute, or relative to the configuration file's folder (already resolved).
  case file(String)
  /// An http(s) URL of a key set, unchanged.
  case url(String)
  /// Discovery documents of this issuer URL: OpenID, then RFC 8414.
  case discovery(issuer: String)
  /// Nowhere: the issuer is asked about each token.
  case absent
}

extension Issuer {
  static let settings = Settings<Issuer>(
    "issuers{}", title: "an issuer",
    blank: Issuer(name: "", policy: IssuerPolicy(issuer: "", audiences: []), keys: .inline([])),
    finish: { issuer, section in section.reading.finish(&issuer, section) }, policySettings + keySettings)

  private static let policySettings: [Setting<Issuer>] = [
    Setting(
      "issuer", \.policy.issuer, .line(), "Must equal the token's `iss`, byte by byte.",
      required: "write what the tokens' 'iss' says"),
    Setting(
      "tenants", .tenants,
      "Who may come of the many that the issuer signs for. `issuer` then has `{tid}` where `iss` has the tenant's name, and "
        + "the claim `tid` must say the same. Any claim's name will do. Requires `jwks`.", otherwise: "none",
      store: { issuer, names in
        issuer.policy.tenants = TenantPolicy(prefix: "", suffix: "", claim: "", names: names)
      }),
    Setting(
      "audiences", \.policy.audiences, .names("list", item: "an audience", isEmptyAllowed: true),
      "One of them must be in `aud`. `[]` accepts tokens for anyone, which is a warning.",
      required: "write audiences: [name-of-this-api], or [] if tokens for anyone may pass"),
    Setting(
      "algorithms", \.policy.algorithms, .algorithms,
      "Signature algorithms that are accepted. `HS256`, `HS384` and `HS512` only when named, with an `oct` key.",
      otherwise: "every asymmetric one"),
    Setting(
      "token_types", \.policy.tokenTypes, .tokenTypes, "Allowed `typ` values, with or without `application/`.",
      otherwise: "any except those of other kinds of tokens"),
    Setting(
      "leeway", \.policy.leewaySeconds, .seconds(from: .zero, to: .minutes(5)),
      "How far clocks may differ, for `exp`, `nbf` and `iat`."),
    Setting(
      "max_age", \.policy.maxAgeSeconds, .seconds(from: .seconds(1), to: .days(3650)),
      "How long ago a token may have been issued. `iat` is then required."),
    Setting(
      "required_claims", \.policy.requiredClaims, .names("list", item: "a claim", isEmptyAllowed: true),
      "Claims that a token must have. Without `exp` in it a token may never expire, which is a warning."),
    Setting(
      "mode", \.mode, .choice,
      "`shadow` checks, logs and counts the tokens that name this issuer. All of them pass, without identity."),
  ]

  private static let keySettings: [Setting<Issuer>] = [
    Setting(
      "discovery", .discovery,
      "Finds the keys at `<issuer>/.well-known/openid-configuration`, or as RFC 8414 has it. `false` without `jwks` is for an "
        + "issuer with `introspection` alone, which is asked about each token.",
      otherwise: "true without `jwks`",
      store: { issuer, isDiscovered in
        if isDiscovered { issuer.keys = .discovery(issuer: issuer.policy.issuer) }
      }),
    Setting(
      "jwks", .keySource, "Where the keys are, instead of discovery.",
      store: { issuer, keys in
        // Both are an error, which is reported once all keys are read.
        if case .discovery = issuer.keys { return }
        issuer.keys = keys
      }),
    Setting(
      "refresh", \.refresh, .duration(from: .seconds(1), to: .days(7)),
      "How often keys are fetched, in the background. A `Cache-Control: max-age` less the `Age` counts instead, "
        + "between 1m and 24h."),
    Setting(
      "stale", \.stale, .duration(from: .zero, to: .days(30)),
      "How long the last good keys serve while the issuer is down."),
    Setting(
      "ca", \.certificateAuthority, .trustFile, "The authorities that the fetch trusts.",
      otherwise: "the system's trust store"),
    Setting(
      "token", \.tokenFile, .tokenFile,
      "`file:/path` of a bearer token that the fetch shows to the host of `jwks` or `issuer`, and to no other. The file is "
        + "read each time."),
    Setting(
      "introspection", \.introspection, .mapping(Introspection.settings),
      "Asks the issuer about tokens (RFC 7662).", otherwise: "tokens that are not JWTs are refused"),
    Setting(
      "dpop", .mapping(ProofRules.settings),
      "How proofs for its tokens are checked (RFC 9449), which they are in any case.", otherwise: "the defaults below",
      store: { issuer, rules in
        issuer.policy.proofWindowSeconds = rules.windowSeconds
        issuer.policy.isProofNonceDemanded = rules.isNonceDemanded
        issuer.proofStore = rules.store
      }),
    Setting(
      "insecure", \.isInsecureAllowed, .boolean,
      "Allows plain http for keys, and for introspection, from a host that is not loopback."),
    Setting(
      "revocation", \.revocation, .mapping(Revocation.settings),
      "Tokens that the issuer has taken back before their end.", otherwise: "no token is looked for in any list"),
  ]
}
