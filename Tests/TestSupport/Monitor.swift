// State that tests wait on. Everything in the harness that happens later (bytes, log lines, connections, an exit) is a
// change of a monitor's state, and every wait has the same deadline and says what was seen when it passed.

import NIOCore
import NIOPosix
import Synchronization

/// What was waited for did not come in time.
package struct DeadlinePassed: Error, CustomStringConvertible {
  package var awaited: String
  package var seen: String
  package var description: String { "waited \(Deadline.standard) for \(awaited); seen: \(seen)" }
}

package enum Deadline {
  /// How long any one event may take. Only a failure reaches it: a machine that is shared and slow, or that pauses for
  /// a while, does not.
  package static let standard = Duration.seconds(300)
}

/// State behind a lock, with waits that never block a thread.
package final class Monitor<State: Sendable>: Sendable {
  private struct Guarded: Sendable {
    var state: State
    var version = 0
    var nextWaiter = 0
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
  }

  private let guarded: Mutex<Guarded>
  private let describe: @Sendable (State) -> String

  package init(_ state: State, describe: @escaping @Sendable (State) -> String = { "\($0)" }) {
    guarded = Mutex(Guarded(state: state))
    self.describe = describe
  }

  /// A copy of the state as it is now.
  package var current: State { guarded.withLock { $0.state } }

  /// Changes the state and wakes the waiting threads.
  @discardableResult
  package func update<Result: Sendable>(_ change: @Sendable (inout State) -> Result) -> Result {
    let (result, waiters) = guarded.withLock { guarded in
      let result = change(&guarded.state)
      guarded.version += 1
      let waiters = Array(guarded.waiters.values)
      guarded.waiters.removeAll()
      return (result, waiters)
    }
    for waiter in waiters { waiter.resume() }
    return result
  }

  /// Tries until `attempt` gives a result, each time the state has changed.
  package func wait<Result: Sendable>(
    for awaited: String, within limit: Duration = Deadline.standard,
    _ attempt: @Sendable (inout State) throws -> Result?
  ) async throws -> Result {
    let deadline = ContinuousClock.now + limit
    while true {
      let (result, version) = try guarded.withLock { (try attempt(&$0.state), $0.version) }
      if let result { return result }
      if ContinuousClock.now >= deadline { throw DeadlinePassed(awaited: awaited, seen: describe(current)) }
      await change(after: version, until: deadline)
    }
  }

  /// Returns after a change, or at the deadline.
  private func change(after version: Int, until deadline: ContinuousClock.Instant) async {
    let remaining = deadline - ContinuousClock.now
    let id = guarded.withLock { guarded in
      guarded.nextWaiter += 1
      return guarded.nextWaiter
    }
    let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: TimeAmount(remaining)) {
      self.guarded.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      let isChanged = guarded.withLock { guarded in
        if guarded.version != version || ContinuousClock.now >= deadline { return true }
        guarded.waiters[id] = continuation
        return false
      }
      if isChanged { continuation.resume() }
    }
    timer.cancel()
  }
}

/// A door that a test opens once: scripts wait at it.
package struct Gate: Sendable {
  private let monitor = Monitor(false)
  package init() {}
  package func open() { monitor.update { $0 = true } }
  package var isOpen: Bool { monitor.current }
  package func wait(for awaited: String = "a gate to open") async throws {
    try await monitor.wait(for: awaited) { $0 ? () : nil }
  }
}
