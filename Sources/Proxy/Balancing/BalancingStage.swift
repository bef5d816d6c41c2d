// Where a request goes: to a server of its upstream, or to an answer that the configuration gives.

import Configuration

extension Exchange {
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
