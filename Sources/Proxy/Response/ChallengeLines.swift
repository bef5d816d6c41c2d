// What `WWW-Authenticate` of a refusal says (RFC 6750 §3): the route's own realm and service, the error, and the scopes
// that are missing.

import Configuration
import Tokens

/// The challenge of a route, prepared up to what differs between refusals.
struct ChallengeLines: Sendable {
  private let bearer: String
  /// The same for tokens that are bound to a key (RFC 9449 §7.1).
  private let dpop: String
  private let demand: ProofDemand
  /// Behind a 401, for programs that send a password only when they are asked for one (RFC 7617 §2).
  private let basic: String
  /// Where a client learns who gives tokens (RFC 9728 §5.1). Empty without a resource.
  private let metadata: String
  /// All that the route requires, for a client that looks for the way in. Empty without a resource.
  private let scope: String

  /// - Parameter scheme: of the first challenge.
  init(
    _ rules: ChallengeRules, takesBasic: Bool, scheme: String = "Bearer", demand: ProofDemand = .none,
    resource: ProtectedResource? = nil, scopes: [String] = []
  ) {
    self.demand = demand
    // Checked to have neither quotes nor backslashes.
    let service = rules.service.map { ",service=\"\($0)\"" } ?? ""
    bearer = "WWW-Authenticate: \(scheme) realm=\"\(rules.realm)\"\(service)"
    dpop = "WWW-Authenticate: DPoP realm=\"\(rules.realm)\"\(service), algs=\"\(Self.algorithms)\""
    basic = takesBasic ? "WWW-Authenticate: Basic realm=\"\(rules.realm)\", charset=\"UTF-8\"\r\n" : ""
    // Checked to have neither, too.
    metadata = resource.map { ", resource_metadata=\"\($0.metadata)\"" } ?? ""
    scope = resource == nil || scopes.isEmpty ? "" : ", scope=\"\(scopes.joined(separator: " "))\""
  }

  /// What a proof may be signed with.
  private static let algorithms = SignatureAlgorithm.allCases.filter { !$0.isSymmetric }.map(\.rawValue)
    .joined(separator: " ")

  private static let standard = ChallengeLines(ChallengeRules(), takesBasic: false)

  /// Of a route. Most say nothing of their own, and share these lines.
  static func of(_ requirement: TokenRequirement?, takesBasic: Bool) -> ChallengeLines {
    guard let requirement else { return standard }
    let takesTokens = !requirement.sources.isEmpty
    if requirement.challenge == ChallengeRules(), !takesBasic, takesTokens, requirement.resource == nil,
      requirement.proof == .none
    {
      return standard
    }
    // No scheme is registered for keys and for cookies.
    let scheme = takesTokens ? "Bearer" : requirement.apiKeys.isEmpty ? "Cookie" : "ApiKey"
    return ChallengeLines(
      requirement.challenge, takesBasic: takesBasic, scheme: scheme, demand: requirement.proof,
      resource: requirement.resource, scopes: requirement.scopes.names)
  }

  /// - Parameter operation: of GraphQL, which may require more than its route.
  static func lines(of challenge: Challenge, _ route: CompiledRoute?, _ operation: RequestedOperation? = nil) -> String
  {
    let own = route?.token.challenge ?? standard
    return switch challenge {
    case .none: ""
    case .bearer:
      own.lines((operation?.requiredScopes.map { ", scope=\"\($0)\"" } ?? own.scope) + own.metadata) + own.basic
    case .invalidToken: own.lines(", error=\"invalid_token\"" + own.scope + own.metadata) + own.basic
    case .insufficientScope: own.lines(", error=\"insufficient_scope\"" + own.scope + own.metadata)
    case .insufficientScopeOfRoute:
      own.lines(
        ", error=\"insufficient_scope\""
          + (route.map { ", scope=\"\(operation?.requiredScopes ?? $0.token.scopeText)\"" } ?? "") + own.metadata)
    case .insufficientAuthenticationOfRoute:
      own.bearer + ", error=\"insufficient_user_authentication\""
        + (route?.token.stepUp.map { ", acr_values=\"\($0.values)\"" } ?? "") + "\r\n"
    case .boundToken: own.lines(", error=\"invalid_token\"" + own.metadata, isBound: true)
    case .invalidProof: own.proofLine("invalid_dpop_proof")
    case .proofNonce: own.proofLine("use_dpop_nonce")
    }
  }

  /// A challenge of each scheme that the route takes.
  /// - Parameter isBound: whether the token at hand is, so that it takes a proof whatever the route demands.
  private func lines(_ rest: String, isBound: Bool = false) -> String {
    switch demand {
    case .none where !isBound, .mtls: "\(bearer)\(rest)\r\n"
    case .dpop: "\(dpop)\(rest)\r\n"
    case .none, .any: "\(bearer)\(rest)\r\n\(dpop)\(rest)\r\n"
    }
  }

  private func proofLine(_ error: String) -> String {
    // A proof by a certificate is the connection's, and its tokens are bearer tokens (RFC 8705 §3).
    demand == .mtls
      ? "\(bearer), error=\"invalid_token\"\(metadata)\r\n" : "\(dpop), error=\"\(error)\"\(metadata)\r\n"
  }
}
