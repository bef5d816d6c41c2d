// Requests a second over the last minutes, for the curve of the status page. One number every few seconds, in a ring.

import Proxy

/// The oldest first.
struct RequestHistory {
  static let interval = Duration.seconds(5)
  /// LIMIT: ten minutes.
  static let countMax = 120

  private(set) var rates: [Double] = []
  private var last: (total: UInt64, time: ContinuousClock.Instant)?

  /// - Parameter total: requests since the start.
  mutating func note(_ total: UInt64, at time: ContinuousClock.Instant) {
    defer { last = (total, time) }
    guard let last else { return }
    let elapsed = last.time.duration(to: time)
    let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    if seconds <= 0 { return }
    if rates.count == Self.countMax { rates.removeFirst() }
    rates.append((Double(total &- min(last.total, total)) / seconds * 100).rounded() / 100)
  }
}

extension RunningGateway {
  /// Runs until its task is cancelled.
  func recordRequests() async {
    while !Task.isCancelled {
      let total = await counters().requestCounts.reduce(0) { $0 &+ $1.count }
      history.note(total, at: .now)
      try? await Task.sleep(for: RequestHistory.interval)
    }
  }
}
