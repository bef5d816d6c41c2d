// `eject`: servers that fail requests are taken out of rotation for a while, longer each time. All workers count
// together.

import Configuration

extension UpstreamPool {
  /// What an exchange's time at a server says of it.
  func judge(_ outcome: AttemptOutcome, of server: UpstreamServer) {
    guard let ejection = rotation.ejection else { return }
    switch ejection.verdict(on: outcome) {
    case .success: server.shared.noteSuccess()
    case .failure: if server.shared.noteFailure() >= ejection.errors { eject(server, ejection) }
    case .neither: break
    }
  }

  private func eject(_ server: UpstreamServer, _ rules: EjectionRules) {
    let now = worker.time.nanoseconds
    let recurrence = server.shared.nextRecurrence(at: now, base: rules.shortest)
    let (product, isTooLong) = rules.shortest.multipliedReportingOverflow(by: recurrence)
    let duration = isTooLong ? rules.longest : min(product, rules.longest)
    // Requests that were under way to a server that is out already change nothing.
    guard server.shared.eject(until: now &+ duration) else { return }
    // LIMIT: `max_share` of the servers. Two workers that eject at one moment both see the other's and give way.
    let outCount = servers.count { $0.shared.ejectedUntil != 0 }
    if outCount * 100 > rules.maxShare * servers.count {
      return server.shared.withdrawEjection(now &+ duration, at: now)
    }
    server.shared.countEjection(recurrence: recurrence)
    shared.noteChange()
    report(
      .ejected(
        server: server.configuration.address.description, milliseconds: duration / 1_000_000, failures: rules.errors))
  }

  /// Takes servers back whose time is over. Called ten times a second.
  func endEjections() {
    for server in servers {
      let end = server.shared.ejectedUntil
      if end == 0 || end > worker.time.nanoseconds || !server.shared.endEjection(end) { continue }
      shared.noteChange()
      report(.returned(server: server.configuration.address.description))
    }
  }
}

/// `eject:`, prepared.
struct EjectionRules {
  enum Verdict {
    case success, failure, neither
  }

  let errors: Int
  let shortest: Int64
  let longest: Int64
  let maxShare: Int
  private let countsConnectFailures: Bool
  private let countsTimeouts: Bool
  private let countsResets: Bool
  private let countsMalformed: Bool
  private let statuses: [ClosedRange<Int>]

  init(_ configuration: Ejection) {
    errors = configuration.errors
    shortest = configuration.duration.nanoseconds
    longest = configuration.longestDuration.nanoseconds
    maxShare = configuration.maxShare
    countsConnectFailures = configuration.failures.contains(.connectFailure)
    countsTimeouts = configuration.failures.contains(.timeout)
    countsResets = configuration.failures.contains(.reset)
    countsMalformed = configuration.failures.contains(.malformed)
    statuses = configuration.statuses
  }

  func verdict(on outcome: AttemptOutcome) -> Verdict {
    switch outcome {
    case .answered(let status): statuses.contains { $0.contains(status) } ? .failure : .success
    case .connectFailed: countsConnectFailures ? .failure : .neither
    case .failed(.upstreamTimeout): countsTimeouts ? .failure : .neither
    case .failed(.upstreamMalformed): countsMalformed ? .failure : .neither
    case .failed(.upstreamClosed): countsResets ? .failure : .neither
    case .failed, .left: .neither
    }
  }
}
