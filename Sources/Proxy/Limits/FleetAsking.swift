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
  /// How many it asked for.
  let count: Int
  /// Whether they are counted among the leases that are under way.
  let isLease: Bool
  /// Whether the script itself was sent.
  let isWhole: Bool
  let begin: Int64
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
    if fleet.lease > 1, let lease = worker.leases.spend(key, at: now) {
      if lease.isShort(at: now, sizeMax: fleet.lease) { takeAhead(fleet, limit, lease, key) }
      return .decided(fleet.allowed(lease, at: now))
    }
    var lease = worker.leases[key] ?? Lease()
    if lease.emptyUntil > now { return .decided(fleet.shape.verdict(false, debt: max(0, lease.fullAt &- now))) }
    // Where there is no room to keep a lease, nobody takes one.
    let isLease =
      fleet.lease > 1 && lease.asks(at: now, sizeMax: fleet.lease) && worker.leases.set(lease, for: key, at: now)
    let count = isLease ? lease.size : 1
    return wait(fleet, limit, at: index, bucket: bucket, count: count, isLease: isLease, isWhole: false)
      ? .wait : .unknown
  }

  /// Asks for more before the last one is spent, and nobody waits for that.
  private func takeAhead(_ fleet: FleetLimit, _ limit: CompiledRateLimit, _ lease: Lease, _ key: LeaseKey) {
    let now = worker.time.nanoseconds
    var lease = lease
    lease.ask(at: now)
    worker.leases.set(lease, for: key, at: now)
    _ = ask(fleet, limit, count: lease.size, isWhole: false, for: LeaseAsker(worker: worker, fleet: fleet, key: key))
  }

  /// - Returns: false where nobody would answer.
  private func wait(
    _ fleet: FleetLimit, _ limit: CompiledRateLimit, at index: Int, bucket: UInt64, count: Int, isLease: Bool,
    isWhole: Bool
  ) -> Bool {
    guard let (ticket, end) = ask(fleet, limit, count: count, isWhole: isWhole, for: self) else { return false }
    wait = .store(
      StoreWait(
        ticket: ticket, limit: index, bucket: bucket, count: count, isLease: isLease, isWhole: isWhole,
        begin: worker.time.nanoseconds,
        end: end))
    return true
  }

  /// - Returns: nil where nobody would answer. Otherwise the ticket, and until when it counts.
  private func ask(
    _ fleet: FleetLimit, _ limit: CompiledRateLimit, count: Int, isWhole: Bool, for asker: any StoreAsker
  ) -> (StoreTicket, end: Int64)? {
    guard let store = worker.store(at: fleet.store, of: snapshot) else { return nil }
    let name = request.bucketName(of: limit, client: downstream?.client, caller: caller, snapshot)
    let key = fleet.key(of: name.span, prefix: store.prefix)
    var command = ByteQueue()
    fleet.append(to: &command, key: key.span, count: count, isWhole: isWhole)
    return store.ask(command.span, about: key.span, for: asker).map { ($0, store.end) }
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
      let isSent = self.wait(
        fleet, limit, at: wait.limit, bucket: wait.bucket, count: wait.count, isLease: wait.isLease, isWhole: true)
      return isSent ? () : conclude(wait, nil)
    }
    guard let answer = FleetLimit.Answer(reply) else { return conclude(wait, nil) }
    let key = LeaseKey(limit: ObjectIdentifier(limit.limiter), bucket: wait.bucket)
    let now = worker.time.nanoseconds
    let lease = worker.leases.receive(
      answer, of: fleet, key, askedAt: wait.begin, isLease: wait.isLease, spentCount: 1, at: now)
    conclude(
      wait,
      answer.takenCount == 0
        ? fleet.shape.verdict(false, debt: answer.debt) : fleet.allowed(lease, at: now))
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
    waitConcluded(outcome)
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
  // Another request may have the exchange by now.
  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) {
    switch wait {
    case .store(let wait) where wait.ticket == ticket: answered(wait, reply)
    // An error says nothing about the proof, as no reply does.
    case .proof(let wait) where wait.ticket == ticket: conclude(wait, isKnown: reply.kind(reply.root) == .null)
    default: break
    }
  }

  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) {
    switch wait {
    case .store(let wait) where wait.ticket == ticket: conclude(wait, nil)
    case .proof(let wait) where wait.ticket == ticket: conclude(wait, isKnown: false)
    default: break
    }
  }
}

/// Gets requests that were taken ahead of those who will spend them.
private final class LeaseAsker: StoreAsker {
  private unowned let worker: Worker
  private let fleet: FleetLimit
  private let key: LeaseKey
  private let begin: Int64

  init(worker: Worker, fleet: FleetLimit, key: LeaseKey) {
    self.worker = worker
    self.fleet = fleet
    self.key = key
    begin = worker.time.nanoseconds
  }

  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) {
    guard let answer = FleetLimit.Answer(reply) else { return }
    _ = worker.leases.receive(
      answer, of: fleet, key, askedAt: begin, isLease: true, spentCount: 0, at: worker.time.nanoseconds)
  }

  /// The next request asks for itself.
  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) {}
}

extension FleetLimit {
  /// What a request is told that was let through.
  fileprivate func allowed(_ lease: Lease, at now: Int64) -> RateLimiter.Verdict {
    var verdict = shape.verdict(true, debt: max(0, lease.fullAt &- now))
    verdict.remaining += Int64(lease.leftCount)
    return verdict
  }
}

extension LeaseTable {
  /// Keeps what is left of an answer.
  /// - Returns: what is known then.
  fileprivate mutating func receive(
    _ answer: FleetLimit.Answer, of fleet: FleetLimit, _ key: LeaseKey, askedAt begin: Int64, isLease: Bool,
    spentCount: Int, at now: Int64
  ) -> Lease {
    var lease = self[key] ?? Lease()
    lease.fullAt = now &+ answer.debt
    if isLease { lease.answered() }
    if answer.takenCount == 0 {
      lease.emptyUntil = now &+ fleet.shape.verdict(false, debt: answer.debt).wait
    } else if fleet.lease > 1 {
      // A single one is not held.
      let count = answer.takenCount == 1 ? 0 : answer.takenCount - spentCount
      lease.add(count, until: begin &+ fleet.holdNanoseconds, at: now)
    } else {
      return lease
    }
    set(lease, for: key, at: now)
    return lease
  }
}
