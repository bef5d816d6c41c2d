// Whether a request is traced, which is decided once, and what is noted of one that is. All others cost a bit test.

import Bytes
import Configuration
import HTTPWire

/// `traces:`, prepared.
struct TracePlan: Sendable {
  /// Whether any request may be traced.
  let isOn: Bool
  let parent: RequestIDRules.Trust
  /// Random numbers below it are for requests that are traced. The largest is for all of them.
  let threshold: UInt64
  let hasPaths: Bool

  init(_ traces: Traces?) {
    let sample = traces?.sample ?? 0
    parent = traces?.parent ?? .nobody
    isOn = sample > 0 || parent != .nobody
    threshold = sample >= 100 ? .max : UInt64(clamping: sample) &* (.max / 100)
    hasPaths = traces?.hasPaths ?? false
  }
}

/// Of one exchange. The object stays with it from one traced request to the next.
struct RequestTracing {
  enum Decision {
    /// Not made yet, or nothing is traced.
    case open
    case unsampled
    case sampled
  }

  private(set) var decision = Decision.open
  private var kept: RequestTrace?

  /// Nil where the request is not traced.
  @inline(__always)
  var trace: RequestTrace? { decision == .sampled ? kept : nil }

  mutating func begin() -> RequestTrace {
    decision = .sampled
    if let kept { return kept }
    let trace = RequestTrace()
    kept = trace
    return trace
  }

  mutating func leaveOut() { decision = .unsampled }

  /// The spans are written.
  mutating func end() {
    kept?.forgetAttempts()
    decision = .unsampled
  }

  @inline(__always)
  mutating func reset() {
    if decision == .sampled { kept?.forgetAttempts() }
    decision = .open
  }
}

/// One traced request.
final class RequestTrace {
  /// One time that the request was sent to a server, or would have been.
  struct Attempt {
    let spanID: UInt64
    let server: UpstreamServer
    let startedAt: Int64
    /// 0 while it goes on.
    var endedAt: Int64 = 0
    /// What the server answered. 0 without an answer.
    var status = 0
    /// The code of the error that ended it. Empty without one.
    var errorType = ""
  }

  fileprivate(set) var high: UInt64 = 0
  fileprivate(set) var low: UInt64 = 0
  /// Of the span for the whole request.
  fileprivate(set) var spanID: UInt64 = 0
  /// The client's. 0 where the trace begins here.
  fileprivate(set) var parentID: UInt64 = 0
  /// Of the client's trace, without the sampled one.
  fileprivate(set) var flags: UInt8 = 0
  var tokenResult: AuthenticationResult?
  var tokenCheckedAt: Int64 = 0
  var isTokenRemembered = false
  private(set) var attempts: [Attempt] = []

  /// LIMIT: later attempts have no span.
  private static let attemptCountMax = 16

  fileprivate func begin(high: UInt64, low: UInt64, spanID: UInt64, parentID: UInt64, flags: UInt8) {
    self.high = high
    self.low = low
    self.spanID = spanID
    self.parentID = parentID
    self.flags = flags
    tokenResult = nil
    isTokenRemembered = false
  }

  func forgetAttempts() { attempts.removeAll(keepingCapacity: true) }

  /// An attempt that is under way has failed.
  func begin(at server: UpstreamServer, spanID: UInt64, _ now: Int64) {
    end(.failed(.upstreamClosed), nil, answered: 0, now)
    if attempts.count < Self.attemptCountMax {
      attempts.append(Attempt(spanID: spanID, server: server, startedAt: now))
    }
  }

  /// Ends the attempt that is under way, if there is one.
  func end(_ outcome: AttemptOutcome, _ refusal: Refusal?, answered status: Int, _ now: Int64) {
    guard let last = attempts.indices.last, attempts[last].endedAt == 0 else { return }
    attempts[last].endedAt = now
    attempts[last].status = status
    switch outcome {
    case .answered(let status):
      attempts[last].status = status
      // Whatever the status, it broke off.
      if status < 400, let refusal, refusal.status >= 500 { attempts[last].errorType = refusal.code }
    case .connectFailed: attempts[last].errorType = GatewayRefusal.upstreamConnectFailed.rawValue
    case .failed(let failure): attempts[last].errorType = failure.rawValue
    case .left: if let refusal { attempts[last].errorType = refusal.code }
    }
  }
}

extension Exchange {
  /// Decides whether the request is traced, if that is open. A trace that comes from elsewhere goes on.
  func decideOnTrace() {
    guard tracing.decision == .open else { return }
    let isTraceKept = request.head.hasTrace
    guard isSampled(isTraceKept) else { return tracing.leaveOut() }
    let trace = tracing.begin()
    let spanID = worker.randomIdentifiers.next() | 1
    if isTraceKept, let parent = request.head.traceParent {
      trace.begin(
        high: parent.high, low: parent.low, spanID: spanID, parentID: parent.spanID, flags: parent.flags & 2)
    } else {
      trace.begin(
        high: worker.randomIdentifiers.next() | 1, low: worker.randomIdentifiers.next(), spanID: spanID, parentID: 0,
        flags: 0)
    }
    request.traceID.removeAll()
    request.traceID.append(hexadecimal: trace.high, width: 16)
    request.traceID.append(hexadecimal: trace.low, width: 16)
  }

  /// Makes a request of the gateway's own part of the trace of the request that it is sent for, if that is traced.
  func joinTrace(of asker: Exchange) {
    asker.decideOnTrace()
    guard let known = asker.tracing.trace else { return }
    tracing.begin().begin(high: known.high, low: known.low, spanID: known.spanID, parentID: 0, flags: known.flags)
  }

  private func isSampled(_ isTraceKept: Bool) -> Bool {
    let plan = snapshot.traces
    if isTraceKept, isParentObeyed(plan) { return request.head.isTraceSampled }
    return plan.threshold == .max || plan.threshold > 0 && worker.randomIdentifiers.next() < plan.threshold
  }

  private func isParentObeyed(_ plan: TracePlan) -> Bool {
    switch plan.parent {
    case .anyone: true
    case .trustedProxies: request.peer.isTrusted
    case .nobody: false
    }
  }

  // MARK: traceparent

  /// Where requests are traced: the line of one that is not. That of a traced request differs between attempts, and
  /// each has its own at its end.
  func writeTraceParentOfUntraced(_ isTraceKept: Bool) {
    if tracing.decision == .sampled { return }
    guard isTraceKept, request.head.isTraceSampled, let parent = request.head.traceParent else {
      return request.writeTraceParent(isTraceKept, &worker.randomIdentifiers, into: &upstreamHead.bytes)
    }
    // Who changes the flag is a new parent (W3C Trace Context §3.4).
    upstreamHead.writeTraceParent(
      parent.high, parent.low, span: worker.randomIdentifiers.next() | 1, flags: parent.flags & 2)
    request.traceID.append(hexadecimal: parent.high, width: 16)
    request.traceID.append(hexadecimal: parent.low, width: 16)
  }

  /// The attempt that is under way is the parent. A copy for a mirror is made before the first one.
  func writeTraceParent(of trace: RequestTrace) {
    upstreamHead.writeTraceParent(
      trace.high, trace.low, span: trace.attempts.last?.spanID ?? trace.spanID, flags: trace.flags | 1)
  }
}

extension UpstreamHead {
  fileprivate mutating func writeTraceParent(_ high: UInt64, _ low: UInt64, span: UInt64, flags: UInt8) {
    bytes.append("traceparent: 00-")
    bytes.append(hexadecimal: high, width: 16)
    bytes.append(hexadecimal: low, width: 16)
    bytes.append("-")
    bytes.append(hexadecimal: span, width: 16)
    bytes.append("-")
    bytes.append(hexadecimal: UInt64(flags), width: 2)
    bytes.append("\r\n")
  }
}

// Of a head with ``RequestHead/hasTrace``.
extension RequestHead {
  fileprivate var isTraceSampled: Bool { (traceParent?.flags ?? 0) & 1 != 0 }

  fileprivate var traceParent: (high: UInt64, low: UInt64, spanID: UInt64, flags: UInt8)? {
    guard let field = first(.traceparent), field.value.count == 55 else { return nil }
    let text = bytes.span.extracting(field.value)
    return (
      Self.number(text, 3..<19), Self.number(text, 19..<35), Self.number(text, 36..<52),
      UInt8(truncatingIfNeeded: Self.number(text, 53..<55))
    )
  }

  private static func number(_ text: Span<UInt8>, _ digits: Range<Int>) -> UInt64 {
    var number: UInt64 = 0
    for index in digits { number = number << 4 | UInt64(clamping: hexadecimalValue(text[index]) ?? 0) }
    return number
  }
}
