// A connection to an upstream server that speaks HTTP/2 (RFC 9113): shared by as many exchanges as the server allows,
// each on a stream of its own. Counterpart of HTTP2DownstreamConnection. Frames are made when the transport asks for
// output.

import Bytes
import HTTP2
import HTTPWire

/// One connection to a server, for many exchanges at once.
final class HTTP2UpstreamConnection: UpstreamConnection, HTTP2Connection {
  let session: HTTP2Session
  private var isConnected = false
  /// The server has said how many streams it accepts (RFC 9113 §3.4). None is begun before: one too many would be
  /// refused, and a server without HTTP/2 would have received a request.
  private var isReady = false
  /// Begun before the connection is ready, in order.
  private var waiting: [HTTP2UpstreamStream] = []
  // LIMIT: streams kept for the next requests. More are freed.
  var streams = StreamTable<HTTP2UpstreamStream>(spareCountMax: 128)
  private var head = ResponseHead()
  private var trailers = FieldSection()
  /// The server, or a failure, forbids new streams.
  private(set) var isClosing = false
  /// When to end it though nothing happens.
  private var idleAt = Int64.max
  private var connectDeadline: Int64 = .max
  private var life = ConnectionLife()

  /// Nil when there is no memory for a session.
  static func open(worker: Worker, pool: UpstreamPool, server: UpstreamServer) -> HTTP2UpstreamConnection? {
    var settings = SessionSettings()
    settings.headLimits = pool.headLimits
    settings.sentHeadByteCountMax = worker.snapshot.headLimits.byteCountMax
    return HTTP2Session(role: .client, settings: settings, at: worker.time.nanoseconds).map {
      HTTP2UpstreamConnection(worker: worker, pool: pool, server: server, session: $0)
    }
  }

  private init(worker: Worker, pool: UpstreamPool, server: UpstreamServer, session: HTTP2Session) {
    self.session = session
    super.init(worker: worker, pool: pool, server: server)
  }

  /// Whether one more exchange may begin here.
  var hasRoom: Bool {
    if isClosing || isClosed { return false }
    // LIMIT: exchanges that wait for one connection to open. More open another one.
    if isReady { return session.mayOpenStream }
    return waiting.count < min(server.connections.streamCountMax, pool.connectionRequestCountMax)
  }

  func startConnectTimer() {
    connectDeadline = worker.time.nanoseconds &+ pool.connectTimeout
    deadline = connectDeadline
  }

  // MARK: Requests

  func takeStream() -> HTTP2UpstreamStream { streams.takeSpare() ?? HTTP2UpstreamStream(self) }

  /// Begins an exchange's stream, now or once the connection is ready.
  func begin(_ stream: HTTP2UpstreamStream) {
    idleAt = .max
    if isReady { submit(stream) } else { waiting.append(stream) }
  }

  private func submit(_ stream: HTTP2UpstreamStream) {
    guard let exchange = stream.exchange else { return }
    moveCounted(to: .active)
    worker.headerList.reset()
    guard
      worker.headerList.setRequest(head: exchange.upstreamHead.bytes.span, scheme: pool.isSecure ? "https" : "http"),
      let id = session.submitRequest(
        &worker.headerList, isEnd: exchange.request.body.isComplete && !exchange.request.body.isReplayDue)
    else {
      return stream.lost(isUnprocessed: true)
    }
    streams.insert(stream, at: id)
    stream.opened(id)
    life.countRequest()
    if !life.hasRoom(in: pool) { retire() }
    flush()
  }

  /// A stream that was cancelled before it was opened.
  func forget(_ stream: HTTP2UpstreamStream) {
    waiting.removeAll { $0 === stream }
    noteIdle()
  }

  override func connected() {
    isConnected = true
    moveCounted(to: .active)
    life.begin(of: pool, at: worker.time.nanoseconds)
    expect(life.endsAt)
    flush()
  }

  private func settingsChanged() {
    server.connections.streamCountMax = max(1, session.outgoingStreamCountMax)
    if isReady { return }
    if !waiting.isEmpty, !session.mayOpenStream { return connectFailed(.upstreamConnectFailed) }
    isReady = true
    connectDeadline = .max
    let begun = waiting
    waiting = []
    for stream in begun {
      if session.mayOpenStream {
        submit(stream)
        stream.exchange?.upstreamConnected()
      } else {
        stream.moveOn()
      }
    }
    noteIdle()
    flush()
  }

  override func connectFailed(_ refusal: GatewayRefusal) {
    isClosing = true
    pool.forget(self)
    abort()
    let failed = waiting
    waiting = []
    for stream in failed { stream.connectFailed(refusal) }
  }

  // MARK: Responses

  override func received(_ bytes: Span<UInt8>) { receiveFrames(bytes) }

  var frameTimeout: Int64 { pool.responseTimeout }

  func handle(_ event: SessionEvent, _ bytes: Span<UInt8>) {
    switch event {
    case .responseHead(let id, let isEnd):
      session.takeResponseHead(into: &head)
      streams[id]?.receivedHead(head, isEnd: isEnd)
      head.reset()
    case .interimHead(let id):
      session.takeResponseHead(into: &head)
      streams[id]?.receivedInterimHead(head)
      head.reset()
    case .headRefused(let id, let error): streams[id]?.fail(refusal(of: error))
    case .data(let id, let range):
      if let stream = streams[id] {
        stream.receivedBody(bytes.extracting(range))
      } else {
        session.consumed(id, range.count)
      }
    case .trailers:
      // The stream's end follows at once.
      session.takeTrailers(into: &trailers)
    case .end(let id):
      streams[id]?.receivedEnd(trailers)
      trailers.reset()
    case .drained(let id): streams[id]?.exchange?.upstreamDrained()
    case .closed(let id, _, let isUnprocessed): streamClosed(id, isUnprocessed: isUnprocessed)
    case .goAway: if isReady { retire() } else { lose() }
    case .failed(let reason):
      worker.counters.countError(reason)
      lose()
    case .settingsChanged: settingsChanged()
    case .requestHead, .shutdownHeard: break
    }
  }

  private func streamClosed(_ id: StreamID, isUnprocessed: Bool) {
    if let stream = streams.remove(id) {
      // What the server has reset with another code it may have acted on.
      if isUnprocessed { stream.lost(isUnprocessed: true) } else { stream.fail(.upstreamClosed) }
      streams.keep(stream)
    }
    noteIdle()
  }

  private func noteIdle() {
    guard isReady, waiting.isEmpty, session.openStreamCount == 0 else { return }
    moveCounted(to: .idle)
    if isClosing { return close() }
    guard let idleEnd = life.idleEnd(of: pool, at: worker.time.nanoseconds) else { return retire() }
    idleAt = idleEnd
    expect(worker.time.nanoseconds &+ Self.trimNanoseconds)
  }

  /// No new streams. It is closed when the last one has ended.
  func retire() {
    isClosing = true
    pool.forget(self)
    noteIdle()
  }

  // MARK: Output, deadlines, the end

  override func fillOutput() {
    if isClosed || !isConnected { return }
    writeFrames()
    settleHeld()
    if session.isFinished { close() }
  }

  override var storedByteCount: Int { session.queuedByteCount }

  override func deadlinePassed() {
    let now = worker.time.nanoseconds
    if now >= connectDeadline { return connectFailed(.upstreamConnectTimeout) }
    if now >= frameDeadline { return lose() }
    passDeadlines(at: now)
    trim()
    if now >= min(idleAt, life.endsAt), !isClosing { retire() }
    if !isClosed {
      deadline = min(idleAt, isClosing ? .max : life.endsAt, connectDeadline, frameDeadline, streams.nextDeadline)
    }
    flush()
  }

  override func receivedEnd() { lose() }

  override func disconnected() {
    if !isClosed { lose() }
    moveCounted(to: nil)
  }

  /// The connection is lost with all that ran on it.
  private func lose() {
    if !isReady { return connectFailed(.upstreamConnectFailed) }
    isClosing = true
    pool.forget(self)
    abort()
    let lost = streams.slots + waiting
    streams.releaseStorage()
    waiting = []
    for stream in lost { stream?.lost(isUnprocessed: false) }
  }
}
