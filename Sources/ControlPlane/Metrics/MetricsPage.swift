// The page at `/metrics`: what all workers counted, and what the control plane itself knows. Names and labels are
// public contract. Nothing here is in the request path.

import Bytes
import HTTPWire
package import Proxy
import Tokens

/// An issuer's keys as the control plane sees them.
package struct KeySetMetrics: Sendable, Equatable {
  package var issuer: String
  /// 0 while there are none.
  package var keyCount: Int
  /// Since the last good fetch. Nil while there was none.
  package var ageSeconds: Double?
  /// Fetches by outcome: `ok` or a stable reason.
  package var refreshes: [String: UInt64]

  package init(issuer: String, keyCount: Int, ageSeconds: Double?, refreshes: [String: UInt64]) {
    self.issuer = issuer
    self.keyCount = keyCount
    self.ageSeconds = ageSeconds
    self.refreshes = refreshes
  }
}

/// Everything that one scrape shows.
package struct MetricsPage: Sendable {
  /// The sum of all workers' copies.
  package var counters: CountersSnapshot
  /// Of the newest snapshot.
  package var names: CounterNames
  /// One an issuer of the running configuration.
  package var keySets: [KeySetMetrics]
  /// Those that the listeners show.
  package var certificates: [CertificateMetrics]
  /// One an upstream of the running configuration.
  package var upstreams: [UpstreamState]
  /// Of all workers together.
  package var stores: [StoreState]
  /// Those of this process, by the names of their rules.
  package var sessions: [(name: String, count: Int)]
  package var apiKeys: [(name: String, count: Int)]
  /// One an issuer that has lists.
  package var revocations: [RevocationStatus]
  /// Look-ups of the names of upstreams' servers.
  package var resolutions: [(upstream: String, results: [String: UInt64])]
  package var reloadsSucceeded: UInt64
  package var reloadsFailed: UInt64
  /// Whether the running configuration is the one on disk, as far as that was read.
  package var isLastReloadGood: Bool
  /// When the running configuration was read, in seconds since 1970.
  package var lastReloadTime: Int64
  /// Access log lines that the log's destination did not accept in time.
  package var droppedLogLines: UInt64
  /// Lines of the gateway's own log that standard error did not accept in time.
  package var droppedOwnLogLines: UInt64
  package var spans: ExportCounts
  package var logRecords: ExportCounts
  package var metricsMessages: ExportCounts
  /// What waits in all connections, and may.
  package var memory: (used: Int, limit: Int)
  /// What the proofs take that were seen.
  package var proofMemory: (used: Int, limit: Int)
  package var version: String
  /// Nil where the kernel does not say.
  package var process: ProcessMetrics?

  package init(
    counters: CountersSnapshot, names: CounterNames, keySets: [KeySetMetrics] = [],
    certificates: [CertificateMetrics] = [], upstreams: [UpstreamState] = [], stores: [StoreState] = [],
    sessions: [(name: String, count: Int)] = [], apiKeys: [(name: String, count: Int)] = [],
    revocations: [RevocationStatus] = [], resolutions: [(upstream: String, results: [String: UInt64])] = [],
    reloadsSucceeded: UInt64 = 0,
    reloadsFailed: UInt64 = 0, isLastReloadGood: Bool = true, lastReloadTime: Int64 = 0, droppedLogLines: UInt64 = 0,
    droppedOwnLogLines: UInt64 = 0, spans: ExportCounts = ExportCounts(),
    logRecords: ExportCounts = ExportCounts(), metricsMessages: ExportCounts = ExportCounts(),
    memory: (used: Int, limit: Int) = (0, 0), proofMemory: (used: Int, limit: Int) = (0, 0),
    version: String, process: ProcessMetrics? = nil
  ) {
    self.counters = counters
    self.names = names
    self.keySets = keySets
    self.certificates = certificates
    self.upstreams = upstreams
    self.stores = stores
    self.sessions = sessions
    self.apiKeys = apiKeys
    self.revocations = revocations
    self.resolutions = resolutions
    self.reloadsSucceeded = reloadsSucceeded
    self.reloadsFailed = reloadsFailed
    self.isLastReloadGood = isLastReloadGood
    self.lastReloadTime = lastReloadTime
    self.droppedLogLines = droppedLogLines
    self.droppedOwnLogLines = droppedOwnLogLines
    self.spans = spans
    self.logRecords = logRecords
    self.metricsMessages = metricsMessages
    self.memory = memory
    self.proofMemory = proofMemory
    self.version = version
    self.process = process
  }

  /// The page as bytes.
  package func render(_ format: MetricsFormat = .prometheus) -> [UInt8] {
    var text = PrometheusText(format)
    write(to: &text)
    text.end()
    return text.bytes.copied()
  }

  /// All families in their order.
  func write(to writer: inout some MetricsWriter & ~Copyable) {
    writeTraffic(to: &writer)
    writeUpstreams(to: &writer)
    writeStores(to: &writer)
    writeResolutions(to: &writer)
    writeTokens(to: &writer)
    writeRevocations(to: &writer)
    writeConnections(to: &writer)
    writeTLS(to: &writer)
    writeControlPlane(to: &writer)
    writeProcess(to: &writer)
  }

  private func writeTraffic(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.requests)
    for (route, method, status, count) in counters.requestCounts {
      writer.sample(
        [
          ("route", name(route, in: names.routes)), ("method", method.label), ("code", String(status)),
        ], count)
    }
    writeHistograms(
      .requestDuration, counters.requestDurations, counters.requestExemplars, label: "route", names: names.routes,
      to: &writer)
    writer.family(.activeRequests)
    for (id, name) in names.listeners.enumerated() {
      writer.sample([("listener", name)], gauge: counters.activeRequests(listener: id))
    }
    writeBodies(to: &writer)
    writeHistograms(
      .upstreamDuration, counters.upstreamDurations, label: "upstream", names: names.upstreams, to: &writer)
    writer.family(.upstreamRetries)
    for (id, name) in names.upstreams.enumerated() {
      writer.sample([("upstream", name)], counters.retries(upstream: id))
    }
    writer.family(.refusedRetries)
    for (id, name) in names.upstreams.enumerated() {
      writer.sample([("upstream", name)], counters.refusedRetries(upstream: id))
    }
    writer.family(.mirrored)
    for (route, result, count) in counters.mirroredCounts {
      writer.sample([("route", name(route, in: names.routes)), ("result", result.label)], count)
    }
    writer.family(.operations)
    for (route, operation, type, count) in counters.operationCounts {
      let operation = operation.flatMap { names.operations.indices.contains($0) ? names.operations[$0] : nil }
      writer.sample(
        [("route", name(route, in: names.routes)), ("operation", operation ?? "other"), ("type", "\(type)")], count)
    }
    for (family, isDryRun) in [(MetricFamily.rateLimited, false), (.rateLimitedDryRun, true)] {
      writer.family(family)
      for (id, name) in names.routes.enumerated() {
        let count = counters.rateLimited(route: id, isDryRun: isDryRun)
        if count > 0 { writer.sample([("route", name)], count) }
      }
    }
    writer.family(.rateLimitEvictions)
    for (id, name) in names.routes.enumerated() {
      let count = counters.rateLimitEvictions(route: id)
      if count > 0 { writer.sample([("route", name)], count) }
    }
    writer.family(.errors)
    for (reason, count) in counters.errors.sorted(by: { $0.key < $1.key }) {
      writer.sample([("reason", reason)], count)
    }
    writer.family(.accessLogDropped)
    writer.sample([], droppedLogLines)
    writer.family(.ownLogDropped)
    writer.sample([], droppedOwnLogLines)
    writeExports(.tracesSent, .tracesDropped, spans, to: &writer)
    writeExports(.logsSent, .logsDropped, logRecords, to: &writer)
    writeExports(.metricsSent, .metricsDropped, metricsMessages, to: &writer)
  }

  private func writeExports(
    _ sent: MetricFamily, _ dropped: MetricFamily, _ counts: ExportCounts,
    to writer: inout some MetricsWriter & ~Copyable
  ) {
    writer.family(sent)
    writer.sample([], counts.sent)
    writer.family(dropped)
    for reason in ExportLoss.allCases { writer.sample([("reason", reason.rawValue)], counts.dropped[reason] ?? 0) }
  }

  private func writeBodies(to writer: inout some MetricsWriter & ~Copyable) {
    let counts = counters.bodyByteCounts.map { (name: name($0.route, in: names.routes), $0.request, $0.response) }
    writer.family(.requestBytes)
    for (name, request, _) in counts { writer.sample([("route", name)], request) }
    writer.family(.responseBytes)
    for (name, _, response) in counts { writer.sample([("route", name)], response) }
  }

  private func writeResolutions(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.nameResolution)
    for (upstream, results) in resolutions {
      for (result, count) in results.sorted(by: { $0.key < $1.key }) {
        writer.sample([("upstream", upstream), ("result", result)], count)
      }
    }
  }

  private func writeTokens(to writer: inout some MetricsWriter & ~Copyable) {
    for (family, counts) in [
      (MetricFamily.authentications, counters.authenticationCounts), (.shadowed, counters.shadowCounts),
    ] {
      writer.family(family)
      for (route, issuer, result, count) in counts {
        writer.sample(
          [
            ("auth_kind", result.kindLabel), ("issuer", name(issuer, in: names.issuers)), ("result", result.label),
            ("route", name(route, in: names.routes)),
          ], count)
      }
    }
    writeQuestions(to: &writer)
    writer.family(.tokenCache)
    writer.sample([("result", "hit")], counters.tokenCacheHits)
    writer.sample([("result", "miss")], counters.tokenCacheMisses)
    writeHistograms(
      .tokenVerification, counters.verifications, label: "algorithm",
      names: SignatureAlgorithm.allCases.map(\.rawValue),
      to: &writer)
  }

  private func writeConnections(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.connections)
    for (id, name) in names.listeners.enumerated() {
      for state in ConnectionState.allCases {
        writer.sample([("listener", name), ("state", state.label)], gauge: counters.connections(listener: id, state))
      }
    }
    writer.family(.upstreamConnections)
    for (id, name) in names.upstreams.enumerated() {
      for state in ConnectionState.allCases {
        writer.sample([("upstream", name), ("state", state.label)], gauge: counters.connections(upstream: id, state))
      }
    }
    writer.family(.memory)
    writer.sample([], gauge: memory.used)
    writer.family(.memoryLimit)
    writer.sample([], gauge: memory.limit)
    writer.family(.proofMemory)
    writer.sample([], gauge: proofMemory.used)
    writer.family(.proofMemoryLimit)
    writer.sample([], gauge: proofMemory.limit)
  }

  private func writeTLS(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.handshakes)
    for (result, count) in counters.handshakes.sorted(by: { $0.key < $1.key }) {
      writer.sample([("result", result)], count)
    }
    for family in [MetricFamily.certificateExpiry, .certificateExpiryOld] {
      writer.family(family)
      for certificate in certificates {
        writer.sample(
          [("listener", certificate.listener), ("name", certificate.name), ("key", certificate.key)],
          gauge: Int(clamping: certificate.expiresAt))
      }
    }
  }

  private func writeControlPlane(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.keySetRefreshes)
    for keySet in keySets {
      for (result, count) in keySet.refreshes.sorted(by: { $0.key < $1.key }) {
        writer.sample([("issuer", keySet.issuer), ("result", result)], count)
      }
    }
    writer.family(.keySetAge)
    for keySet in keySets {
      if let age = keySet.ageSeconds { writer.sample([("issuer", keySet.issuer)], seconds: age) }
    }
    writer.family(.keySetKeys)
    for keySet in keySets { writer.sample([("issuer", keySet.issuer)], gauge: keySet.keyCount) }
    writer.family(.reloads)
    writer.sample([("result", "ok")], reloadsSucceeded)
    writer.sample([("result", "error")], reloadsFailed)
    writer.family(.lastReload)
    writer.sample([], gauge: isLastReloadGood ? 1 : 0)
    writer.family(.lastReloadTime)
    writer.sample([], gauge: Int(clamping: lastReloadTime))
    writer.family(.buildInfo)
    writer.sample([("version", version)], 1)
  }

  func writeHistograms(
    _ family: MetricFamily, _ histograms: HistogramSet, _ exemplars: ExemplarSet? = nil, label: String,
    names: [String], to writer: inout some MetricsWriter & ~Copyable
  ) {
    writer.family(family)
    for (id, name) in names.enumerated() {
      guard let (buckets, sum) = histograms.histogram(id: id) else { continue }
      writer.histogram(
        [(label, name)],
        Histogram(
          bounds: histograms.bounds, buckets: buckets, sum: sum, exemplars: exemplars?.exemplars(id: id) ?? []))
    }
  }

  /// A name by its id. Empty, which Prometheus takes for no label, when there is none.
  private func name(_ id: Int?, in names: [String]) -> String {
    guard let id, names.indices.contains(id) else { return "" }
    return names[id]
  }
}

extension Method {
  /// As in the request line. `other` for all that have no case, so that no client makes up labels.
  fileprivate var label: String {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .delete: "DELETE"
    case .connect: "CONNECT"
    case .options: "OPTIONS"
    case .trace: "TRACE"
    case .patch: "PATCH"
    case .other: "other"
    }
  }
}
