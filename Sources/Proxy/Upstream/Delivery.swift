// The way of a request to a server of its upstream: where it has been sent so far, and what it has there that it has to
// return.

/// Where a request goes.
struct Delivery {
  /// Set while a server has the request, and the answer is not over.
  var stream: (any UpstreamStream)?
  var pool: UpstreamPool?
  /// The one that was chosen last.
  var server: UpstreamServer?
  var attempts = Attempts()
  /// The copy of the request that goes to another upstream.
  var mirror: MirrorStream?

  mutating func reset() { self = Delivery() }

  /// Begins an attempt at a server. False when that has as many requests as it may have.
  mutating func enter(_ server: UpstreamServer) -> Bool {
    if attempts.isAtServer {
      self.server = server
      return true
    }
    // LIMIT: `max_requests_per_server`, over all workers.
    if let max = pool?.admission.requestsPerServerMax {
      guard server.shared.requests.take(below: max) else { return false }
      attempts.holdsServerPermit = true
    }
    // Mostly it is: storing it again would count two references.
    if self.server !== server { self.server = server }
    attempts.isAtServer = true
    pool?.rotation.began(at: server)
    return true
  }

  /// Ends the attempt.
  /// - Returns: the upstream, where somebody learns from the outcome. Nil also when there was no attempt.
  mutating func leaveServer() -> UpstreamPool? {
    guard attempts.isAtServer, let server, let pool else { return nil }
    attempts.isAtServer = false
    pool.rotation.ended(at: server)
    let isLearned = pool.admission.isLimited || pool.rotation.isWatched || pool.policy.isByLoad
    return isLearned || attempts.holdsServerPermit ? pool : nil
  }

  /// True when another request may have the server's permit now.
  mutating func returnServerPermit() -> Bool {
    if !attempts.holdsServerPermit { return false }
    attempts.holdsServerPermit = false
    server?.shared.requests.giveBack()
    return true
  }
}

/// The attempts of one request.
struct Attempts {
  /// Those that failed this request: passed over while others are left.
  var triedServers: [UpstreamServer] = []
  /// The one that the request's sticky cookie names.
  var boundServer: UpstreamServer?
  /// Sent to the exchange's server, with no outcome yet.
  var isAtServer = false
  /// Has one of the permits that `max_requests_per_server` leaves at the server.
  var holdsServerPermit = false
  /// Has one of the permits that the upstream's limits leave.
  var holdsPermit = false
  /// Counted among the retries of its upstream.
  var isInRetryBudget = false
  var hasRetriedReuse = false
  /// How often the request was sent, or would have been, had the connection not failed.
  var count = 0
  /// Of them, those that a failure at a server led to.
  var retryCount = 0

  /// Whether the server failed this request already.
  func hasTried(_ server: UpstreamServer) -> Bool { isOne(server, of: triedServers) }
}

/// How an attempt ended, as far as the server is to blame.
enum AttemptOutcome {
  /// An answer has begun. It may have been cut off by the client's side.
  case answered(status: Int)
  case connectFailed
  /// Too late, broken off or malformed.
  case failed(GatewayRefusal)
  /// The gateway or the client gave up before the server said anything.
  case left
}
