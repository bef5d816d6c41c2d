// The numbers themselves: what a worker adds to, and what the control plane gets a copy of. Pure values: workers'
// copies are merged by adding.

package import GraphQL
package import HTTPWire
package import Tokens

/// How a look at a request's credential ended, for `catraca_auth_total`.
package enum AuthenticationResult: Sendable, Equatable {
  /// The caller is known, by a credential of this kind.
  case accepted(CredentialKind)
  /// No credential, on a route where it is optional.
  case anonymous
  /// The cookie of a session, sent by a page of another origin. Counted in shadow only: else it is a refusal of the
  /// gateway's own.
  case otherOrigin
  case refused(TokenRefusal)

  /// The label's value: `accepted`, `anonymous`, `session`, `api_key`, `origin_not_allowed` or the refusal's public
  /// code.
  package var label: String {
    switch self {
    case .accepted(.session): CredentialKind.session.label
    case .accepted(.apiKey): CredentialKind.apiKey.label
    case .accepted: "accepted"
    case .anonymous: "anonymous"
    case .otherOrigin: GatewayRefusal.originNotAllowed.rawValue
    case .refused(let refusal): refusal.rawValue
    }
  }

  /// Empty where no credential was accepted.
  package var kindLabel: String { if case .accepted(let kind) = self { kind.label } else { "" } }

  package var isRefusal: Bool {
    switch self {
    case .accepted, .anonymous: false
    case .otherOrigin, .refused: true
    }
  }

  /// The order of ``numbered``.
  var number: Int {
    switch self {
    case .anonymous: 0
    case .otherOrigin: 1
    case .accepted(let kind): 2 + kind.rawValue
    case .refused(let refusal): Self.refusalStart + (Self.refusals.firstIndex(of: refusal) ?? 0)
    }
  }

  /// How many numbers there are.
  static var count: Int { refusalStart + refusals.count }

  static func numbered(_ number: Int) -> AuthenticationResult? {
    if number == 0 { return .anonymous }
    if number == 1 { return .otherOrigin }
    if let kind = CredentialKind(rawValue: number - 2) { return .accepted(kind) }
    return refusals.indices.contains(number - refusalStart) ? .refused(refusals[number - refusalStart]) : nil
  }

  private static let refusalStart = 2 + CredentialKind.allCases.count
  private static let refusals = TokenRefusal.allCases
}

/// What a connection is doing. It counts under one of these from its beginning to its end.
package enum ConnectionState: Int, Sendable, CaseIterable {
  /// A request is under way (upstream: or the connect).
  case active
  /// Kept for the next one.
  case idle

  package var label: String { self == .active ? "active" : "idle" }
}

/// Requests that were turned away are counted by upstream and reason.
package struct RejectionKey: Sendable, Hashable {
  package var upstream: Int
  package var reason: GatewayRefusal
}

/// One worker's numbers at one moment, or the sum of several workers'. Ids are those of ``CounterNames``.
package struct CountersSnapshot: Sendable, Equatable {
  var requests = CounterTable()
  var authentications = CounterTable()
  var shadowed = CounterTable()
  var mirrored = CounterTable()
  var operations = CounterTable()
  var storeCommands = CounterTable()
  var unreadableValues = CounterTable()
  var authorizations = CounterTable()
  var shadowAuthorizations = CounterTable()
  var introspections = CounterTable()
  package internal(set) var requestDurations = HistogramSet(bounds: Self.requestBounds)
  /// Of the requests that were traced.
  package internal(set) var requestExemplars = ExemplarSet(bucketCount: Self.requestBounds.count + 1)
  package internal(set) var upstreamDurations = HistogramSet(bounds: Self.requestBounds)
  package internal(set) var storeDurations = HistogramSet(bounds: Self.storeBounds)
  package internal(set) var introspectionDurations = HistogramSet(bounds: Self.requestBounds)
  package internal(set) var authorizationDurations = HistogramSet(bounds: Self.requestBounds)
  /// By the index of the algorithm in ``SignatureAlgorithm/allCases``.
  package internal(set) var verifications = HistogramSet(bounds: Self.verificationBounds)
  package internal(set) var tokenCacheHits: UInt64 = 0
  package internal(set) var tokenCacheMisses: UInt64 = 0
  /// Two a listener or upstream, in the order of ``ConnectionState``.
  var listenerConnections: [Int] = []
  var upstreamConnections: [Int] = []
  /// Requests that are under way, by listener. Counted when a copy is made, at no cost for a request.
  var activeRequests: [Int] = []
  /// Two a route, of requests and of responses. The first two are of requests that no route took.
  var bodyBytes: [UInt64] = []
  var upstreamRetries: [UInt64] = []
  var rejections: [RejectionKey: UInt64] = [:]
  var refusedRetries: [UInt64] = []
  /// By route.
  var rateLimited: [UInt64] = []
  var rateLimitedDry: [UInt64] = []
  var rateLimitEvictions: [UInt64] = []
  package internal(set) var lastRefusals = Newest<LastRefusal>()
  package internal(set) var errors: [String: UInt64] = [:]
  /// TLS handshakes of clients by their outcome.
  package internal(set) var handshakes: [String: UInt64] = [:]

  package init() {}

  /// 0.5 ms to 10 s.
  static let requestBounds: [UInt64] = [
    500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000,
    500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
  ]
  /// 10 µs to 10 ms: a verification takes 15 to 300 µs.
  static let verificationBounds: [UInt64] = [
    10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
  ]

  /// 0.1 ms to 1 s.
  static let storeBounds: [UInt64] = [
    100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
    250_000_000, 1_000_000_000,
  ]

  package mutating func merge(_ other: CountersSnapshot) {
    requests.merge(other.requests)
    authentications.merge(other.authentications)
    shadowed.merge(other.shadowed)
    mirrored.merge(other.mirrored)
    operations.merge(other.operations)
    storeCommands.merge(other.storeCommands)
    unreadableValues.merge(other.unreadableValues)
    storeDurations.merge(other.storeDurations)
    authorizations.merge(other.authorizations)
    shadowAuthorizations.merge(other.shadowAuthorizations)
    introspections.merge(other.introspections)
    introspectionDurations.merge(other.introspectionDurations)
    authorizationDurations.merge(other.authorizationDurations)
    requestDurations.merge(other.requestDurations)
    requestExemplars.merge(other.requestExemplars)
    upstreamDurations.merge(other.upstreamDurations)
    verifications.merge(other.verifications)
    tokenCacheHits &+= other.tokenCacheHits
    tokenCacheMisses &+= other.tokenCacheMisses
    Self.add(other.listenerConnections, to: &listenerConnections)
    Self.add(other.upstreamConnections, to: &upstreamConnections)
    Self.add(other.activeRequests, to: &activeRequests)
    Self.add(other.bodyBytes, to: &bodyBytes)
    Self.add(other.upstreamRetries, to: &upstreamRetries)
    rejections.merge(other.rejections) { $0 &+ $1 }
    Self.add(other.refusedRetries, to: &refusedRetries)
    Self.add(other.rateLimited, to: &rateLimited)
    Self.add(other.rateLimitedDry, to: &rateLimitedDry)
    Self.add(other.rateLimitEvictions, to: &rateLimitEvictions)
    lastRefusals.merge(other.lastRefusals)
    errors.merge(other.errors) { $0 &+ $1 }
    handshakes.merge(other.handshakes) { $0 &+ $1 }
  }

  private static func add<Number: FixedWidthInteger>(_ other: [Number], to own: inout [Number]) {
    while own.count < other.count { own.append(0) }
    for index in other.indices { own[index] &+= other[index] }
  }
}

// MARK: Reading

extension CountersSnapshot {
  /// Requests by route (nil: none matched), method and status, in a fixed order.
  package var requestCounts: [(route: Int?, method: Method, status: Int, count: UInt64)] {
    requests.sorted.map { key, count in
      let (route, method, status) = CounterKey.unpack(key)
      return (route, method.flatMap { Method(rawValue: UInt8(clamping: $0)) } ?? .other, status, count)
    }
  }

  /// Looks at tokens by route, issuer (nil: none known) and result, in a fixed order.
  package var authenticationCounts: [(route: Int?, issuer: Int?, result: AuthenticationResult, count: UInt64)] {
    Self.counts(of: authentications)
  }

  /// The same of rules in shadow, as if they counted.
  package var shadowCounts: [(route: Int?, issuer: Int?, result: AuthenticationResult, count: UInt64)] {
    Self.counts(of: shadowed)
  }

  private static func counts(
    of table: CounterTable
  ) -> [(route: Int?, issuer: Int?, result: AuthenticationResult, count: UInt64)] {
    table.sorted.compactMap { key, count in
      let (route, issuer, number) = CounterKey.unpack(key)
      return AuthenticationResult.numbered(number).map { (route, issuer, $0, count) }
    }
  }

  /// Client connections of a listener that are open.
  package func connections(listener: Int, _ state: ConnectionState) -> Int {
    let index = listener * 2 + state.rawValue
    return listenerConnections.indices.contains(index) ? listenerConnections[index] : 0
  }

  /// Requests of a listener's clients that are under way.
  package func activeRequests(listener: Int) -> Int {
    activeRequests.indices.contains(listener) ? activeRequests[listener] : 0
  }

  package mutating func addActiveRequests(_ count: Int, listener: Int) {
    guard listener >= 0, count > 0 else { return }
    while activeRequests.count <= listener { activeRequests.append(0) }
    activeRequests[listener] += count
  }

  /// Bytes of bodies by route (nil: none matched), of those that had requests with any.
  package var bodyByteCounts: [(route: Int?, request: UInt64, response: UInt64)] {
    stride(from: 0, to: bodyBytes.count, by: 2).compactMap { index in
      let (request, response) = (bodyBytes[index], bodyBytes[index + 1])
      return request == 0 && response == 0 ? nil : (index == 0 ? nil : index / 2 - 1, request, response)
    }
  }

  /// Connections to an upstream's servers that are open.
  package func connections(upstream: Int, _ state: ConnectionState) -> Int {
    let index = upstream * 2 + state.rawValue
    return upstreamConnections.indices.contains(index) ? upstreamConnections[index] : 0
  }

  /// Requests that were turned away before they were sent to a server.
  package func rejections(upstream: Int, _ reason: GatewayRefusal) -> UInt64 {
    rejections[RejectionKey(upstream: upstream, reason: reason)] ?? 0
  }

  package var mirroredCounts: [(route: Int?, result: MirrorResult, count: UInt64)] {
    mirrored.sorted.compactMap { key, count in
      let (route, _, result) = CounterKey.unpack(key)
      return MirrorResult(rawValue: result).map { (route: route, result: $0, count: count) }
    }
  }

  /// Operations of GraphQL by route, name (nil: the file does not know it) and type.
  package var operationCounts: [(route: Int?, operation: Int?, type: OperationType, count: UInt64)] {
    operations.sorted.compactMap { key, count in
      let (route, operation, type) = CounterKey.unpack(key)
      return OperationType(rawValue: UInt8(clamping: type)).map { (route, operation, $0, count) }
    }
  }

  /// Commands of a store, by their outcome. A failure of nil is a reply.
  package var storeCommandCounts: [(store: Int, failure: StoreFailure?, count: UInt64)] {
    storeCommands.sorted.compactMap { key, count in
      let (store, _, failure) = CounterKey.unpack(key)
      return store.map { ($0, StoreFailure(rawValue: failure), count) }
    }
  }

  /// Values of a store that the gateway could not read.
  package var unreadableCounts: [(store: Int, count: UInt64)] {
    unreadableValues.sorted.compactMap { key, count in CounterKey.unpack(key).0.map { ($0, count) } }
  }

  /// Requests that a service was to decide about, by what became of them.
  package var authorizationCounts: [(service: Int, result: AuthorizationResult, count: UInt64)] {
    Self.serviceCounts(of: authorizations)
  }

  /// The same of rules in shadow, as if they counted.
  package var shadowAuthorizationCounts: [(service: Int, result: AuthorizationResult, count: UInt64)] {
    Self.serviceCounts(of: shadowAuthorizations)
  }

  private static func serviceCounts(
    of table: CounterTable
  ) -> [(service: Int, result: AuthorizationResult, count: UInt64)] {
    table.sorted.compactMap { key, count in
      let (service, _, number) = CounterKey.unpack(key)
      guard let service, let result = AuthorizationResult(rawValue: number) else { return nil }
      return (service, result, count)
    }
  }

  /// Questions about opaque tokens, by what the issuer said.
  package var introspectionCounts: [(issuer: Int, result: IntrospectionResult, count: UInt64)] {
    introspections.sorted.compactMap { key, count in
      let (issuer, _, number) = CounterKey.unpack(key)
      guard let issuer, let result = IntrospectionResult(rawValue: number) else { return nil }
      return (issuer, result, count)
    }
  }

  /// Requests of a route that a rate limit refused, or would have refused.
  package func rateLimited(route: Int, isDryRun: Bool) -> UInt64 {
    let counts = isDryRun ? rateLimitedDry : rateLimited
    return counts.indices.contains(route) ? counts[route] : 0
  }

  /// Buckets that rate limits of a route have evicted.
  package func rateLimitEvictions(route: Int) -> UInt64 {
    rateLimitEvictions.indices.contains(route) ? rateLimitEvictions[route] : 0
  }

  package func retries(upstream: Int) -> UInt64 {
    upstreamRetries.indices.contains(upstream) ? upstreamRetries[upstream] : 0
  }

  package func refusedRetries(upstream: Int) -> UInt64 {
    refusedRetries.indices.contains(upstream) ? refusedRetries[upstream] : 0
  }
}
