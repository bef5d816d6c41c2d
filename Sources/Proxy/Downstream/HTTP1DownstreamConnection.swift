// A client's HTTP/1 connection (RFC 9112): its input is cut into requests, one exchange at a time. What is pipelined
// waits in `input` until the answer before it is written. Writing the answers is in
// HTTP1DownstreamConnection+Response.swift.

import Bytes
import HTTPWire

/// A client connection that carries one exchange at a time, and so is its stream.
final class HTTP1DownstreamConnection: DownstreamConnection, DownstreamStream {
  enum State {
    /// Between requests. Exits: head (first byte), closed.
    case idle
    /// Part of a head is there. Exits: body or waiting (head complete), lingering (refused), closed.
    case head
    /// An exchange runs and its body is not complete. Exits: waiting, discarding (answered early), lingering, closed.
    case body
    /// An exchange runs and its request is complete. Exits: idle, lingering, closed.
    case waiting
    /// Answered. The rest of the body is thrown away. Exits: idle, closed.
    case discarding
    /// The last answer is written. Input is thrown away, so that closing does not reset it. Exits: closed.
    case lingering
  }

  var state = State.idle
  var exchange: Exchange?
  /// Received and not yet consumed. Begins with an unfinished head's first byte, or with pipelined requests.
  var input = ByteQueue()
  private(set) var isConsuming = false
  private(set) var isInputEnded = false
  /// Not enough was read to distinguish HTTP/1 from HTTP/2. See HTTP1DownstreamConnection+Preface.swift.
  var isProtocolOpen = true

  // The request body under way. read in HTTP1DownstreamConnection+Body.swift.
  var framing = BodyFraming.none
  var bodyLeft: UInt64 = 0
  var discardedByteCount = 0
  var lastBodyReadAt: Int64 = 0

  // The response under way. Used by HTTP1DownstreamConnection+Response.swift.
  var responseFraming = BodyFraming.none
  /// Whether the connection lives on after the response under way.
  var isPersistent = false

  /// LIMIT: bytes of pipelined requests held while an answer is due. Past it the client is not read.
  private static let pipelinedByteCountMax = 64 * 1024
  /// LIMIT: bytes of a refused body that are read and thrown away to keep a connection. Past it the connection is
  /// closed.
  static let discardByteCountMax = 64 * 1024
  /// How long a closed connection's input is thrown away once its last answer is taken, so that the client can read it.
  static let lingerNanoseconds: Int64 = 2_000_000_000

  override func opened() {
    // Over TLS, ALPN has said it.
    if client.security != nil { isProtocolOpen = false }
    moveCounted(to: .idle)
    idleSince = worker.time.nanoseconds
    deadline = worker.time.nanoseconds &+ worker.snapshot.headerTimeout
  }

  // MARK: Input

  override func received(_ bytes: Span<UInt8>) {
    if isProtocolOpen, mayBecomeHTTP2(bytes) { return }
    if input.isEmpty, !isConsuming {
      let used = consume(bytes)
      if used < bytes.count {
        input.append(bytes.extracting(used..<bytes.count))
        settleHeld()
      }
    } else {
      input.append(bytes)
      consumeInput()
    }
    boundInput()
  }

  override func received(moving bytes: inout ByteQueue) {
    guard input.isEmpty, !isConsuming, let exchange, isBodyAlone(bytes.count), exchange.isAcceptingBody else {
      return received(bytes.span)
    }
    isConsuming = true
    consumeBody(moving: &bytes, exchange)
    isConsuming = false
  }

  override var knownBodyLeft: UInt64? {
    if state == .body, case .length = framing { return bodyLeft }
    return nil
  }

  override var relayTarget: Connection? { input.isEmpty && !isConsuming ? exchange?.requestRelayTarget : nil }

  override func relayed(_ byteCount: Int) {
    lastBodyReadAt = worker.time.nanoseconds
    bodyLeft -= UInt64(byteCount)
    exchange?.relayedBody(byteCount)
  }

  /// Goes on with what waits in `input`.
  func consumeInput() {
    if isConsuming || input.isEmpty || isClosed { return }
    // Taken out while it is read, so that nothing that happens on the way can change the bytes under the parser.
    var taken = ByteQueue()
    swap(&taken, &input)
    let used = consume(taken.span)
    taken.removeFirst(used)
    swap(&taken, &input)
    if input.isEmpty { input.releaseStorage() }
    settleHeld()
  }

  /// A head of the usual size is not counted: a connection has one at most.
  override var storedByteCount: Int {
    var byteCount = input.allocatedByteCount
    if let exchange, exchange.request.head.bytes.count > Exchange.keptByteCount {
      byteCount += exchange.request.head.bytes.count + exchange.upstreamHead.bytes.count
    }
    if let exchange, exchange.request.body.isKept { byteCount += exchange.request.body.kept.allocatedByteCount }
    return byteCount
  }

  func settleKeptBody() { settleHeld() }

  private func boundInput() {
    if input.count >= Self.pipelinedByteCountMax, state != .head { pauseReading() }
  }

  /// Consumes from the front and says how much. What is left must be handed in again, with more behind it.
  private func consume(_ bytes: Span<UInt8>) -> Int {
    isConsuming = true
    defer { isConsuming = false }
    var offset = 0
    while !isClosed {
      switch state {
      case .idle, .head:
        if offset == bytes.count { return offset }
        if state == .idle, isOutputFull {
          // LIMIT: who does not take the answers that it has gets no further ones (T70).
          transfer.isDrainAwaited = true
          pauseReading()
          return offset
        }
        guard consumeHead(bytes, &offset) else { return offset }
      case .body:
        guard let exchange, exchange.isAcceptingBody, offset < bytes.count else { return offset }
        consumeBody(bytes, &offset)
      case .discarding:
        if offset == bytes.count { return offset }
        consumeBody(bytes, &offset)
      case .waiting:
        return offset
      case .lingering:
        return bytes.count
      }
    }
    return bytes.count
  }

  /// Returns false when more bytes are needed.
  private func consumeHead(_ bytes: Span<UInt8>, _ offset: inout Int) -> Bool {
    if exchange == nil {
      exchange = worker.takeExchange(for: self)
      state = .head
      deadline = worker.time.nanoseconds &+ worker.snapshot.headerTimeout
    }
    guard let exchange else { return false }
    switch exchange.request.head.parse(bytes.extracting(offset..<bytes.count), limits: exchange.snapshot.headLimits) {
    case .incomplete:
      return false
    case .complete(let byteCount):
      offset += byteCount
      beginRequest(exchange)
    case .malformed(let error):
      // The framing is lost: nothing behind this can be trusted.
      offset = bytes.count
      state = .waiting
      refuseUnfinished(exchange, .head(error))
    }
    return true
  }

  /// Answers a head that did not become one. What it says so far is forgotten: its offsets point at bytes that were not
  /// taken over.
  private func refuseUnfinished(_ exchange: Exchange, _ refusal: Refusal) {
    exchange.request.head.reset()
    isPersistent = false
    exchange.refuse(refusal)
  }

  private func beginRequest(_ exchange: Exchange) {
    framing = exchange.request.head.framing
    isPersistent = exchange.request.head.isPersistent && !worker.isDraining && !isRetiring
    moveCounted(to: .active)
    lastBodyReadAt = worker.time.nanoseconds
    deadline = worker.time.nanoseconds &+ exchange.snapshot.bodyTimeout
    switch framing {
    case .none, .untilClose, .length(0):
      framing = .none
      state = .waiting
      exchange.request.body.isComplete = true
    case .length(let count):
      bodyLeft = count
      state = .body
      transfer.isRelaySource = count >= Relay.bodyByteCountMin
    case .chunked:
      state = .body
    }
    // LIMIT: `limits.memory`.
    if worker.isMemoryFull { return exchange.refuse(.gateway(.memoryExhausted)) }
    exchange.start()
    if exchange.request.head.bytes.count > Exchange.keptByteCount { settleHeld() }
  }

  // MARK: The exchange's end

  /// What is left of the request's body, when that is known and fits what may be thrown away.
  var isRestDiscardable: Bool {
    switch state {
    case .body:
      if case .length = framing { return bodyLeft <= UInt64(Self.discardByteCountMax) }
      return false
    default: return true
    }
  }

  func exchangeFinished(_ finished: Exchange, _ ending: ExchangeEnding) {
    exchange = nil
    let isRequestComplete = finished.request.body.isComplete
    worker.giveBack(finished)
    if heldByteCount > 0 { settleHeld() }
    switch ending {
    case .abandoned:
      abort()
    case .truncated:
      // A body that ends with the connection would look complete behind an ordinary close.
      if isResetWanted { abort() } else { close() }
    case .complete:
      if !isPersistent || isRetiring || worker.isDraining {
        if isRequestComplete, input.isEmpty, !isConsuming { close() } else { linger() }
      } else if isRequestComplete {
        becomeIdle()
        resumeInput()
      } else {
        state = .discarding
        discardedByteCount = 0
        deadline = worker.time.nanoseconds &+ worker.snapshot.bodyTimeout
        resumeInput()
      }
    }
  }

  func awaitDrain() { transfer.isDrainAwaited = true }

  var isBodyAwaited: Bool { state == .body && !isReadingPaused && exchange?.isAcceptingBody ?? false }
  var unsentByteCount: Int { transfer.unwrittenByteCount }
  var sentByteCount: UInt64 { transfer.bytesWritten }
  func endAfterResponse() { isPersistent = false }

  func resumeInput() {
    // The time in which it could not send is not held against the client.
    if isReadingPaused { lastBodyReadAt = worker.time.nanoseconds }
    resumeReading()
    consumeInput()
    endWithInput()
  }

  func becomeIdle() {
    // A drain may have begun while the rest of a body was thrown away.
    if isRetiring { return close() }
    state = .idle
    moveCounted(to: .idle)
    idleSince = worker.time.nanoseconds
    deadline = worker.time.nanoseconds &+ worker.snapshot.idleTimeout
  }

  /// Closes the writing side first and reads on for a moment: a close with unread input would reset the connection, and
  /// the client could lose the answer that says why.
  func linger() {
    if isClosed { return }
    state = .lingering
    input.releaseStorage()
    startLingerTimer()
    resumeReading()
    if isInputEnded { return close() }
    transfer.isCloseOrdered = true
    worker.commands.append(.closeOutput(self))
  }

  // MARK: Other events

  override func receivedEnd() {
    settleForHTTP1()
    isInputEnded = true
    if !worker.snapshot.allowsHalfClose { return clientLeft() }
    // RFC 9112 §9.6 lets a client close its half and wait for the answer, or for those to all that it pipelined.
    if state == .waiting, input.isEmpty { isPersistent = false }
    endWithInput()
  }

  override func endedUnread() {
    // What a tunnel's client has said before it left is the server's, when that takes it.
    if !worker.snapshot.allowsHalfClose, exchange?.tunnel == nil { clientLeft() }
  }

  override func outputDrained() {
    exchange?.downstreamDrained()
    if state == .idle { resumeInput() }
    if state == .lingering {
      isResetWanted = false
      startLingerTimer()
    }
  }

  override func disconnected() {
    moveCounted(to: nil)
    if let exchange {
      isClosed = true
      abandon(exchange)
    }
    input.releaseStorage()
  }

  override func deadlinePassed() {
    settleForHTTP1()
    switch state {
    case .idle:
      closeIdle()
    case .head:
      guard let exchange else { return close() }
      if input.count <= 2, input.span.firstIndex(of: 0x0D) == 0 {
        // An empty line (RFC 9112 §2.2) asks for nothing: an answer would be taken for that to the next request.
        forget(exchange)
        return close()
      }
      state = .waiting
      refuseUnfinished(exchange, .gateway(.headerTimeout))
    case .discarding:
      abort()
    case .lingering:
      endLinger()
    case .body, .waiting:
      exchange?.checkProgress()
    }
  }

  override func forEachExchange(_ body: (Exchange) -> Void) {
    if let exchange { body(exchange) }
  }

  override func endTunnels() -> Bool {
    guard let exchange, exchange.tunnel != nil else { return false }
    exchange.endTunnel(.draining)
    return true
  }

  override var requestCount: Int { exchange != nil && state != .head ? 1 : 0 }

  override var isUnused: Bool { state == .idle && input.isEmpty && unsentByteCount == 0 }

  override func drain() {
    isRetiring = true
    if state == .idle { close() }
  }
}
