// What a request may cost, checked before any arithmetic is spent on its token.

import Bytes
import HTTPWire

extension Exchange {
  /// A body that announces its length is measured by it. Any other is counted as it comes, in ``receivedBody(_:)``.
  func checkLimits() -> StageOutcome {
    guard let route else { return .refuse(.gateway(.routeNotFound)) }
    if !route.earlyRateLimits.isEmpty {
      let outcome = checkRateLimits(route.earlyRateLimits)
      guard case .next = outcome else { return outcome }
    }
    return checkSize(route)
  }

  /// What is left of the stage behind the rate limits.
  @inline(__always)
  func checkSize(_ route: CompiledRoute) -> StageOutcome {
    times.deadlineRefusal = .routeTimeout
    if let timeout = route.timeout { times.routeDeadline = times.startedAt &+ timeout }
    if request.head.has(.grpcTimeout), request.head.isGRPC, let refusal = times.shorten(by: request.head) {
      return .refuse(.gateway(refusal))
    }
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

  /// Takes the request out of each of the limits, in their order, up to the first that has nothing left. What was taken
  /// stays taken: a request that a later limit refuses has cost the earlier ones.
  /// - Parameter start: the first one that was not asked yet.
  func checkRateLimits(_ limits: [CompiledRateLimit], from start: Int = 0) -> StageOutcome {
    var index = start
    while index < limits.count {
      let limit = limits[index]
      let bucket = request.bucket(of: limit, client: downstream?.client, caller: caller, snapshot)
      let refusal: StageOutcome?
      if let fleet = limit.fleet {
        switch askFleet(fleet, limit, at: index, bucket: bucket) {
        case .wait: return .wait
        case .decided(let verdict): refusal = obey(verdict, limit)
        case .unknown: refusal = decideAlone(limit, bucket: bucket)
        }
      } else {
        refusal = obey(limit.limiter.take(bucket, at: worker.time.nanoseconds), limit)
      }
      if let refusal { return refusal }
      index += 1
    }
    return .next
  }

  /// - Returns: nil for a request that passes.
  func obey(_ verdict: RateLimiter.Verdict, _ limit: CompiledRateLimit) -> StageOutcome? {
    if verdict.hasEvicted { worker.counters.countRateLimitEviction(route: route?.counterID) }
    if limit.isDryRun {
      if !verdict.isAllowed { worker.counters.countRateLimited(route: route?.counterID, isDryRun: true) }
      return nil
    }
    let seconds = UInt64(clamping: (verdict.wait &+ 999_999_999) / 1_000_000_000)
    if !limit.fieldLines.isEmpty {
      answer.addedLines.append(limit.fieldLines)
      answer.addedLines.append(decimal: UInt64(clamping: verdict.remaining))
      answer.addedLines.append(";t=")
      answer.addedLines.append(decimal: seconds)
      answer.addedLines.append("\r\n")
    }
    if verdict.isAllowed { return nil }
    worker.counters.countRateLimited(route: route?.counterID, isDryRun: false)
    answer.addedLines.append("Retry-After: ")
    answer.addedLines.append(decimal: seconds)
    answer.addedLines.append("\r\n")
    return .refuse(.gateway(.rateLimited))
  }
}
