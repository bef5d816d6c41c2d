// `adaptive:`: how many requests an upstream takes before they only wait for each other. Once in a window the mean time
// to a response is held against what is usual: where it has grown the limit goes down by the same factor (a gradient),
// and always up by the root of itself, which is room to find out whether more would do.

import Configuration
import Synchronization

/// The arithmetic, without the clock and the other workers.
struct Gradient: Equatable {
  /// Where a limit begins: low, for it grows within seconds.
  static let startLimit = 20.0

  var limit = Gradient.startLimit
  /// The usual time to a response in nanoseconds: the mean of some 600 windows. 0 before the first.
  var usual = 0.0
  var windowCount: Int64 = 0

  /// One window is over.
  /// - Parameter isPressed: at least half of the limit was in use. Otherwise nothing is learned about it.
  mutating func close(meanNanoseconds mean: Double, isPressed: Bool, _ rules: AdaptiveLimit) {
    windowCount = min(windowCount + 1, 600)
    usual += (mean - usual) / Double(windowCount)
    // After a time of overload what is usual is too much, and must not be it for long.
    if usual > 2 * mean { usual *= 0.95 }
    if isPressed {
      let gradient = min(max(Double(rules.tolerance) / 100 * usual / max(mean, 1), 0.5), 1)
      limit = limit * 0.8 + (limit * gradient + limit.squareRoot()) * 0.2
    }
    limit = min(max(limit, Double(rules.minimum)), Double(rules.maximum))
  }
}

/// One limit for all workers. Each adds what it sees. Whichever comes first after a window's end closes it.
final class ConcurrencyLimit: Sendable {
  private let sum = Atomic<Int64>(0)
  private let count = Atomic<Int64>(0)
  private let pressed = Atomic<Bool>(false)
  private let windowEnd = Atomic<Int64>(0)
  private let limitBits = Atomic<UInt64>(Gradient.startLimit.bitPattern)
  private let usualBits = Atomic<UInt64>(0)
  private let windowCount = Atomic<Int64>(0)

  private static let windowNanoseconds: Int64 = 100_000_000
  /// A window with fewer answers goes on.
  private static let sampleCountMin: Int64 = 10

  /// The current value, within the bounds of the configuration.
  func value(_ rules: AdaptiveLimit) -> Int {
    let limit = Double(bitPattern: limitBits.load(ordering: .relaxed))
    return min(max(Int(limit), rules.minimum), rules.maximum)
  }

  /// - Parameter requestCount: under way, with the one that has just come.
  func noteRequests(_ requestCount: Int, limit: Int) {
    if requestCount * 2 >= limit, !pressed.load(ordering: .relaxed) { pressed.store(true, ordering: .relaxed) }
  }

  func noteResponse(nanoseconds: Int64) {
    sum.wrappingAdd(nanoseconds, ordering: .relaxed)
    count.wrappingAdd(1, ordering: .relaxed)
  }

  /// Called by every worker's tick.
  func closeWindow(at now: Int64, _ rules: AdaptiveLimit) {
    let end = windowEnd.load(ordering: .acquiring)
    guard now >= end, count.load(ordering: .relaxed) >= Self.sampleCountMin,
      windowEnd.compareExchange(
        expected: end, desired: now &+ Self.windowNanoseconds, ordering: .acquiringAndReleasing
      ).exchanged
    else { return }
    let responseCount = count.exchange(0, ordering: .relaxed)
    let nanoseconds = sum.exchange(0, ordering: .relaxed)
    let isPressed = pressed.exchange(false, ordering: .relaxed)
    var gradient = Gradient(
      limit: Double(bitPattern: limitBits.load(ordering: .relaxed)),
      usual: Double(bitPattern: usualBits.load(ordering: .relaxed)),
      windowCount: windowCount.load(ordering: .relaxed))
    gradient.close(
      meanNanoseconds: Double(nanoseconds) / Double(max(responseCount, 1)), isPressed: isPressed, rules)
    limitBits.store(gradient.limit.bitPattern, ordering: .relaxed)
    usualBits.store(gradient.usual.bitPattern, ordering: .relaxed)
    windowCount.store(gradient.windowCount, ordering: .releasing)
  }
}
