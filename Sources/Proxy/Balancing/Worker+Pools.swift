// What time changes at the upstreams of a worker.

import Configuration

extension Worker {
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
