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
  }

  func covers(_ cause: RetryCause) -> Bool {
    switch cause {
    case .connectFailure: conditions.contains(.connectFailure)
    case .resetBeforeResponse: conditions.contains(.resetBeforeResponse)
    case .responseTimeout: conditions.contains(.responseTimeout)
    case .status(let status): statuses.contains(status)
    }
  }
}

extension Exchange {
  /// A kept connection was closed just as the request was sent (T71), or a stream was refused. Sending again, once, is
  /// safe where the method is idempotent (RFC 9110 §9.2.2) or the server never looked at the request, and where no body
  /// was handed over that would be missing now.
  func mayRetry(isUnprocessed: Bool) -> Bool {
    !delivery.attempts.hasRetriedReuse && !answer.hasBegun && request.body.byteCount == 0 && request.body.isComplete
      && (isUnprocessed || request.head.method.isIdempotent || request.handshake.isRequested)
  }

  /// Whether a failure may be followed by another attempt. What was never sent may go anywhere, whatever its method.
  private func isSafeToRetry(after cause: RetryCause) -> Bool {
    if case .connectFailure = cause { return true }
    return !answer.hasBegun && !answer.isInterimSent && request.body.byteCount == 0 && request.body.isComplete
      && (request.head.method.isIdempotent || request.handshake.isRequested)
  }

  /// Decides on another attempt, and where and when it is made: ``retry()`` makes it.
  /// - Parameter retryAfter: nanoseconds before which the server accepts no further request.
  func planRetry(after cause: RetryCause, retryAfter: Int64 = 0) -> Bool {
    guard !delivery.isOwn, let pool = delivery.pool, let server = delivery.server, pool.retry.covers(cause),
      isSafeToRetry(after: cause),
      delivery.attempts.retryCount < pool.retry.attempts ?? min(pool.servers.count, 3) - 1
    else { return false }
    if !delivery.attempts.triedServers.contains(where: { $0 === server }) {
      delivery.attempts.triedServers.append(server)
    }
    guard let next = pool.nextServer(for: self) else { return false }
    let isSame = delivery.attempts.triedServers.contains { $0 === next }
    if isSame, pool.retry.attempts == nil { return false }
    let pause = isSame ? backoff(pool.retry) : 0
    if retryAfter > pause { return false }
    // A connect that failed cost its server nothing: the request reaches one server once, whatever the budget.
    if isSame || !isUnsent(cause), !delivery.attempts.isInRetryBudget, !enterRetryBudget(pool) { return false }
    delivery.attempts.retryCount += 1
    worker.counters.countRetry(upstream: pool.counterID)
    wait = .retry(next, at: worker.time.nanoseconds &+ pause)
    return true
  }

  private func isUnsent(_ cause: RetryCause) -> Bool {
    if case .connectFailure = cause { true } else { false }
  }

  /// Doubled with each retry, and random between half and one and a half of that, so that requests that failed together
  /// do not come back together.
  private func backoff(_ policy: RetryPolicy) -> Int64 {
    let base = policy.backoff << Int64(min(delivery.attempts.retryCount, 8))
    return base / 2 + Int64(worker.randomIdentifiers.next() % UInt64(max(1, base)))
  }

  /// Makes the attempt that was decided on, at once or when its moment has come: a worker looks ten times a second.
  func retry() {
    if let wait, wait.end > worker.time.nanoseconds, let downstream {
      downstream.deadline = min(downstream.deadline, wait.end)
    } else {
      retryNow()
    }
  }

  func retryNow() {
    guard let pool = delivery.pool, case .retry(let planned, _) = wait else {
      return refuse(.gateway(.upstreamConnectFailed))
    }
    wait = nil
    guard let server = enter(planned, orAnotherOf: pool) else { return refuse(.gateway(.upstreamOverloaded)) }
    if let refusal = attempt(pool, at: server) { return refuse(.gateway(refusal)) }
    continueRequest()
  }

  /// The server that was meant, or where that is full meanwhile another that has not failed the request.
  private func enter(_ planned: UpstreamServer, orAnotherOf pool: UpstreamPool) -> UpstreamServer? {
    let triedCount = delivery.attempts.triedServers.count
    defer { delivery.attempts.triedServers.removeLast(delivery.attempts.triedServers.count - triedCount) }
    var next: UpstreamServer? = planned
    while let server = next {
      if enter(server) { return server }
      delivery.attempts.triedServers.append(server)
      next = pool.nextServer(for: self)
      if delivery.attempts.triedServers.contains(where: { $0 === next }) { next = nil }
    }
    return nil
  }

  // MARK: A held-back answer

  /// Whether the server's answer is dropped for another attempt.
  func holdsBack(_ response: borrowing ResponseHead) -> Bool {
    guard response.status >= 500, let pool = delivery.pool, pool.retry.statuses.contains(response.status) else {
      return false
    }
    return planRetry(after: .status(response.status), retryAfter: Self.retryAfter(response))
  }

  /// The answer was dropped: its stream is released, and the next attempt made.
  func retryHeldBack(_ status: Int) {
    let dropped = delivery.stream
    delivery.stream = nil
    times.upstreamRespondedAt = worker.time.nanoseconds
    leaveServer(.answered(status: status))
    times.upstreamRespondedAt = 0
    dropped?.release(isReusable: false)
    retry()
  }

  /// Nanoseconds. A date, or what is neither a date nor a number, is later than any backoff.
  private static func retryAfter(_ response: borrowing ResponseHead) -> Int64 {
    guard let field = response.first(.retryAfter) else { return 0 }
    let value = response.bytes.span.extracting(field.value)
    // LIMIT: four digits, which no backoff reaches.
    guard !value.isEmpty, value.count <= 4 else { return .max }
    var seconds: Int64 = 0
    for index in value.indices {
      let digit = value[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return .max }
      seconds = seconds * 10 + Int64(digit)
    }
    return seconds * 1_000_000_000
  }

  // MARK: The budget

  /// False when too many of the upstream's requests are on a retry already: in a fault that all of them meet, retries
  /// must not become most of the load.
  private func enterRetryBudget(_ pool: UpstreamPool) -> Bool {
    // This one has left its server, or is about to.
    let live = pool.activeCount + 1
    if pool.retryCount >= max(RetryPolicy.budgetFloor, live * pool.retry.budgetPercent / 100) {
      worker.counters.countRefusedRetry(upstream: pool.counterID)
      return false
    }
    pool.retryCount += 1
    delivery.attempts.isInRetryBudget = true
    return true
  }

  func leaveRetryBudget() {
    delivery.attempts.isInRetryBudget = false
    delivery.pool?.retryCount -= 1
  }
}
