// What a request may cost, checked before any arithmetic is spent on its token.

import HTTPWire

extension Exchange {
  /// A body that announces its length is measured by it. Any other is counted as it comes, in ``receivedBody(_:)``.
  func checkLimits() -> StageOutcome {
    guard let route else { return .refuse(.gateway(.routeNotFound)) }
    if !route.earlyRateLimits.isEmpty {
      let outcome = checkRateLimits(route.earlyRateLimits)
      guard case .next = outcome else { return outcome }
    }
    times.deadlineRefusal = .routeTimeout
    if let timeout = route.timeout { times.routeDeadline = times.startedAt &+ timeout }
    if let refusal = shortenDeadline() { return .refuse(.gateway(refusal)) }
    if times.routeDeadline < .max, let downstream {
      downstream.deadline = min(downstream.deadline, times.routeDeadline)
    }
    // LIMIT: `limits.body_size` or the route's own: 413.
    if case .length(let count) = request.head.framing, count > route.bodySizeMax {
      return .refuse(.gateway(.bodyTooLarge))
    }
    return .next
  }

  func isOverBodyLimit(adding count: Int) -> Bool {
    request.body.byteCount &+= UInt64(count)
    return request.body.byteCount > route?.bodySizeMax ?? 0
  }
}
