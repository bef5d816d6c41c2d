// How often an issuer is asked for keys out of turn, and when it is asked next while it has none. The data plane
// announces it to clients, the control plane acts by it.

/// Looks at an issuer that unknown key ids may cause (T21, T100): a few at once, so that one rotation after another is
/// seen, and then as rarely as a flood of made-up ids deserves.
package struct LookBudget: Sendable {
  // LIMIT: three looks, and one more each 10 s, whatever the number of ids.
  package static let looks: Int64 = 3
  package static let nanosecondsPerLook: Int64 = 10_000_000_000

  // LIMIT: an issuer without any keys is asked again at most so much later, so that it serves soon after it is back.
  /// What `Retry-After` says to clients that came meanwhile.
  package static let secondsWithoutKeys: Int64 = 5

  /// When all looks are there again.
  private var fullAt: Int64 = .min

  package init() {}

  /// Spends a look, or says that none is left.
  package mutating func take(at now: Int64) -> Bool {
    let begin = max(fullAt, now)
    guard begin &- now <= (Self.looks - 1) * Self.nanosecondsPerLook else { return false }
    fullAt = begin &+ Self.nanosecondsPerLook
    return true
  }
}
