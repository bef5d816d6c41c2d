// What time changes at the upstreams of a worker.

import Configuration

extension Worker {
  /// Lets in those who wait at an upstream, those of an earlier configuration first.
  func serveLines(of upstream: SharedUpstream) {
    for pool in poolsInDemand where pool.shared === upstream { pool.serveLine() }
  }

  /// How many of this worker's requests wait there.
  func waitingCount(at upstream: SharedUpstream) -> Int {
    poolsInDemand.reduce(0) { $0 + ($1.shared === upstream ? $1.line.count : 0) }
  }

  /// Called ten times a second.
  func tickPools() {
    for pool in pools {
      if pool.isStartingSlowly { pool.growShares() }
      if pool.isWatched {
        pool.endEjections()
        pool.reviewRotation()
      }
      if let rules = pool.adaptiveLimit {
        pool.shared.concurrency.closeWindow(at: time.nanoseconds, rules)
      }
    }
    if poolsInDemand.isEmpty { return }
    for pool in poolsInDemand { pool.serveLine() }
    poolsInDemand.removeAll { $0.line.count == 0 }
  }
}
