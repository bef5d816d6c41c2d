// The life of one list as a state machine without I/O: what was good last, until when it counts, and when the next look
// is due.
//
// Invariant: a failure never touches the list. Only a good look replaces it, and only the end of `stale` withdraws it.

internal import Configuration
internal import Proxy

/// A denylist, or a status list.
struct ListState<List: Sendable>: Sendable {
  /// The last good one, whether it still counts or not.
  private(set) var list: List?
  /// When it was last known to be the newest. By the clock that never jumps, so it may lie before its origin.
  private(set) var goodAt: Duration = .zero
  private(set) var failure: RevocationFailure?
  private(set) var failureCount = 0
  var nextLook: Duration
  var isLooking = false
  /// Whether the list counted when it was looked at last.
  var didCount = false
  /// Looks by result: `success` and the failures' codes.
  var results: [String: UInt64] = [:]

  init(nextLook: Duration) { self.nextLook = nextLook }

  /// LIMIT: how long after a failure the next look is at the latest.
  private static var waitMax: Duration { .seconds(30) }

  func isDue(at now: Duration) -> Bool { !isLooking && now >= nextLook }

  /// The list while it counts.
  func current(stale: Duration, now: Duration) -> List? { now - goodAt < stale ? list : nil }

  func ageSeconds(at now: Duration) -> Int64? { list == nil ? nil : max(0, (now - goodAt).components.seconds) }

  mutating func succeeded(_ list: List, now: Duration, next: Duration) {
    self.list = list
    confirmed(now: now, next: next)
    results["success", default: 0] += 1
  }

  /// The list is the newest still.
  mutating func confirmed(now: Duration, next: Duration) {
    goodAt = now
    (failure, failureCount) = (nil, 0)
    nextLook = next
  }

  /// What an earlier process has left.
  mutating func adopt(_ list: List, fetchedAt: Int64, now: Duration, wallTime: Int64) {
    self.list = list
    goodAt = now - .seconds(max(0, wallTime - fetchedAt))
  }

  /// A part of it is newer now, and another part could not be read.
  mutating func replace(_ list: List) { self.list = list }

  /// - Parameter pause: until the next look at least.
  mutating func failed(_ failure: RevocationFailure, now: Duration, pause: Duration) {
    self.failure = failure
    failureCount += 1
    let wait = Duration.seconds(1) * (1 << min(failureCount - 1, 5))
    nextLook = now + max(pause, min(wait, Self.waitMax))
    results[failure.code, default: 0] += 1
  }
}
