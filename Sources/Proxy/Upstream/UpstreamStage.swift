// Sending the request to the chosen server, and what becomes of it when that goes wrong before an answer has begun.

import Bytes
import HTTPWire

extension Exchange {
  func sendUpstream() -> StageOutcome {
    guard let pool, let server else { return .refuse(.gateway(.upstreamConnectFailed)) }
    upstreamStartedAt = worker.time.nanoseconds
    connectAttempts = 1
    guard enter(server) else { return .refuse(.gateway(.upstreamOverloaded)) }
    guard let stream = pool.takeKept(server) ?? pool.open(server) else {
      return .refuse(.gateway(.upstreamConnectFailed))
    }
    begin(on: stream)
    return .next
  }

  private func begin(on stream: any UpstreamStream) {
    upstream = stream
    stream.begin(self)
  }

  /// Whether body bytes have somewhere to go. Not before the connection is there: so another server can be tried; and not
  /// before the server has agreed to a tunnel: what comes before would be a request's body, or another request (T49).
  var isAcceptingBody: Bool {
    !isResponseComplete && upstream?.isConnected ?? false && (!isTunnelWanted || tunnel != nil)
  }

  func upstreamConnected() {
    if !isRequestComplete { downstream?.resumeInput() }
  }

  func receivedBody(_ bytes: Span<UInt8>) {
    if tunnel != nil { return passToServer(bytes) }
    if isOverBodyLimit(adding: bytes.count) { return refuse(.gateway(.bodyTooLarge)) }
    writeUpstream(bytes)
  }

  func writeUpstream(_ bytes: Span<UInt8>) {
    guard let upstream else { return }
    upstream.writeBody(bytes)
    if upstream.isOutputFull {
      upstream.awaitDrain()
      downstream?.pauseReading()
    }
  }

  func receivedBodyEnd() {
    isRequestComplete = true
    if tunnel != nil { return closeTunnel() }
    guard let upstream else { return }
    var trailers = ByteQueue()
    appendTrailers(of: requestTrailers, to: &trailers)
    upstream.writeEnd(trailers: trailers.span)
  }

  func upstreamDrained() {
    if !isRequestComplete { downstream?.resumeInput() }
  }

  /// Nothing was sent, so another server may be tried whatever the method: at most three, each once.
  func connectFailed(to failed: UpstreamServer, _ refusal: GatewayRefusal) {
    upstream = nil
    leaveServer(.connectFailed)
    guard let pool, connectAttempts < min(pool.servers.count, 3) else { return refuse(.gateway(refusal)) }
    connectAttempts += 1
    worker.counters.countRetry(upstream: pool.counterID)
    triedServers.append(failed)
    guard let next = pool.nextServer(for: self) else { return refuse(.gateway(refusal)) }
    guard enter(next) else { return refuse(.gateway(.upstreamOverloaded)) }
    guard let stream = pool.takeKept(next) ?? pool.open(next) else { return refuse(.gateway(refusal)) }
    beginElsewhere(on: stream)
  }

  /// The connection takes fewer streams than wait for it. Nothing was sent, so any other will do.
  func upstreamFull() {
    upstream = nil
    guard let pool, let server, let stream = pool.openAnew(server) else {
      return refuse(.gateway(.upstreamConnectFailed))
    }
    beginElsewhere(on: stream)
  }

  private func beginElsewhere(on stream: any UpstreamStream) {
    begin(on: stream)
    // A connection that is there already will not say so again.
    if upstream?.isConnected ?? false { upstreamConnected() }
  }

  /// A kept connection was closed just as the request was sent (T71), or a stream was refused. Sending again, once, is safe
  /// where the method is idempotent (RFC 9110 §9.2.2) or the server never looked at the request, and where no body was
  /// handed over that would be missing now.
  func mayRetry(isUnprocessed: Bool) -> Bool {
    !hasRetriedReuse && !hasResponseBegun && requestByteCount == 0 && isRequestComplete
      && (isUnprocessed || head.method.isIdempotent || isTunnelWanted)
  }

  func retryOnFreshConnection() {
    guard let pool, let server, let stream = pool.openAnew(server) else { return refuse(.gateway(.upstreamClosed)) }
    hasRetriedReuse = true
    worker.counters.countRetry(upstream: pool.counterID)
    begin(on: stream)
    // The end of an empty chunked body went to the connection that is gone.
    receivedBodyEnd()
  }

  /// The server failed in the middle of the exchange.
  func upstreamFailed(_ refusal: GatewayRefusal) {
    upstream = nil
    leaveServer(.failed(refusal))
    if hasResponseBegun {
      refuse(.gateway(refusal == .upstreamTimeout ? refusal : .upstreamTruncated))
    } else {
      refuse(.gateway(refusal))
    }
  }

  func releaseUpstream(isReusable: Bool) {
    if let connection = upstream {
      upstream = nil
      connection.release(isReusable: isReusable)
    }
    // Whoever gets its place may take its connection, too.
    leaveServer(hasResponseBegun ? .answered(status: upstreamStatus) : .left)
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
    field.known == .other && !snapshot.identityDrops.contains(name, hash: field.foldedHash)
      && !snapshot.forwardedDrops.contains(name, hash: field.foldedHash)
      && !(route?.requestDrops.contains(name, hash: field.foldedHash) ?? false)
      && !(route?.headerSources.contains(name, hash: field.foldedHash) ?? false)
  }
}
