// Sending the request to the chosen server, and what becomes of it when that goes wrong before an answer has begun.
// Then what passes of the request's body, and the tunnel that a WebSocket is.

import Bytes
import Configuration
import HTTPWire
import Tokens

extension Exchange {
  func sendUpstream() -> StageOutcome {
    guard let pool = delivery.pool, let server = delivery.server else {
      return .refuse(.gateway(.upstreamConnectFailed))
    }
    times.readTimeout = route?.readTimeout ?? pool.readTimeout
    if let route, let mirror = route.mirror {
      if upstreamHead.attemptStart > 0 { writeAttemptFields() }
      delivery.mirror = MirrorStream.start(mirror, of: self, on: route)
      if request.body.isReplayDue { delivery.mirror?.receivedBody(request.body.kept.span) }
    }
    if pool.retry.keptByteCountMax > 0 { keepBody(for: pool) }
    if let refusal = attempt(pool, at: server) { return .refuse(.gateway(refusal)) }
    // It was held until it was whole: no more of it will come.
    if request.body.isReplayDue { continueRequest() }
    return .next
  }

  /// Begins one attempt at a server, or says why it cannot.
  private func attempt(_ pool: UpstreamPool, at server: UpstreamServer) -> GatewayRefusal? {
    times.upstreamStartedAt = worker.time.nanoseconds
    delivery.attempts.count += 1
    delivery.attempts.hasRetriedReuse = false
    guard delivery.enter(server) else { return .upstreamOverloaded }
    beginTracedAttempt(at: server)
    guard let stream = pool.takeKept(server) ?? pool.open(server) else { return .resourcesExhausted }
    begin(on: stream)
    return nil
  }

  private func beginTracedAttempt(at server: UpstreamServer) {
    guard let trace = tracing.trace else { return }
    trace.begin(at: server, spanID: worker.randomIdentifiers.next() | 1, worker.time.nanoseconds)
  }

  private func begin(on stream: any UpstreamStream) {
    if upstreamHead.attemptStart > 0 { writeAttemptFields() }
    delivery.stream = stream
    stream.begin(self)
  }

  func upstreamConnected() {
    if request.body.isReplayDue { return replayBody() }
    if !request.body.isComplete { downstream?.resumeInput() }
  }

  /// The connection takes fewer streams than wait for it. Nothing was sent, so any other will do.
  func upstreamFull() {
    delivery.stream = nil
    guard let pool = delivery.pool, let server = delivery.server, let stream = pool.openAnew(server) else {
      return refuse(.gateway(.resourcesExhausted))
    }
    begin(on: stream)
    continueRequest()
  }

  /// A request that was sent before continues where it is. A body that is still to come is requested, unless the
  /// connection will do so itself. One that is over is ended on the new connection as well, behind what is kept of it.
  private func continueRequest() {
    if request.body.isComplete, !request.body.isReplayDue {
      receivedBodyEnd()
    } else if delivery.stream?.isConnected ?? false {
      upstreamConnected()
    }
  }

  /// The exchange is over, or goes on elsewhere: what it has at its server is for others.
  func releaseUpstream(isReusable: Bool) {
    if let stream = delivery.stream {
      delivery.stream = nil
      stream.release(isReusable: isReusable)
    }
    // The request that gets its permit may take its connection, too.
    leaveServer(answer.hasBegun ? .answered(status: answer.upstreamStatus) : .left)
    delivery.leaveRetryBudget()
  }

  /// Exactly once for each attempt. Without one nothing.
  private func leaveServer(_ outcome: AttemptOutcome) {
    if let trace = tracing.trace {
      trace.end(outcome, answer.refusal, answered: answer.upstreamStatus, worker.time.nanoseconds)
    }
    guard let pool = delivery.leaveServer() else { return }
    if let server = delivery.server {
      pool.policy.loadChanged(of: server)
      pool.judge(outcome, of: server)
    }
    if pool.admission.adaptiveLimit != nil { noteResponseTime(outcome, pool.shared.concurrency) }
    // Asked of the attempt: a reload may have brought the limit, or taken it away, meanwhile.
    if delivery.returnServerPermit() { pool.permitFreed() }
  }

  /// How long the server took to answer, or was waited for in vain.
  private func noteResponseTime(_ outcome: AttemptOutcome, _ limit: ConcurrencyLimit) {
    switch outcome {
    case .answered: limit.noteResponse(nanoseconds: times.upstreamRespondedAt &- times.upstreamStartedAt)
    case .failed(.upstreamTimeout): limit.noteResponse(nanoseconds: worker.time.nanoseconds &- times.upstreamStartedAt)
    case .failed, .connectFailed, .left: break
    }
  }

  // MARK: The request's body

  /// Whether body bytes have somewhere to go. Not before the connection is there: so another server can be tried. And
  /// not before the server has agreed to a tunnel: what comes before would be a request's body, or another request
  /// (T49).
  var isAcceptingBody: Bool {
    guard let stream = delivery.stream else { return isCollectingBody }
    return !answer.isComplete && stream.isConnected && (!request.handshake.isRequested || tunnel != nil)
  }

  func receivedBody(_ bytes: Span<UInt8>) {
    if tunnel != nil { return passToServer(bytes) }
    if isOverBodyLimit(adding: bytes.count) { return refuse(.gateway(.bodyTooLarge)) }
    if request.body.isKept { keep(bytes) }
    delivery.mirror?.receivedBody(bytes)
    writeUpstream(bytes)
  }

  func receivedBody(moving bytes: inout ByteQueue) {
    guard tunnel == nil, let stream = delivery.stream else { return receivedBody(bytes.span) }
    if isOverBodyLimit(adding: bytes.count) { return refuse(.gateway(.bodyTooLarge)) }
    if request.body.isKept { keep(bytes.span) }
    delivery.mirror?.receivedBody(bytes.span)
    stream.writeBody(moving: &bytes)
    holdClientBack(for: stream)
  }

  func holdClientBack(for stream: any UpstreamStream) {
    if stream.isOutputFull {
      stream.awaitDrain()
      request.body.hasHeldClientBack = true
      downstream?.pauseReading()
    }
  }

  func writeUpstream(_ bytes: Span<UInt8>) {
    guard let stream = delivery.stream else { return }
    stream.writeBody(bytes)
    holdClientBack(for: stream)
  }

  func receivedBodyEnd() {
    request.body.isComplete = true
    if tunnel != nil { return closeTunnel() }
    guard let stream = delivery.stream else { return isCollectingBody ? bodyReceived() : () }
    var trailers = ByteQueue()
    request.body.appendTrailers(route, snapshot, to: &trailers)
    delivery.mirror?.receivedEnd(trailers: trailers.span)
    stream.writeEnd(trailers: trailers.span)
  }

  func upstreamDrained() {
    if !request.body.isComplete { downstream?.resumeInput() }
  }

  /// The server's connection, if the request's body goes there as it comes.
  var requestRelayTarget: Connection? {
    guard tunnel == nil, delivery.mirror == nil, isAcceptingBody, !request.body.isKept,
      let server = delivery.stream as? HTTP1UpstreamConnection, server.takesBodyAsIs
    else { return nil }
    return server
  }

  func relayedBody(_ byteCount: Int) {
    if isOverBodyLimit(adding: byteCount) { refuse(.gateway(.bodyTooLarge)) }
  }

  // MARK: Failures

  func connectFailed(_ refusal: GatewayRefusal) {
    delivery.stream = nil
    leaveServer(refusal == .resourcesExhausted ? .left : .connectFailed)
    if planRetry(after: .connectFailure) { retry() } else { refuse(.gateway(refusal)) }
  }

  /// The server failed in the middle of the exchange.
  func upstreamFailed(_ refusal: GatewayRefusal) {
    delivery.stream = nil
    leaveServer(.failed(refusal))
    if answer.hasBegun {
      refuse(.gateway(refusal == .upstreamTimeout ? refusal : .upstreamTruncated))
    } else if let cause = retryCause(of: refusal), planRetry(after: cause) {
      retry()
    } else {
      refuse(.gateway(refusal))
    }
  }

  /// A kept connection was closed just as the request was sent (T71), or a stream was refused. Sending again, once, is
  /// safe where the method is idempotent or the server never looked at the request, and where no body was handed over
  /// that would be missing now.
  func mayRetry(isUnprocessed: Bool) -> Bool {
    !delivery.attempts.hasRetriedReuse && !answer.hasBegun && request.isWhole
      && (isUnprocessed || isRepeatable)
  }

  private var isRepeatable: Bool { request.isRepeatable || downstream?.isRepeatable ?? false }

  func retryOnFreshConnection() {
    guard let pool = delivery.pool, let server = delivery.server, let stream = pool.openAnew(server) else {
      return refuse(.gateway(.upstreamClosed))
    }
    delivery.attempts.hasRetriedReuse = true
    delivery.attempts.count += 1
    worker.counters.countRetry(upstream: pool.counterID)
    beginTracedAttempt(at: server)
    prepareReplay()
    begin(on: stream)
    continueRequest()
  }

  /// Decides on another attempt, and where and when it is made: ``retry()`` makes it. What was never sent may go
  /// anywhere, whatever its method.
  func planRetry(after cause: RetryCause, retryAfter: Int64 = 0) -> Bool {
    let isSafe =
      !answer.hasBegun && !answer.isInterimSent && request.isWhole && (isRepeatable || cause.isUnavailable)
    guard downstream?.isSentAgain ?? false, isSafe || cause.isUnsent, delivery.mayRetry(after: cause),
      let pool = delivery.pool,
      let next = pool.nextServer(for: self),
      let pause = delivery.planRetry(at: next, after: cause, retryAfter: retryAfter)
    else { return false }
    wait = .retry(next, at: worker.time.nanoseconds &+ pause)
    return true
  }

  /// Makes the attempt that was decided on, at once or when its moment has come: a worker looks ten times a second.
  private func retry() {
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
    prepareReplay()
    guard let server = enter(planned, orAnotherOf: pool) else { return refuse(.gateway(.upstreamOverloaded)) }
    if let refusal = attempt(pool, at: server) { return refuse(.gateway(refusal)) }
    continueRequest()
  }

  /// The server that was meant, or where that is full meanwhile another that has not failed the request.
  private func enter(_ planned: UpstreamServer, orAnotherOf pool: UpstreamPool) -> UpstreamServer? {
    if delivery.enter(planned) { return planned }
    delivery.attempts.triedServers.append(planned)
    defer { delivery.attempts.triedServers.removeLast() }
    for _ in 0..<3 {
      guard let next = pool.nextServer(for: self), !delivery.attempts.hasTried(next) else { return nil }
      if delivery.enter(next) { return next }
    }
    return nil
  }

  /// Whether the server's answer is dropped for another attempt.
  func holdsBack(_ response: borrowing ResponseHead) -> Bool {
    if response.status < 500 { return response.has(.grpcStatus) && holdsCallBack(response) }
    guard let pool = delivery.pool, pool.retry.statuses.contains(response.status) else { return false }
    return planRetry(after: .status(response.status), retryAfter: response.retryAfter)
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

  // MARK: A tunnel

  /// The server has agreed (101): from now on both bodies run until one side ends.
  func openTunnel(_ response: borrowing ResponseHead) {
    answer.hasBegun = true
    times.upstreamRespondedAt = worker.time.nanoseconds
    answer.upstreamStatus = 101
    answer.status = 101
    request.body.isComplete = false
    // Sent. A tunnel may live for long.
    upstreamHead.bytes.releaseStorage()
    // The route's `timeout` was for the handshake.
    times.routeDeadline = .max
    var tunnel = Tunnel(of: caller, on: route, at: worker.time)
    if examinesMessages, let chosen = subscriptionProtocol(chosenBy: response) {
      request.body.keptByteCountMax = route?.graphQL?.bodySizeMax ?? 0
      tunnel.examine(
        GraphQLMessages(chosen), requiresProof: caller == nil && requiresCaller, at: worker.time.nanoseconds)
    }
    self.tunnel = tunnel
    downstream?.openTunnel(response, of: self)
    downstream?.deadline = tunnel.deadline
  }

  /// What the client sent ahead goes on now (T49).
  func tunnelOpened() { downstream?.resumeInput() }

  private func passToServer(_ bytes: Span<UInt8>) {
    guard let count = tunnel?.take(fromClient: bytes, at: worker.time.nanoseconds) else {
      return endTunnel(.frameInvalid)
    }
    if count == 0 { return }
    request.body.byteCount &+= UInt64(count)
    if let messages = tunnel?.messages { return examineMessages(bytes.extracting(0..<count), messages) }
    writeUpstream(bytes.extracting(0..<count))
  }

  func passToClient(_ bytes: Span<UInt8>) {
    guard let count = tunnel?.take(fromServer: bytes, at: worker.time.nanoseconds) else {
      return endTunnel(.frameInvalid)
    }
    if count > 0 { writeDownstream(bytes.extracting(0..<count)) }
    answerMessages()
    if tunnel?.mayClose ?? false { closeTunnelByFrames() }
  }

  /// A deadline of the tunnel passed.
  func checkTunnel() {
    guard let tunnel else { return }
    if tunnel.ending != nil {
      finish(.truncated)
    } else if case .question(let question, _, let end) = wait, end <= worker.time.nanoseconds {
      leaveWait()
      endTunnel(.refused(.token(question.source.refusalOfSilence)))
    } else if let ending = tunnel.due(at: worker.time.nanoseconds) {
      endTunnel(ending)
    } else {
      downstream?.deadline = tunnel.deadline
    }
  }

  /// Ends the tunnel with a close frame, at once or behind the server's frame that is under way.
  func endTunnel(_ ending: TunnelEnding) {
    guard let step = tunnel?.end(ending) else { return }
    if answer.refusal == nil { answer.refusal = ending.refusal }
    switch step {
    case .close: closeTunnelByFrames()
    case .cut: finish(.truncated)
    case .wait:
      downstream?.deadline = worker.time.nanoseconds &+ Tunnel.patienceNanoseconds
      delivery.stream?.resumeReading()
    }
  }

  private func closeTunnelByFrames() {
    guard let tunnel else { return }
    if let frame = tunnel.closeFrameForClient { downstream?.writeBody(frame.span) }
    if let frame = tunnel.closeFrameForServer(mask: worker.randomIdentifiers.next()) {
      delivery.stream?.writeBody(frame.span)
    }
    closeTunnel()
  }

  /// The client ended its half, or the tunnel ends: there is nobody left to be served.
  private func closeTunnel() {
    answer.isComplete = true
    downstream?.writeEnd(trailers: FieldSection())
    finish(.complete)
  }

  /// A new configuration or key set took over: a tunnel stays if a new handshake would be let through.
  func reviewTunnel(_ fresh: Snapshot) {
    if case .route(let index) = request.matchRoute(in: fresh), fresh.routes.indices.contains(index),
      fresh.routes[index].clients?.allows(clientAddress) ?? true,
      fresh.routes[index].decidingService == route?.decidingService
    {
      if snapshot.configuration.rules(of: route) != fresh.configuration.rules(of: fresh.routes[index]) {
        return endTunnel(.routeWithdrawn)
      }
      let ending = TunnelEnding.objection(to: caller, of: snapshot, on: fresh.routes[index], of: fresh, worker)
      if let ending { endTunnel(ending) }
    } else {
      endTunnel(.routeWithdrawn)
    }
  }
}
