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
  package var spans: SpanCounts
  /// What waits in all connections, and may.
  package var memory: (used: Int, limit: Int)
  package var version: String
  /// Nil where the kernel does not say.
  package var process: ProcessMetrics?

  package init(
    counters: CountersSnapshot, names: CounterNames, keySets: [KeySetMetrics] = [],
    certificates: [CertificateMetrics] = [], upstreams: [UpstreamState] = [],
    resolutions: [(upstream: String, results: [String: UInt64])] = [], reloadsSucceeded: UInt64 = 0,
    reloadsFailed: UInt64 = 0, isLastReloadGood: Bool = true, lastReloadTime: Int64 = 0, droppedLogLines: UInt64 = 0,
    droppedOwnLogLines: UInt64 = 0, spans: SpanCounts = SpanCounts(),
    memory: (used: Int, limit: Int) = (0, 0), version: String, process: ProcessMetrics? = nil
  ) {
    self.counters = counters
    self.names = names
    self.keySets = keySets
    self.certificates = certificates
    self.upstreams = upstreams
    self.resolutions = resolutions
    self.reloadsSucceeded = reloadsSucceeded
    self.reloadsFailed = reloadsFailed
    self.isLastReloadGood = isLastReloadGood
    self.lastReloadTime = lastReloadTime
    self.droppedLogLines = droppedLogLines
    self.droppedOwnLogLines = droppedOwnLogLines
    self.spans = spans
    self.memory = memory
    self.version = version
    self.process = process
  }

  /// What `Content-Type` says of it.
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The page as bytes.
  package func render() -> [UInt8] {
    var text = PrometheusText()
    renderTraffic(to: &text)
    renderUpstreams(to: &text)
    renderResolutions(to: &text)
    renderTokens(to: &text)
    renderConnections(to: &text)
    renderTLS(to: &text)
    renderControlPlane(to: &text)
    renderProcess(to: &text)
    return text.bytes.span.copied()
  }

  private func renderTraffic(to text: inout PrometheusText) {
    text.family(.requests)
    for (route, method, status, count) in counters.requestCounts {
      text.sample(
        [
          ("route", name(route, in: names.routes)), ("method", method.label), ("code", String(status)),
        ], count)
    }
    renderHistograms(.requestDuration, counters.requestDurations, label: "route", names: names.routes, to: &text)
    text.family(.activeRequests)
    for (id, name) in names.listeners.enumerated() {
      text.sample([("listener", name)], gauge: counters.activeRequests(listener: id))
    }
    renderBodies(to: &text)
    renderHistograms(
      .upstreamDuration, counters.upstreamDurations, label: "upstream", names: names.upstreams, to: &text)
    text.family(.upstreamRetries)
    for (id, name) in names.upstreams.enumerated() {
      text.sample([("upstream", name)], counters.retries(upstream: id))
    }
    text.family(.refusedRetries)
    for (id, name) in names.upstreams.enumerated() {
      text.sample([("upstream", name)], counters.refusedRetries(upstream: id))
    }
    text.family(.mirrored)
    for (route, result, count) in counters.mirroredCounts {
      text.sample([("route", name(route, in: names.routes)), ("result", result.label)], count)
    }
    for (family, isDryRun) in [(MetricFamily.rateLimited, false), (.rateLimitedDryRun, true)] {
      text.family(family)
      for (id, name) in names.routes.enumerated() {
        let count = counters.rateLimited(route: id, isDryRun: isDryRun)
        if count > 0 { text.sample([("route", name)], count) }
      }
    }
    text.family(.rateLimitEvictions)
    for (id, name) in names.routes.enumerated() {
      let count = counters.rateLimitEvictions(route: id)
      if count > 0 { text.sample([("route", name)], count) }
    }
    text.family(.errors)
    for (reason, count) in counters.errors.sorted(by: { $0.key < $1.key }) { text.sample([("reason", reason)], count) }
    text.family(.accessLogDropped)
    text.sample([], droppedLogLines)
    text.family(.ownLogDropped)
    text.sample([], droppedOwnLogLines)
    text.family(.tracesSent)
    text.sample([], spans.sent)
    text.family(.tracesDropped)
    for reason in SpanLoss.allCases { text.sample([("reason", reason.rawValue)], spans.dropped[reason] ?? 0) }
  }

  private func renderBodies(to text: inout PrometheusText) {
    let counts = counters.bodyByteCounts.map { (name: name($0.route, in: names.routes), $0.request, $0.response) }
    text.family(.requestBytes)
    for (name, request, _) in counts { text.sample([("route", name)], request) }
    text.family(.responseBytes)
    for (name, _, response) in counts { text.sample([("route", name)], response) }
  }

  private func renderResolutions(to text: inout PrometheusText) {
    text.family(.nameResolution)
    for (upstream, results) in resolutions {
      for (result, count) in results.sorted(by: { $0.key < $1.key }) {
        text.sample([("upstream", upstream), ("result", result)], count)
      }
    }
  }

  private func renderTokens(to text: inout PrometheusText) {
    text.family(.authentications)
    for (route, issuer, result, count) in counters.authenticationCounts {
      text.sample(
        [
          ("issuer", name(issuer, in: names.issuers)), ("result", result.label),
          ("route", name(route, in: names.routes)),
        ], count)
    }
    text.family(.tokenCache)
    text.sample([("result", "hit")], counters.tokenCacheHits)
    text.sample([("result", "miss")], counters.tokenCacheMisses)
    renderHistograms(
      .tokenVerification, counters.verifications, label: "algorithm",
      names: SignatureAlgorithm.allCases.map(\.rawValue),
      to: &text)
  }

  private func renderConnections(to text: inout PrometheusText) {
    text.family(.connections)
    for (id, name) in names.listeners.enumerated() {
      for state in ConnectionState.allCases {
        text.sample([("listener", name), ("state", state.label)], gauge: counters.connections(listener: id, state))
      }
    }
    text.family(.upstreamConnections)
    for (id, name) in names.upstreams.enumerated() {
      for state in ConnectionState.allCases {
        text.sample([("upstream", name), ("state", state.label)], gauge: counters.connections(upstream: id, state))
      }
    }
    text.family(.memory)
    text.sample([], gauge: memory.used)
    text.family(.memoryLimit)
    text.sample([], gauge: memory.limit)
  }

  private func renderTLS(to text: inout PrometheusText) {
    text.family(.handshakes)
    for (result, count) in counters.handshakes.sorted(by: { $0.key < $1.key }) {
      text.sample([("result", result)], count)
    }
    for family in [MetricFamily.certificateExpiry, .certificateExpiryOld] {
      text.family(family)
      for certificate in certificates {
        text.sample(
          [("listener", certificate.listener), ("name", certificate.name), ("key", certificate.key)],
          gauge: Int(clamping: certificate.expiresAt))
      }
    }
  }

  private func renderControlPlane(to text: inout PrometheusText) {
    text.family(.keySetRefreshes)
    for keySet in keySets {
      for (result, count) in keySet.refreshes.sorted(by: { $0.key < $1.key }) {
        text.sample([("issuer", keySet.issuer), ("result", result)], count)
      }
    }
    text.family(.keySetAge)
    for keySet in keySets {
      if let age = keySet.ageSeconds { text.sample([("issuer", keySet.issuer)], seconds: age) }
    }
    text.family(.keySetKeys)
    for keySet in keySets { text.sample([("issuer", keySet.issuer)], gauge: keySet.keyCount) }
    text.family(.reloads)
    text.sample([("result", "ok")], reloadsSucceeded)
    text.sample([("result", "error")], reloadsFailed)
    text.family(.lastReload)
    text.sample([], gauge: isLastReloadGood ? 1 : 0)
    text.family(.lastReloadTime)
    text.sample([], gauge: Int(clamping: lastReloadTime))
    text.family(.buildInfo)
    text.sample([("version", version)], 1)
  }

  private func renderHistograms(
    _ family: MetricFamily, _ histograms: HistogramSet, label: String, names: [String], to text: inout PrometheusText
  ) {
    text.family(family)
    for (id, name) in names.enumerated() {
      guard let (buckets, sum) = histograms.histogram(id: id) else { continue }
      text.histogram([(label, name)], bounds: histograms.bounds, buckets: buckets, sum: sum)
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
