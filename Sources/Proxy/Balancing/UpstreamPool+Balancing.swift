// Where an upstream's parts of balancing meet: cookies, policy, rotation and admission.

import Configuration

extension UpstreamPool {
  /// Takes over what a reload brought, or other addresses of a name.
  func configureBalancing() {
    sticky = configuration.sticky.map { PreparedSticky($0, upstream: configuration.name, servers: servers) }
    admission.configure(configuration)
    policy.configure(configuration, servers)
    rotation.configure(configuration, changeCount: shared.changeCount)
    if rotation.isWatched { reviewRotation() } else { rotate(to: servers) }
  }

  /// Where the exchange goes: by its cookie or the upstream's `balance`, those that failed it or are full left out
  /// where others remain. Nil when the upstream has no server at all, as while a name was never resolved.
  @inline(__always)
  func nextServer(for exchange: Exchange) -> UpstreamServer? {
    if sticky == nil, rotation.servers.count <= 1 { return rotation.servers.first }
    return nextOfMany(for: exchange)
  }

  private func nextOfMany(for exchange: Exchange) -> UpstreamServer? {
    if sticky != nil, let server = boundServer(for: exchange) {
      policy.chosen(server)
      return server
    }
    if rotation.servers.count <= 1 { return rotation.servers.first }
    let passed = PassedOver(
      tried: exchange.delivery.attempts.triedServers, requestsMax: admission.requestsPerServerMax)
    return policy.next(for: exchange, leavingOut: passed, in: rotation)
  }

  /// Looks whether a server's state has changed since the last time: one load where nothing has.
  func reviewRotation() {
    let changeCount = shared.changeCount
    guard rotation.isOutdated(changeCount) else { return }
    let isPanicking = rotation.review(servers, changeCount: changeCount, at: worker.time.nanoseconds)
    policy.rotationChanged(rotation)
    if shared.notePanic(isPanicking) { report(isPanicking ? .panicBegan : .panicEnded) }
  }

  /// Requests go to these of its servers from now on.
  func rotate(to servers: [UpstreamServer]) {
    rotation.replace(by: servers, of: self.servers, at: worker.time.nanoseconds)
    policy.rotationChanged(rotation)
  }

  func report(_ change: UpstreamChange) {
    worker.commands.append(.reportUpstream(configuration.name, change))
  }

  /// Called ten times a second.
  func tick() {
    let now = worker.time.nanoseconds
    if rotation.isStartingSlowly {
      rotation.growShares(at: now)
      policy.rotationChanged(rotation)
    }
    if rotation.isWatched {
      endEjections()
      reviewRotation()
    }
    if let rules = admission.adaptiveLimit { shared.concurrency.closeWindow(at: now, rules) }
  }
}
