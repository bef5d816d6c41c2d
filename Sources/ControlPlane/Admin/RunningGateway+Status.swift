// What the gateway reports about itself: the metrics page and the status document.

import Configuration
import Foundation
import Proxy

extension RunningGateway {
  func metricsPage() async -> MetricsPage {
    let keySets = await registry.status().map { status in
      KeySetMetrics(
        issuer: status.name, keyCount: status.keyCount, ageSeconds: status.ageSeconds.map(Double.init),
        refreshes: status.results)
    }
    return MetricsPage(
      counters: await counters(), names: snapshot.counterNames, keySets: keySets, certificates: certificates,
      upstreams: await upstreamStates(), resolutions: await resolutions(),
      reloadsSucceeded: reloads.succeededCount,
      reloadsFailed: reloads.failedCount, isLastReloadGood: reloads.errors.isEmpty,
      droppedLogLines: UInt64(clamping: logWriter.droppedLineCount),
      droppedOwnLogLines: UInt64(clamping: process.log.droppedLineCount), memory: memory,
      version: process.version)
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

  /// `/status`: one JSON object, for people and scripts.
  func statusDocument() async -> [UInt8] {
    let issuers = await registry.status().map { status in
      IssuerStatus(
        name: status.name, source: status.source, ready: status.isReady, keys: status.keyCount,
        droppedKeys: status.droppedKeyCount, ageSeconds: status.ageSeconds, lastError: status.lastError,
        nextRefreshSeconds: status.nextRefreshInSeconds)
    }
    let upstreams = await upstreamStates()
    let traffic = TrafficStatus(await counters(), snapshot, listeners)
    let document = StatusDocument(
      version: process.version, generation: snapshot.generation,
      configuration: ConfigurationStatus(file: process.file, reloads), draining: ending.hasBegun,
      uptimeSeconds: ContinuousClock.now.duration(to: startedAt).components.seconds * -1,
      requests: traffic.requests, serverErrors: traffic.serverErrors, listeners: traffic.listeners,
      routes: traffic.routes, latencyBoundsMs: traffic.latencyBounds, refusals: traffic.refusals,
      upstreams: upstreams.map(UpstreamStatus.init),
      issuers: issuers)
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return ((try? encoder.encode(document)).map(Array.init) ?? []) + [0x0A]
  }
}

// In the document the names are in snake case: `uptime_seconds`.
private struct StatusDocument: Encodable {
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
  var upstreams: [UpstreamStatus]
  var issuers: [IssuerStatus]
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
  var servers: [ServerStatus]

  init(_ state: UpstreamState) {
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
      let date = Date(timeIntervalSince1970: Double(unixMilliseconds) / 1000)
      return Check(
        result: result.name, status: status == 0 ? nil : status, at: date.formatted(.iso8601))
    }
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
}
