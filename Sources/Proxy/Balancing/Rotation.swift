// Which servers of an upstream requests go to now, and in which shares. Servers that neither checks nor failures have
// taken out are in rotation, or all of them when that leaves too few (panic).

import Configuration

/// Not copyable: a choice only looks at it.
struct Rotation: ~Copyable {
  /// Empty only when the upstream has no servers.
  private(set) var servers: [UpstreamServer] = []
  /// Whether all of them have the same share.
  private(set) var hasEqualShares = true
  private(set) var shareSum = 0
  /// Whether a share grows.
  private(set) var isStartingSlowly = false
  /// No server is fit, and the configuration does not allow one that is not.
  private(set) var isUnavailable = false
  /// Exchanges that this worker has at any of the upstream's servers now.
  private(set) var activeCount = 0

  /// Whether a server can be out of rotation at all.
  private(set) var isWatched = false
  /// Nil where failures take no server out.
  private(set) var ejection: EjectionRules?
  private var hasChecks = false
  private var panicThreshold = 0
  private var slowStart: Int64 = 0
  /// As ``SharedUpstream/changeCount`` was at the last review.
  private var seenChangeCount = 0

  /// Takes over what a reload brought. ``review(_:changeCount:at:)`` or ``replace(by:of:at:)`` follows.
  mutating func configure(_ upstream: Upstream, changeCount: Int) {
    ejection = upstream.ejection.map(EjectionRules.init)
    hasChecks = upstream.healthCheck != nil
    isWatched = hasChecks || ejection != nil
    panicThreshold = upstream.panicThreshold
    slowStart = upstream.slowStart?.nanoseconds ?? 0
    isUnavailable = false
    seenChangeCount = changeCount &- 1
  }

  // MARK: Which servers

  /// Whether a server's state has changed since the last review.
  func isOutdated(_ changeCount: Int) -> Bool { changeCount != seenChangeCount }

  /// Looks which of the upstream's servers are fit.
  /// - Returns: whether they are too few, so that requests go to all (panic).
  mutating func review(_ all: [UpstreamServer], changeCount: Int, at now: Int64) -> Bool {
    seenChangeCount = changeCount
    let (hasChecks, isEjecting) = (hasChecks, ejection != nil)
    let fit = all.filter { server in
      (!hasChecks || server.shared.isHealthy) && (!isEjecting || server.shared.ejectedUntil == 0)
    }
    let isPanicking = fit.count * 100 < panicThreshold * all.count
    isUnavailable = fit.isEmpty && !all.isEmpty && !isPanicking
    replace(by: fit.isEmpty || isPanicking ? all : fit, of: all, at: now)
    return isPanicking
  }

  /// Requests go to these of the upstream's servers from now on. Those that were not in rotation before begin slowly
  /// where the file says so, but not the first of all.
  mutating func replace(by fresh: [UpstreamServer], of all: [UpstreamServer], at now: Int64) {
    if slowStart > 0, all.contains(where: \.load.isInRotation) {
      for server in fresh where !server.load.isInRotation {
        server.load.slowStartedAt = now
        isStartingSlowly = true
      }
    }
    for server in servers { server.load.isInRotation = false }
    for server in fresh { server.load.isInRotation = true }
    servers = fresh
    updateShares(at: now)
  }

  // MARK: Shares

  /// Called some ten times a second while ``isStartingSlowly``.
  mutating func growShares(at now: Int64) {
    isStartingSlowly = servers.contains(where: \.load.isStartingSlowly)
    updateShares(at: now)
  }

  private mutating func updateShares(at now: Int64) {
    shareSum = 0
    for server in servers {
      server.load.updateShare(of: server.configuration, at: now, slowStart: slowStart)
      shareSum += server.load.share
    }
    let first = servers.first?.load.share
    hasEqualShares = servers.allSatisfy { $0.load.share == first }
  }

  // MARK: Requests

  /// A request was sent to the server.
  mutating func began(at server: UpstreamServer) {
    server.load.activeCount += 1
    activeCount += 1
  }

  /// It has an outcome.
  mutating func ended(at server: UpstreamServer) {
    server.load.activeCount -= 1
    activeCount -= 1
  }
}
