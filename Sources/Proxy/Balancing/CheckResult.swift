// What a check of a server found. The names are public contract: log, metrics and status carry them.

/// The raw values are numbers, so that a result fits an atomic. 0 means none.
package enum CheckResult: UInt8, Sendable, CaseIterable {
  case passed = 1
  /// An answer with another status than expected.
  case status
  /// The expected text is not in the answer's body.
  case body
  /// gRPC: another answer than SERVING.
  case notServing
  case timeout, connectFailed, closed, malformed

  package var isGood: Bool { self == .passed }

  package var name: String {
    switch self {
    case .passed: "passed"
    case .status: "status"
    case .body: "body"
    case .notServing: "not_serving"
    case .timeout: "timeout"
    case .connectFailed: "connect_failed"
    case .closed: "closed"
    case .malformed: "malformed"
    }
  }
}

/// What the log says of an upstream: mostly a change of state of one of its servers. Reported once in the process.
package enum UpstreamChange: Sendable, Equatable {
  case healthy(server: String)
  /// - Parameter status: 0 where there was none.
  case unhealthy(server: String, CheckResult, status: Int)
  case ejected(server: String, milliseconds: Int64, failures: Int)
  case returned(server: String)
  /// So few servers are well that requests go to all of them.
  case panicBegan
  case panicEnded
  /// The head of an answer had more than the upstream allows. Once a minute.
  case headTooLarge(server: String, HeadBound)
  /// A service there is not asked for a while. Once a worker.
  case serviceFails(service: String, reason: String)
  case serviceAnswers(service: String)
}

/// Which bound of an upstream's heads was exceeded.
package enum HeadBound: Sendable, Equatable {
  case bytes(max: Int)
  case fields(max: Int)
}
