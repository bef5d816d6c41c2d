// Spans on their way to a collector. They wait in a queue with an end, and go out in batches. Workers never wait: what
// the collector does not take in time is dropped and counted.

internal import Configuration
internal import Logging
internal import NIOConcurrencyHelpers
internal import Proxy
internal import TLS

/// Why spans did not get to the collector. The words are public contract.
package enum SpanLoss: String, Sendable, CaseIterable {
  /// The collector was too slow, or away for too long.
  case queueFull = "queue_full"
  /// The collector said that it never takes these.
  case rejected
  /// It did not take them however often they were sent.
  case unavailable
  /// It answered something that is not HTTP. It may have taken them.
  case answerInvalid = "answer_invalid"
  /// They were left when the gateway stopped, or when `traces` was removed.
  case stopped
}

package struct SpanCounts: Sendable, Equatable {
  package var sent: UInt64 = 0
  package var dropped: [SpanLoss: UInt64] = [:]

  package init() {}

  mutating func drop(_ count: Int, _ reason: SpanLoss) {
    if count > 0 { dropped[reason, default: 0] &+= UInt64(clamping: count) }
  }
}

/// One for all workers.
final class SpanExporter: Sendable {
  private struct State {
    var traces: Traces?
    /// The oldest first.
    var waiting: [SpanBatch] = []
    /// In `waiting` and on their way.
    var count = 0
    var counts = SpanCounts()
    var isFailing = false
    /// What waits has waited for long enough, however little it is.
    var isDue = false
    var work: Task<Void, Never>?
  }

  private enum Outcome {
    /// But for as many as it refuses for ever.
    case sent(rejectedCount: Int)
    case lost(SpanLoss, reason: String)
    /// To be sent again.
    case later(after: Duration?, reason: String)
    case cancelled
  }

  /// LIMIT: spans and bytes of one message, about: a worker's batch is never split. Some collectors take no more than a
  /// megabyte.
  private static let messageSpanCountMax = 2048
  private static let messageByteCountMax = 512 * 1024
  /// How long spans wait for others.
  private static let interval = Duration.seconds(5)
  private static let deadline = Duration.seconds(10)
  /// LIMIT: how often a message is sent, and how long the collector may ask to wait in between.
  private static let attemptCountMax = 5
  private static let pauseMax = Duration.seconds(60)

  private let log: Logger
  private let version: String
  private let sender = MessageSender()
  private let state = NIOLockedValueBox(State())
  private let wakes: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  init(log: Logger, version: String) {
    self.log = log
    self.version = version
    (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  var counts: SpanCounts { state.withLockedValue(\.counts) }

  /// What counts for spans that are sent from now on.
  func apply(_ traces: Traces?) {
    state.withLockedValue { state in
      state.traces = traces
      if traces == nil { Self.dropAll(&state) }
    }
  }

  /// Takes spans of a worker. Returns at once.
  func take(_ batch: SpanBatch) {
    let isMuch = state.withLockedValue { state in
      guard let traces = state.traces else {
        state.counts.drop(batch.count, .stopped)
        return false
      }
      // LIMIT: `queue`.
      if state.count + batch.count > traces.queue {
        state.counts.drop(batch.count, .queueFull)
        return true
      }
      state.waiting.append(batch)
      state.count += batch.count
      return state.count >= Self.messageSpanCount(traces)
    }
    if isMuch { wake.yield() }
  }

  /// Four messages may wait.
  private static func messageSpanCount(_ traces: Traces) -> Int { min(messageSpanCountMax, traces.queue / 4) }

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
        while !Task.isCancelled {
          try? await Task.sleep(for: Self.interval)
          self.state.withLockedValue { $0.isDue = true }
          self.wake.yield()
        }
      }
      group.addTask { for await _ in self.wakes { await self.exportAll() } }
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
    if lost > 0 { log.warning("the last spans are lost", metadata: ["lost": "\(lost)"]) }
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
    while !Task.isCancelled, let (traces, batches) = next(isDue: isLast || attempts > 0) {
      let count = batches.reduce(0) { $0 + $1.count }
      attempts += 1
      switch await send(batches, traces) {
      case .sent(let rejectedCount):
        attempts = 0
        settle(count, rejectedCount: rejectedCount)
        if rejectedCount > 0 { note(failure: "it refused some spans", traces) }
      case .lost(let loss, let reason):
        attempts = 0
        settle(count, lost: loss)
        note(failure: reason, traces)
      case .later(_, let reason) where attempts == Self.attemptCountMax:
        attempts = 0
        settle(count, lost: .unavailable)
        note(failure: reason, traces)
      case .later(let pause, let reason):
        putBack(batches)
        note(failure: reason, traces)
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
  private func next(isDue: Bool) -> (Traces, [SpanBatch])? {
    state.withLockedValue { state in
      guard let traces = state.traces, !state.waiting.isEmpty else { return nil }
      if !isDue, !state.isDue, state.count < Self.messageSpanCount(traces) { return nil }
      state.isDue = false
      var taken = 0
      var (count, byteCount) = (0, 0)
      while taken < state.waiting.count {
        count += state.waiting[taken].count
        byteCount += state.waiting[taken].bytes.count
        if taken > 0, count > Self.messageSpanCountMax || byteCount > Self.messageByteCountMax { break }
        taken += 1
      }
      defer { state.waiting.removeFirst(taken) }
      return (traces, Array(state.waiting.prefix(taken)))
    }
  }

  private func putBack(_ batches: [SpanBatch]) {
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
    if isOver { log.notice("the collector takes traces again") }
  }

  private func settle(_ count: Int, lost loss: SpanLoss) {
    state.withLockedValue { state in
      state.count -= count
      state.counts.drop(count, loss)
    }
  }

  /// Reported once, until it is over.
  private func note(failure reason: String, _ traces: Traces) {
    let isNews = state.withLockedValue { state in
      defer { state.isFailing = true }
      return !state.isFailing
    }
    if !isNews { return }
    log.warning(
      "the collector does not take traces",
      metadata: ["endpoint": "\(traces.endpoint.withoutURLSecrets)", "reason": "\(reason)"])
  }

  // MARK: HTTP

  private func send(_ batches: [SpanBatch], _ traces: Traces) async -> Outcome {
    let resource = TraceResource(serviceName: traces.serviceName, version: version, host: TraceResource.hostName())
    let fields = [(name: "Content-Type", value: "application/x-protobuf")]
    var posting = Posting(
      fields: fields + traces.headers.map { (name: $0.name, value: $0.value) },
      body: TraceExport.beginning(of: batches, from: resource))
    posting.rest = batches.map(\.bytes)
    let trust: Trust = traces.certificateAuthority.map { .file($0) } ?? .system
    do throws(FetchError) {
      let answer = try await sender.post(posting, to: traces.endpoint, trust: trust, deadline: Self.deadline)
      return Self.outcome(of: answer)
    } catch {
      switch error {
      case .cancelled: return .cancelled
      case .tooLarge, .responseMalformed: return .lost(.answerInvalid, reason: "\(error)")
      case .urlInvalid: return .lost(.rejected, reason: "\(error)")
      case .timeout, .connectFailed, .tlsFailed, .truncated, .status, .redirected:
        return .later(after: nil, reason: "\(error)")
      }
    }
  }

  /// OTLP 1.5, "Failures": four statuses ask for another attempt.
  private static func outcome(of answer: Document) -> Outcome {
    let reason = "status(\(answer.status))"
    switch answer.status {
    case 200..<300: return .sent(rejectedCount: ExportAnswer.rejectedSpanCount(in: answer.body))
    case 429, 502, 503, 504:
      let seconds = answer.retryAfter.flatMap { Int64($0) }.map { max(0, $0) }
      return .later(after: seconds.map { min(.seconds($0), pauseMax) }, reason: reason)
    default: return .lost(.rejected, reason: reason)
    }
  }
}
