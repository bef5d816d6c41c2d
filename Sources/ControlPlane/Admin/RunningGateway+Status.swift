// What the gateway tells of itself: the metrics page and the status document.

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
      reloadsSucceeded: reloadsSucceeded,
      reloadsFailed: reloadsFailed, droppedLogLines: UInt64(clamping: logWriter.droppedLineCount), version: version)
  }

  /// `/status`: one JSON object, for people and scripts.
  func statusDocument() async -> [UInt8] {
    let issuers = await registry.status().map { status in
      IssuerStatus(
        name: status.name, source: status.source, ready: status.isReady, keys: status.keyCount,
        droppedKeys: status.droppedKeyCount, ageSeconds: status.ageSeconds, lastError: status.lastError,
        nextRefreshSeconds: status.nextRefreshInSeconds)
    }
    let document = StatusDocument(
      version: version, generation: snapshot.generation, draining: isDraining,
      uptimeSeconds: ContinuousClock.now.duration(to: startedAt).components.seconds * -1,
      listeners: listeners.map { "\($0.0.address.withPort($0.port))" },
      routes: snapshot.configuration.routes.map { RouteStatus(name: $0.name, path: $0.path.description) },
      upstreams: snapshot.configuration.upstreams.map {
        UpstreamStatus(name: $0.name, servers: $0.servers.map(\.address.description))
      },
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
  var draining: Bool
  var uptimeSeconds: Int64
  var listeners: [String]
  var routes: [RouteStatus]
  var upstreams: [UpstreamStatus]
  var issuers: [IssuerStatus]
}

private struct RouteStatus: Encodable {
  var name: String
  var path: String
}

private struct UpstreamStatus: Encodable {
  var name: String
  var servers: [String]
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
