// How often something may happen for each key: token buckets, all of one limit in one table that the workers share without
// a lock. A bucket is one moment in time: when it would be full again if nothing were taken any more (the generic cell rate
// algorithm). Taking moves that moment on by one request's share of time; nothing has to be refilled.
//
// Invariant: a bucket is changed by compare-exchange only, and counts only for a key whose tag still stands in its slot
// afterwards: a slot that was given to another key meanwhile gets back what was taken.

import Bytes

/// The buckets of one limit. Its one question is asked with a time and answered at once; a stage may wait for its answer, so
/// a store that a fleet shares could be asked in the same place.
package final class RateLimiter: Sendable {
  /// How a request fared.
  struct Verdict: Equatable {
    var isAllowed: Bool
    /// Requests that would pass at once behind this one.
    var remaining: Int64
    /// Nanoseconds until one more would pass than now: 1 or more.
    var wait: Int64
  }

  /// Slots that a key may stand in: its set. So many tags, then so many moments. A power of two.
  private static let wayCount = 32

  private let words: AtomicWords
  private let setCount: UInt64
  /// Nanoseconds that a request takes out of the bucket.
  private let interval: Int64
  /// Nanoseconds in a full bucket.
  private let capacity: Int64
  /// Random, so that nobody can choose keys that meet in one set.
  let hashKey0: UInt64
  let hashKey1: UInt64

  /// - Parameters:
  ///   - requests: that pass within `per`, in the long run.
  ///   - burst: that pass at one moment.
  ///   - keyCount: LIMIT of the keys that are kept apart for certain. The table has twice as many slots, and where a set is
  ///     full all the same the bucket that is nearest to being full is given up for the new key.
  package init(requests: Int, per: Duration, burst: Int, keyCount: Int) {
    // Up: what is not a whole number of nanoseconds must not let more through than was said.
    let share = max(1, Int64(clamping: requests))
    interval = max(1, (per.nanoseconds &+ (share - 1)) / share)
    let (product, isTooLarge) = interval.multipliedReportingOverflow(by: max(1, Int64(clamping: burst)))
    capacity = isTooLarge ? Int64.max / 4 : product
    let sets = max(1, (keyCount * 2 + Self.wayCount - 1) / Self.wayCount)
    setCount = UInt64(sets)
    words = AtomicWords(count: sets * Self.wayCount * 2)
    hashKey0 = UInt64.random(in: .min ... .max)
    hashKey1 = UInt64.random(in: .min ... .max)
  }

  /// Takes one request out of a key's bucket, if it is in there.
  ///
  /// - Parameters:
  ///   - key: the key's hash.
  ///   - now: steady nanoseconds; those of other workers may be a little ahead or behind.
  func take(_ key: UInt64, at now: Int64) -> Verdict {
    // 0 marks a slot that was never used.
    let tag = max(key, 1)
    while true {
      let slot = slot(of: tag, at: now)
      let moment = slot + Self.wayCount
      var seen = words.load(moment)
      var debt: Int64
      var isAllowed: Bool
      repeat {
        debt = max(0, Int64(bitPattern: seen) &- now)
        isAllowed = debt <= capacity - interval
        if !isAllowed { break }
        let found = words.exchange(moment, from: seen, to: UInt64(bitPattern: now &+ debt &+ interval))
        if found == seen { break }
        seen = found
      } while true
      if words.load(slot) != tag {
        if isAllowed { words.subtract(UInt64(bitPattern: interval), at: moment) }
        continue
      }
      return verdict(isAllowed, debt: isAllowed ? debt &+ interval : debt)
    }
  }

  private func verdict(_ isAllowed: Bool, debt: Int64) -> Verdict {
    let remaining = max(0, capacity - debt) / interval
    let wait = max(1, debt - (capacity - (remaining + 1) * interval))
    return Verdict(isAllowed: isAllowed, remaining: remaining, wait: wait)
  }

  /// The slot that has the tag; one is given to it if none has.
  ///
  /// Two workers that meet a new key at one moment choose one slot and one of them wins. What can go wrong is bounded by a
  /// request: another bucket of the set may become full between their looks at the clock, and then the key has two for a
  /// moment, of which the first counts from then on; and a slot may be given away just as its holder, whose bucket is full,
  /// takes the first request out of it.
  private func slot(of tag: UInt64, at now: Int64) -> Int {
    let set = Int(truncatingIfNeeded: tag.multipliedFullWidth(by: setCount).high) * Self.wayCount * 2
    while true {
      if let found = find(tag, in: set) { return found }
      let (free, holder, moment) = leastUsed(in: set, from: tag, at: now)
      if holder == tag { return free }
      // A bucket that is full is as good as a new one: its moment may stay. One that is not was another key's.
      guard words.exchange(free, from: holder, to: tag) == holder else { continue }
      if moment > now {
        _ = words.exchange(free + Self.wayCount, from: UInt64(bitPattern: moment), to: UInt64(bitPattern: now))
      }
      return free
    }
  }

  /// Each key looks through its set from a place of its own, so that new ones do not all go for the same slot.
  private func way(_ step: Int, from tag: UInt64) -> Int {
    (Int(truncatingIfNeeded: tag) &+ step) & (Self.wayCount - 1)
  }

  private func find(_ tag: UInt64, in set: Int) -> Int? {
    for step in 0..<Self.wayCount {
      let slot = set + way(step, from: tag)
      let holder = words.load(slot)
      if holder == tag { return slot }
      // The key would have been given this one, and none is ever given back.
      if holder == 0 { return nil }
    }
    return nil
  }

  /// The first slot whose bucket is full or was never used; otherwise the one that will be full first. Whose it was is looked
  /// at before its moment: a slot that is given away meanwhile is not given away once more.
  private func leastUsed(
    in set: Int, from tag: UInt64, at now: Int64
  ) -> (slot: Int, holder: UInt64, moment: Int64) {
    var best = (slot: set, holder: UInt64(0), moment: Int64.max)
    for step in 0..<Self.wayCount {
      let slot = set + way(step, from: tag)
      let holder = words.load(slot)
      let moment = Int64(bitPattern: words.load(slot + Self.wayCount))
      // Another worker has given it to the key meanwhile.
      if holder == tag { return (slot, holder, moment) }
      if moment < best.moment { best = (slot, holder, moment) }
      if moment <= now { break }
    }
    return best
  }
}
