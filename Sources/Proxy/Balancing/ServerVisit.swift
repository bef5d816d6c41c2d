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
    if attempts.isAtServer {
      self.server = server
      return true
    }
    // LIMIT: `max_requests_per_server`, over all workers.
    if let max = pool?.requestsPerServerMax {
      guard server.shared.requests.take(below: max) else { return false }
      attempts.holdsServerPlace = true
    }
    // Mostly it is: storing it again would count two references.
    if self.server !== server { self.server = server }
    attempts.isAtServer = true
    server.activeCount += 1
    pool?.activeCount += 1
    return true
  }

  /// Exactly once for each visit. Without a visit nothing.
  func leaveServer(_ outcome: VisitOutcome) {
    guard attempts.isAtServer, let server else { return }
    attempts.isAtServer = false
    server.activeCount -= 1
    guard let pool else { return }
    pool.activeCount -= 1
    if !pool.isLimited && !pool.isWatched && !attempts.holdsServerPlace { return }
    pool.judge(outcome, of: server)
    if pool.adaptiveLimit != nil { noteResponseTime(outcome, pool.shared.concurrency) }
    // Asked of the exchange: a reload may have brought the limit, or taken it away, meanwhile.
    if attempts.holdsServerPlace {
      attempts.holdsServerPlace = false
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
