// How many requests a worker has at each upstream, for metrics and the status.

import Configuration

/// Requests of one worker at an upstream.
package struct UpstreamLoad: Sendable, Equatable {
  package var name: String
  /// Waiting for a permit.
  package var waitingCount: Int
  /// At each server, in the order of the configuration.
  package var activeCounts: [Int]

  package init(name: String, waitingCount: Int, activeCounts: [Int]) {
    self.name = name
    self.waitingCount = waitingCount
    self.activeCounts = activeCounts
  }
}

extension Worker {
  /// What this worker has at the upstreams of its configuration now.
  package var upstreamLoads: [UpstreamLoad] {
    pools.map { pool in
      UpstreamLoad(
        name: pool.configuration.name, waitingCount: pool.admission.queue.count,
        activeCounts: pool.servers.map(\.load.activeCount))
    }
  }
}
