// Metrics on their way to a collector: all of them, from time to time. A message that is lost is not sent again, as the
// next one has later numbers of the same counters.

internal import Configuration
internal import FoundationEssentials
internal import Logging
internal import NIOConcurrencyHelpers
internal import Proxy

final class MetricsExporter: Sendable {
  private struct State {
    var plan: CollectedMetrics?
    var nextAt = ContinuousClock.now
    var counts = ExportCounts()
    var isFailing = false
  }

  private let log: Logger
  private let client: CollectorClient
  private let startedAt = MetricsExporter.unixNanoseconds()
  private let state = NIOLockedValueBox(State())
  private let change = WakeUp()

  init(log: Logger, version: String) {
    self.log = log
    client = CollectorClient(version: version)
  }

  /// Of messages.
  var counts: ExportCounts { state.withLockedValue(\.counts) }

  func apply(_ plan: CollectedMetrics?) {
    state.withLockedValue { state in
      if state.plan == plan { return }
      state.plan = plan
      // The first message shows that it works.
      state.nextAt = .now + min(plan?.interval ?? .zero, .seconds(1))
    }
    change.ring()
  }

  /// Sends what the page has whenever it is time. Runs until its task is cancelled.
  func run(_ page: @escaping @Sendable () async -> MetricsPage) async {
    // A change ends the wait for one. Without a plan nothing else does.
    for await _ in change.calls {
      while !Task.isCancelled, let wait = timeLeft {
        // Also how soon a changed plan counts.
        if wait > .zero { try? await Task.sleep(for: min(wait, .seconds(1))) } else { await sendNow(page) }
      }
    }
  }

  /// Until the next message. Nil without a plan.
  private var timeLeft: Duration? {
    state.withLockedValue { state in state.plan == nil ? nil : state.nextAt - ContinuousClock.now }
  }

  private func sendNow(_ page: @Sendable () async -> MetricsPage) async {
    let plan = state.withLockedValue { state -> CollectedMetrics? in
      state.nextAt = .now + (state.plan?.interval ?? .zero)
      return state.plan
    }
    if let plan { await send(page(), plan) }
  }

  /// Sends them once more, for no longer than this.
  func finish(_ page: MetricsPage, within patience: Duration = .seconds(1)) async {
    guard let plan = state.withLockedValue(\.plan) else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.send(page, plan) }
      group.addTask { try? await Task.sleep(for: patience) }
      await group.next()
      group.cancelAll()
    }
  }

  private func send(_ page: MetricsPage, _ plan: CollectedMetrics) async {
    var message = MetricsMessage(start: startedAt, now: Self.unixNanoseconds())
    page.write(to: &message)
    switch await client.send([message.finish()], to: plan.collector) {
    case .sent(let rejectedCount) where rejectedCount <= 0: noteSuccess()
    case .sent: note(.rejected, "it refused some metrics", plan)
    case .lost(let loss, let reason): note(loss, reason, plan)
    case .later(let pause, let reason):
      if let pause { state.withLockedValue { $0.nextAt = max($0.nextAt, .now + pause) } }
      note(.unavailable, reason, plan)
    case .cancelled: state.withLockedValue { $0.counts.drop(1, .stopped) }
    }
  }

  private func noteSuccess() {
    let isOver = state.withLockedValue { state in
      defer { state.isFailing = false }
      state.counts.sent &+= 1
      return state.isFailing
    }
    if isOver { log.notice("the collector takes metrics again") }
  }

  /// Reported once, until it is over.
  private func note(_ loss: ExportLoss, _ reason: String, _ plan: CollectedMetrics) {
    let isNews = state.withLockedValue { state in
      defer { state.isFailing = true }
      state.counts.drop(1, loss)
      return !state.isFailing
    }
    if !isNews { return }
    log.warning(
      "the collector does not take metrics",
      metadata: ["endpoint": "\(plan.collector.endpoint.withoutURLSecrets)", "reason": "\(reason)"])
  }

  private static func unixNanoseconds() -> UInt64 {
    UInt64(exactly: (Date.now.timeIntervalSince1970 * 1_000_000).rounded()).map { $0 &* 1000 } ?? 0
  }
}
