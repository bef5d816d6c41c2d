// One request and its response. This file is the table of contents: one switch over the stages, one call a case, in the
// order in which things happen. What a stage does is in the folder of its name.

import Bytes
import HTTPWire
import Tokens

/// A request on its way. Reused: a worker keeps finished ones, so that a warm connection allocates nothing.
package final class Exchange {
  let worker: Worker
  var snapshot: Snapshot
  private(set) var stage = Stage.downstream
  /// Set while the request waits for something outside of its connections.
  var wait: Wait?

  // The client's side.
  var downstream: (any DownstreamStream)?
  var request = ClientRequest()
  var route: CompiledRoute?
  /// Set once the server has agreed.
  var tunnel: Tunnel?

  // Authentication.
  var caller: Caller?
  /// Index of the issuer that the outcome is about.
  var issuer: Int?
  var authorization = RequestAuthorization()

  /// What the request asks for in GraphQL.
  var operation: RequestedOperation?

  var upstreamHead = UpstreamHead()

  var delivery = Delivery()
  var answer = ClientAnswer()
  var times = ExchangeTimes()
  var tracing = RequestTracing()

  /// LIMIT: bytes of either head that an exchange keeps when it is over. One large request does not make every later
  /// one keep its memory.
  static let keptByteCount = 8192

  /// What an exchange takes of memory with heads of the usual size, about.
  static let byteCount = 4096

  init(worker: Worker, snapshot: Snapshot) {
    self.worker = worker
    self.snapshot = snapshot
  }

  /// The head is complete: the request goes through the stages until one of them answers or waits. From here on it
  /// obeys the configuration of this moment, with the key sets that belong to it.
  func start() {
    if snapshot !== worker.snapshot { snapshot = worker.snapshot }
    times.startedAt = worker.time.nanoseconds
    times.startedUnixMilliseconds = worker.time.unixMilliseconds
    stage = .routing
    run()
  }

  /// What was asked has its answer: the request goes on where it was, by the configuration that it began with.
  func answered(_ verdict: Verdict?) {
    // Another answer may have ended it.
    guard case .question = wait else { return }
    wait = nil
    if tunnel != nil { messageAnswered() } else { resume(with: conclude(verdict)) }
    downstream?.resumeInput()
  }

  /// No answer came in time.
  func questionUnanswered(_ question: Question) {
    leaveWait()
    let silence = Verdict.refused(question.source.refusalOfSilence, issuer: question.source.issuer)
    resume(with: askNextIssuer(after: silence) ?? refuseToken(question.source.refusalOfSilence))
    downstream?.resumeInput()
  }

  /// The store has done, or not, what this request asked of it.
  func sessionChanged(isDone: Bool) {
    guard case .sessionChange(_, let pending, _) = wait else { return }
    wait = nil
    resume(with: conclude(pending, isDone: isDone))
    downstream?.resumeInput()
  }

  /// A login goes on.
  func loginReplied(_ reply: LoginReply) {
    guard case .login = wait else { return }
    wait = nil
    resume(with: conclude(reply))
    downstream?.resumeInput()
  }

  /// Whether the gateway itself reads the body.
  var isCollectingBody: Bool { if case .body = wait { true } else { false } }

  /// The body has come, which the gateway itself reads.
  func bodyReceived() {
    wait = nil
    resume(with: bodyCollected())
  }

  /// The upstream has a permit for it: the wait is over.
  func permitGranted() {
    stage = .upstream
    run()
    downstream?.resumeInput()
  }

  /// Sends a request of the gateway's own, or a copy, to a server, past all that is there for clients. It has no route,
  /// and is not retried.
  /// - Parameters:
  ///   - host: replaces the one of the head.
  ///   - isComplete: no body follows.
  func startOwn(
    _ head: [UInt8], host: [UInt8]? = nil, isComplete: Bool, at pool: UpstreamPool, _ server: UpstreamServer
  ) {
    // It was made here, so that no limit of clients applies.
    let limits = HeadLimits(byteCountMax: .max, fieldCountMax: .max)
    guard case .complete = request.head.parse(head.span, limits: limits) else {
      return refuse(.gateway(.upstreamMalformed))
    }
    if let host, let own = request.head.authority {
      upstreamHead.bytes.append(head.span.extracting(0..<own.lowerBound))
      upstreamHead.bytes.append(host)
      upstreamHead.bytes.append(head.span.extracting(own.upperBound..<head.count))
    } else {
      upstreamHead.bytes.append(head)
    }
    request.body.isComplete = isComplete
    delivery.pool = pool
    delivery.server = server
    stage = .upstream
    run()
  }

  /// As ``startOwn(_:host:isComplete:at:_:)``, where the upstream chooses the server, and may have the request wait.
  func startOwn(_ head: [UInt8], isComplete: Bool, at pool: UpstreamPool) {
    let limits = HeadLimits(byteCountMax: .max, fieldCountMax: .max)
    guard case .complete = request.head.parse(head.span, limits: limits) else {
      return refuse(.gateway(.upstreamMalformed))
    }
    upstreamHead.bytes.append(head)
    // A client's own line stays, where the file sends it on.
    if tracing.trace != nil, !request.head.has(.traceparent) { upstreamHead.attemptStart = head.count - 2 }
    request.body.isComplete = isComplete
    delivery.pool = pool
    stage = .balancing
    resume(with: takePermit(of: pool))
  }

  /// What the stage has waited for has come, or will not.
  func waitConcluded(_ outcome: StageOutcome) {
    resume(with: outcome)
    downstream?.resumeInput()
  }

  private func run() {
    while true {
      let outcome: StageOutcome
      switch stage {
      case .downstream: outcome = .next
      case .routing: outcome = findRoute()
      case .limits: outcome = checkLimits()
      case .authentication: outcome = authenticate()
      case .operation: outcome = examineOperation()
      case .authorization: outcome = checkAuthorization()
      case .identity: outcome = establishIdentity()
      case .balancing: outcome = chooseServer()
      case .upstream: outcome = sendUpstream()
      case .response, .accessLog: return
      }
      settle(outcome)
      guard case .next = outcome else { return }
    }
  }

  /// The stage that has waited says how it ended.
  private func resume(with outcome: StageOutcome) {
    settle(outcome)
    if case .next = outcome { run() }
  }

  private func settle(_ outcome: StageOutcome) {
    switch outcome {
    case .next: stage = stage.next
    case .wait: break
    case .refuse(let refusal):
      refuse(refusal)
    case .answer(let answer):
      stage = .response
      send(answer)
    }
  }

  /// Ends the exchange with an answer of the gateway's own, if none has begun. Else by cutting the answer short.
  func refuse(_ refusal: Refusal) {
    if answer.refusal == nil { answer.refusal = refusal }
    stage = .response
    releaseUpstream(isReusable: false)
    if answer.hasBegun {
      finish(.truncated)
    } else {
      send(refusalAnswer(for: refusal))
    }
  }

  /// The last stage, exactly once, whatever happened: the log line, the counters, and back to the connection.
  func finish(_ ending: ExchangeEnding) {
    guard let downstream else { return }
    stage = .accessLog
    if downstream.isClientRequest { recordOutcome() }
    answer.compression.release(to: &worker.compressors)
    delivery.mirror?.requestEnded()
    releaseUpstream(isReusable: ending == .complete && request.body.isComplete)
    if wait != nil { leaveWait() }
    returnPermit()
    self.downstream = nil
    downstream.exchangeFinished(self, ending)
  }

  /// The client is gone or does not read: nobody is left to be answered.
  func abandon(_ reason: GatewayRefusal) {
    if answer.refusal == nil { answer.refusal = .gateway(reason) }
    finish(.abandoned)
  }

  func begin(on stream: any DownstreamStream, snapshot: Snapshot) {
    downstream = stream
    times.sentByteCountAtLastCheck = stream.sentByteCount
    if self.snapshot !== snapshot { self.snapshot = snapshot }
    times.startedAt = worker.time.nanoseconds
    times.startedUnixMilliseconds = worker.time.unixMilliseconds
  }

  /// Forgets one request and keeps the memory for the next.
  func reset() {
    stage = .downstream
    downstream = nil
    request.reset()
    route = nil
    tunnel = nil
    caller = nil
    if authorization.result != nil { authorization = RequestAuthorization() }
    upstreamHead.reset()
    issuer = nil
    operation = nil
    delivery.reset()
    answer.reset()
    times.reset()
    tracing.reset()
  }
}

/// How an exchange ended, for the connection that it came on.
enum ExchangeEnding {
  /// The response is whole.
  case complete
  /// The response could not be completed: the connection must be closed before its end (T61).
  case truncated
  /// The client is gone.
  case abandoned
}
