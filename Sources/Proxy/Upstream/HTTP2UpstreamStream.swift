// One stream of an HTTP/2 connection to a server: the upstream's side of one exchange. Kept by its connection for the
// next one. No exchange holds it longer than the connection lives.

import Bytes
import HTTP2
import HTTPWire

final class HTTP2UpstreamStream: UpstreamStream, HTTP2Stream {
  private unowned let connection: HTTP2UpstreamConnection
  /// Nil until the connection is ready.
  private(set) var id: StreamID?
  private(set) var exchange: Exchange?
  private var hasReceived = false
  private var isPaused = false
  /// Passed on while the client was full. The server may send as much again when it is not.
  private var owedByteCount = 0
  private var writtenByteCount: UInt64 = 0
  private var sentAtLastCheck: UInt64 = 0

  var deadline = Int64.max {
    didSet { connection.expect(deadline) }
  }

  init(_ connection: HTTP2UpstreamConnection) { self.connection = connection }

  private var session: HTTP2Session { connection.session }
  private var worker: Worker { connection.worker }

  var isConnected: Bool { id != nil }
  var isOutputFull: Bool { id.map { session.isOutputFull($0, highWater: worker.outputHighWater) } ?? false }
  func awaitDrain() { if let id { session.awaitDrain(of: id) } }

  // MARK: The request

  func begin(_ exchange: Exchange) {
    self.exchange = exchange
    connection.begin(self)
  }

  func opened(_ id: StreamID) {
    self.id = id
    exchange?.times.upstreamConnectedAt = worker.time.nanoseconds
    startResponseTimer()
  }

  /// Until the request is complete the server owes nothing: then only a writing side that stalls is timed.
  private func startResponseTimer() {
    guard let exchange else { return }
    let wait = exchange.request.body.isComplete ? connection.pool.responseTimeout : exchange.snapshot.bodyTimeout
    deadline = worker.time.nanoseconds &+ wait
  }

  func writeBody(_ bytes: Span<UInt8>) {
    guard let id else { return }
    writtenByteCount &+= UInt64(bytes.count)
    session.append(bytes, to: id)
    connection.flush()
  }

  func writeEnd(trailers: Span<UInt8>) {
    guard let id else { return }
    session.finish(id, trailers: trailers)
    if !hasReceived { startResponseTimer() }
    connection.flush()
  }

  // MARK: The response

  func receivedInterimHead(_ head: borrowing ResponseHead) {
    // LIMIT: no window holds heads back, so those that a client has no room for are left out.
    guard let exchange, exchange.downstream?.isOutputFull == false else { return }
    exchange.receivedInformational(head)
  }

  func receivedHead(_ head: borrowing ResponseHead, isEnd: Bool) {
    guard let exchange else { return }
    if exchange.holdsBack(head) {
      self.exchange = nil
      return exchange.retryHeldBack(head.status)
    }
    hasReceived = true
    deadline = worker.time.nanoseconds &+ exchange.times.readTimeout
    exchange.receivedResponseHead(
      head, framing: head.framing(requestMethod: exchange.request.head.method), isEnd: isEnd)
  }

  func receivedBody(_ bytes: Span<UInt8>) {
    if let exchange {
      deadline = worker.time.nanoseconds &+ exchange.times.readTimeout
      if bytes.count > 0 { exchange.receivedResponseBody(bytes) }
    }
    owedByteCount += bytes.count
    if !isPaused { giveCredit() }
  }

  private func giveCredit() {
    if let id, owedByteCount > 0 { session.consumed(id, owedByteCount) }
    owedByteCount = 0
  }

  func receivedEnd(_ trailers: borrowing FieldSection) {
    exchange?.receivedTrailers(trailers)
    exchange?.completeResponse()
  }

  func pauseReading() { isPaused = true }

  func resumeReading() {
    isPaused = false
    giveCredit()
    connection.flush()
  }

  // MARK: The end

  func release(isReusable: Bool) {
    exchange = nil
    deadline = .max
    guard let id else { return connection.forget(self) }
    isPaused = false
    giveCredit()
    if !isReusable { session.reset(id, code: ErrorCode.cancel) }
    connection.flush()
  }

  func connectFailed(_ refusal: GatewayRefusal) {
    guard let exchange else { return }
    self.exchange = nil
    exchange.connectFailed(refusal)
  }

  /// Waited for a connection that turns out to have no room.
  func moveOn() {
    guard let exchange else { return }
    self.exchange = nil
    exchange.upstreamFull()
  }

  func has(_ id: StreamID) -> Bool { self.id == id }

  func reset() {
    id = nil
    hasReceived = false
    isPaused = false
    owedByteCount = 0
    writtenByteCount = 0
    sentAtLastCheck = 0
    deadline = .max
  }

  /// The stream is gone, and with it what the server did not finish.
  /// - Parameter isUnprocessed: the server has said that it did not look at the request (RFC 9113 §8.7).
  func lost(isUnprocessed: Bool) {
    guard let exchange else { return }
    self.exchange = nil
    deadline = .max
    if exchange.mayRetry(isUnprocessed: isUnprocessed) {
      exchange.retryOnFreshConnection()
    } else {
      exchange.upstreamFailed(.upstreamClosed)
    }
  }

  func fail(_ refusal: GatewayRefusal) {
    guard let exchange else { return }
    self.exchange = nil
    deadline = .max
    if let id { session.reset(id, code: refusal == .upstreamMalformed ? ErrorCode.protocolError : ErrorCode.cancel) }
    connection.flush()
    exchange.upstreamFailed(refusal)
  }

  func deadlinePassed() {
    guard let exchange else { return }
    let sent = writtenByteCount &- UInt64(clamping: id.map(session.outputByteCount) ?? 0)
    let isMoving = hasReceived ? sent != sentAtLastCheck : sent == writtenByteCount || sent != sentAtLastCheck
    sentAtLastCheck = sent
    if isPaused || !exchange.request.body.isComplete && isMoving {
      // The other side is what is slow, and has a deadline of its own.
      deadline = worker.time.nanoseconds &+ exchange.snapshot.bodyTimeout
    } else {
      fail(.upstreamTimeout)
    }
  }
}
