// What `WWW-Authenticate` of a refusal says (RFC 6750 §3): the route's own realm and service, the error, and the scopes
// that are missing.

import Configuration
import Tokens

/// The challenge of a route, prepared up to what differs between refusals.
struct ChallengeLines: Sendable {
  private let bearer: String
  /// Behind a 401, for programs that send a password only when they are asked for one (RFC 7617 §2).
  private let basic: String
  /// Where a client learns who gives tokens (RFC 9728 §5.1). Empty without a resource.
  private let metadata: String
  /// All that the route requires, for a client that looks for the way in. Empty without a resource.
  private let scope: String

  /// - Parameter scheme: of the first challenge.
  init(
    _ rules: ChallengeRules, takesBasic: Bool, scheme: String = "Bearer", resource: ProtectedResource? = nil,
    scopes: [String] = []
  ) {
    // Checked to have neither quotes nor backslashes.
    let service = rules.service.map { ",service=\"\($0)\"" } ?? ""
    bearer = "WWW-Authenticate: \(scheme) realm=\"\(rules.realm)\"\(service)"
    basic = takesBasic ? "WWW-Authenticate: Basic realm=\"\(rules.realm)\", charset=\"UTF-8\"\r\n" : ""
    // Checked to have neither, too.
    metadata = resource.map { ", resource_metadata=\"\($0.metadata)\"" } ?? ""
    scope = resource == nil || scopes.isEmpty ? "" : ", scope=\"\(scopes.joined(separator: " "))\""
  }

  private static let standard = ChallengeLines(ChallengeRules(), takesBasic: false)

  /// Of a route. Most say nothing of their own, and share these lines.
  static func of(_ requirement: TokenRequirement?, takesBasic: Bool) -> ChallengeLines {
    guard let requirement else { return standard }
    let takesTokens = !requirement.sources.isEmpty
    if requirement.challenge == ChallengeRules(), !takesBasic, takesTokens, requirement.resource == nil {
      return standard
    }
    // No scheme is registered for keys and for cookies.
    let scheme = takesTokens ? "Bearer" : requirement.apiKeys.isEmpty ? "Cookie" : "ApiKey"
    return ChallengeLines(
      requirement.challenge, takesBasic: takesBasic, scheme: scheme, resource: requirement.resource,
      scopes: requirement.scopes.names)
  }

  /// - Parameter operation: of GraphQL, which may require more than its route.
  static func lines(of challenge: Challenge, _ route: CompiledRoute?, _ operation: RequestedOperation? = nil) -> String
  {
    let own = route?.token.challenge ?? standard
    let bearer = own.bearer
    return switch challenge {
    case .none: ""
    case .bearer: bearer + own.scope + own.metadata + "\r\n" + own.basic
    case .invalidToken: bearer + ", error=\"invalid_token\"" + own.scope + own.metadata + "\r\n" + own.basic
    case .insufficientScope: bearer + ", error=\"insufficient_scope\"" + own.scope + own.metadata + "\r\n"
    case .insufficientScopeOfRoute:
      bearer + ", error=\"insufficient_scope\""
        + (route.map { ", scope=\"\(operation?.requiredScopes ?? $0.token.scopeText)\"" } ?? "")
        + own.metadata + "\r\n"
    case .insufficientAuthenticationOfRoute:
      bearer + ", error=\"insufficient_user_authentication\""
        + (route?.token.stepUp.map { ", acr_values=\"\($0.values)\"" } ?? "") + "\r\n"
    }
  }
}
