// What time changes at the upstreams of a worker.

import Configuration

extension Worker {
  /// Servers of the snapshot's upstreams may have changed, and nothing else of them.
  func configurePools() {
    for (index, pool) in pools.enumerated() {
      let upstream = snapshot.configuration.upstreams[index]
      if pool.configuration != upstream { pool.configure(upstream, sharing: snapshot.sharing[index]) }
    }
  }

  /// Lets in those who wait at an upstream, those of an earlier configuration first.
  func serveQueues(of upstream: SharedUpstream) {
    for pool in poolsInDemand where pool.shared === upstream { pool.serveQueue() }
  }

  /// How many of this worker's requests wait there.
  func waitingCount(at upstream: SharedUpstream) -> Int {
    poolsInDemand.reduce(0) { $0 + ($1.shared === upstream ? $1.admission.queue.count : 0) }
  }

  /// Called ten times a second.
  func tickPools() {
    for pool in pools { pool.tick() }
    if poolsInDemand.isEmpty { return }
    for pool in poolsInDemand { pool.serveQueue() }
    poolsInDemand.removeAll { $0.admission.queue.count == 0 }
  }
}
