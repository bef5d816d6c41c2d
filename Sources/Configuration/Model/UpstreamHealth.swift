// What takes a server out of its upstream's rotation: checks of the gateway's own, and what requests meet at it.

/// `health_check:` of an upstream.
package struct HealthCheck: Sendable, Equatable {
  /// The raw values are those of the file.
  package enum Kind: String, Sendable, CaseIterable {
    case http, tcp, grpc
  }

  package var kind = Kind.http
  package var path = "/"
  /// nil is each server's own authority.
  package var host: String?
  /// Where the server answers checks, when not where it takes requests.
  package var port: UInt16?
  package var statuses = [200...399]
  /// Text that must stand in the first 64 KiB of the answer's body.
  package var body: String?
  /// What gRPC's Health/Check is asked about; empty is the server as a whole.
  package var service = ""
  package var interval = Duration.seconds(5)
  package var timeout = Duration.seconds(1)
  package var healthyAfter = 2
  package var unhealthyAfter = 3

  package init() {}
}

/// What may count as a failure of a server; the raw values are those of the file.
package enum ServerFailure: String, Sendable, CaseIterable {
  case connectFailure = "connect_failure"
  case timeout, reset, malformed
}

/// `eject:` of an upstream.
package struct Ejection: Sendable, Equatable {
  /// Consecutive failures, over all workers.
  package var errors = 5
  /// The first time that a server is out; the second time is twice as long, and so on.
  package var duration = Duration.seconds(10)
  package var longestDuration = Duration.seconds(300)
  /// In percent of the upstream's servers, rounded down.
  package var maxShare = 50
  package var failures = ServerFailure.allCases
  /// Answers that count as failures, too.
  package var statuses: [ClosedRange<Int>] = []

  package init() {}
}
