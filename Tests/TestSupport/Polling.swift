// Waits for what sends no event: looks again and again, each with a pause behind it, and with an end.

import NIOCore
import NIOPosix

package enum Pause {
  /// Between two looks: long enough to leave the processor to what is awaited.
  package static func short(milliseconds: Int64 = 20) async {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    try? await loop.scheduleTask(in: .milliseconds(milliseconds)) {}.futureResult.get()
  }
}

/// Looks until `condition` holds.
/// - Parameter seen: says what there was to see when the deadline has passed.
package func poll(
  _ awaited: String, seen: @autoclosure () -> String = "", pauseMilliseconds: Int64 = 20,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + Deadline.standard
  while try await !condition() {
    if ContinuousClock.now > deadline { throw DeadlinePassed(awaited: awaited, seen: seen()) }
    await Pause.short(milliseconds: pauseMilliseconds)
  }
}

/// Whether a request that was sent at `start` may have waited for an issuer as long as the gateway lets it: 0.9 s, by a
/// clock that a busy worker may read late. An answer without a wait comes far sooner.
package func mayHaveWaitedForKeys(since start: ContinuousClock.Instant) -> Bool {
  ContinuousClock.now - start > .milliseconds(450)
}

/// Makes attempts until one gives a result. A test of a short timeout needs it for what must come before that timeout.
/// On a busy machine it may come too late, which says nothing about the gateway. Such an attempt gives nil.
package func undisturbed<Result>(_ awaited: String, _ attempt: () async throws -> Result?) async throws -> Result {
  let deadline = ContinuousClock.now + Deadline.standard
  while true {
    if let result = try await attempt() { return result }
    if ContinuousClock.now > deadline { throw DeadlinePassed(awaited: awaited, seen: "it came too late each time") }
  }
}
