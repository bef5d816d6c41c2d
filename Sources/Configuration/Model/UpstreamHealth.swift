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
  /// Text that must appear in the first 64 KiB of the answer's body.
  package var body: String?
  /// What gRPC's Health/Check is asked about. Empty is the server as a whole.
  package var service = ""
  package var interval = Duration.seconds(5)
  package var timeout = Duration.seconds(1)
  package var healthyAfter = 2
  package var unhealthyAfter = 3

  package init() {}
}

/// What may count as a failure of a server. The raw values are those of the file.
package enum ServerFailure: String, Sendable, CaseIterable {
  case connectFailure = "connect_failure"
  case timeout, reset, malformed
}

/// `eject:` of an upstream.
package struct Ejection: Sendable, Equatable {
  /// Consecutive failures, over all workers.
  package var errors = 5
  /// The first time that a server is out. The second time is twice as long, and so on.
  package var duration = Duration.seconds(10)
  package var longestDuration = Duration.seconds(300)
  /// In percent of the upstream's servers, rounded down.
  package var maxShare = 50
  package var failures = ServerFailure.allCases
  /// Answers that count as failures, too.
  package var statuses: [ClosedRange<Int>] = []

  package init() {}
}

extension HealthCheck {
  static let settings = Settings<HealthCheck>(
    "upstreams{}.health_check", title: "'health_check'", example: "{ path: /healthz }", blank: HealthCheck(),
    finish: { check, section in section.reading.checkOwners(of: section, check.kind) },
    [
      Setting(
        "type", \.kind, .choice,
        "`http` sends a GET. `tcp` only connects. `grpc` calls `grpc.health.v1.Health/Check`, expects SERVING and "
          + "requires `protocol: http2`."),
      Setting("path", \.path, .checkPath, "What `http` requests."),
      Setting(
        "host", \.host, .checkHost, "The authority that the check requests.", otherwise: "the server's own address"),
      Setting(
        "port", \.port, .integer(1...65_535), "Where the server answers checks, when not where it takes requests.",
        otherwise: "the server's own"),
      Setting("status", \.statuses, .statuses, "Which answers are good. Redirects are not followed."),
      Setting("body", \.body, .checkBody, "What the first 64 KiB of the answer's body must contain."),
      Setting("service", \.service, .service, "What `grpc` asks about.", otherwise: "the server as a whole"),
      Setting(
        "interval", \.interval, .duration(from: .milliseconds(100), to: .hours(1)),
        "From the end of a check to the next one, give or take a tenth."),
      Setting(
        "timeout", \.timeout, .duration(from: .milliseconds(100), to: .minutes(1)),
        "For a whole check. The gateway looks at it ten times a second."),
      Setting("healthy_after", \.healthyAfter, .integer(1...100), "Good checks in a row that bring a server back."),
      Setting("unhealthy_after", \.unhealthyAfter, .integer(1...100), "Bad checks in a row that take a server out."),
    ])
}

extension Ejection {
  static let settings = Settings<Ejection>(
    "upstreams{}.eject", title: "'eject'", example: "{ errors: 5, for: 10s }", blank: Ejection(),
    finish: { ejection, section in
      if !section.has("max_for") { ejection.longestDuration = max(ejection.duration, ejection.longestDuration) }
      if ejection.longestDuration < ejection.duration, let node = section["max_for"] {
        section.reading.error(node.position, "'max_for' is shorter than 'for': write a longer time")
      }
    },
    [
      Setting(
        "errors", \.errors, .integer(1...10_000), "Failures in a row, over all workers, that take a server out."),
      Setting(
        "for", \.duration, .duration(from: .milliseconds(100), to: .hours(1)),
        "How long the first time. Each further ejection is longer by the same amount. Each such period in which the "
          + "server worked takes one step back."),
      Setting(
        "max_for", \.longestDuration, .duration(from: .milliseconds(100), to: .hours(24)), "How long at most."),
      Setting(
        "max_share", \.maxShare, .percent(1...100),
        "The part of the servers that may be ejected at once, rounded down. A single server never is."),
      Setting(
        "on",
        .list(of: .text("text"), "list of failures and statuses", isUnique: false),
        "What counts as a failure. Statuses such as `503` or `500-599` may be added, and do not count by default.",
        defaultValue: { .list($0.failures.map(\.rawValue)) },
        read: { node, reading, ejection in reading.failures(node, of: &ejection) }),
    ])
}
