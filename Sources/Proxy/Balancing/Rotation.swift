// Choosing among the servers in rotation, and what is derived from the rotation so that a choice costs little.

import Configuration

/// `balance` of an upstream, without what belongs to it.
enum ServerPolicy {
  case roundRobin, leastRequests, randomTwo, hash

  static func prepared(_ balance: Balance) -> (ServerPolicy, RequestValue?) {
    switch balance {
    case .roundRobin: (.roundRobin, nil)
    case .leastRequests: (.leastRequests, nil)
    case .randomTwo: (.randomTwo, nil)
    case .hash(let key): (.hash, key)
    }
  }
}

extension UpstreamPool {
  /// Where the exchange goes: by its cookie or the upstream's `balance`, those that it has tried left out where others
  /// remain. Nil when the upstream has no server at all, as while a name was never resolved.
  func nextServer(for exchange: Exchange) -> UpstreamServer? {
    if sticky != nil, let server = boundServer(for: exchange) { return server }
    if rotation.count <= 1 { return rotation.first }
    let tried = exchange.delivery.attempts.triedServers
    switch policy {
    case .roundRobin: return roundRobin(leavingOut: tried)
    case .leastRequests: return leastRequests(leavingOut: tried)
    case .randomTwo: return randomTwo(leavingOut: tried)
    case .hash:
      guard let hashKey, let hash = exchange.callerHash(hashKey) else { return roundRobin(leavingOut: tried) }
      return ringServer(for: hash, leavingOut: tried)
    }
  }

  /// Called whenever ``rotation`` was replaced: what choices are made from is made again, and servers that were not in
  /// it before begin slowly where the file says so.
  func rotationChanged() {
    for server in servers {
      server.wasInRotation = server.isInRotation
      server.isInRotation = false
    }
    let isFirst = !servers.contains(where: \.wasInRotation)
    for server in rotation {
      server.isInRotation = true
      if slowStart > 0, !server.wasInRotation, !isFirst {
        server.slowStartedAt = worker.time.nanoseconds
        isStartingSlowly = true
      }
    }
    sharesChanged()
  }

  /// Called some ten times a second while ``isStartingSlowly``: the shares of servers that are new in rotation grow.
  func growShares() {
    isStartingSlowly = rotation.contains { $0.slowStartedAt != .min }
    sharesChanged()
  }

  private func sharesChanged() {
    shareSum = 0
    for server in rotation {
      let whole = server.configuration.weight * UpstreamServer.shareOfWeightOne
      server.share = whole
      if server.slowStartedAt != .min {
        let elapsed = worker.time.nanoseconds &- server.slowStartedAt
        if elapsed >= slowStart {
          server.slowStartedAt = .min
        } else {
          server.share = max(1, Int(Double(whole) * Double(max(0, elapsed)) / Double(slowStart)))
        }
      }
      shareSum += server.share
    }
    hasEqualShares = rotation.allSatisfy { $0.share == rotation[0].share }
    if policy == .randomTwo { shareEnds = hasEqualShares ? [] : ends() }
  }

  private func ends() -> [Int] {
    var sum = 0
    return rotation.map { server in
      sum += server.share
      return sum
    }
  }
}

/// Whether the server failed this request already. Almost always there is none that did.
func isOne(_ server: UpstreamServer, of tried: [UpstreamServer]) -> Bool {
  !tried.isEmpty && tried.contains { $0 === server }
}
