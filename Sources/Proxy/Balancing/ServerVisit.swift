// An exchange's time at a server, from being sent there to its outcome.

import Configuration

/// How it ended, as far as the server is to blame.
enum VisitOutcome {
  /// An answer has begun. It may have been cut off by the client's side.
  case answered(status: Int)
  case connectFailed
  /// Too late, broken off or malformed.
  case failed(GatewayRefusal)
  /// The gateway or the client gave up before the server said anything.
  case left
}

extension Exchange {
  /// False when the server has as many requests as it may have.
  func enter(_ server: UpstreamServer) -> Bool {
    if delivery.attempts.isAtServer {
      delivery.server = server
      return true
    }
    // LIMIT: `max_requests_per_server`, over all workers.
    if let max = delivery.pool?.requestsPerServerMax {
      guard server.shared.requests.take(below: max) else { return false }
      delivery.attempts.holdsServerPermit = true
    }
    // Mostly it is: storing it again would count two references.
    if delivery.server !== server { delivery.server = server }
    delivery.attempts.isAtServer = true
    server.activeCount += 1
    delivery.pool?.activeCount += 1
    return true
  }

  /// Exactly once for each visit. Without a visit nothing.
  func leaveServer(_ outcome: VisitOutcome) {
    guard delivery.attempts.isAtServer, let server = delivery.server else { return }
    delivery.attempts.isAtServer = false
    server.activeCount -= 1
    guard let pool = delivery.pool else { return }
    pool.activeCount -= 1
    if !pool.isLimited && !pool.isWatched && !delivery.attempts.holdsServerPermit { return }
    pool.judge(outcome, of: server)
    if pool.adaptiveLimit != nil { noteResponseTime(outcome, pool.shared.concurrency) }
    // Asked of the exchange: a reload may have brought the limit, or taken it away, meanwhile.
    if delivery.attempts.holdsServerPermit {
      delivery.attempts.holdsServerPermit = false
      server.shared.requests.giveBack()
      pool.placeFreed()
    }
  }

  /// How long the server took to answer, or was waited for in vain.
  private func noteResponseTime(_ outcome: VisitOutcome, _ limit: ConcurrencyLimit) {
    switch outcome {
    case .answered: limit.noteResponse(nanoseconds: times.upstreamRespondedAt &- times.upstreamStartedAt)
    case .failed(.upstreamTimeout): limit.noteResponse(nanoseconds: worker.time.nanoseconds &- times.upstreamStartedAt)
    case .failed, .connectFailed, .left: break
    }
  }
}
