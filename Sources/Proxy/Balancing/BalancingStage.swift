// Where a request goes: to a server of its upstream, or to an answer that the configuration gives.

import Configuration

extension Exchange {
  /// Which upstream the request goes to. It comes before the server, and before the request is written for it: upstreams
  /// speak different protocols.
  func chooseUpstream(_ route: CompiledRoute) {
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
    case .respond(let response): return .answer(fixedAnswer(response))
    case .redirect(let redirect): return redirectOutcome(redirect)
    case .upstream, .split, nil: return .refuse(.gateway(.routeNotFound))
    }
  }
}
