// The traffic in the status document: what the workers counted, by listener, route and reason.

import Configuration
import Proxy

/// In the document the names are in snake case: `client_errors`.
struct TrafficStatus {
  struct Listener: Encodable {
    var address: String
    var tls: Bool
    var activeConnections: Int
    var idleConnections: Int
  }

  struct Route: Encodable {
    var name: String
    var path: String
    var rules: RouteRules
    var requests: UInt64 = 0
    /// 4xx, and 499 for clients that went away.
    var clientErrors: UInt64 = 0
    var serverErrors: UInt64 = 0
    /// Since the start. Nil without requests.
    var latencyMs: Latency?
    /// By the document's bounds.
    var latencyCounts: [UInt64] = []
  }

  struct Latency: Encodable {
    var p50: Double
    var p95: Double
    var p99: Double
  }

  /// Of all routes, and of what no route took.
  var requests: UInt64 = 0
  var serverErrors: UInt64 = 0
  var listeners: [Listener]
  var routes: [Route]
  /// In milliseconds.
  var latencyBounds: [Double]
  /// By their stable codes. Includes errors that no client has seen.
  var refusals: [String: UInt64]
  /// What rules in shadow would have refused beside.
  var shadowRefusals: [String: UInt64] = [:]

  init(
    _ counters: CountersSnapshot, _ snapshot: Snapshot, _ listeners: [(Configuration.Listener, port: Int)]
  ) {
    let names = snapshot.counterNames
    latencyBounds = counters.requestDurations.bounds.map { Double($0) / 1_000_000 }
    var byRoute: [Int: (all: UInt64, client: UInt64, server: UInt64)] = [:]
    for (route, _, status, count) in counters.requestCounts {
      requests &+= count
      if status >= 500 { serverErrors &+= count }
      guard let route else { continue }
      var counts = byRoute[route] ?? (0, 0, 0)
      counts.all &+= count
      if (400...499).contains(status) { counts.client &+= count }
      if status >= 500 { counts.server &+= count }
      byRoute[route] = counts
    }
    routes = snapshot.configuration.routes.enumerated().map { index, configuration in
      let id = names.routeID(index)
      var route = Route(
        name: configuration.name, path: configuration.path.description,
        rules: RouteRules(configuration, of: snapshot.configuration))
      if let counts = byRoute[id] {
        (route.requests, route.clientErrors, route.serverErrors) = counts
      }
      let buckets = counters.requestDurations.histogram(id: id)?.buckets
      route.latencyCounts = buckets ?? Array(repeating: 0, count: counters.requestDurations.bounds.count + 1)
      route.latencyMs = buckets.map { buckets in
        let bounds = counters.requestDurations.bounds
        return Latency(
          p50: Self.quantile(0.5, buckets, bounds), p95: Self.quantile(0.95, buckets, bounds),
          p99: Self.quantile(0.99, buckets, bounds))
      }
      return route
    }
    self.listeners = snapshot.configuration.listeners.enumerated().map { index, configuration in
      let id = names.listenerID(index)
      let port = listeners.first { $0.0 == configuration }?.port
      return Listener(
        address: "\(port.map(configuration.address.withPort) ?? configuration.address)", tls: configuration.tls != nil,
        activeConnections: counters.connections(listener: id, .active),
        idleConnections: counters.connections(listener: id, .idle))
    }
    refusals = counters.errors
    for (_, _, result, count) in counters.authenticationCounts {
      if case .refused = result { refusals[result.label, default: 0] &+= count }
    }
    for (_, _, result, count) in counters.shadowCounts where result.isRefusal {
      shadowRefusals[result.label, default: 0] &+= count
    }
    for (_, result, count) in counters.shadowAuthorizationCounts {
      if let refusal = result.refusal { shadowRefusals[refusal.rawValue, default: 0] &+= count }
    }
  }

  /// In milliseconds, between the bounds in proportion. The last bound for what took longer than that.
  static func quantile(_ share: Double, _ buckets: [UInt64], _ bounds: [UInt64]) -> Double {
    let wanted = share * Double(buckets.reduce(0, &+))
    var seen = 0.0
    for (index, bound) in bounds.enumerated() where buckets.indices.contains(index) {
      let count = Double(buckets[index])
      if count > 0, seen + count >= wanted {
        let low = Double(index == 0 ? 0 : bounds[index - 1])
        return (low + (Double(bound) - low) * (wanted - seen) / count) / 1_000_000
      }
      seen += count
    }
    return Double(bounds.last ?? 0) / 1_000_000
  }
}
