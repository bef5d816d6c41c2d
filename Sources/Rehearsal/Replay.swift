// An access log brought to another file: which of its requests would go elsewhere, or would be refused or let through
// where they were not.

import Bytes
package import Configuration
import JSON
import Tokens

package struct Replay {
  /// What differs, of as many requests as have it in common.
  package struct Change: Sendable, Hashable {
    /// Names of routes. Empty for none.
    package let routeBefore: String
    package let routeNow: String
    /// Refusals' codes. Nil for what passed.
    package let codeBefore: String?
    package let codeNow: String?
  }

  package struct Group: Sendable {
    package let change: Change
    package var count = 0
    /// The first few, each with the number of its line.
    package var samples: [(line: Int, request: String)] = []
  }

  /// LIMIT: differences that are told apart. The rest is counted together.
  private static let groupCountMax = 10_000
  private static let sampleCountMax = 3

  package private(set) var lineCount = 0
  /// Lines that are not of an access log in JSON.
  package private(set) var foreignCount = 0
  package private(set) var otherCount = 0
  private var groups: [Change: Group] = [:]
  private let configuration: GatewayConfiguration
  private let issuers: [String: Int]
  private let unixSeconds: Int64
  private var keys: TestKeys
  private var tokens: [Caller: String] = [:]
  private let rehearsal: Rehearsal

  /// Tokens of one issuer with what one route requires.
  private struct Caller: Hashable {
    let issuer: Int
    let route: Int
  }

  package init(_ configuration: GatewayConfiguration, unixSeconds: Int64) {
    self.configuration = configuration
    self.unixSeconds = unixSeconds
    issuers = Dictionary(
      configuration.issuers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    keys = TestKeys(configuration)
    keys.makeAll()
    rehearsal = Rehearsal(configuration.withoutRateLimits, keySets: keys.sets, unixSeconds: unixSeconds)
  }

  /// Differences, the most frequent ones first.
  package var changes: [Group] {
    groups.values.sorted { ($0.count, $1.samples.first?.line ?? 0) > ($1.count, $0.samples.first?.line ?? 0) }
  }

  package var changedCount: Int { groups.values.reduce(otherCount) { $0 + $1.count } }

  /// Takes a line, without its line break.
  package mutating func take(_ line: [UInt8]) {
    lineCount += 1
    guard let logged = LoggedRequest(line) else {
      foreignCount += 1
      return
    }
    let (route, code) = outcome(of: logged)
    let change = Change(
      routeBefore: logged.route ?? "", routeNow: route ?? "", codeBefore: logged.decision, codeNow: code)
    if change.routeBefore == change.routeNow, change.codeBefore == change.codeNow { return }
    if groups[change] == nil, groups.count >= Self.groupCountMax {
      otherCount += 1
      return
    }
    groups[change, default: Group(change: change)].count += 1
    if let known = groups[change], known.samples.count < Self.sampleCountMax {
      groups[change]?.samples.append((lineCount, "\(logged.request.method) \(logged.request.target)"))
    }
  }

  /// Where the request would go, and why it would be refused.
  private mutating func outcome(of logged: LoggedRequest) -> (route: String?, code: String?) {
    let request = RehearsedRequest(logged.request, client: logged.client)
    let bare = rehearsal.outcome(of: request)
    let withoutToken: [String?] = [
      nil, TokenRefusal.tokenMissing.rawValue, TokenRefusal.sessionMissing.rawValue,
      TokenRefusal.apiKeyMissing.rawValue,
    ]
    guard withoutToken.contains(bare.code), let route = bare.routeIndex,
      case .token(let requirement) = configuration.routes[route].auth
    else { return (bare.route, bare.code) }
    // A token that was refused for what it says is refused for it again.
    if let refused = logged.tokenRefusal { return (bare.route, refused) }
    guard let name = logged.issuer else { return (bare.route, bare.code) }
    if logged.isSession { return (bare.route, requirement.sessions.isEmpty ? bare.code : nil) }
    guard let issuer = issuers[name] else { return (bare.route, TokenRefusal.issuerUnknown.rawValue) }
    guard let token = token(Caller(issuer: issuer, route: route)) else { return (bare.route, bare.code) }
    var withToken = request
    withToken.fields = [TestField(name: "Authorization", value: "Bearer \(token)")]
    let outcome = rehearsal.outcome(of: withToken)
    return (outcome.route, outcome.code)
  }

  /// No log has scopes and claims: who has passed is taken to have what a route requires.
  private mutating func token(_ caller: Caller) -> String? {
    if let known = tokens[caller] { return known }
    var claims = configuration.issuers[caller.issuer].policy.requiredClaims.filter { $0 != "exp" && $0 != "aud" }.map {
      TestToken.Claim(name: $0, json: "\"replay\"")
    }
    claims.append(TestToken.Claim(name: "sub", json: "\"replay\""))
    if case .token(let requirement) = configuration.routes[caller.route].auth {
      claims.append(
        TestToken.Claim(name: "scope", json: JSONWriter.quoted(requirement.scopes.names.joined(separator: " "))))
      for claim in requirement.claims {
        if let value = claim.values.first { claims.append(TestToken.Claim(name: "\(claim.claim)", json: value.json)) }
      }
    }
    var token = TestToken()
    token.issuer = caller.issuer
    token.claims = claims
    let made = keys.token(token, unixSeconds: unixSeconds)
    tokens[caller] = made
    return made
  }
}

extension ClaimRequirement.Value {
  /// A value that has it.
  fileprivate var json: String {
    switch self {
    case .string(let text), .prefix(let text), .suffix(let text): JSONWriter.quoted(text)
    case .integer(let number): "\(number)"
    case .boolean(let value): "\(value)"
    }
  }
}
