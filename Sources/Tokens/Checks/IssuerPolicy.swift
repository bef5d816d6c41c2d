// What an operator requires of the tokens of one issuer. Made by the configuration, obeyed by the checks.

/// The rules for the tokens of one issuer. Times in whole seconds (RFC 7519 NumericDate).
package struct IssuerPolicy: Sendable, Equatable {
  /// Must equal `iss`, byte by byte (RFC 7519 §4.1.1). With ``tenants`` it has the place of the tenant's name in it.
  package var issuer: String
  /// Nil where there is one issuer only.
  package var tenants: TenantPolicy?
  /// One of them must be in `aud`. Empty (only if the file writes `[]`) means that `aud` is not looked at.
  package var audiences: [String]
  /// Checked before any arithmetic (RFC 8725 §3.1). HS only when the file names it.
  package var algorithms: Set<SignatureAlgorithm> = SignatureAlgorithm.asymmetric
  /// Allowed `typ` values in lower case without `application/`. Nil takes any but those known to be other things (RFC
  /// 8725 §3.11): `logout+jwt`, `dpop+jwt`, `secevent+jwt`, `id_token+jwt`… and none at all is then allowed.
  package var tokenTypes: [String]?
  /// Of the other things, the one that these tokens are, such as `logout+jwt`. Nil for access tokens.
  package var purpose: String?
  package var leewaySeconds: Int64 = 30
  /// Bound on now - iat. `iat` is then required.
  package var maxAgeSeconds: Int64?
  package var requiredClaims: [String] = ["exp"]
  /// Whether a token that is not a JWT is the issuer's to explain (RFC 7662).
  package var isAskedForOpaqueTokens = false
  /// Whether the issuer is asked about its JWTs as well. Nil where they are checked here alone.
  package var jwtQuestion: JWTQuestion?
  /// How long ago a proof may have been made (RFC 9449 §11.1).
  package var proofWindowSeconds: Int64 = 60
  /// Whether a proof must have a nonce of the gateway's (RFC 9449 §9).
  package var isProofNonceDemanded = false

  package init(issuer: String, audiences: [String]) {
    self.issuer = issuer
    self.audiences = audiences
  }
}

extension IssuerPolicy {
  /// What `iss` may say.
  package var issuers: [String] { tenants?.issuers ?? [issuer] }

  /// Whether both judge the tokens of a tenant that both list alike.
  package func isLike(_ other: IssuerPolicy) -> Bool {
    var other = other
    other.tenants?.names = tenants?.names ?? []
    return self == other
  }
}

/// When an issuer is asked about a JWT (RFC 7662).
package enum JWTQuestion: Sendable, Equatable {
  /// After all checks, whether it still counts.
  case confirmation
  /// In place of the signature, because the issuer has no keys here.
  case signature
}

/// `tenants:` of an issuer that signs for many, each under an `iss` of its own.
package struct TenantPolicy: Sendable, Equatable {
  /// What is before and behind the tenant's name in `iss`.
  package var prefix: String
  package var suffix: String
  /// The claim that must have the name as well.
  package var claim: String
  /// Those whose tokens are taken.
  package var names: [String]

  package init(prefix: String, suffix: String, claim: String, names: [String]) {
    self.prefix = prefix
    self.suffix = suffix
    self.claim = claim
    self.names = names
  }

  fileprivate var issuers: [String] { names.map { prefix + $0 + suffix } }
}

/// `claims:` of a route: the claim must equal one of the values, or be a list that contains one.
package struct ClaimRequirement: Sendable, Equatable {
  package enum Value: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case boolean(Bool)
    /// Text that begins or ends so. Never empty.
    case prefix(String)
    case suffix(String)

    /// For people.
    package var text: String {
      switch self {
      case .string(let text): text
      case .integer(let number): "\(number)"
      case .boolean(let value): "\(value)"
      case .prefix(let text): "\(text)…"
      case .suffix(let text): "…\(text)"
      }
    }
  }

  package var claim: ClaimPath
  package var values: [Value]

  package init(claim: ClaimPath, values: [Value]) {
    self.claim = claim
    self.values = values
  }

  /// Whether it says how people must have signed in.
  package var isContext: Bool { claim.parts == ["acr"] }

  /// Those of the values that a provider can be asked for in `acr_values`.
  package var contexts: [String] {
    values.compactMap { value in
      guard case .string(let text) = value, !text.isEmpty else { return nil }
      let isClean = text.utf8.allSatisfy {
        $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
      }
      return isClean ? text : nil
    }
  }
}

/// `scopes:` of a route.
package struct ScopeRequirement: Sendable, Equatable {
  package var names: [String]
  /// One of them is enough.
  package var isAny: Bool

  package init(_ names: [String] = [], isAny: Bool = false) {
    self.names = names
    self.isAny = isAny
  }

  /// Whether a caller that has these always has the others, too.
  package func implies(_ others: ScopeRequirement) -> Bool {
    if others.names.isEmpty { return true }
    let (own, theirs) = (Set(names), Set(others.names))
    // One name is both all and any.
    let isAny = isAny && own.count > 1
    if others.isAny { return isAny ? own.isSubset(of: theirs) : !own.isDisjoint(with: theirs) }
    return !isAny && own.isSuperset(of: theirs)
  }
}
