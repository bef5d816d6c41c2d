// Choosing among the servers in rotation, and what is derived from the rotation so that a choice costs little.

extension UpstreamPool {
  /// Called whenever ``rotation`` was replaced: what choices are made from is made anew.
  func rotationChanged() {
    hasEqualShares = rotation.allSatisfy { $0.share == rotation[0].share }
  }

  /// Where the exchange goes: by the upstream's `balance`, those that it has tried left out where others remain. Nil when
  /// the upstream has no server at all, as while a name was never resolved.
  func nextServer(for exchange: Exchange) -> UpstreamServer? {
    if rotation.count <= 1 { return rotation.first }
    return roundRobin(leavingOut: exchange.triedServers)
  }
}
