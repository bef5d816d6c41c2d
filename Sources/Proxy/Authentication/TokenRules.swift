// What `auth` of a route says of tokens, prepared.

import Configuration
import Tokens

/// Whose tokens pass, where they are looked for, and whether one may be missing.
struct TokenRules: Sendable {
  let issuers: [Int]
  /// Indices of the sessions whose cookies count where there is no token.
  let sessions: [Int]
  let sources: [TokenSource]
  /// Where API keys are looked for when there is no token.
  let keyPlaces: [APIKeyPlace]
  let isOptional: Bool
  /// How a token has to be bound to its sender, beside what it says itself.
  let proof: ProofDemand
  /// Whether a proof has to have a nonce, for some of the issuers.
  let isNonceDemanded: Bool
  /// Whether nobody is refused, and nobody is known.
  let isShadow: Bool
  /// Issuers of the route whose tokens pass unknown, whatever is found.
  let shadowIssuers: [Int]
  let access: AccessRules
  /// Whom tokens of some issuers may be for here: they may be for more on other routes.
  let audiences: [RouteAudience]
  /// The challenge's `scope` attribute.
  let scopeText: String
  let challenge: ChallengeLines
  /// Nil where the route does not say how people sign in.
  let stepUp: StepUp?
  /// Whether browsers without a session are sent to sign in.
  let isRedirected: Bool
  /// Whether Authorization may hold a token, as Bearer or as Basic, that no service may take for a verified one. In
  /// shadow all of these let pass what the client sent, as on a public route.
  let isAuthorizationSource: Bool
  let isBasicSource: Bool
  /// Whether `DPoP` may hold a proof, which then goes to no service.
  let isProofSource: Bool
  /// Whether services may get the access token of a session.
  let isSessionTokenForwarded: Bool
  let isWebSocketProtocolSource: Bool
  let headerSources: FieldNameSet
  /// Names of cookies and query parameters that may hold a token, and of the cookies of all sessions.
  let cookieSources: [LenientName]
  let querySources: [LenientName]

  /// - Parameters:
  ///   - requirement: nil where no token is looked at.
  ///   - apiKeys: of the whole file, as the three below.
  ///   - nonceIssuers: of the whole file, those whose proofs need nonces.
  ///   - sessionCookies: of the whole file. They go to no service, whatever the route (T106).
  ///   - isSessionTokenForwarded: of one of the route's sessions, and the route's rules leave Authorization alone.
  ///   - sets: those of field names that there are.
  init(
    _ requirement: TokenRequirement?, apiKeys: [APIKeySet], shadowIssuers: [Int], nonceIssuers: [Int],
    sessionCookies: [LenientName], isSessionTokenForwarded: Bool, _ sets: inout FieldNameSets
  ) {
    self.isSessionTokenForwarded = isSessionTokenForwarded
    issuers = requirement?.issuers ?? []
    sessions = requirement?.sessions ?? []
    isShadow = requirement?.mode == .shadow
    self.shadowIssuers =
      shadowIssuers.isEmpty ? [] : shadowIssuers.filter { requirement?.issuers.contains($0) ?? false }
    self.sources = requirement?.sources ?? []
    keyPlaces = APIKeyPlace.of(requirement?.apiKeys ?? [], in: apiKeys)
    let sources = isShadow ? [] : keyPlaces.isEmpty ? self.sources : self.sources + keyPlaces.map(\.source)
    isOptional = requirement?.isOptional ?? false
    proof = requirement?.proof ?? .none
    isNonceDemanded = !nonceIssuers.isEmpty && issuers.contains { nonceIssuers.contains($0) }
    access = AccessRules(scopes: requirement?.scopes ?? ScopeRequirement(), claims: requirement?.claims ?? [])
    audiences = (requirement?.audiences ?? []).map(RouteAudience.init)
    scopeText = requirement?.scopes.names.joined(separator: " ") ?? ""
    isBasicSource = sources.contains(.basic)
    isProofSource = sources.contains(.authorization)
    isAuthorizationSource = isBasicSource || sources.contains(.authorization)
    challenge = .of(requirement, takesBasic: isBasicSource)
    stepUp = requirement.flatMap { StepUp($0) }
    isRedirected = requirement?.challenge.isRedirected ?? false
    isWebSocketProtocolSource = sources.contains(.webSocketProtocol)
    headerSources = sets.of(sources.compactMap { if case .value(.header(let name)) = $0 { name } else { nil } })
    cookieSources =
      sources.compactMap { if case .value(.cookie(let name)) = $0 { LenientName(name) } else { nil } } + sessionCookies
    querySources = sources.compactMap { if case .value(.query(let name)) = $0 { LenientName(name) } else { nil } }
  }
}

extension TokenRules {
  /// For a request without any credential.
  var refusalOfNothing: TokenRefusal {
    if !sessions.isEmpty { return .sessionMissing }
    return sources.isEmpty && !keyPlaces.isEmpty ? .apiKeyMissing : .tokenMissing
  }

  /// What a page has to read of an answer to make its next proof. Empty where no nonce is demanded.
  var fieldsForProofs: [String] { isNonceDemanded ? ["DPoP-Nonce", "WWW-Authenticate"] : [] }

  /// Whether a token is looked for in Authorization.
  var looksAtAuthorization: Bool { sources.contains(.authorization) || sources.contains(.basic) }

  /// Whether what is found of a token of this issuer counts for nothing. Nil is a credential that names none.
  func isInShadow(_ issuer: Int?) -> Bool {
    isShadow || !shadowIssuers.isEmpty && issuer.map { shadowIssuers.contains($0) } ?? false
  }
}

/// What of an issuer's audiences counts on one route.
struct RouteAudience: Sendable {
  let issuer: Int
  private let audiences: [[UInt8]]
  /// For people.
  let text: String

  init(_ rule: IssuerAudiences) {
    issuer = rule.issuer
    text = rule.audiences.joined(separator: ", ")
    audiences = rule.audiences.map { Array($0.utf8) }
  }

  /// The audience of a session is its client: there is none to look at.
  func allows(_ caller: Caller) -> Bool {
    caller.issuer != issuer || caller.isOfSession || caller.hasAudience(among: audiences)
  }
}

/// How a person must have signed in (`acr`, OpenID Connect Core 1.0 §2).
struct StepUp: Sendable {
  let requirement: ClaimRequirement
  /// With a space between, as `acr_values` has them.
  let values: String

  /// Nil where the route requires nothing of that, or takes no session.
  init?(_ requirement: TokenRequirement) {
    guard !requirement.sessions.isEmpty, let claim = requirement.claims.first(where: { $0.isContext }) else {
      return nil
    }
    self.requirement = claim
    values = claim.contexts.joined(separator: " ")
    if values.isEmpty { return nil }
  }
}
