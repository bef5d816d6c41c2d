// How often something may happen for each key: token buckets, all of one limit in one table that the workers share
// without a lock. A bucket is one moment in time: when it would be full again if nothing were taken any more (the
// generic cell rate algorithm). Taking moves that moment on by one request's share of time. Nothing has to be refilled.
//
// Invariant: a slot is a tag (the key's hash) and a moment with six bits of its owner's tag, its mark. It changes hands
// by one compare-exchange of the moment, which fails if anything was taken meanwhile. Then its tag follows. Taking from
// it is a compare-exchange too, which expects the key's own mark. No slot goes from one key to another of the same
// mark.

import Bytes

/// A limit's rate and burst.
struct BucketShape {
  /// Nanoseconds that a request takes out of the bucket.
  let interval: Int64
  /// Nanoseconds in a full bucket.
  let capacity: Int64

  /// - Parameter debt: nanoseconds until the bucket is full, with the request that was allowed.
  func verdict(_ isAllowed: Bool, debt: Int64) -> RateLimiter.Verdict {
    let remaining = max(0, capacity - debt) / interval
    let wait = max(1, debt - (capacity - (remaining + 1) * interval))
    return RateLimiter.Verdict(isAllowed: isAllowed, remaining: remaining, wait: wait)
  }
}

/// The buckets of one limit. Its one question is asked with a time and answered at once.
package final class RateLimiter: Sendable {
  /// How a request fared.
  struct Verdict: Equatable {
    var isAllowed: Bool
    /// Requests that would pass at once behind this one.
    var remaining: Int64
    /// Nanoseconds until one more would pass than now: 1 or more.
    var wait: Int64
    /// The key has got the bucket of another that was not full: the table has too few.
    var hasEvicted = false
  }

  /// Slots that a key may be in: its set. So many tags, then so many moments. A power of two.
  private static let wayCount = 32

  private let words: AtomicWords
  private let setCount: UInt64
  private let shape: BucketShape
  /// Random, so that nobody can choose keys that meet in one set.
  let hashKey0: UInt64
  let hashKey1: UInt64

  /// - Parameters:
  ///   - requests: that pass within `per`, in the long run.
  ///   - burst: that pass at one moment.
  ///   - keyCount: LIMIT of the keys that have a bucket of their own for certain. The table has twice as many slots.
  ///     Where a set is full all the same, the bucket that is nearest to being full is evicted for the new key.
  package init(requests: Int, per: Duration, burst: Int, keyCount: Int) {
    // Up: what is not a whole number of nanoseconds must not let more through than was said.
    let share = max(1, Int64(clamping: requests))
    let interval = max(1, (per.nanoseconds &+ (share - 1)) / share)
    let (product, isTooLarge) = interval.multipliedReportingOverflow(by: max(1, Int64(clamping: burst)))
    shape = BucketShape(interval: interval, capacity: isTooLarge ? Int64.max / 4 : product)
    let sets = max(1, (keyCount * 2 + Self.wayCount - 1) / Self.wayCount)
    setCount = UInt64(sets)
    words = AtomicWords(count: sets * Self.wayCount * 2)
    hashKey0 = UInt64.random(in: .min ... .max)
    hashKey1 = UInt64.random(in: .min ... .max)
  }

  /// The same buckets once more, from which can be taken without taking from these. A bucket that changes meanwhile may
  /// be the old one or a new one.
  init(copyOf other: RateLimiter) {
    shape = other.shape
    setCount = other.setCount
    (hashKey0, hashKey1) = (other.hashKey0, other.hashKey1)
    words = AtomicWords(count: other.words.count)
    for index in 0..<words.count {
      let word = other.words.load(index)
      if word != 0 { _ = words.exchange(index, from: 0, to: word) }
    }
  }

  /// What the table takes, for as long as the limiter lives: nothing else grows with its keys.
  var byteCount: Int { words.count * 8 }

  /// Takes one request out of a key's bucket, if it is in there.
  ///
  /// - Parameters:
  ///   - key: the key's hash.
  ///   - now: steady nanoseconds, less than nine years of them. Those of other workers may be a little ahead or behind.
  func take(_ key: UInt64, at now: Int64) -> Verdict {
    // 0 marks a slot that was never used.
    let tag = max(key, 1)
    let mark = Self.mark(of: tag)
    var hasEvicted = false
    let (interval, capacity) = (shape.interval, shape.capacity)
    while true {
      let index = slot(of: tag, at: now, &hasEvicted) + Self.wayCount
      var seen = words.load(index)
      while seen & Self.markBits == mark {
        let debt = max(0, Self.time(of: seen) - now)
        if debt > capacity - interval { return verdict(false, debt: debt, hasEvicted) }
        let found = words.exchange(index, from: seen, to: Self.moment(now &+ debt &+ interval, mark))
        if found == seen { return verdict(true, debt: debt + interval, hasEvicted) }
        seen = found
      }
    }
  }

  private func verdict(_ isAllowed: Bool, debt: Int64, _ hasEvicted: Bool) -> Verdict {
    var verdict = shape.verdict(isAllowed, debt: debt)
    verdict.hasEvicted = hasEvicted
    return verdict
  }

  // MARK: Slots

  private static let markBits: UInt64 = 63

  /// 1 to 63, by other bits than those that choose set and way. 0 for a slot that was never used.
  private static func mark(of tag: UInt64) -> UInt64 { tag == 0 ? 0 : (tag >> 5) % 63 + 1 }

  private static func moment(_ time: Int64, _ mark: UInt64) -> UInt64 { UInt64(bitPattern: time) << 6 | mark }

  private static func time(of moment: UInt64) -> Int64 { Int64(bitPattern: moment >> 6) }

  /// A slot as it was seen.
  private struct Sight {
    var slot: Int
    var holder: UInt64
    var moment: UInt64
  }

  /// The slot that has the tag. One is given to it if none has.
  ///
  /// Workers that meet a new key at one moment help each other to the same slot, unless another bucket of the set
  /// becomes full between their looks at the clock: then the key may have two for a moment, of which the first counts
  /// from then on.
  private func slot(of tag: UInt64, at now: Int64, _ hasEvicted: inout Bool) -> Int {
    let set = Int(truncatingIfNeeded: tag.multipliedFullWidth(by: setCount).high) * Self.wayCount * 2
    let mark = Self.mark(of: tag)
    while true {
      let (own, free) = look(for: tag, mark, in: set, at: now)
      if let own {
        if own.holder == tag { return own.slot }
        // It has the key's mark already: another worker is about to give it to this key, or to one of the same mark.
        if words.exchange(own.slot, from: own.holder, to: tag) == own.holder { return own.slot }
        continue
      }
      let full = Self.moment(now, mark)
      guard words.exchange(free.slot + Self.wayCount, from: free.moment, to: full) == free.moment else { continue }
      if Self.time(of: free.moment) > now { hasEvicted = true }
      if words.exchange(free.slot, from: free.holder, to: tag) == free.holder { return free.slot }
    }
  }

  /// The slot that is the tag's, or is becoming it. Otherwise `free` is the first slot whose bucket is full or was
  /// never used, or else the one that will be full first.
  private func look(for tag: UInt64, _ mark: UInt64, in set: Int, at now: Int64) -> (own: Sight?, free: Sight) {
    var free: Sight?
    var freeTime = Int64.max
    for step in 0..<Self.wayCount {
      // Each key begins at a slot of its own, so that new ones do not all go for the same slot.
      let slot = set + (Int(truncatingIfNeeded: tag) &+ step) & (Self.wayCount - 1)
      let sight = Sight(slot: slot, holder: words.load(slot), moment: words.load(slot + Self.wayCount))
      if sight.moment & Self.markBits == mark {
        if sight.holder == tag || Self.mark(of: sight.holder) != mark { return (sight, sight) }
        continue
      }
      let time = Self.time(of: sight.moment)
      if sight.holder != tag, freeTime > now, time < freeTime { (free, freeTime) = (sight, time) }
      // The key would have been given this one, and none is ever given back.
      if sight.moment == 0 { break }
    }
    let first = set + Int(truncatingIfNeeded: tag) & (Self.wayCount - 1)
    return (
      nil, free ?? Sight(slot: first, holder: words.load(first), moment: words.load(first + Self.wayCount))
    )
  }
}
