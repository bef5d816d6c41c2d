// Tests run in parallel, all at once if they may. Those that run a gateway take turns, so that a machine of few cores
// is busy with some of them and not short of time for each.

import Testing

/// Turns for tests, not for gateways: a test that has one may start as many as it needs, so nobody waits for each
/// other.
enum TestSlots {
  private static let slotCount = 6
  private static let holders = Monitor([Test.ID?: Int]())

  /// Held for as long as the object lives.
  final class Slot: Sendable {
    private let test: Test.ID?
    fileprivate init(_ test: Test.ID?) { self.test = test }

    deinit {
      let test = test
      TestSlots.holders.update { holders in
        let count = holders[test, default: 1] - 1
        holders[test] = count > 0 ? count : nil
      }
    }
  }

  /// A turn for the running test. At once when it has one.
  static func take() async throws -> Slot {
    let test = Test.current?.id
    // No deadline of its own: the wait is for all the tests before this one.
    return try await holders.wait(for: "a turn", within: .seconds(3600)) { holders in
      guard holders[test] != nil || holders.count < slotCount else { return nil }
      holders[test, default: 0] += 1
      return Slot(test)
    }
  }
}
