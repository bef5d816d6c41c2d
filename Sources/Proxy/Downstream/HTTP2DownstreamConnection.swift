// A client's HTTP/2 connection (RFC 9113): the session (`Sources/HTTP2`) does frames and flow control, each request is
// an exchange on a stream of its own. Frames are made when the transport asks for output, so that what several
// exchanges have to say goes out in one write.
//
// Invariant: the session's events are handled one at a time. What a stream writes meanwhile waits in the session.

import Bytes
import Configuration
import HTTP2
import HTTPWire

/// A client connection that carries many exchanges at once.
final class HTTP2DownstreamConnection: DownstreamConnection, HTTP2Connection {
  let session: HTTP2Session
  // LIMIT: streams kept for the next requests of this connection. More are freed.
  var streams = StreamTable<HTTP2DownstreamStream>(spareCountMax: 32)
  /// Exchanges under way.
  private var exchangeCount = 0
  /// What the streams keep of requests that nobody has taken yet.
  var requestByteCount = 0
  private var isInputEnded = false
  /// When to say which streams are the last ones, after an announcement. See ``drain()``.
  private var shutdownAt = Int64.max
  /// When to end it though nothing happens: idle, or before its first request.
  private var idleAt = Int64.max
  private var bytesWrittenAtIdleCheck: UInt64 = 0

  /// How long a client may take to confirm the announcement of the end: requests that are on their way are served
  /// (§6.8). An idle one has less time: many do not confirm, but close.
  private static let shutdownNanoseconds: Int64 = 5_000_000_000
  private static let idleShutdownNanoseconds: Int64 = 1_000_000_000

  /// Nil when there is no memory for a session.
  static func open(worker: Worker, client: Client) -> HTTP2DownstreamConnection? {
    let limits = worker.snapshot.configuration.limits
    var settings = SessionSettings()
    settings.concurrentStreamCountMax = limits.streams
    settings.headLimits = worker.snapshot.headLimits
    settings.sentHeadByteCountMax = worker.snapshot.answerHeadByteCountMax
    return HTTP2Session(role: .server, settings: settings, at: worker.time.nanoseconds).map {
      HTTP2DownstreamConnection(worker: worker, client: client, session: $0)
    }
  }

  private init(worker: Worker, client: Client, session: HTTP2Session) {
    self.session = session
    super.init(worker: worker, client: client)
  }

  override func opened() {
    moveCounted(to: .idle)
    idleSince = worker.time.nanoseconds
    idleAt = worker.time.nanoseconds &+ worker.snapshot.headerTimeout
    deadline = idleAt
    flush()
  }

  // MARK: Input

  override func received(_ bytes: Span<UInt8>) { receiveFrames(bytes) }

  var frameTimeout: Int64 { worker.snapshot.headerTimeout }

  func handle(_ event: SessionEvent, _ bytes: Span<UInt8>) {
    switch event {
    case .requestHead(let id, _) where worker.isMemoryFull:
      // LIMIT: `limits.memory`: a client may send it again, here or elsewhere (RFC 9113 §8.7).
      worker.counters.countError(.gateway(.memoryExhausted))
      session.reset(id, code: ErrorCode.refusedStream)
    case .requestHead(let id, let isEnd):
      let (stream, exchange) = begin(id)
      session.takeRequestHead(into: &exchange.request.head)
      stream.receivedHead(isEnd: isEnd)
    case .headRefused(let id, let error):
      let (_, exchange) = begin(id)
      session.takeRequestHead(into: &exchange.request.head)
      // What the client still sends on it is thrown away by the session.
      exchange.request.body.isComplete = true
      exchange.refuse(.head(error))
    case .data(let id, let range): streams[id]?.receivedBody(bytes.extracting(range))
    case .trailers(let id):
      if let exchange = streams[id]?.exchange { session.takeTrailers(into: &exchange.request.body.trailers) }
    case .end(let id): streams[id]?.receivedEnd()
    case .drained(let id): streams[id]?.exchange?.downstreamDrained()
    case .closed(let id, _, _): streamClosed(id)
    case .failed(let reason):
      worker.counters.countError(reason)
      abandonAll()
    case .shutdownHeard: shutDown()
    case .responseHead, .interimHead, .settingsChanged, .goAway: break
    }
  }

  private func begin(_ id: StreamID) -> (HTTP2DownstreamStream, Exchange) {
    let stream = streams.takeSpare() ?? HTTP2DownstreamStream(connection: self)
    streams.insert(stream, at: id)
    exchangeCount += 1
    idleAt = .max
    moveCounted(to: .active)
    let exchange = worker.takeExchange(for: stream)
    stream.begin(exchange, id: id)
    return (stream, exchange)
  }

  private func streamClosed(_ id: StreamID) {
    guard let stream = streams.remove(id) else { return }
    stream.exchange?.abandon(.clientClosed)
    streams.keep(stream)
    endIfAnswered()
  }

  /// The client will ask for nothing more: closes once all that it asked for is written.
  private func endIfAnswered() {
    if isInputEnded, session.openStreamCount == 0 { close() }
  }

  /// An exchange of one of the streams is over.
  func exchangeEnded() {
    exchangeCount -= 1
    if exchangeCount == 0 {
      moveCounted(to: .idle)
      idleSince = worker.time.nanoseconds
      idleAt = worker.time.nanoseconds &+ worker.snapshot.idleTimeout
      expect(min(idleAt, worker.time.nanoseconds &+ Self.trimNanoseconds))
    }
  }

  // MARK: Output

  override func fillOutput() {
    if isClosed { return }
    if session.isResetDue, transfer.isAllWritten { session.resetAnswered() }
    writeFrames()
    // One request whose answer goes on at once is as little as one of HTTP/1, with the memory that its stream keeps.
    if heldByteCount > 0 || exchangeCount > 1 || transfer.isOutputStuck
      || session.queuedByteCount > HTTP2Session.keptByteCount
    {
      settleHeld()
    }
    // Who sends no more gives no credit either: what is not made now never will be.
    if session.isFinished || isInputEnded && exchangeCount == 0 && output.isEmpty { close() }
  }

  override var storedByteCount: Int {
    session.queuedByteCount + requestByteCount + exchangeCount * Exchange.byteCount
  }

  // MARK: Other events

  override func deadlinePassed() {
    let now = worker.time.nanoseconds
    passDeadlines(at: now)
    if now >= frameDeadline { return end(.headerTimeout) }
    if now >= shutdownAt { shutDown() }
    if exchangeCount == 0 { trim() }
    if now >= idleAt { endIdle() }
    if !isClosed { deadline = min(shutdownAt, idleAt, frameDeadline, streams.nextDeadline) }
    flush()
  }

  /// Ends the connection and reports the reason to the client.
  private func end(_ reason: FailureReason) {
    session.fail(reason)
    // Though the client may take nothing: the close has a time of its own.
    fillOutput()
    flush()
  }

  /// Nothing was requested for a long time. A client that reads old answers meanwhile gets more time. One that reads
  /// neither them nor the announcement of the end is cut off.
  private func endIdle() {
    let isMoving = transfer.bytesWritten != bytesWrittenAtIdleCheck
    bytesWrittenAtIdleCheck = transfer.bytesWritten
    if session.openStreamCount == 0, transfer.isAllWritten, !session.wantsToWrite {
      session.shutDown()
    } else if !isMoving {
      return abort()
    }
    idleAt = worker.time.nanoseconds &+ worker.snapshot.idleTimeout
  }

  override var requestCount: Int { exchangeCount }

  override var isUnused: Bool { exchangeCount == 0 && session.openStreamCount == 0 }

  /// Streams that are on their way were not looked at, and may be sent again elsewhere (§6.8).
  override func announceClose() { session.shutDown() }

  override func receivedEnd() {
    isInputEnded = true
    if !worker.snapshot.allowsHalfClose, exchangeCount > 0 {
      // Nobody waits for an answer any more.
      abandonAll()
      return abort()
    }
    for stream in streams.slots where stream?.exchange?.request.body.isComplete == false {
      stream?.exchange?.abandon(.clientClosed)
    }
    endIfAnswered()
    flush()
  }

  private func abandonAll() {
    for stream in streams.slots { stream?.exchange?.abandon(.clientClosed) }
  }

  override func disconnected() {
    isClosed = true
    abandonAll()
    moveCounted(to: nil)
    streams.releaseStorage()
  }

  override func forEachExchange(_ body: (Exchange) -> Void) {
    for stream in streams.slots {
      if let exchange = stream?.exchange { body(exchange) }
    }
  }

  override func endTunnels() -> Bool {
    let exchanges = streams.slots.compactMap { $0?.exchange }
    guard exchanges.contains(where: { $0.tunnel != nil }) else { return false }
    for exchange in exchanges {
      if exchange.tunnel != nil { exchange.endTunnel(.draining) } else { exchange.refuse(.gateway(.gatewayStopping)) }
    }
    return true
  }

  private func shutDown() {
    shutdownAt = .max
    session.shutDown()
  }

  override func drain() {
    if isRetiring { return }
    isRetiring = true
    session.announceShutdown()
    let patience = exchangeCount == 0 ? Self.idleShutdownNanoseconds : Self.shutdownNanoseconds
    shutdownAt = worker.time.nanoseconds &+ patience
    expect(shutdownAt)
    flush()
  }
}
