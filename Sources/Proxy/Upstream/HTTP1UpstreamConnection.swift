// A connection to an upstream server, one exchange at a time (RFC 9112). The response is cut into head, body and
// trailers here. What becomes of them is the exchange's matter.

import Bytes
import HTTPWire

/// One connection to a server, kept between exchanges.
final class HTTP1UpstreamConnection: UpstreamConnection, UpstreamStream {
  enum State {
    /// Exits: idle (no exchange uses it any more), head (connected), closed.
    case connecting
    /// In the pool. Exits: head (taken), closed. A byte that comes now closes it.
    case idle
    /// Waiting for a response's head. Exits: body, idle, closed.
    case head
    /// In a response's body. Exits: idle, closed.
    case body
  }

  private(set) var state = State.connecting
  private(set) var exchange: Exchange?
  /// Whether an exchange before this one used it: its close may have crossed with our request.
  private(set) var isReused = false
  private var head = ResponseHead()
  private var input = ByteQueue()
  private var isInputEnded = false
  private var hasReceived = false
  private var framing = BodyFraming.none
  private var bodyLeft: UInt64 = 0
  private var chunked = ChunkedDecoder()
  private var trailers = FieldSection()
  private var isPersistent = false
  private var requestFraming = BodyFraming.none
  private var life = ConnectionLife()

  var isConnected: Bool { state != .connecting }

  // MARK: The request

  func begin(_ exchange: Exchange) {
    self.exchange = exchange
    hasReceived = false
    isPersistent = false
    life.countRequest()
    requestFraming = exchange.request.handshake.isRequested ? .none : exchange.request.head.framing
    prepareOutput()
    output.append(exchange.upstreamHead.bytes.span)
    bytesWrittenAtLastCheck = transfer.bytesWritten
    if state == .idle {
      isReused = true
      moveCounted(to: .active)
      state = .head
      exchange.times.upstreamConnectedAt = worker.time.nanoseconds
      startResponseTimer()
      flush()
    }
  }

  func writeBody(_ bytes: Span<UInt8>) {
    if requestFraming == .chunked {
      output.reserve(bytes.count + 20)
      output.append(hexadecimal: UInt64(bytes.count))
      output.append("\r\n")
      output.append(bytes)
      output.append("\r\n")
    } else {
      output.append(bytes)
    }
    flush()
  }

  func writeBody(moving bytes: inout ByteQueue) {
    if requestFraming == .chunked { return writeBody(bytes.span) }
    output.append(moving: &bytes)
    flush()
  }

  /// Whether a body's bytes are written with nothing between them.
  var takesBodyAsIs: Bool {
    if case .length = requestFraming { return state == .head || state == .body }
    return false
  }

  func writeEnd(trailers: Span<UInt8>) {
    if requestFraming == .chunked {
      output.append("0\r\n")
      output.append(trailers)
      output.append("\r\n")
    }
    if state != .connecting { flush() }
    if state == .head { startResponseTimer() }
  }

  /// Until the request is complete the server owes nothing: then only a writing side that stalls is timed.
  private func startResponseTimer() {
    guard let exchange else { return }
    let wait = exchange.request.body.isComplete ? pool.responseTimeout : exchange.snapshot.bodyTimeout
    deadline = worker.time.nanoseconds &+ wait
  }

  override func connected() {
    moveCounted(to: .active)
    life.begin(of: pool, at: worker.time.nanoseconds)
    guard let exchange else {
      state = .idle
      release(isReusable: true)
      return
    }
    exchange.times.upstreamConnectedAt = worker.time.nanoseconds
    state = .head
    startResponseTimer()
    flush()
    exchange.upstreamConnected()
  }

  override func connectFailed(_ refusal: GatewayRefusal) {
    guard let exchange else { return abort() }
    self.exchange = nil
    abort()
    exchange.connectFailed(refusal)
  }

  func awaitDrain() { transfer.isDrainAwaited = true }

  // MARK: The response

  override func received(_ bytes: Span<UInt8>) {
    guard exchange != nil else {
      // Nobody asked: whatever this is, it must never be taken for an answer to the next request.
      worker.counters.countError(.upstreamUnsolicitedBytes)
      return dismiss()
    }
    hasReceived = true
    if input.isEmpty {
      let used = consume(bytes)
      if used < bytes.count, exchange != nil {
        input.append(bytes.extracting(used..<bytes.count))
        settleHeld()
      }
    } else {
      input.append(bytes)
      var taken = ByteQueue()
      swap(&taken, &input)
      let used = consume(taken.span)
      taken.removeFirst(used)
      if exchange != nil { swap(&taken, &input) }
      settleHeld()
    }
  }

  override var storedByteCount: Int { input.allocatedByteCount }

  override func received(moving bytes: inout ByteQueue) {
    if state == .head, input.isEmpty, let exchange {
      hasReceived = true
      var offset = 0
      let isComplete = consumeHead(bytes.span, &offset, exchange)
      bytes.removeFirst(offset)
      if self.exchange == nil || isClosed { return }
      if !isComplete { return input.append(bytes.span) }
    }
    guard state == .body, input.isEmpty, let exchange, isBodyAlone(bytes.count) else { return received(bytes.span) }
    if requestFraming != .untilClose { deadline = worker.time.nanoseconds &+ exchange.times.readTimeout }
    if case .length = framing { bodyLeft -= UInt64(bytes.count) }
    exchange.receivedResponseBody(moving: &bytes)
    if case .length = framing, bodyLeft == 0 { responseEnded(hasMore: false) }
  }

  /// Whether the next bytes are the body's, with no framing between them and nothing behind.
  private func isBodyAlone(_ byteCount: Int) -> Bool {
    switch framing {
    case .length: byteCount > 0 && UInt64(byteCount) <= bodyLeft
    case .untilClose: true
    case .none, .chunked: false
    }
  }

  override var knownBodyLeft: UInt64? {
    if state == .body, case .length = framing { return bodyLeft }
    return nil
  }

  override var relayTarget: Connection? { input.isEmpty ? exchange?.responseRelayTarget : nil }

  override func relayed(_ byteCount: Int) {
    guard let exchange else { return }
    deadline = worker.time.nanoseconds &+ exchange.times.readTimeout
    bodyLeft -= UInt64(byteCount)
    exchange.passedResponseBody(byteCount)
  }

  private func consume(_ bytes: Span<UInt8>) -> Int {
    var offset = 0
    while offset < bytes.count, let exchange, !isClosed {
      switch state {
      case .head:
        guard consumeHead(bytes, &offset, exchange) else { return offset }
      case .body:
        consumeBody(bytes, &offset, exchange)
      case .connecting, .idle:
        return bytes.count
      }
    }
    return offset
  }

  /// Returns false when more bytes are needed.
  private func consumeHead(_ bytes: Span<UInt8>, _ offset: inout Int, _ exchange: Exchange) -> Bool {
    switch head.parse(bytes.extracting(offset..<bytes.count), limits: pool.headLimits) {
    case .incomplete:
      return false
    case .malformed(let error):
      fail(refusal(of: error))
      return false
    case .complete(let byteCount):
      offset += byteCount
    }
    if head.is1xx {
      if head.status == 101 { return consumeSwitch(exchange) }
      exchange.receivedInformational(head)
      head.reset()
      return true
    }
    framing = head.framing(requestMethod: exchange.request.head.method)
    if exchange.holdsBack(head) {
      let status = head.status
      exchange.retryHeldBack(status)
      return false
    }
    isPersistent = head.isPersistent && framing != .untilClose
    if head.has(.keepAlive) { life.note(head) }
    deadline = worker.time.nanoseconds &+ exchange.times.readTimeout
    state = .body
    exchange.receivedResponseHead(head, framing: framing)
    switch framing {
    case .none, .length(0): responseEnded(hasMore: offset < bytes.count)
    case .length(let count):
      bodyLeft = count
      transfer.isRelaySource = count >= Relay.bodyByteCountMin
    case .chunked: chunked = ChunkedDecoder(isTolerant: true)
    case .untilClose: break
    }
    return true
  }

  /// 101 (Switching Protocols), to what was asked for and nothing else.
  private func consumeSwitch(_ exchange: Exchange) -> Bool {
    guard exchange.request.handshake.isAgreed(by: head),
      !exchange.examinesMessages || exchange.subscriptionProtocol(chosenBy: head) != nil
    else {
      fail(.upstreamMalformed)
      return false
    }
    framing = .untilClose
    requestFraming = .untilClose
    isPersistent = false
    state = .body
    // A tunnel's time is kept by its exchange.
    deadline = .max
    exchange.openTunnel(head)
    // What waited may end the tunnel at once, and with it this head.
    exchange.tunnelOpened()
    return true
  }

  private func consumeBody(_ bytes: Span<UInt8>, _ offset: inout Int, _ exchange: Exchange) {
    if requestFraming != .untilClose { deadline = worker.time.nanoseconds &+ exchange.times.readTimeout }
    switch framing {
    case .none:
      offset = bytes.count
    case .length:
      let count = Int(clamping: min(bodyLeft, UInt64(bytes.count - offset)))
      let range = offset..<(offset + count)
      offset += count
      bodyLeft -= UInt64(count)
      exchange.receivedResponseBody(bytes.extracting(range))
      if bodyLeft == 0 { responseEnded(hasMore: offset < bytes.count) }
    case .untilClose:
      let range = offset..<bytes.count
      offset = bytes.count
      exchange.receivedResponseBody(bytes.extracting(range))
    case .chunked:
      switch chunked.next(bytes, offset: &offset, trailers: &trailers, limits: pool.headLimits) {
      case .data(let range): exchange.receivedResponseBody(bytes.extracting(range))
      case .needMore: offset = bytes.count
      case .end: responseEnded(hasMore: offset < bytes.count)
      case .malformed: fail(.upstreamMalformed)
      }
    }
  }

  /// Bytes behind the response do not answer anything: the connection is not kept then, nor where there may be some
  /// that were not received yet. The next exchange, within this turn of the loop, would take them for an answer.
  private func responseEnded(hasMore: Bool) {
    guard let exchange, self.exchange != nil else { return }
    if hasMore || transfer.hasMoreInput { isPersistent = false }
    exchange.receivedTrailers(trailers)
    exchange.completeResponse()
  }

  /// A tunnel runs here: its exchange has the last word.
  var isTunnel: Bool { requestFraming == .untilClose }

  func release(isReusable: Bool) {
    exchange = nil
    head.reset()
    if head.bytes.allocatedByteCount > Exchange.keptByteCount { head.releaseStorage() }
    trailers.reset()
    input.removeAll()
    if isReusable, isPersistent || state == .idle, !isClosed, !isInputEnded, transfer.isAllWritten,
      let idleEnd = life.idleEnd(of: pool, at: worker.time.nanoseconds), pool.keep(self)
    {
      state = .idle
      moveCounted(to: .idle)
      deadline = idleEnd
      resumeReading()
    } else if isTunnel {
      // A close frame may still wait to be written.
      close()
    } else {
      abort()
    }
  }

  private func fail(_ refusal: GatewayRefusal) {
    guard let exchange else { return dismiss() }
    self.exchange = nil
    abort()
    exchange.upstreamFailed(refusal)
  }

  private func dismiss() {
    if state == .idle { pool.forget(self) }
    abort()
  }

  // MARK: Other events

  override func receivedEnd() {
    isInputEnded = true
    if exchange != nil, state == .body, framing == .untilClose {
      responseEnded(hasMore: false)
    } else {
      lost()
    }
  }

  override func disconnected() {
    moveCounted(to: nil)
    if !isClosed { lost() }
  }

  /// The server closed or reset the connection.
  private func lost() {
    guard let exchange else { return dismiss() }
    if isReused, !hasReceived, exchange.mayRetry(isUnprocessed: false) {
      self.exchange = nil
      abort()
      exchange.retryOnFreshConnection()
    } else {
      fail(.upstreamClosed)
    }
  }

  override func outputDrained() { exchange?.upstreamDrained() }

  override func deadlinePassed() {
    guard let exchange else { return dismiss() }
    switch state {
    case .connecting:
      connectFailed(.upstreamConnectTimeout)
    case .idle:
      dismiss()
    case .head, .body:
      if isReadingPaused || state == .head && !exchange.request.body.isComplete && isWritingOrWaiting {
        // The other side is what is slow, and has a deadline of its own.
        deadline = worker.time.nanoseconds &+ exchange.snapshot.bodyTimeout
      } else {
        fail(.upstreamTimeout)
      }
    }
  }

  /// Whether a request body is still on its way: nothing waits to be written, or some of it was taken since the last
  /// check.
  private var isWritingOrWaiting: Bool {
    defer { bytesWrittenAtLastCheck = transfer.bytesWritten }
    return transfer.isAllWritten || transfer.bytesWritten != bytesWrittenAtLastCheck
  }
}
