// The buckets of a rate limit: against a plain token bucket, between threads, and when there are more keys than room.

import Foundation
import Synchronization
import TestBasics
import Testing

@testable import Proxy

@Suite("Rate limiter")
struct RateLimiterTests {
  /// A bucket as the books have it: tokens that drop in with time. One token is `interval` units, a unit comes each
  /// nanosecond.
  private struct PlainBucket {
    let interval: Int64
    let capacity: Int64
    var units: Int64
    var at: Int64

    init(interval: Int64, burst: Int64, at: Int64) {
      self.interval = interval
      capacity = interval * burst
      units = capacity
      self.at = at
    }

    mutating func take(at now: Int64) -> Bool {
      units = min(capacity, units + (now - at))
      at = now
      if units < interval { return false }
      units -= interval
      return true
    }
  }

  @Test("Decides as a token bucket does, at every moment of a random run", arguments: [(1, 1), (10, 3), (100, 250)])
  func agrees(requests: Int, burst: Int) {
    var random = SeededGenerator(seed: UInt64(requests * 1000 + burst))
    let limiter = RateLimiter(requests: requests, per: .seconds(1), burst: burst, keyCount: 100)
    let interval = 1_000_000_000 / Int64(requests)
    var now: Int64 = 7_000_000_000
    var buckets = (0..<5).map { _ in PlainBucket(interval: interval, burst: Int64(burst), at: now) }
    var refusedCount = 0
    for _ in 0..<20_000 {
      now += Int64.random(in: 0...interval / 10, using: &random)
      let key = Int.random(in: 0..<buckets.count, using: &random)
      let verdict = limiter.take(UInt64(key) << 40 | 9, at: now)
      #expect(verdict.isAllowed == buckets[key].take(at: now))
      #expect(verdict.remaining == buckets[key].units / interval)
      #expect(verdict.wait == interval - buckets[key].units % interval || buckets[key].units == buckets[key].capacity)
      if !verdict.isAllowed { refusedCount += 1 }
    }
    #expect(refusedCount > 100)
  }

  @Test("What is refused takes nothing, and one passes at the very nanosecond that was announced")
  func wait() {
    let limiter = RateLimiter(requests: 3, per: .seconds(1), burst: 2, keyCount: 1)
    let now: Int64 = 5_000_000_000
    #expect(limiter.take(1, at: now) == .init(isAllowed: true, remaining: 1, wait: 333_333_334))
    #expect(limiter.take(1, at: now) == .init(isAllowed: true, remaining: 0, wait: 333_333_334))
    for _ in 0..<3 {
      #expect(limiter.take(1, at: now) == .init(isAllowed: false, remaining: 0, wait: 333_333_334))
    }
    #expect(limiter.take(1, at: now + 333_333_333) == .init(isAllowed: false, remaining: 0, wait: 1))
    #expect(limiter.take(1, at: now + 333_333_334).isAllowed)
  }

  @Test("Where a table is full, a bucket that is evicted for a new key is reported")
  func evictions() {
    let limiter = RateLimiter(requests: 1, per: .seconds(60), burst: 2, keyCount: 1)
    let verdicts = (1...33 as ClosedRange<UInt64>).map { limiter.take($0 << 32, at: 1_000_000_000) }
    #expect(verdicts.prefix(32).allSatisfy { !$0.hasEvicted } && verdicts[32].hasEvicted)
    // Full again, they are nobody's.
    #expect(!limiter.take(1 << 50, at: 1_000_000_000_000).hasEvicted)
  }

  @Test("A clock that is a little behind another worker's takes nothing from anybody")
  func unevenClocks() {
    let limiter = RateLimiter(requests: 10, per: .seconds(1), burst: 10, keyCount: 1)
    var allowedCount = 0
    for step in 0..<100 {
      if limiter.take(5, at: 9_000_000_000 - Int64(step % 3) * 1000).isAllowed { allowedCount += 1 }
    }
    #expect(allowedCount == 10)
  }

  @Test("Numbers at the ends of what can be written neither trap nor let everything through")
  func extremes() {
    let slow = RateLimiter(requests: 1, per: .seconds(30 * 86_400), burst: 1_000_000, keyCount: 1)
    #expect(slow.take(1, at: 1).isAllowed && slow.take(0, at: 1 << 56).isAllowed)
    let fast = RateLimiter(requests: 1_000_000, per: .seconds(1), burst: 1, keyCount: 0)
    #expect(fast.take(.max, at: 1000).isAllowed && !fast.take(.max, at: 1999).isAllowed)
    #expect(fast.take(.max, at: 2000).isAllowed)
  }

  /// Runs a body on threads of its own, all at one time, and gives what each returned.
  private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> [Int]) async -> [[Int]] {
    let (results, done) = AsyncStream<[Int]>.makeStream()
    for index in 0..<count { Thread.detachNewThread { done.yield(body(index)) } }
    return await results.prefix(count).reduce(into: []) { $0.append($1) }
  }

  @Test("Threads that ask for the same keys at one time get exactly as much as is there")
  func threads() async {
    let (keyCount, burst) = (2000, 10)
    let limiter = RateLimiter(requests: 1, per: .seconds(86_400), burst: burst, keyCount: keyCount)
    let passed = await onThreads(4) { thread in
      var passedCounts = [Int](repeating: 0, count: keyCount)
      for round in 0..<burst * 2 {
        for step in 0..<keyCount {
          let index = (step * 7 + thread * 311 + round) % keyCount
          let key = UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
          if limiter.take(key, at: 60_000_000_000).isAllowed { passedCounts[index] += 1 }
        }
      }
      return passedCounts
    }
    for index in 0..<keyCount { #expect(passed.reduce(0) { $0 + $1[index] } == burst) }
  }

  @Test("Where every slot changes hands all the time between threads, each request is counted where it belongs")
  func changingHands() async {
    // One set. With each step of the clock all buckets are full again, and their slots go to other keys.
    let (threadCount, stepCount, keyCount) = (3, 1500, 8)
    let limiter = RateLimiter(requests: 1_000_000, per: .seconds(1), burst: 2, keyCount: 16)
    let arrivals = Arrivals()
    let passed = await onThreads(threadCount) { _ in
      var passedCounts = [Int](repeating: 0, count: stepCount * keyCount)
      for step in 0..<stepCount {
        arrivals.meet((step + 1) * threadCount)
        for key in 0..<keyCount {
          for _ in 0..<3 where limiter.take(UInt64(step * 64 + key + 1), at: Int64(step + 1) * 1_000_000).isAllowed {
            passedCounts[step * keyCount + key] += 1
          }
        }
      }
      return passedCounts
    }
    for index in 0..<stepCount * keyCount { #expect(passed.reduce(0) { $0 + $1[index] } == 2) }
  }

  /// Where threads wait for each other.
  private final class Arrivals: Sendable {
    private let count = Atomic(0)

    func meet(_ wanted: Int) {
      count.add(1, ordering: .sequentiallyConsistent)
      while count.load(ordering: .sequentiallyConsistent) < wanted { sched_yield() }
    }
  }

  @Test("With more keys than room, new keys are counted from a full bucket and those that are empty stay known")
  func overflow() {
    let limiter = RateLimiter(requests: 1, per: .seconds(3600), burst: 3, keyCount: 16)
    let now: Int64 = 1_000_000_000_000
    // 31 of the 32 slots are of keys that have nothing left, one is of a key that has.
    let held = (1...31).map { UInt64($0) }
    for key in held { for _ in 0..<3 { #expect(limiter.take(key, at: now).isAllowed) } }
    #expect(limiter.take(1000, at: now).remaining == 2)
    for key in 2000..<2100 {
      let verdict = limiter.take(UInt64(key) << 5, at: now)
      #expect(verdict.isAllowed && verdict.remaining == 2 && verdict.wait == 3_600_000_000_000)
    }
    for key in held { #expect(!limiter.take(key, at: now).isAllowed) }
    // All of them empty: the one that is nearest to full is forgotten, and nobody is refused for lack of room.
    for _ in 0..<2 { #expect(limiter.take(2099 << 5, at: now).isAllowed) }
    let last = limiter.take(3000, at: now + 1)
    #expect(last.isAllowed && last.remaining == 2 && last.hasEvicted)
  }

  @Test("Keys up to the number that was said are kept apart: none is forgotten in a table of a million")
  func million() {
    let keyCount = 1_000_000
    let limiter = RateLimiter(requests: 1, per: .seconds(86_400), burst: 1, keyCount: keyCount)
    let key0 = UInt64.random(in: .min ... .max)
    var random = SeededGenerator(seed: key0)
    let keys = (0..<keyCount).map { _ in UInt64.random(in: 1 ... .max, using: &random) }
    var passedCount = 0
    for key in keys where limiter.take(key, at: 1_000_000_000).isAllowed { passedCount += 1 }
    #expect(passedCount == keyCount)
    var forgottenCount = 0
    for key in keys where limiter.take(key, at: 1_000_000_001).isAllowed { forgottenCount += 1 }
    #expect(limiter.byteCount < 100_000_000, "\(limiter.byteCount) bytes")
    // A set is full now and then: one key in some ten thousand at most, when every single one is in use.
    #expect(forgottenCount < keyCount / 10_000, "\(forgottenCount)")
  }
}
