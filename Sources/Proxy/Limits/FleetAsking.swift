// A request at a limit that a fleet shares: from what its worker holds, by the store, or, where the store does not
// answer, as the limit says.

import Bytes
import Configuration
import Redis

/// What a request waits for at a store.
struct StoreWait {
  let ticket: StoreTicket
  /// The limit's index among those that the stage checks.
  let limit: Int
  let bucket: UInt64
  /// Whether the script itself was sent.
  let isWhole: Bool
  let end: Int64
}

extension Exchange {
  /// What a limit of a fleet says at once, if it does.
  enum FleetVerdict {
    case decided(RateLimiter.Verdict)
    case wait
    /// The store does not answer.
    case unknown
  }

  func askFleet(_ fleet: FleetLimit, _ limit: CompiledRateLimit, at index: Int, bucket: UInt64) -> FleetVerdict {
    let now = worker.time.nanoseconds
    let key = LeaseKey(limit: ObjectIdentifier(limit.limiter), bucket: bucket)
    var lease = worker.leases[key] ?? Lease()
    if lease.emptyUntil > now { return .decided(fleet.shape.verdict(false, debt: max(0, lease.fullAt &- now))) }
    if lease.count > 0, lease.end > now {
      lease.count -= 1
      worker.leases.set(lease, for: key, at: now)
      return .decided(spend(lease, of: fleet))
    }
    var count = 1
    // While more is under way, each takes only its own.
    if fleet.lease > 1, lease.askedUntil <= now {
      lease.askedUntil = now &+ 1_000_000_000
      if worker.leases.set(lease, for: key, at: now) { count = fleet.lease }
    }
    return ask(fleet, limit, at: index, bucket: bucket, count: count, isWhole: false) ? .wait : .unknown
  }

  private func spend(_ lease: Lease, of fleet: FleetLimit) -> RateLimiter.Verdict {
    var verdict = fleet.shape.verdict(true, debt: max(0, lease.fullAt &- worker.time.nanoseconds))
    verdict.remaining += Int64(lease.count)
    return verdict
  }

  /// - Returns: false where nobody would answer.
  private func ask(
    _ fleet: FleetLimit, _ limit: CompiledRateLimit, at index: Int, bucket: UInt64, count: Int, isWhole: Bool
  ) -> Bool {
    guard let store = worker.store(at: fleet.store, of: snapshot) else { return false }
    let name = request.bucketName(of: limit, client: downstream?.client, caller: caller, snapshot)
    let key = fleet.key(of: name.span, prefix: store.prefix)
    var command = ByteQueue()
    fleet.append(to: &command, key: key.span, count: count, isWhole: isWhole)
    guard let ticket = store.ask(command.span, about: key.span, for: self) else { return false }
    wait = .store(StoreWait(ticket: ticket, limit: index, bucket: bucket, isWhole: isWhole, end: store.end))
    return true
  }

  // MARK: Answers

  private var limitsInTurn: [CompiledRateLimit] {
    guard let route else { return [] }
    return stage == .limits ? route.earlyRateLimits : route.tokenRateLimits
  }

  private func answered(_ wait: StoreWait, _ reply: borrowing Reply) {
    let limits = limitsInTurn
    guard limits.indices.contains(wait.limit), let fleet = limits[wait.limit].fleet else { return }
    let limit = limits[wait.limit]
    if case .scriptMissing? = reply.error, !wait.isWhole {
      self.wait = nil
      let isSent = ask(fleet, limit, at: wait.limit, bucket: wait.bucket, count: fleet.lease, isWhole: true)
      return isSent ? () : conclude(wait, nil)
    }
    conclude(wait, FleetLimit.Answer(reply).map { take($0, of: fleet, limit, bucket: wait.bucket) })
  }

  /// Keeps what is left of an answer.
  private func take(
    _ answer: FleetLimit.Answer, of fleet: FleetLimit, _ limit: CompiledRateLimit, bucket: UInt64
  ) -> RateLimiter.Verdict {
    let now = worker.time.nanoseconds
    let key = LeaseKey(limit: ObjectIdentifier(limit.limiter), bucket: bucket)
    var lease = worker.leases[key] ?? Lease()
    lease.fullAt = now &+ answer.debt
    if answer.takenCount == 0 {
      let verdict = fleet.shape.verdict(false, debt: answer.debt)
      lease.emptyUntil = now &+ verdict.wait
      lease.askedUntil = .min
      worker.leases.set(lease, for: key, at: now)
      return verdict
    }
    if answer.takenCount > 1 {
      if lease.end <= now { lease.count = 0 }
      lease.count += answer.takenCount - 1
      // As long as the bucket takes to refill by them.
      lease.end = now &+ fleet.shape.interval * Int64(clamping: answer.takenCount)
    }
    if fleet.lease > 1 {
      lease.askedUntil = .min
      worker.leases.set(lease, for: key, at: now)
    }
    return spend(lease, of: fleet)
  }

  /// - Parameter verdict: nil where the store did not answer.
  private func conclude(_ wait: StoreWait, _ verdict: RateLimiter.Verdict?) {
    self.wait = nil
    let limits = limitsInTurn
    guard limits.indices.contains(wait.limit) else { return }
    let limit = limits[wait.limit]
    let refusal =
      verdict.map { obey($0, limit) } ?? decideAlone(limit, bucket: wait.bucket)
    let outcome: StageOutcome
    if let refusal {
      outcome = refusal
    } else {
      let next = checkRateLimits(limits, from: wait.limit + 1)
      if case .next = next, stage == .limits, let route { outcome = checkSize(route) } else { outcome = next }
    }
    storeConcluded(outcome)
  }

  /// The store does not answer.
  /// - Returns: nil for a request that passes.
  func decideAlone(_ limit: CompiledRateLimit, bucket: UInt64) -> StageOutcome? {
    switch limit.fleet?.onFailure {
    case .local, nil: obey(limit.limiter.take(bucket, at: worker.time.nanoseconds), limit)
    case .allow: nil
    case .refuse: limit.isDryRun ? nil : .refuse(.gateway(.limitStoreUnavailable))
    }
  }
}

extension Exchange: StoreAsker {
  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) {
    // Another request may have the exchange by now.
    guard case .store(let wait) = wait, wait.ticket == ticket else { return }
    answered(wait, reply)
  }

  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) {
    guard case .store(let wait) = wait, wait.ticket == ticket else { return }
    conclude(wait, nil)
  }
}
