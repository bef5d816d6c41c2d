// Sending the request to the chosen server, and what becomes of it when that goes wrong before an answer has begun.

import Bytes
import HTTPWire

extension Exchange {
  func sendUpstream() -> StageOutcome {
    guard let pool = delivery.pool, let server = delivery.server else {
      return .refuse(.gateway(.upstreamConnectFailed))
    }
    times.readTimeout = route?.readTimeout ?? pool.readTimeout ?? snapshot.bodyTimeout
    if let route, let mirror = route.mirror { startMirror(mirror, route) }
    if let refusal = attempt(pool, at: server) { return .refuse(.gateway(refusal)) }
    return .next
  }

  /// Begins one visit to a server, or says why it cannot.
  func attempt(_ pool: UpstreamPool, at server: UpstreamServer) -> GatewayRefusal? {
    times.upstreamStartedAt = worker.time.nanoseconds
    delivery.attempts.count += 1
    delivery.attempts.hasRetriedReuse = false
    guard enter(server) else { return .upstreamOverloaded }
    guard let stream = pool.takeKept(server) ?? pool.open(server) else { return .resourcesExhausted }
    begin(on: stream)
    return nil
  }

  private func begin(on stream: any UpstreamStream) {
    if upstreamHead.deadlineStart > 0 { writeDeadline() }
    delivery.stream = stream
    stream.begin(self)
  }

  /// Whether body bytes have somewhere to go. Not before the connection is there: so another server can be tried. And
  /// not before the server has agreed to a tunnel: what comes before would be a request's body, or another request
  /// (T49).
  var isAcceptingBody: Bool {
    !answer.isComplete && delivery.stream?.isConnected ?? false && (!request.handshake.isRequested || tunnel != nil)
  }

  func upstreamConnected() {
    if !request.body.isComplete { downstream?.resumeInput() }
  }

  func receivedBody(_ bytes: Span<UInt8>) {
    if tunnel != nil { return passToServer(bytes) }
    if isOverBodyLimit(adding: bytes.count) { return refuse(.gateway(.bodyTooLarge)) }
    delivery.mirror?.receivedBody(bytes)
    writeUpstream(bytes)
  }

  func receivedBody(moving bytes: inout ByteQueue) {
    guard tunnel == nil, let upstream = delivery.stream else { return receivedBody(bytes.span) }
    if isOverBodyLimit(adding: bytes.count) { return refuse(.gateway(.bodyTooLarge)) }
    delivery.mirror?.receivedBody(bytes.span)
    upstream.writeBody(moving: &bytes)
    holdClientBack(for: upstream)
  }

  private func holdClientBack(for upstream: any UpstreamStream) {
    if upstream.isOutputFull {
      upstream.awaitDrain()
      request.body.hasHeldClientBack = true
      downstream?.pauseReading()
    }
  }

  func writeUpstream(_ bytes: Span<UInt8>) {
    guard let upstream = delivery.stream else { return }
    upstream.writeBody(bytes)
    holdClientBack(for: upstream)
  }

  func receivedBodyEnd() {
    request.body.isComplete = true
    if tunnel != nil { return closeTunnel() }
    guard let upstream = delivery.stream else { return }
    var trailers = ByteQueue()
    appendTrailers(of: request.body.trailers, to: &trailers)
    delivery.mirror?.receivedEnd(trailers: trailers.span)
    upstream.writeEnd(trailers: trailers.span)
  }

  func upstreamDrained() {
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
  /// connection will do so itself. One that is over is ended on the new connection as well.
  func continueRequest() {
    if request.body.isComplete {
      receivedBodyEnd()
    } else if delivery.stream?.isConnected ?? false {
      upstreamConnected()
    }
  }

  func connectFailed(_ refusal: GatewayRefusal) {
    delivery.stream = nil
    leaveServer(refusal == .resourcesExhausted ? .left : .connectFailed)
    if planRetry(after: .connectFailure) { retry() } else { refuse(.gateway(refusal)) }
  }

  func retryOnFreshConnection() {
    guard let pool = delivery.pool, let server = delivery.server, let stream = pool.openAnew(server) else {
      return refuse(.gateway(.upstreamClosed))
    }
    delivery.attempts.hasRetriedReuse = true
    delivery.attempts.count += 1
    worker.counters.countRetry(upstream: pool.counterID)
    begin(on: stream)
    continueRequest()
  }

  /// The server failed in the middle of the exchange.
  func upstreamFailed(_ refusal: GatewayRefusal) {
    delivery.stream = nil
    leaveServer(.failed(refusal))
    if answer.hasBegun {
      refuse(.gateway(refusal == .upstreamTimeout ? refusal : .upstreamTruncated))
    } else if let cause = RetryCause(refusal), planRetry(after: cause) {
      retry()
    } else {
      refuse(.gateway(refusal))
    }
  }

  func releaseUpstream(isReusable: Bool) {
    if let connection = delivery.stream {
      delivery.stream = nil
      connection.release(isReusable: isReusable)
    }
    // The request that gets its permit may take its connection, too.
    leaveServer(answer.hasBegun ? .answered(status: answer.upstreamStatus) : .left)
    if delivery.attempts.isInRetryBudget { leaveRetryBudget() }
  }

  /// Trailers never carry what a head may not (T36): only fields that mean nothing to a gateway, and no identity.
  private func appendTrailers(of section: borrowing FieldSection, to allowed: inout ByteQueue) {
    let bytes = section.bytes.span
    for index in section.fields.indices {
      let field = section.fields[index]
      if isTrailerKept(field, bytes.extracting(field.name)) { allowed.append(bytes.extracting(field.line)) }
    }
  }

  private func isTrailerKept(_ field: FieldLine, _ name: Span<UInt8>) -> Bool {
    field.folded == .other && !snapshot.identityDrops.contains(name, hash: field.foldedHash)
      && !snapshot.neverForwarded.contains(name, hash: field.foldedHash)
      && !snapshot.trust.fields.contains(name, hash: field.foldedHash)
      && !(route?.requestDrops.contains(name, hash: field.foldedHash) ?? false)
      && !(route?.headerSources.contains(name, hash: field.foldedHash) ?? false)
  }
}
