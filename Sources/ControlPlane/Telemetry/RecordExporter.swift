// Spans and log records on their way to a collector. They wait in a queue with an end, and go out in batches. Workers
// never wait: what the collector does not take in time is dropped and counted.

internal import Configuration
internal import Logging
internal import NIOConcurrencyHelpers
internal import Proxy

/// Where records go, and how many may wait.
struct ExportPlan: Sendable, Equatable {
  var collector: Collector
  var queue: Int

  init(_ traces: Traces) { (collector, queue) = (traces.collector, traces.queue) }
  init(_ logs: CollectedLogs) { (collector, queue) = (logs.collector, logs.queue) }
}

/// One of each signal for all workers.
final class RecordExporter: Sendable {
  private struct State {
    var plan: ExportPlan?
    /// The oldest first.
    var waiting: [RecordBatch] = []
    /// In `waiting` and on their way.
    var count = 0
    var counts = ExportCounts()
    var isFailing = false
    /// What waits has waited for long enough, however little it is.
    var isDue = false
    var work: Task<Void, Never>?
  }

  /// LIMIT: records and bytes of one message, about: a worker's batch is never split. Some collectors take no more than
  /// a megabyte.
  private static let messageCountMax = 2048
  private static let messageByteCountMax = 512 * 1024
  /// How long records wait for others.
  private static let interval = Duration.seconds(5)
  /// LIMIT: how often a message is sent.
  private static let attemptCountMax = 5

  private let log: Logger
  /// What is sent, in words.
  private let noun: String
  private let client: CollectorClient
  private let state = NIOLockedValueBox(State())
  private let wakeUp = WakeUp()
  private let planChange = WakeUp()

  init(_ noun: String, log: Logger, version: String) {
    self.noun = noun
    self.log = log
    client = CollectorClient(version: version)
  }

  var counts: ExportCounts { state.withLockedValue(\.counts) }

  /// What counts for records that are sent from now on.
  func apply(_ plan: ExportPlan?) {
    state.withLockedValue { state in
      state.plan = plan
      if plan == nil { Self.dropAll(&state) }
    }
    planChange.ring()
  }

  /// Takes records of a worker. Returns at once.
  func take(_ batch: RecordBatch) {
    let isMuch = state.withLockedValue { state in
      guard let plan = state.plan else {
        state.counts.drop(batch.count, .stopped)
        return false
      }
      // LIMIT: `queue`.
      if state.count + batch.count > plan.queue {
        state.counts.drop(batch.count, .queueFull)
        return true
      }
      state.waiting.append(batch)
      state.count += batch.count
      return state.count >= Self.messageCount(plan)
    }
    if isMuch { wakeUp.ring() }
  }

  /// Four messages may wait.
  private static func messageCount(_ plan: ExportPlan) -> Int { min(messageCountMax, plan.queue / 4) }

  /// Sends what comes. Runs until its task is cancelled, or the end has begun.
  func run() async {
    let work = Task { await exportUntilCancelled() }
    state.withLockedValue { $0.work = work }
    await withTaskCancellationHandler {
      await work.value
    } onCancel: {
      work.cancel()
    }
  }

  private func exportUntilCancelled() async {
    await withDiscardingTaskGroup { group in
      group.addTask {
        // Without a plan nothing waits.
        for await _ in self.planChange.calls {
          while !Task.isCancelled, self.state.withLockedValue({ $0.plan != nil }) {
            try? await Task.sleep(for: Self.interval)
            self.state.withLockedValue { $0.isDue = true }
            self.wakeUp.ring()
          }
        }
      }
      group.addTask { for await _ in self.wakeUp.calls { await self.exportAll() } }
    }
  }

  /// Sends what is left, for no longer than this. To be called when no request is left.
  func finish(within patience: Duration = .seconds(1)) async {
    let work = state.withLockedValue(\.work)
    work?.cancel()
    await work?.value
    if state.withLockedValue(\.count) == 0 { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.exportAll(isLast: true) }
      group.addTask { try? await Task.sleep(for: patience) }
      await group.next()
      group.cancelAll()
    }
    let lost = state.withLockedValue { state in
      defer { Self.dropAll(&state) }
      return state.count
    }
    if lost > 0 { log.warning("the last \(noun) are lost", metadata: ["lost": "\(lost)"]) }
  }

  private static func dropAll(_ state: inout State) {
    let count = state.waiting.reduce(0) { $0 + $1.count }
    state.counts.drop(count, .stopped)
    state.count -= count
    state.waiting = []
  }

  // MARK: One message after the other

  private func exportAll(isLast: Bool = false) async {
    var attempts = 0
    while !Task.isCancelled, let (plan, batches) = next(isDue: isLast || attempts > 0) {
      let count = batches.reduce(0) { $0 + $1.count }
      attempts += 1
      switch await client.send(batches.map(\.bytes), to: plan.collector) {
      case .sent(let rejectedCount):
        attempts = 0
        settle(count, rejectedCount: rejectedCount)
        if rejectedCount > 0 { note(failure: "it refused some of them", plan) }
      case .lost(let loss, let reason):
        attempts = 0
        settle(count, lost: loss)
        note(failure: reason, plan)
      case .later(_, let reason) where attempts == Self.attemptCountMax:
        attempts = 0
        settle(count, lost: .unavailable)
        note(failure: reason, plan)
      case .later(let pause, let reason):
        putBack(batches)
        note(failure: reason, plan)
        if isLast { return }
        try? await Task.sleep(for: pause ?? Self.pause(after: attempts))
      case .cancelled: putBack(batches)
      }
    }
  }

  /// 1, 2, 4 and 8 seconds, and up to as much again, so that many gateways do not come back together.
  private static func pause(after attempts: Int) -> Duration {
    Duration.milliseconds(1000 << min(attempts - 1, 3)) * Double.random(in: 1..<2)
  }

  /// A message's worth of what waits. What is less waits for more, until it is due.
  private func next(isDue: Bool) -> (ExportPlan, [RecordBatch])? {
    state.withLockedValue { state in
      guard let plan = state.plan, !state.waiting.isEmpty else { return nil }
      if !isDue, !state.isDue, state.count < Self.messageCount(plan) { return nil }
      state.isDue = false
      var taken = 0
      var (count, byteCount) = (0, 0)
      while taken < state.waiting.count {
        count += state.waiting[taken].count
        byteCount += state.waiting[taken].bytes.count
        if taken > 0, count > Self.messageCountMax || byteCount > Self.messageByteCountMax { break }
        taken += 1
      }
      defer { state.waiting.removeFirst(taken) }
      return (plan, Array(state.waiting.prefix(taken)))
    }
  }

  private func putBack(_ batches: [RecordBatch]) {
    state.withLockedValue { $0.waiting = batches + $0.waiting }
  }

  /// The collector has them, but for those that it refuses.
  private func settle(_ count: Int, rejectedCount: Int) {
    let rejectedCount = min(max(0, rejectedCount), count)
    let isOver = state.withLockedValue { state in
      state.count -= count
      state.counts.sent &+= UInt64(clamping: count - rejectedCount)
      state.counts.drop(rejectedCount, .rejected)
      if rejectedCount > 0 { return false }
      defer { state.isFailing = false }
      return state.isFailing
    }
    if isOver { log.notice("the collector takes \(noun) again") }
  }

  private func settle(_ count: Int, lost loss: ExportLoss) {
    state.withLockedValue { state in
      state.count -= count
      state.counts.drop(count, loss)
    }
  }

  /// Reported once, until it is over.
  private func note(failure reason: String, _ plan: ExportPlan) {
    let isNews = state.withLockedValue { state in
      defer { state.isFailing = true }
      return !state.isFailing
    }
    if !isNews { return }
    log.warning(
      "the collector does not take \(noun)",
      metadata: ["endpoint": "\(plan.collector.endpoint.withoutURLSecrets)", "reason": "\(reason)"])
  }
}
