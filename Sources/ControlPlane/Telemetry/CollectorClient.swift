// Sends messages to a collector, and says what became of each.

internal import Configuration
internal import Proxy
internal import TLS

/// Why telemetry did not get to the collector. The words are public contract.
package enum ExportLoss: String, Sendable, CaseIterable {
  /// The collector was too slow, or away for too long.
  case queueFull = "queue_full"
  /// The collector said that it never takes these.
  case rejected
  /// It did not take them however often they were sent.
  case unavailable
  /// It answered something that is not HTTP. It may have taken them.
  case answerInvalid = "answer_invalid"
  /// They were left when the gateway stopped, or when the section was removed.
  case stopped
}

/// What came of all that was to be sent.
package struct ExportCounts: Sendable, Equatable {
  package var sent: UInt64 = 0
  package var dropped: [ExportLoss: UInt64] = [:]

  package init() {}

  mutating func drop(_ count: Int, _ reason: ExportLoss) {
    if count > 0 { dropped[reason, default: 0] &+= UInt64(clamping: count) }
  }
}

/// One for each signal, as each has a connection of its own.
final class CollectorClient: Sendable {
  enum Outcome {
    /// But for as many as it refuses for ever.
    case sent(rejectedCount: Int)
    case lost(ExportLoss, reason: String)
    /// To be sent again.
    case later(after: Duration?, reason: String)
    case cancelled
  }

  private static let deadline = Duration.seconds(10)
  /// LIMIT: how long the collector may ask to wait.
  private static let pauseMax = Duration.seconds(60)

  private let version: String
  private let sender = MessageSender()

  init(version: String) { self.version = version }

  /// - Parameter elements: one behind the other.
  func send(_ elements: [[UInt8]], to collector: Collector) async -> Outcome {
    let fields = [(name: "Content-Type", value: "application/x-protobuf")]
    var posting = Posting(
      fields: fields + collector.headers.map { (name: $0.name, value: $0.value) },
      body: ExportMessage.beginning(of: elements, from: ExportMessage.resource(collector, version), version))
    posting.rest = elements
    let trust = Trust(file: collector.certificateAuthority)
    do throws(FetchError) {
      let answer = try await sender.post(posting, to: collector.endpoint, trust: trust, deadline: Self.deadline)
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
    case 200..<300: return .sent(rejectedCount: ExportAnswer.rejectedCount(in: answer.body))
    case 429, 502, 503, 504:
      let seconds = answer.retryAfter.flatMap { Int64($0) }.map { max(0, $0) }
      return .later(after: seconds.map { min(.seconds($0), pauseMax) }, reason: reason)
    default: return .lost(.rejected, reason: reason)
    }
  }
}
