// What a worker knows of the buckets of a fleet: requests that it took and has not spent, and buckets that are empty.
// So neither a busy caller nor a flood of refused ones costs a round trip for each request.
//
// Invariant: a lease is spent by one worker and ends soon, so that no more requests pass than the store gave out.

struct LeaseKey: Hashable {
  /// Of the limiter, which is kept as long as its limit is.
  var limit: ObjectIdentifier
  /// As the limiter hashes it.
  var bucket: UInt64
}

struct Lease {
  /// Requests that were taken and not spent, and until when they may be.
  var count = 0
  var end = Int64.min
  /// The bucket is empty until then.
  var emptyUntil = Int64.min
  /// When the bucket is full again, as the store had it last.
  var fullAt = Int64.min
  /// More was asked for, and the answer has until then.
  var askedUntil = Int64.min

  fileprivate func isIdle(at now: Int64) -> Bool { max(end, emptyUntil, askedUntil) <= now }
}

struct LeaseTable {
  private var leases: [LeaseKey: Lease] = [:]
  /// The next look at what has ended.
  private var sweepAt = Int64.min

  /// LIMIT: buckets that are remembered. Others are asked for each time.
  static let countMax = 16_384
  private static let sweepNanoseconds: Int64 = 1_000_000_000

  var count: Int { leases.count }

  subscript(_ key: LeaseKey) -> Lease? { leases[key] }

  /// - Returns: false where there is no room.
  @discardableResult
  mutating func set(_ lease: Lease, for key: LeaseKey, at now: Int64) -> Bool {
    if leases.count >= Self.countMax, leases[key] == nil {
      sweep(at: now)
      if leases.count >= Self.countMax { return false }
    }
    leases[key] = lease
    return true
  }

  /// Forgets what has ended. At most once a second, as it looks at all of them.
  mutating func sweep(at now: Int64) {
    if now < sweepAt { return }
    sweepAt = now &+ Self.sweepNanoseconds
    leases = leases.filter { !$0.value.isIdle(at: now) }
  }
}
