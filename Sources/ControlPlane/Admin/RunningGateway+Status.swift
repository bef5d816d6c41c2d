// What the gateway reports about itself: the metrics page and the status document.

import Configuration
import FoundationEssentials
import NIOCore
import Proxy
internal import Tokens
import Transport

extension RunningGateway {
  /// What waits in all connections, and may.
  var memory: (used: Int, limit: Int) { (gateway.memory.byteCount, gateway.memory.byteCountMax) }

  /// Why the gateway should get no traffic now. Empty when it is ready. An issuer that a reload has added is no reason:
  /// every copy of the gateway reads the same file, and all would be taken out of service at once.
  func obstacles() async -> [String] {
    var obstacles: [String] = []
    if ending.hasBegun { obstacles.append("draining") }
    for (issuer, keySet) in zip(snapshot.configuration.issuers, await registry.snapshot())
    where keySet == nil && firstIssuers.contains(issuer.name) {
      obstacles.append("issuer \(issuer.name) has no keys")
    }
    for issuer in configuration.issuers where firstIssuers.contains(issuer.name) {
      guard let introspection = issuer.introspection, introspection.isEndpointDiscovered else { continue }
      if introspection.endpoint.isEmpty { obstacles.append("issuer \(issuer.name) has no introspection end point") }
    }
    for (issuer, known) in zip(snapshot.configuration.issuers, await revocations.snapshot()) {
      guard let known, firstIssuers.contains(issuer.name), known.rules.unavailable == .refuse else { continue }
      if known.rules.hasDenylist, known.denylist == nil { obstacles.append("issuer \(issuer.name) has no denylist") }
    }
    return obstacles
  }

  func counters() async -> CountersSnapshot {
    var sum = CountersSnapshot()
    for copy in await gateway.counters() { sum.merge(copy) }
    return sum
  }

  /// What is known of each upstream of the running configuration, over all workers.
  func upstreamStates() async -> [UpstreamState] {
    let loads = await gateway.upstreamLoads()
    let now = Int64(clamping: NIODeadline.now().uptimeNanoseconds)
    return zip(snapshot.configuration.upstreams, snapshot.sharing).map {
      UpstreamState($0, $1, loads: loads.flatMap { $0 }, at: now)
    }
  }

  func metricsPage() async -> MetricsPage {
    let keySets = await registry.status().map { status in
      KeySetMetrics(
        issuer: status.name, keyCount: status.keyCount, ageSeconds: status.ageSeconds.map(Double.init),
        refreshes: status.results)
    }
    return MetricsPage(
      counters: await counters(), names: snapshot.counterNames, keySets: keySets, certificates: certificates,
      upstreams: await upstreamStates(), stores: StoreState.merged(await gateway.storeStates()),
      sessions: await sessionCounts().compactMap { name, count in count.map { (name, $0) } },
      apiKeys: snapshot.configuration.apiKeys.filter { $0.store == nil }.map { ($0.name, $0.keys.count) },
      revocations: await revocations.status(),
      resolutions: await resolutions(),
      reloadsSucceeded: reloads.succeededCount,
      reloadsFailed: reloads.failedCount, isLastReloadGood: reloads.errors.isEmpty,
      lastReloadTime: reloads.lastSuccessTime,
      droppedLogLines: UInt64(clamping: logWriter.droppedLineCount),
      droppedOwnLogLines: UInt64(clamping: process.log.droppedLineCount), spans: telemetry.spans.counts,
      logRecords: telemetry.logs.counts, metricsMessages: telemetry.metrics.counts, memory: memory,
      proofMemory: snapshot.replayMemory.fill(now: Int64(Date.now.timeIntervalSince1970)), version: process.version,
      process: await ProcessMetrics.current())
  }

  /// By the names of their rules. Nil for those in a store, which cannot be counted cheaply.
  private func sessionCounts() async -> [(name: String, count: Int?)] {
    let counts = await sessions.memory.counts
    return configuration.sessions.map { ($0.name, $0.store == .memory ? counts[$0.name] ?? 0 : nil) }
  }

  /// Look-ups of names by upstream and outcome.
  private func resolutions() async -> [(upstream: String, results: [String: UInt64])] {
    let byName = await names.results
    return configuration.upstreams.compactMap { upstream in
      let own = Set(upstream.servers.compactMap(\.address.hostName)).compactMap { byName[$0] }
      if own.isEmpty { return nil }
      return (upstream.name, own.reduce(into: [:]) { $0.merge($1) { $0 &+ $1 } })
    }
  }

  /// By upstream.
  private func unresolvedNames() async -> [String: [String]] {
    let known = await names.addresses
    return configuration.upstreams.reduce(into: [:]) { result, upstream in
      let missing = Set(upstream.servers.compactMap(\.address.hostName).filter { known[$0] == nil })
      if !missing.isEmpty { result[upstream.name] = missing.sorted() }
    }
  }

  /// `/status`: one JSON object, for people and scripts.
  func statusDocument() async -> [UInt8] {
    let revoked = await revocations.status()
    let issuers = await registry.status().map { status in
      IssuerStatus(
        name: status.name, source: status.source, ready: status.isReady, keys: status.keyCount,
        droppedKeys: status.droppedKeyCount, ageSeconds: status.ageSeconds, lastError: status.lastError,
        nextRefreshSeconds: status.nextRefreshInSeconds,
        revocation: revoked.first { $0.issuer == status.name }?.lists.map(RevocationListStatus.init))
    }
    let unresolved = await unresolvedNames()
    let upstreams = await upstreamStates().map { UpstreamStatus($0, unresolved: unresolved[$0.name] ?? []) }
    let counters = await counters()
    let traffic = TrafficStatus(counters, snapshot, listeners)
    let obstacles = await obstacles()
    let document = StatusDocument(
      ready: obstacles.isEmpty, obstacles: obstacles, version: process.version, generation: snapshot.generation,
      configuration: ConfigurationStatus(file: process.file, reloads), draining: ending.hasBegun,
      uptimeSeconds: ContinuousClock.now.duration(to: startedAt).components.seconds * -1,
      requests: traffic.requests, serverErrors: traffic.serverErrors, listeners: traffic.listeners,
      routes: traffic.routes, latencyBoundsMs: traffic.latencyBounds, refusals: traffic.refusals,
      shadowRefusals: traffic.shadowRefusals,
      lastRefusals: counters.lastRefusals.elements.map { RefusalStatus($0, snapshot.counterNames.routes) },
      messages: notices.last.map(MessageStatus.init), upstreams: upstreams,
      stores: StoreState.merged(await gateway.storeStates()).map(StoreStatus.init),
      sessions: await sessionCounts().map(SessionsStatus.init), issuers: issuers,
      certificates: certificates.map { CertificateStatus($0, at: Int64(Date.now.timeIntervalSince1970)) },
      tokenCache: TokenCacheStatus(hits: counters.tokenCacheHits, misses: counters.tokenCacheMisses),
      history: HistoryStatus(
        intervalSeconds: RequestHistory.interval.components.seconds, requestsPerSecond: history.rates))
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return ((try? encoder.encode(document)).map(Array.init) ?? []) + [0x0A]
  }
}

// In the document the names are in snake case: `uptime_seconds`.
private struct StatusDocument: Encodable {
  /// As `/readyz` answers, and why not.
  var ready: Bool
  var obstacles: [String]
  var version: String
  var generation: UInt64
  var configuration: ConfigurationStatus
  var draining: Bool
  var uptimeSeconds: Int64
  var requests: UInt64
  var serverErrors: UInt64
  var listeners: [TrafficStatus.Listener]
  var routes: [TrafficStatus.Route]
  /// Of `latency_counts`, inclusive. One more count is of what took longer.
  var latencyBoundsMs: [Double]
  var refusals: [String: UInt64]
  var shadowRefusals: [String: UInt64]
  /// The newest first.
  var lastRefusals: [RefusalStatus]
  /// What went wrong lately, each kind at most once a minute. The newest first.
  var messages: [MessageStatus]
  var upstreams: [UpstreamStatus]
  var stores: [StoreStatus]
  var sessions: [SessionsStatus]
  var issuers: [IssuerStatus]
  var certificates: [CertificateStatus]
  var tokenCache: TokenCacheStatus
  var history: HistoryStatus
}

private struct RefusalStatus: Encodable {
  var at: String
  var code: String
  var status: Int
  /// Nil when none took the request.
  var route: String?
  var requestId: String

  init(_ refusal: LastRefusal, _ routes: [String]) {
    at = timeText(unixMilliseconds: refusal.unixMilliseconds)
    code = refusal.refusal.code
    status = refusal.refusal.status
    route = refusal.route.flatMap { routes.indices.contains($0) ? routes[$0] : nil }
    requestId = refusal.requestID
  }
}

private struct MessageStatus: Encodable {
  var at: String
  var kind: String
  var text: String
  var requestId: String?

  init(_ notice: Notice) {
    at = timeText(unixMilliseconds: notice.time)
    kind = notice.kind
    text = notice.sentence
    requestId = notice.requestID
  }
}

private struct CertificateStatus: Encodable {
  var listener: String
  var name: String
  var key: String
  /// Negative for one that has expired.
  var daysLeft: Int64
  var expires: String

  init(_ certificate: CertificateMetrics, at time: Int64) {
    listener = certificate.listener
    name = certificate.name
    key = certificate.key
    // Whole days, so that the last one is 0 and not 1.
    daysLeft = Int64((Double(certificate.expiresAt - time) / 86400).rounded(.down))
    expires = timeText(unixMilliseconds: certificate.expiresAt &* 1000)
  }
}

/// Look-ups since the start.
private struct TokenCacheStatus: Encodable {
  var hits: UInt64
  var misses: UInt64
}

private struct HistoryStatus: Encodable {
  var intervalSeconds: Int64
  /// The oldest first.
  var requestsPerSecond: [Double]
}

private struct UpstreamStatus: Encodable {
  var name: String
  /// Requests at its servers, and those that wait for a place.
  var activeRequests: Int
  var queuedRequests: Int
  /// The limit on them. Nil without one.
  var requestLimit: Int?
  /// Requests go to servers that are out, because too few are not.
  var panic: Bool
  /// Names of servers that have no address yet, so that they get no requests.
  var unresolvedNames: [String]
  var servers: [ServerStatus]

  init(_ state: UpstreamState, unresolved: [String]) {
    unresolvedNames = unresolved
    name = state.name
    activeRequests = state.activeCount
    queuedRequests = state.waitingCount
    requestLimit = state.requestsMax
    panic = state.isPanicking
    servers = state.servers.map(ServerStatus.init)
  }
}

private struct ServerStatus: Encodable {
  struct Check: Encodable {
    var result: String
    /// Of the answer, where there was one.
    var status: Int?
    var at: String
  }

  var address: String
  var weight: Int
  /// `healthy`, `unhealthy`, `unknown` before the first check, or `unchecked`.
  var health: String
  /// Until a server that was ejected comes back. Nil while it is not out.
  var ejectedSeconds: Double?
  var ejections: UInt64
  var activeRequests: Int
  var lastCheck: Check?

  init(_ state: UpstreamState.Server) {
    address = state.address
    weight = state.weight
    health = state.health.rawValue
    ejectedSeconds = state.ejectedSeconds
    ejections = state.ejectionCount
    activeRequests = state.activeCount
    lastCheck = state.lastCheck.map { result, status, unixMilliseconds in
      Check(
        result: result.name, status: status == 0 ? nil : status, at: timeText(unixMilliseconds: unixMilliseconds))
    }
  }
}

private struct SessionsStatus: Encodable {
  var name: String
  /// Nil where a store has them.
  var count: Int?
}

private struct StoreStatus: Encodable {
  struct Server: Encodable {
    var address: String
    /// Every worker has a connection to it.
    var up: Bool
    /// Commands that wait for a reply.
    var activeCommands: Int
  }

  var name: String
  var servers: [Server]

  init(_ state: StoreState) {
    name = state.name
    servers = state.servers.map { Server(address: $0.address, up: $0.isUp, activeCommands: $0.pendingCount) }
  }
}

private struct IssuerStatus: Encodable {
  var name: String
  var source: String
  var ready: Bool
  var keys: Int
  var droppedKeys: Int
  var ageSeconds: Int64?
  var lastError: String?
  var nextRefreshSeconds: Int64?
  /// Nil without `revocation`.
  var revocation: [RevocationListStatus]?
}

private struct RevocationListStatus: Encodable {
  /// `denylist` or `status_list`.
  var list: String
  /// They count. Without one, what `unavailable` says does.
  var good: Bool
  var entries: Int
  var bytes: Int
  var ageSeconds: Int64?
  var lastError: String?

  init(_ lists: RevocationStatus.Lists) {
    list = lists.kind
    good = lists.isGood
    entries = lists.entryCount
    bytes = lists.byteCount
    ageSeconds = lists.ageSeconds
    lastError = lists.lastError
  }
}
