// Request bodies that are kept until their answer begins, so that a failure in between loses nothing of them.
//
// Invariant: what is kept is the whole body as far as it has come, or nothing.

import Bytes
import HTTPWire

extension Exchange {
  /// Keeps the body that is still to come, where the request may be sent again with it.
  func keepBody(for pool: UpstreamPool) {
    let max = pool.retry.keptByteCountMax
    guard !request.body.isComplete, !request.handshake.isRequested, downstream?.isClientRequest ?? false,
      !worker.isMemoryFull
    else { return }
    // A server of HTTP/2 may say of any request that it has not looked at it.
    guard request.isRepeatable || pool.isMultiplexed else { return }
    if case .length(let count) = request.head.framing, count > UInt64(max) { return }
    request.body.keptByteCountMax = max
  }

  /// Tells a client that waits for it to send the body, which goes to the gateway itself for now.
  func askForBody() {
    var head = ResponseHead()
    let limits = HeadLimits(byteCountMax: .max, fieldCountMax: .max)
    guard case .complete = head.parse(Self.continueHead.span, limits: limits) else { return }
    downstream?.writeInformational(head, of: self)
  }

  private static let continueHead = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  func keep(_ bytes: Span<UInt8>) {
    // LIMIT: `buffer`, and `limits.memory`: a body that is larger is not sent again.
    if request.body.kept.count + bytes.count > request.body.keptByteCountMax || worker.isMemoryFull {
      return releaseKeptBody()
    }
    request.body.kept.append(bytes)
    downstream?.settleKeptBody()
  }

  func releaseKeptBody() {
    if request.body.kept.isEmpty { return request.body.releaseKept() }
    request.body.releaseKept()
    downstream?.settleKeptBody()
  }

  /// Before another attempt.
  func prepareReplay() { request.body.isReplayDue = !request.body.kept.isEmpty }

  /// The new connection is there: it gets what the one before it got.
  func replayBody() {
    request.body.isReplayDue = false
    guard let stream = delivery.stream else { return }
    // A copy: where the write fails at once, the next attempt begins inside it and needs the whole body.
    var copy = ByteQueue()
    copy.append(request.body.kept.span)
    stream.writeBody(moving: &copy)
    guard delivery.stream === stream else { return }
    holdClientBack(for: stream)
    if request.body.isComplete {
      receivedBodyEnd()
    } else if !stream.isOutputFull {
      downstream?.resumeInput()
    }
  }

  /// Whether a call's answer is dropped for another attempt.
  func holdsCallBack(_ response: borrowing ResponseHead) -> Bool {
    guard let pool = delivery.pool, pool.retry.covers(.unavailable), request.head.isGRPC, response.isUnavailable else {
      return false
    }
    return planRetry(after: .unavailable, retryAfter: response.callRetryAfter)
  }

  /// What a failure at a server is to the upstream's rules.
  func retryCause(of refusal: GatewayRefusal) -> RetryCause? {
    if refusal == .upstreamClosed, delivery.pool?.retry.covers(.unavailable) ?? false, request.head.isGRPC {
      return .unavailable
    }
    return RetryCause(refusal)
  }
}
