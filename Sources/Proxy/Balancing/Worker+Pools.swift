// What time changes at the upstreams of a worker.

import Configuration

extension Worker {
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
