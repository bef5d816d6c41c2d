// An upstream and its servers at one moment, over all workers, for the metrics page and the status document.

import Configuration
import Logging
package import Proxy
import Transport

/// One upstream.
package struct UpstreamState: Sendable {
  /// The raw values are in the status document.
  package enum Health: String, Sendable {
    case healthy, unhealthy
    /// Not checked yet: requests go to it.
    case unknown
    /// The upstream has no `health_check`.
    case unchecked
  }

  package struct Server: Sendable {
    package var address: String
    package var weight: Int
    package var health: Health
    package var isEjectable: Bool
    /// Until it comes back. Nil while it is not out.
    package var ejectedSeconds: Double?
    package var ejectionCount: UInt64
    package var activeCount: Int
    package var lastCheck: (result: CheckResult, status: Int, unixMilliseconds: Int64)?
    package var checkCounts: (passed: UInt64, failed: UInt64)

    /// Neither checks nor failures have taken it out.
    package var isFit: Bool { health != .unhealthy && ejectedSeconds == nil }
  }

  package var name: String
  package var activeCount: Int
  package var waitingCount: Int
  package var hasQueue: Bool
  /// Of `max_requests` and `adaptive`. Nil without both.
  package var requestsMax: Int?
  package var isPanicking: Bool
  package var servers: [Server]

  /// - Parameters:
  ///   - loads: of every worker. Those of other upstreams are left out.
  ///   - now: steady nanoseconds.
  init(_ configuration: Upstream, _ sharing: UpstreamSharing, loads: [UpstreamLoad], at now: Int64) {
    name = configuration.name
    // A worker that has taken over another configuration at this moment may have other servers.
    let own = loads.filter { $0.name == configuration.name && $0.activeCounts.count == configuration.servers.count }
    waitingCount = own.reduce(0) { $0 + $1.waitingCount }
    hasQueue = configuration.queue != nil
    requestsMax = sharing.upstream.requestsMax(configuration)
    isPanicking = sharing.upstream.isPanicking
    servers = zip(configuration.servers, sharing.servers).enumerated().map { index, pair in
      let (server, shared) = pair
      let lastCheck = configuration.healthCheck == nil ? nil : shared.lastCheck
      let health: Health =
        configuration.healthCheck == nil
        ? .unchecked : !shared.isHealthy ? .unhealthy : lastCheck == nil ? .unknown : .healthy
      let ejectedUntil = configuration.ejection == nil ? 0 : shared.ejectedUntil
      return Server(
        address: server.address.description, weight: server.weight, health: health,
        isEjectable: configuration.ejection != nil,
        ejectedSeconds: ejectedUntil == 0 ? nil : max(0, Double((ejectedUntil &- now) / 1_000_000) / 1000),
        ejectionCount: shared.ejectionCount, activeCount: own.reduce(0) { $0 + $1.activeCounts[index] },
        lastCheck: lastCheck, checkCounts: shared.checkCounts)
    }
    activeCount = servers.reduce(0) { $0 + $1.activeCount }
  }
}

extension Logger {
  /// One line a minute at most.
  func report(_ shortage: SlotShortage) {
    let reason =
      switch shortage {
      case .connections: "limits.connections is reached"
      case .descriptors: "no descriptors are left"
      }
    warning(
      "the descriptor budget is used up: idle connections are closed, and new requests wait if there are none",
      metadata: ["reason": "\(reason)"])
  }

  /// One line for each change of a server's state.
  func report(_ change: UpstreamChange, of upstream: String) {
    var facts: Metadata = ["upstream": "\(upstream)"]
    switch change {
    case .healthy(let server):
      facts["server"] = "\(server)"
      notice("a server is healthy", metadata: facts)
    case .unhealthy(let server, let result, let status):
      facts["server"] = "\(server)"
      facts["reason"] = "\(result.name)"
      if status > 0 { facts["status"] = "\(status)" }
      warning("a server is unhealthy", metadata: facts)
    case .ejected(let server, let milliseconds, let failures):
      facts["server"] = "\(server)"
      facts["failures"] = "\(failures)"
      facts["for"] = "\(milliseconds)ms"
      warning("a server is ejected", metadata: facts)
    case .returned(let server):
      facts["server"] = "\(server)"
      notice("a server is back", metadata: facts)
    case .panicBegan:
      warning("too few servers are healthy, requests go to all of them", metadata: facts)
    case .panicEnded:
      notice("enough servers are healthy, requests go to those alone", metadata: facts)
    case .headTooLarge(let server, let bound):
      facts["server"] = "\(server)"
      switch bound {
      case .bytes(let max):
        facts["size"] = "more than \(max) bytes"
        facts["limit"] = "header_size"
      case .fields(let max):
        facts["size"] = "more than \(max) fields"
        facts["limit"] = "headers"
      }
      warning("the head of an answer is too large", metadata: facts)
    case .serviceFails(let service, let reason):
      facts["service"] = "\(service)"
      facts["reason"] = "\(reason)"
      warning("a service does not answer whether requests may pass, and is asked once a second", metadata: facts)
    case .serviceAnswers(let service):
      facts["service"] = "\(service)"
      notice("a service answers again", metadata: facts)
    }
  }
}
