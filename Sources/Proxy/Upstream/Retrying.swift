// Sending a request once more after a failure at its server: whether that is safe, whether the upstream can bear it,
// where to, and when.
//
// Invariant: no byte of an answer has gone to the client, and nothing of the request is missing in the next attempt.

import Bytes
import Configuration
import HTTPWire

/// What may send a request again.
enum RetryCause {
  /// Nothing was sent.
  case connectFailure
  case resetBeforeResponse
  case responseTimeout
  /// Of a gRPC call: its status, or a reset.
  case unavailable
  /// A head, held back.
  case status(Int)

  /// Nil for what no other server would do better.
  init?(_ refusal: GatewayRefusal) {
    if refusal == .upstreamClosed {
      self = .resetBeforeResponse
    } else if refusal == .upstreamTimeout {
      self = .responseTimeout
    } else {
      return nil
    }
  }
}

/// `retry:` of an upstream in the data plane's form.
struct RetryPolicy {
  /// Nil without `retry`: as many as there are servers, three at most, each once.
  let attempts: Int?
  let conditions: [Retry.Condition]
  /// 500 to 599. Few are named.
  let statuses: [Int]
  let budgetPercent: Int
  let backoff: Int64
  /// Bytes of a body. 0 keeps none.
  let keptByteCountMax: Int

  /// LIMIT: so many requests of an upstream may be on a retry in each worker whatever its budget, so that a quiet
  /// service can retry at all.
  static let budgetFloor = 3

  init(_ retry: Retry?) {
    let known = retry ?? Retry()
    attempts = retry?.attempts
    conditions = retry?.conditions ?? [.connectFailure]
    statuses = known.statuses
    budgetPercent = known.budget
    backoff = known.backoff.nanoseconds
    keptByteCountMax = known.buffer
  }

  func covers(_ cause: RetryCause) -> Bool {
    switch cause {
    case .connectFailure: conditions.contains(.connectFailure)
    case .resetBeforeResponse: conditions.contains(.resetBeforeResponse)
    case .responseTimeout: conditions.contains(.responseTimeout)
    case .unavailable: conditions.contains(.unavailable)
    case .status(let status): statuses.contains(status)
    }
  }
}

extension RetryCause {
  var isUnsent: Bool { if case .connectFailure = self { true } else { false } }
  /// Whether the file says that such a failure may be repeated whatever the method.
  var isUnavailable: Bool { if case .unavailable = self { true } else { false } }
}

extension ClientRequest {
  /// Whether nothing would be missing if it was sent again: no byte of a body was handed over, or all of them are kept.
  var isWhole: Bool { body.byteCount == 0 && body.isComplete || body.isKept }
  /// Whether a server may receive it twice (RFC 9110 §9.2.2).
  var isRepeatable: Bool { head.method.isIdempotent || handshake.isRequested }
}

extension ResponseHead {
  /// Nanoseconds before which the server accepts no further request. A date, or what is neither a date nor a number, is
  /// later than any backoff.
  var retryAfter: Int64 {
    guard let field = first(.retryAfter) else { return 0 }
    let value = bytes.span.extracting(field.value)
    // LIMIT: four digits, which no backoff reaches.
    return Self.number(value, digitCountMax: 4).map { $0 * 1_000_000_000 } ?? .max
  }

  /// The same for a gRPC call. A negative number forbids another attempt.
  var callRetryAfter: Int64 {
    let bytes = bytes.span
    for index in fields.indices {
      let field = fields[index]
      guard field.known == .other, bytes.extracting(field.name).equalsIgnoringCase("grpc-retry-pushback-ms") else {
        continue
      }
      return Self.number(bytes.extracting(field.value), digitCountMax: 7).map { $0 * 1_000_000 } ?? .max
    }
    return 0
  }

  private static func number(_ text: Span<UInt8>, digitCountMax: Int) -> Int64? {
    guard !text.isEmpty, text.count <= digitCountMax else { return nil }
    var number: Int64 = 0
    for index in text.indices {
      let digit = text[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      number = number * 10 + Int64(digit)
    }
    return number
  }

  /// Whether a gRPC call ended with UNAVAILABLE.
  var isUnavailable: Bool {
    guard count(of: .grpcStatus) == 1, let field = first(.grpcStatus) else { return false }
    return bytes.span.extracting(field.value).equalsIgnoringCase("14")
  }
}

extension Delivery {
  /// Whether the upstream's rules allow another attempt after such a failure. The server counts as tried then.
  mutating func mayRetry(after cause: RetryCause) -> Bool {
    guard let pool, let server, pool.retry.covers(cause),
      attempts.retryCount < pool.retry.attempts ?? min(pool.servers.count, 3) - 1
    else { return false }
    if !attempts.hasTried(server) { attempts.triedServers.append(server) }
    return true
  }

  /// Counts another attempt.
  /// - Parameter retryAfter: nanoseconds before which the server accepts no further request.
  /// - Returns: nanoseconds to wait before it. Nil when it is not made.
  mutating func planRetry(at next: UpstreamServer, after cause: RetryCause, retryAfter: Int64) -> Int64? {
    guard let pool else { return nil }
    let isSame = attempts.hasTried(next)
    if isSame, pool.retry.attempts == nil { return nil }
    let pause = isSame ? backoff(pool) : 0
    if retryAfter > pause { return nil }
    // A connect that failed cost its server nothing: the request reaches one server once, whatever the budget.
    if isSame || !cause.isUnsent, !attempts.isInRetryBudget, !enterRetryBudget(of: pool) { return nil }
    attempts.retryCount += 1
    pool.worker.counters.countRetry(upstream: pool.counterID)
    return pause
  }

  /// Doubled with each retry, and random between half and one and a half of that, so that requests that failed together
  /// do not come back together.
  private func backoff(_ pool: UpstreamPool) -> Int64 {
    let base = pool.retry.backoff << Int64(min(attempts.retryCount, 8))
    return base / 2 + Int64(pool.worker.randomIdentifiers.next() % UInt64(max(1, base)))
  }

  // MARK: The budget

  /// False when too many of the upstream's requests are on a retry already: in a fault that all of them meet, retries
  /// must not become most of the load.
  private mutating func enterRetryBudget(of pool: UpstreamPool) -> Bool {
    // This one has left its server, or is about to.
    let live = pool.activeCount + 1
    if pool.retryCount >= max(RetryPolicy.budgetFloor, live * pool.retry.budgetPercent / 100) {
      pool.worker.counters.countRefusedRetry(upstream: pool.counterID)
      return false
    }
    pool.retryCount += 1
    attempts.isInRetryBudget = true
    return true
  }

  @inline(__always)
  mutating func leaveRetryBudget() {
    if !attempts.isInRetryBudget { return }
    attempts.isInRetryBudget = false
    pool?.retryCount -= 1
  }
}
