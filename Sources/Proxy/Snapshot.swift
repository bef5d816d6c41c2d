// All that the workers need to know of one configuration, prepared once by the control plane and never changed.

package import Configuration
package import Cryptography
import HTTPWire
package import Tokens

/// An immutable, compiled configuration with its generation. An exchange keeps the one it began with.
package final class Snapshot: Sendable {
  package let generation: UInt64
  package let configuration: GatewayConfiguration
  package let routes: [CompiledRoute]
  let routeTable: RouteTable
  let listeners: ListenerTable
  let requestID: RequestIDFields
  /// `response_headers` of the file, for answers that are of no route.
  let ownAnswerFields: CompiledHeaderRules
  /// Whether any answer has lines of its listener, or its request's id.
  let changesAnswers: Bool
  package let rateLimiters: RateLimiters
  /// Whether any route answers preflights.
  let hasCORS: Bool
  /// Bits of an IPv6 address that make a client.
  package let ipv6PrefixLength: Int
  let issuerRules: [IssuerRules]
  /// By issuer. Nil where nobody is asked.
  private let introspections: [CompiledIntrospection?]
  let errorPages: ErrorPageTable
  let headLimits: HeadLimits
  /// Of the upstream that may send the largest.
  let answerHeadByteCountMax: Int
  let headerTimeout: Int64
  let bodyTimeout: Int64
  /// Bytes a second. 0 means no limit.
  let bodyRate: Int
  let idleTimeout: Int64
  /// Removed from every request on every route: all identity headers and strip rules of the whole file (T32, T33).
  let identityDrops: FieldNameSet
  /// Query parameters that hold tokens on any route.
  let queryTokenNames: [LenientName]
  /// Removed from every request, whichever peer sent it (T96).
  let neverForwarded: FieldNameSet
  let trust: ForwardingTrust
  let logFormatter: AccessLogFormatter?
  let traces: TracePlan
  /// What workers know together of each upstream. Kept across reloads.
  package let sharing: [UpstreamSharing]
  package let counterNames: CounterNames
  let issuerCounterIDs: [Int]
  let sessions: [CompiledSession]
  /// Of the proofs that were seen. Shared by all workers, and kept across reloads.
  package let replayMemory: ReplayMemory
  /// Nil where no issuer demands nonces.
  let proofNonceKeys: ProofNonceKeys?
  /// What the tokens of sessions are sealed with in a store.
  let sessionKeys: SealingKeys?
  /// By the index of their `assertions`.
  package let signers: [AssertionSigner?]

  /// - Parameters:
  ///   - previous: the snapshot that this one replaces, so that counters go on under the same names and rate limits
  ///     with the same buckets.
  ///   - limiters: the buckets of rate limits, in place of those of `previous`.
  ///   - signers: of `assertions`, by their index. Without one, no request that requires it passes.
  package init(
    _ configuration: GatewayConfiguration, generation: UInt64, after previous: Snapshot? = nil,
    limiters: RateLimiters? = nil, signers: [AssertionSigner?] = []
  ) {
    let names = CounterNames(configuration, after: previous?.counterNames)
    counterNames = names
    issuerCounterIDs = configuration.issuers.indices.map { names.issuerID($0) }
    self.generation = generation
    self.configuration = configuration
    listeners = ListenerTable(configuration, names)
    requestID = RequestIDFields(configuration.requestID)
    let requestIDHeader = configuration.requestID?.header ?? RequestIDRules.standardHeader
    var sets = FieldNameSets()
    ownAnswerFields = CompiledHeaderRules(configuration.responseHeaders, dropping: [], &sets)
    changesAnswers = listeners.changesAnswers || requestID.isInEveryAnswer
    let ownFields =
      (listeners.changesAnswers ? [ListenerTable.strictTransportName] : [])
      + (requestID.isInEveryAnswer ? [requestIDHeader] : [])
    let known = Dictionary(
      (previous?.sharing ?? []).map { ($0.upstream.name, $0) }, uniquingKeysWith: { first, _ in first })
    sharing = configuration.upstreams.map { UpstreamSharing($0, after: known[$0.name]) }
    let limits = configuration.limits
    let rateLimiters = RateLimiters(configuration, after: limiters ?? previous?.rateLimiters)
    self.rateLimiters = rateLimiters
    // By index here and below: a route is large, and its copy costs as much as what is done with it.
    hasCORS = configuration.routes.indices.contains { configuration.routes[$0].cors != nil }
    ipv6PrefixLength = limits.ipv6PrefixLength
    var plans = AssertionPlans(configuration)
    sessions = configuration.sessions.map { CompiledSession($0, &plans) }
    self.signers = signers
    sessionKeys = Self.sessionKeys(configuration)
    replayMemory = Self.replayMemory(limits, after: previous?.replayMemory)
    proofNonceKeys = Self.proofNonceKeys(configuration)
    let sessionCookies = configuration.sessions.map { LenientName($0.cookie.name) }
    let (shadowIssuers, nonceIssuers) = (Self.shadowIssuers(configuration), Self.nonceIssuers(configuration))
    let services = Self.services(configuration, names)
    var identities: [SharedIdentity: IdentityRules] = [:]
    routes = configuration.routes.indices.map { index in
      let shared = SharedIdentity(of: configuration.routes[index], configuration.sessions)
      let identity = identities[shared] ?? IdentityRules(shared, &plans)
      identities[shared] = identity
      let service = configuration.routes[index].authorize.map { services[$0.service] }
      return CompiledRoute(
        configuration.routes[index], index: index, identity: identity, service: service,
        defaultBodySize: limits.bodySize, rateLimits: rateLimiters.routes[index], names: names, ownFields: ownFields,
        requestIDHeader: requestIDHeader, isTraced: configuration.traces != nil, apiKeys: configuration.apiKeys,
        shadowIssuers: shadowIssuers, nonceIssuers: nonceIssuers, sessionCookies: sessionCookies, &sets)
    }
    routeTable = RouteTable(configuration.routes)
    errorPages = ErrorPageTable(configuration.errorPages)
    issuerRules = configuration.issuers.map { IssuerRules($0.policy) }
    introspections = Self.introspections(configuration, names)
    headLimits = HeadLimits(byteCountMax: limits.headerSize, fieldCountMax: limits.headers)
    answerHeadByteCountMax = configuration.upstreams.map(\.headerSize).max() ?? 0
    headerTimeout = limits.headerTimeout.nanoseconds
    bodyTimeout = limits.bodyTimeout.nanoseconds
    bodyRate = limits.bodyRate
    idleTimeout = limits.idleTimeout.nanoseconds
    identityDrops = FieldNameSet(
      identities.keys.flatMap { $0.identity.headerNames + $0.identity.strip }
        + configuration.services.flatMap(\.answerHeaders))
    neverForwarded = FieldNameSet(PeerFields.never)
    trust = ForwardingTrust(configuration)
    traces = TracePlan(configuration.traces)
    queryTokenNames = Self.queryTokenNames(configuration)
    let isCollected = configuration.logs != nil
    logFormatter =
      configuration.accessLog.destination == .off && !isCollected
      ? nil : AccessLogFormatter(configuration.accessLog, isCollected: isCollected)
  }

  /// The same with other servers, as when names lead elsewhere, or with other keys of assertions.
  package init(
    _ other: Snapshot, resolved configuration: GatewayConfiguration, signers: [AssertionSigner?]? = nil
  ) {
    self.signers = signers ?? other.signers
    generation = other.generation
    self.configuration = configuration
    sharing = zip(configuration.upstreams, other.sharing).map { UpstreamSharing($0, after: $1) }
    routes = other.routes
    sessions = other.sessions
    sessionKeys = other.sessionKeys
    replayMemory = other.replayMemory
    proofNonceKeys = other.proofNonceKeys
    listeners = other.listeners
    requestID = other.requestID
    ownAnswerFields = other.ownAnswerFields
    changesAnswers = other.changesAnswers
    routeTable = RouteTable(configuration.routes)
    errorPages = other.errorPages
    issuerRules = other.issuerRules
    // An end point may have been found by now.
    introspections =
      configuration.issuers.map(\.introspection) == other.configuration.issuers.map(\.introspection)
      ? other.introspections : Self.introspections(configuration, other.counterNames)
    headLimits = other.headLimits
    answerHeadByteCountMax = other.answerHeadByteCountMax
    headerTimeout = other.headerTimeout
    bodyTimeout = other.bodyTimeout
    bodyRate = other.bodyRate
    idleTimeout = other.idleTimeout
    identityDrops = other.identityDrops
    neverForwarded = other.neverForwarded
    trust = other.trust
    queryTokenNames = other.queryTokenNames
    logFormatter = other.logFormatter
    traces = other.traces
    counterNames = other.counterNames
    issuerCounterIDs = other.issuerCounterIDs
    rateLimiters = other.rateLimiters
    hasCORS = other.hasCORS
    ipv6PrefixLength = other.ipv6PrefixLength
  }

  private static func services(_ configuration: GatewayConfiguration, _ names: CounterNames) -> [CompiledService] {
    configuration.services.indices.map { index in
      CompiledService(configuration.services[index], counterID: names.serviceID(index), in: configuration)
    }
  }

  private static func introspections(
    _ configuration: GatewayConfiguration, _ names: CounterNames
  ) -> [CompiledIntrospection?] {
    configuration.issuers.indices.map { index in
      CompiledIntrospection(configuration.issuers[index], counterID: names.issuerID(index), in: configuration)
    }
  }

  func introspection(of issuer: Int) -> CompiledIntrospection? {
    introspections.indices.contains(issuer) ? introspections[issuer] : nil
  }

  /// Nil where no session is in a store.
  package static func sessionKeys(_ configuration: GatewayConfiguration) -> SealingKeys? {
    if configuration.sessions.allSatisfy({ $0.store == .memory }) { return nil }
    return SealingKeys(secrets: configuration.secrets.map { Array($0.utf8) }, purpose: "session")
  }

  /// Whether the page that a client comes from may have had a token in its query: on any route, since a page's pictures
  /// are on others (T90).
  var isRefererCut: Bool { !queryTokenNames.isEmpty }

  private static func queryTokenNames(_ file: GatewayConfiguration) -> [LenientName] {
    Set(file.routes.indices.flatMap { queryTokenNames(file.routes[$0].auth, file) }).sorted().map(LenientName.init)
  }

  private static func queryTokenNames(_ auth: Authentication, _ file: GatewayConfiguration) -> [String] {
    guard case .token(let requirement) = auth else { return [] }
    let sources =
      requirement.apiKeys.isEmpty
      ? requirement.sources : requirement.sources + requirement.apiKeys.flatMap { file.apiKeys[$0].places }
    return sources.compactMap { if case .value(.query(let name)) = $0 { name } else { nil } }
  }

  /// The header lines of an answer that is of no route.
  package var ownAnswerLines: [UInt8] { ownAnswerFields.lines }

  package var headerTimeoutNanoseconds: Int64 { headerTimeout }

  /// Whether a client that has ended its side may still wait for an answer. If not, it has left.
  var allowsHalfClose: Bool { configuration.limits.halfClose }

  /// Whether a peer's word on other addresses counts. Who reaches a Unix socket was let in by its file's mode.
  package func isTrusted(_ peer: PeerAddress) -> Bool {
    peer.isUnix || trust.proxies.contains { $0.contains(high: peer.high, low: peer.low) }
  }
}
