// An exchange's time at a server, from being sent there to its outcome.

/// How it ended, as far as the server is to blame.
enum VisitOutcome {
  /// An answer has begun; it may have been cut off by the client's side.
  case answered(status: Int)
  case connectFailed
  /// Too late, broken off or malformed.
  case failed(GatewayRefusal)
  /// The gateway or the client gave up before the server said anything.
  case left
}

extension Exchange {
  func enter(_ server: UpstreamServer) {
    self.server = server
    if isAtServer { return }
    isAtServer = true
    server.activeCount += 1
    pool?.activeCount += 1
  }

  /// Exactly once for each visit; without a visit nothing.
  func leaveServer(_ outcome: VisitOutcome) {
    guard isAtServer, let server else { return }
    isAtServer = false
    server.activeCount -= 1
    pool?.activeCount -= 1
  }
}
