// What a worker knows of the buckets of a fleet: requests that it took and has not spent, and buckets that are empty.
// So neither a busy caller nor a flood of refused ones costs a round trip for each request.
//
// Invariant: a lease is spent by one worker and before its end, for which the store has reckoned with it, so that no
// more requests pass than the limit says.

struct LeaseKey: Hashable {
  /// Of the limiter, which is kept as long as its limit is.
  var limit: ObjectIdentifier
  /// As the limiter hashes it.
  var bucket: UInt64
}

struct Lease {
  /// Requests that were taken and not spent, and until when they may be.
  private(set) var count = 0
  private(set) var end = Int64.min
  /// Those that were taken ahead.
  private(set) var nextCount = 0
  private(set) var nextEnd = Int64.min
  /// How many the worker asks for: more while it spends them quickly, so that few are lost when it does not.
  private(set) var size = 1
  /// The bucket is empty until then.
  var emptyUntil = Int64.min
  /// When the bucket is full again, as the store had it last.
  var fullAt = Int64.min
  /// More was asked for so often, and the answers have until then.
  private var askedCount = 0
  private var askedUntil = Int64.min
  /// How many leases are taken ahead. More than one only for those who spend one before the next is there.
  private var depth = 1

  // LIMIT: of leases that are taken ahead.
  private static let depthMax = 8
  /// What was spent quickly is remembered that long, and an answer is waited for.
  private static let memoryNanoseconds: Int64 = 1_000_000_000

  var leftCount: Int { count + nextCount }

  fileprivate func isIdle(at now: Int64) -> Bool { max(end, nextEnd, emptyUntil, askedUntil) <= now }

  /// - Returns: false where there is nothing left.
  fileprivate mutating func spend(at now: Int64) -> Bool {
    if count == 0 || end <= now {
      if count == 0, nextCount == 0 { return false }
      // Too many for a caller this slow.
      if count > 0 { (size, depth) = (max(1, size - count), 1) }
      (count, end) = (nextCount, nextEnd)
      nextCount = 0
      if count == 0 || end <= now {
        count = 0
        return false
      }
    }
    count -= 1
    if leftCount == 0 { remember(at: now) }
    return true
  }

  private mutating func remember(at now: Int64) { end = min(end, now &+ Self.memoryNanoseconds) }

  private func underWayCount(at now: Int64) -> Int { askedUntil > now ? askedCount : 0 }

  /// Whether it is time to take more, so that nobody has to wait for it. For a caller as quick as can be.
  func isShort(at now: Int64, sizeMax: Int) -> Bool {
    size == sizeMax && emptyUntil <= now
      && leftCount + underWayCount(at: now) * size <= size * depth - size / 2
  }

  /// Nothing is left for a request.
  /// - Returns: whether it is to take a lease. While enough of them are under way, it takes its own alone.
  mutating func asks(at now: Int64, sizeMax: Int) -> Bool {
    let underWayCount = underWayCount(at: now)
    if underWayCount == 0 {
      size = end > now ? min(size * 2, sizeMax) : max(1, size / 2)
    } else {
      if size < sizeMax { return false }
      if underWayCount >= depth { depth = min(depth + 1, Self.depthMax) }
      if underWayCount >= depth { return false }
    }
    ask(at: now)
    return true
  }

  mutating func ask(at now: Int64) {
    askedCount = underWayCount(at: now) + 1
    askedUntil = now &+ Self.memoryNanoseconds
  }

  /// There is an answer to one of those.
  mutating func answered() { askedCount = max(0, askedCount - 1) }

  mutating func add(_ added: Int, until addedEnd: Int64, at now: Int64) {
    if added == 0 {
      if leftCount == 0 {
        end = addedEnd
        remember(at: now)
      }
    } else if count == 0 || end <= now {
      (count, end) = (added, addedEnd)
    } else if nextCount == 0 || nextEnd <= now {
      (nextCount, nextEnd) = (added, addedEnd)
    } else {
      nextCount += added
      nextEnd = min(nextEnd, addedEnd)
    }
  }
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

  /// Spends one of what was taken.
  /// - Returns: what is known then. Nil where there is nothing to spend.
  mutating func spend(_ key: LeaseKey, at now: Int64) -> Lease? {
    guard let index = leases.index(forKey: key), leases.values[index].spend(at: now) else { return nil }
    return leases.values[index]
  }

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
