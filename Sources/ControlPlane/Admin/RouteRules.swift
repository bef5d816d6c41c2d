// What a route says, in the status document: which requests, who may pass, and where they go.

import Configuration
import Tokens

/// In the document the names are in snake case: `any_scope`.
struct RouteRules: Encodable {
  /// Nil for any.
  var host: String?
  /// Empty for any.
  var methods: [String]
  /// Names or addresses. Empty for any.
  var listeners: [String]
  /// Whether a request passes without a token.
  var isPublic: Bool
  /// A token of any of these. Empty for a public route.
  var issuers: [String] = []
  /// Or, without a token, a key of one of these sets.
  var apiKeys: [String] = []
  /// Or one of these sessions.
  var sessions: [String] = []
  var scopes: [String] = []
  /// Whether one of the scopes is enough.
  var anyScope = false
  /// Each with what it must be.
  var claims: [String] = []
  /// Whether a request without a token passes as anonymous.
  var optional = false
  var shadow = false
  /// The service that is asked whether the request may pass.
  var authorize: String?
  /// Whether requests pass whatever it says.
  var authorizeShadow = false
  /// Addresses and blocks, those that are denied behind a `!`. Empty for any.
  var clients: [String] = []
  /// Where requests go, most to the first.
  var upstreams: [String] = []
  /// What the gateway answers itself. Nil for a route with upstreams.
  var answer: String?

  private enum CodingKeys: String, CodingKey {
    case host, methods, listeners, issuers, apiKeys, sessions, scopes, anyScope, claims, optional, shadow, authorize,
      authorizeShadow, clients, upstreams, answer
    case isPublic = "public"
  }

  init(_ route: Route, of file: GatewayConfiguration) {
    host = route.host == .any ? nil : route.host.text
    methods = route.methods
    listeners = route.listeners.map { file.listeners[$0].name ?? file.listeners[$0].address.description }
    isPublic = route.auth == .public
    if case .token(let requirement) = route.auth {
      issuers = requirement.issuers.map { file.issuers[$0].name }
      apiKeys = requirement.apiKeys.map { file.apiKeys[$0].name }
      sessions = requirement.sessions.map { file.sessions[$0].name }
      scopes = requirement.scopes.names
      anyScope = requirement.scopes.isAny
      claims = requirement.claims.map(Self.text)
      optional = requirement.isOptional
      shadow = requirement.mode == .shadow
    }
    if let use = route.authorize {
      authorize = file.services[use.service].name
      authorizeShadow = use.mode == .shadow
    }
    if let list = route.clients {
      clients = list.allowed.map(\.description) + list.denied.map { "!" + $0.description }
    }
    switch route.action {
    case .upstream(let index): upstreams = [file.upstreams[index].name]
    case .split(let split):
      upstreams = split.shares.sorted { $0.weight > $1.weight }.map { file.upstreams[$0.upstream].name }
    case .respond(let response): answer = "status \(response.status)"
    case .redirect(let redirect): answer = "\(redirect.status) to \(redirect.to)"
    case .session(let action, let index): answer = "\(action.rawValue) of the session \(file.sessions[index].name)"
    }
  }

  private static func text(_ requirement: ClaimRequirement) -> String {
    "\(requirement.claim): \(requirement.values.map(\.text).joined(separator: ", "))"
  }
}
