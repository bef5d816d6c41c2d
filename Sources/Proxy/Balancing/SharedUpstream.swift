// What all workers know together of an upstream and of its servers: counts that limits hold for, and who is out.
// Atomics that are touched only where the configuration asks for what they are for. Nothing waits for anybody. An
// object outlives reloads as long as its upstream's name, or its server's address, stays.

package import Configuration
import Synchronization

/// A number of permits that any worker takes and returns.
struct Permits: ~Copyable, Sendable {
  private let taken = Atomic<Int>(0)

  var count: Int { taken.load(ordering: .sequentiallyConsistent) }

  /// Takes one if fewer than `max` are taken: exact, also when others take one at the same moment.
  func take(below max: Int) -> Bool {
    var seen = count
    while seen < max {
      let (isTaken, now) = taken.weakCompareExchange(
        expected: seen, desired: seen + 1, ordering: .sequentiallyConsistent)
      if isTaken { return true }
      seen = now
    }
    return false
  }

  func giveBack() { taken.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
}

/// Of one upstream.
package final class SharedUpstream: Sendable {
  package let name: String
  /// Requests that were let in and have not ended. Counted where a limit on them is set.
  let requests = Permits()
  /// Requests that wait for a permit.
  let waiting = Permits()
  let concurrency = ConcurrencyLimit()
  /// Requests go to servers that are out, because too few are not.
  private let panicking = Atomic<Bool>(false)
  /// When the log last said that a head is too large. 0 before.
  private let headReportedAt = Atomic<Int64>(0)
  /// Changes with each change of a server's state.
  private let changes = Atomic<Int>(0)

  init(name: String) { self.name = name }

  /// How many requests may be let in now. Nil without a bound.
  package func requestsMax(_ configuration: Upstream) -> Int? {
    requestsMax(configuration.maxRequests, configuration.adaptiveLimit)
  }

  func requestsMax(_ fixed: Int?, _ adaptive: AdaptiveLimit?) -> Int? {
    guard let adaptive else { return fixed }
    return min(fixed ?? .max, concurrency.value(adaptive))
  }

  /// Another number than the last time means that a server's state has changed.
  var changeCount: Int { changes.load(ordering: .acquiring) }

  func noteChange() { changes.wrappingAdd(1, ordering: .releasing) }

  package var isPanicking: Bool { panicking.load(ordering: .relaxed) }

  /// Whether a minute has passed since any worker reported a head.
  func mayReportHead(at now: Int64) -> Bool {
    let last = headReportedAt.load(ordering: .relaxed)
    if last > 0, now &- last < 60_000_000_000 { return false }
    return headReportedAt.compareExchange(expected: last, desired: max(now, 1), ordering: .relaxed).exchanged
  }

  /// Whether that is news to all workers.
  func notePanic(_ isPanicking: Bool) -> Bool {
    panicking.exchange(isPanicking, ordering: .relaxed) != isPanicking
  }
}

/// Of one server.
package final class SharedServer: Sendable {
  package let address: Address
  /// Requests at the server now. Counted where `max_requests_per_server` is set.
  let requests = Permits()

  // Checks: written by the one worker that checks.
  private let healthy = Atomic<Bool>(true)
  /// Good results in a row, or, below 0, bad ones.
  private let streak = Atomic<Int>(0)
  private let lastResult = Atomic<UInt64>(0)
  private let lastCheckedAt = Atomic<Int64>(0)
  private let passed = Atomic<UInt64>(0)
  private let missed = Atomic<UInt64>(0)

  // Ejection: written by every worker.
  /// Failures in a row.
  private let failures = Atomic<Int>(0)
  /// Steady nanoseconds. 0 while it is not ejected.
  private let ejectedTo = Atomic<Int64>(0)
  private let lastReturnAt = Atomic<Int64>(0)
  /// How often it was ejected lately. The next time is as many times as long.
  private let recurrences = Atomic<Int64>(0)
  private let ejections = Atomic<UInt64>(0)

  init(address: Address) { self.address = address }

  // MARK: Checks

  /// False once checks have failed often enough, until they pass again.
  package var isHealthy: Bool { healthy.load(ordering: .acquiring) }

  /// Notes what a check found. True when the server's health has changed by it.
  func note(_ result: CheckResult, status: Int, at unixMilliseconds: Int64, _ rules: HealthCheck) -> Bool {
    lastResult.store(UInt64(result.rawValue) << 16 | UInt64(clamping: status & 0xFFFF), ordering: .relaxed)
    lastCheckedAt.store(unixMilliseconds, ordering: .relaxed)
    if result.isGood { passed.wrappingAdd(1, ordering: .relaxed) } else { missed.wrappingAdd(1, ordering: .relaxed) }
    let before = streak.load(ordering: .relaxed)
    let now = result.isGood ? max(before, 0) + 1 : min(before, 0) - 1
    streak.store(now, ordering: .relaxed)
    let isHealthy = isHealthy
    guard isHealthy ? -now >= rules.unhealthyAfter : now >= rules.healthyAfter else { return false }
    healthy.store(!isHealthy, ordering: .releasing)
    return true
  }

  /// Checks have ended: what they found does not count any more.
  func forgetChecks() {
    streak.store(0, ordering: .relaxed)
    lastResult.store(0, ordering: .relaxed)
    lastCheckedAt.store(0, ordering: .relaxed)
    healthy.store(true, ordering: .releasing)
  }

  /// What the last check found. Nil before the first.
  package var lastCheck: (result: CheckResult, status: Int, unixMilliseconds: Int64)? {
    let packed = lastResult.load(ordering: .relaxed)
    return CheckResult(rawValue: UInt8(clamping: packed >> 16)).map {
      ($0, Int(packed & 0xFFFF), lastCheckedAt.load(ordering: .relaxed))
    }
  }

  /// Checks so far, by outcome.
  package var checkCounts: (passed: UInt64, failed: UInt64) {
    (passed.load(ordering: .relaxed), missed.load(ordering: .relaxed))
  }

  // MARK: Ejection

  func noteSuccess() {
    if failures.load(ordering: .relaxed) != 0 { failures.store(0, ordering: .relaxed) }
  }

  /// The number of failures in a row.
  func noteFailure() -> Int { failures.wrappingAdd(1, ordering: .relaxed).newValue }

  /// The end of its time out, in steady nanoseconds. 0 while it is not ejected.
  package var ejectedUntil: Int64 { ejectedTo.load(ordering: .acquiring) }

  package var ejectionCount: UInt64 { ejections.load(ordering: .relaxed) }

  /// How many times the shortest time the next ejection lasts: once more than the last one, and once less for each such
  /// time that passed well since.
  func nextRecurrence(at now: Int64, base: Int64) -> Int64 {
    let calm = (now &- lastReturnAt.load(ordering: .relaxed)) / max(base, 1)
    return max(0, recurrences.load(ordering: .relaxed) &- calm) + 1
  }

  /// False when another worker was faster.
  func eject(until end: Int64) -> Bool {
    ejectedTo.compareExchange(expected: 0, desired: end, ordering: .sequentiallyConsistent).exchanged
  }

  /// The ejection is undone. It was not served, so the next one is no longer for it. But neither has the time until now
  /// passed well.
  func withdrawEjection(_ end: Int64, at now: Int64) {
    guard ejectedTo.compareExchange(expected: end, desired: 0, ordering: .sequentiallyConsistent).exchanged else {
      return
    }
    failures.store(0, ordering: .relaxed)
    lastReturnAt.store(now, ordering: .relaxed)
  }

  /// The ejection holds.
  func countEjection(recurrence: Int64) {
    recurrences.store(recurrence, ordering: .relaxed)
    failures.store(0, ordering: .relaxed)
    ejections.wrappingAdd(1, ordering: .relaxed)
  }

  /// True for the one worker that ends it.
  func endEjection(_ end: Int64) -> Bool {
    guard ejectedTo.compareExchange(expected: end, desired: 0, ordering: .sequentiallyConsistent).exchanged else {
      return false
    }
    failures.store(0, ordering: .relaxed)
    lastReturnAt.store(end, ordering: .relaxed)
    return true
  }
}

/// An upstream with its servers in the order of the configuration.
package struct UpstreamSharing: Sendable {
  package let upstream: SharedUpstream
  package let servers: [SharedServer]

  init(_ configuration: Upstream, after previous: UpstreamSharing? = nil) {
    upstream = previous?.upstream ?? SharedUpstream(name: configuration.name)
    var known = Dictionary(
      (previous?.servers ?? []).map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
    servers = configuration.servers.map { server in
      let shared = known[server.address] ?? SharedServer(address: server.address)
      // Two names may lead to one address.
      known[server.address] = shared
      return shared
    }
  }
}
