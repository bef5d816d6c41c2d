// Where a request goes: to an upstream and a server there, as soon as there is a permit for it, or to an answer that
// the configuration gives.

import Configuration

extension Exchange {
  /// Which upstream the request goes to. That comes before the server, and before the request is written: upstreams
  /// speak different protocols.
  func chooseUpstream(_ route: CompiledRoute, of snapshot: Snapshot) {
    guard let split = route.split else {
      delivery.pool = worker.pool(at: route.upstream, of: snapshot)
      return
    }
    let hash = split.key.flatMap { callerHash($0) }
    let index =
      hash.map { split.upstream(forCaller: $0) } ?? split.upstream(for: worker.randomIdentifiers.next())
    delivery.pool = worker.pool(at: index, of: snapshot)
  }

  /// What distinguishes the caller from others. Nil where the request does not have the value.
  func callerHash(_ value: RequestValue) -> UInt64? {
    request.callerHash(value, of: caller, at: downstream?.client)
  }

  /// Where the request ends: at a server, or at an answer that the configuration gives.
  func chooseServer() -> StageOutcome {
    if let pool = delivery.pool, route?.isProxied ?? false { return takePermit(of: pool) }
    switch route?.action {
    case .respond(let response): return respond(response)
    case .redirect(let redirect): return redirectOutcome(redirect)
    case .session(let action, let index): return perform(action, index)
    case .upstream, .split, nil: return .refuse(.gateway(.routeNotFound))
    }
  }

  /// Takes a permit of the upstream and a server there, waits for them, or is turned away.
  @inline(__always)
  func takePermit(of pool: UpstreamPool) -> StageOutcome {
    if pool.rotation.isWatched {
      pool.reviewRotation()
      if pool.rotation.isUnavailable { return turnedAway(from: pool, .upstreamUnavailable) }
    }
    if pool.servers.isEmpty { return .refuse(.gateway(.upstreamUnresolved)) }
    guard pool.admission.isLimited else {
      guard let chosen = pool.nextServer(for: self) else { return .refuse(.gateway(.upstreamConnectFailed)) }
      delivery.server = chosen
      return .next
    }
    // Nobody overtakes those who wait, on this worker or another.
    if pool.shared.waiting.count == 0, pool.admit(self) { return .next }
    guard pool.enqueue(self) else { return turnedAway(from: pool, .upstreamOverloaded) }
    return wait == nil ? .next : .wait
  }

  private func turnedAway(from pool: UpstreamPool, _ reason: GatewayRefusal) -> StageOutcome {
    worker.counters.countRejection(upstream: pool.counterID, reason)
    return .refuse(.gateway(reason))
  }

  /// No permit was free for as long as one may wait.
  func permitTimedOut() {
    if let pool = delivery.pool { worker.counters.countRejection(upstream: pool.counterID, .upstreamQueueTimeout) }
    refuse(.gateway(.upstreamQueueTimeout))
  }

  /// While it waited the last server went out.
  func serversLost() {
    if let pool = delivery.pool { worker.counters.countRejection(upstream: pool.counterID, .upstreamUnavailable) }
    refuse(.gateway(.upstreamUnavailable))
  }

  /// The exchange is over: the permit that it has at the upstream is for others.
  func returnPermit() {
    guard delivery.attempts.holdsPermit, let pool = delivery.pool else { return }
    delivery.attempts.holdsPermit = false
    pool.shared.requests.giveBack()
    pool.permitFreed()
  }
}
