// One HTTP/2 connection over nghttp2 (RFC 9113): bytes in, events out, and the other way round. Knows no socket and no
// clock. Owns one nghttp2_session. Invariants: callbacks of nghttp2 only fill queues, which are worked off once the
// call is over. At most one frame is in work, so memory does not grow with the input. The first failure is the last.

package import Bytes
internal import CNGHTTP2
package import HTTPWire

/// A session with one owner, on one event loop.
@safe
package final class HTTP2Session {
  package let role: SessionRole
  let settings: SessionSettings
  var pointer: OpaquePointer?
  var streams = StreamTable()
  var flood: FloodGuard
  /// The time of the call that is under way.
  var now: Int64
  private var cutter: FrameCutter
  private var events: [SessionEvent] = []
  private var eventIndex = 0
  package private(set) var failure: FailureReason?
  /// The GOAWAY that says why is not written yet.
  private var isFarewellDue = false
  package internal(set) var isGoingAway = false
  var isShutdownAnnounced = false
  /// All stream identifiers were used.
  package internal(set) var isExhausted = false
  /// The highest stream that the peer opened.
  var lastPeerStream: Int32 = 0
  var resetStreams = ResetStreams()
  /// Streams whose peer has not ended its side.
  var incompleteCount = 0
  /// Answered before their requests were complete: reset once the answers are written.
  var answeredEarly: [StreamID] = []
  /// ``resetAnswered()`` has something to do.
  package internal(set) var isResetDue = false
  /// When what is open of the input began. See ``FrameCutter/isOpen``. Int64.max when nothing is.
  package private(set) var openSince = Int64.max

  /// Memory of the streams' content that waits to be sent.
  var contentByteCount = 0
  /// Bytes of heads that nghttp2 keeps until they are sent, those of streams that are over included.
  var headByteCount = 0
  /// Goes up when all heads were sent: what records count of them holds for one round.
  var headRound = 0
  /// Somebody waits for heads to be sent.
  var isDrainOfHeadsDue = false

  // The header block under way: there is one at a time (RFC 9113 §4.3).
  enum HeaderBlock { case none, request, response, trailers }
  var block = HeaderBlock.none
  var requestBuilder = RequestHeadBuilder()
  var responseBuilder = ResponseHeadBuilder()
  var trailerBuilder = FieldSectionBuilder()

  /// Trailers on their way out.
  var trailerList = HeaderList()

  /// Where content lies in the input: nghttp2 hands out addresses of it.
  private var inputBase: UnsafePointer<UInt8>?
  private var inputCount = 0
  /// Where frames are written to.
  var sink = ByteQueue()
  private var sinkByteCountMax = 0

  /// LIMIT: content that waits on a stream. Past it the other side must be held back until
  /// ``SessionEvent/drained(_:)``.
  package static let outputHighWater = 64 * 1024
  /// LIMIT: memory that a stream keeps while nothing waits on it, and its record when it is over.
  package static let keptByteCount = 16 * 1024
  // LIMIT: frames that wait to be sent, beside those of open streams: more means that the peer makes us answer and does
  // not read.
  private static let queuedFrameCountMax = 1000
  // LIMIT: heads of so many streams that are over may wait to be sent, beside those of open ones.
  private static let endedStreamCountMax = 10

  /// A session that has said nothing yet. ``produce(into:upTo:)`` gives its preface. Nil when memory is out.
  package init?(role: SessionRole, settings: SessionSettings, at nanoseconds: Int64) {
    self.role = role
    self.settings = settings
    now = nanoseconds
    cutter = FrameCutter(expectsPreface: role == .server)
    flood = FloodGuard(headByteCountMax: settings.headLimits.byteCountMax, at: nanoseconds)
    unsafe pointer = nil
    unsafe inputBase = nil
    // SAFETY: the session keeps the address of self, unretained. deinit frees the session before self is gone.
    let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe pointer = Self.makePointer(role, settings, owner: owner)
    guard unsafe pointer != nil, announce() else { return nil }
  }

  deinit {
    // SAFETY: init made it and nobody else frees it. Null is taken. No callback is called by it.
    unsafe nghttp2_session_del(pointer)
  }

  private static func makePointer(
    _ role: SessionRole, _ settings: SessionSettings, owner: UnsafeMutableRawPointer
  ) -> OpaquePointer? {
    var options: OpaquePointer?
    // SAFETY: the options are freed here, after the session has copied them.
    guard unsafe nghttp2_option_new(&options) == 0, let options = unsafe options else { return nil }
    defer { unsafe nghttp2_option_del(options) }
    // Windows are given back by us: the connection's at once, a stream's as its bytes are taken.
    unsafe nghttp2_option_set_no_auto_window_update(options, 1)
    unsafe nghttp2_option_set_no_closed_streams(options, 1)
    unsafe nghttp2_option_set_max_reserved_remote_streams(options, 0)
    // LIMIT: answers to PING and SETTINGS that wait to be sent.
    unsafe nghttp2_option_set_max_outbound_ack(options, 100)
    unsafe nghttp2_option_set_max_deflate_dynamic_table_size(options, max(0, settings.headerTableByteCountMax))
    // A head that fitted our limits on its way in must fit on its way out, with what the gateway adds.
    unsafe nghttp2_option_set_max_send_header_block_length(
      options, settings.sentHeadByteCountMax * 2 + 96 * 1024)
    var made: OpaquePointer?
    let callbacks = unsafe SessionCallbacks.shared.pointer
    let result =
      role == .server
      ? unsafe nghttp2_session_server_new2(&made, callbacks, owner, options)
      : unsafe nghttp2_session_client_new2(&made, callbacks, owner, options)
    return unsafe result == 0 ? made : nil
  }

  /// Queues our SETTINGS and the connection's window.
  private func announce() -> Bool {
    var entries: [nghttp2_settings_entry] = []
    func add(_ id: nghttp2_settings_id, _ value: Int) {
      entries.append(nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value)))
    }
    add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, min(max(settings.streamWindow, 1), Int(Int32.max)))
    add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.headLimits.byteCountMax)
    if settings.headerTableByteCountMax != 4096 {
      add(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, settings.headerTableByteCountMax)
    }
    switch role {
    case .client:
      add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0)
    case .server:
      add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.concurrentStreamCountMax)
      add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1)
      if settings.acceptsExtendedConnect { add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1) }
    }
    // SAFETY: the session is alive. The entries are copied by the call.
    let result = unsafe entries.withUnsafeBufferPointer {
      unsafe nghttp2_submit_settings(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), $0.baseAddress, $0.count)
    }
    let window = Int32(clamping: max(settings.connectionWindow, 65535))
    return unsafe result == 0 && nghttp2_session_set_local_window_size(pointer, 0, 0, window) == 0
  }

  // MARK: Receiving

  /// Processes the input up to the next event. Call it with the same bytes until it returns nil. Then all of them were
  /// consumed. Heads and ranges of an event are valid until the next call.
  package func receive(_ input: Span<UInt8>, offset: inout Int, at nanoseconds: Int64) -> SessionEvent? {
    now = nanoseconds
    while true {
      if let event = nextEvent() { return event }
      if failure != nil {
        offset = input.count
        return nil
      }
      guard offset < input.count else { return nil }
      var header: FrameCutter.Header?
      let end = cutter.nextEnd(input, from: offset, header: &header)
      if let header, let reason = flood.begin(header, at: now) ?? orderFailure(of: header) {
        fail(reason)
        continue
      }
      if !cutter.isOpen { openSince = .max } else if openSince == .max { openSince = now }
      if cutter.isSelfDependent {
        fail(.protocolError)
        continue
      }
      if !cutter.isHeaderHeld {
        work(on: input, offset..<end)
      } else if header != nil {
        let whole = cutter.heldHeader
        work(on: whole.span, 0..<9)
      }
      offset = end
    }
  }

  @inline(__always)
  private func work(on input: Span<UInt8>, _ range: Range<Int>) {
    inputCount = input.count
    // SAFETY: nghttp2 reads the range, which lies in the span. The address that is kept is used by callbacks of this
    // call only.
    let result = unsafe input.withUnsafeBufferPointer { bytes in
      unsafe inputBase = bytes.baseAddress
      return unsafe nghttp2_session_mem_recv(
        pointer, bytes.baseAddress.map { unsafe $0 + range.lowerBound }, range.count)
    }
    unsafe inputBase = nil
    if result < 0 {
      switch Int32(truncatingIfNeeded: result) {
      case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue: fail(.badPreface)
      case NGHTTP2_ERR_FLOODED.rawValue: fail(.outputFlood)
      // Versions of nghttp2 that count CONTINUATION frames themselves say -905, which 1.52's header need not name.
      case -905: fail(.continuationFlood)
      default: fail(.internalError)
      }
    } else if unsafe nghttp2_session_get_outbound_queue_size(pointer) > Self.queuedFrameCountMax + streams.openCount
      || headByteCount > 0 && headByteCount > headByteCountMax
    {
      fail(.outputFlood)
    }
  }

  private var headByteCountMax: Int {
    (Self.endedStreamCountMax + streams.openCount) * (2 * Self.outputHighWater + settings.sentHeadByteCountMax)
  }

  /// The range of the input in which nghttp2 says content lies.
  func inputRange(of bytes: UnsafePointer<UInt8>, count: Int) -> Range<Int>? {
    guard let inputBase = unsafe inputBase else { return nil }
    let start = unsafe bytes - inputBase
    guard start >= 0, count >= 0, start <= inputCount, count <= inputCount - start else { return nil }
    return start..<start + count
  }

  /// The next event of those that calls other than ``receive(_:offset:at:)`` led to.
  package func nextEvent() -> SessionEvent? {
    guard eventIndex < events.count else { return nil }
    let event = events[eventIndex]
    eventIndex += 1
    if eventIndex == events.count {
      events.removeAll(keepingCapacity: true)
      eventIndex = 0
    }
    return event
  }

  func report(_ event: SessionEvent) {
    if failure == nil { events.append(event) }
  }

  package func takeRequestHead(into head: inout RequestHead) { requestBuilder.take(into: &head) }
  package func takeResponseHead(into head: inout ResponseHead) { responseBuilder.take(into: &head) }
  package func takeTrailers(into section: inout FieldSection) { trailerBuilder.take(into: &section) }

  /// Content of a stream has been taken on: as much more may come.
  package func consumed(_ stream: StreamID, _ byteCount: Int) {
    guard byteCount > 0, failure == nil, streams.record(of: stream) != nil else { return }
    // SAFETY: the session is alive.
    _ = unsafe nghttp2_session_consume_stream(pointer, stream.id, byteCount)
  }

  // MARK: Producing

  /// Appends frames to `queue` until it holds `byteCountMax` bytes or nothing more can be sent now. The last frame may
  /// reach beyond. Take the events that it led to with ``nextEvent()``.
  package func produce(into queue: inout ByteQueue, upTo byteCountMax: Int) {
    swap(&sink, &queue)
    sinkByteCountMax = byteCountMax
    var isInBlock = false
    // A header block must not be broken off: nothing else may come between its frames.
    while failure == nil, !isSinkFull || isInBlock {
      var frame: UnsafePointer<UInt8>?
      // SAFETY: nghttp2 gives the address of `count` bytes that stay until the next call.
      let count = unsafe nghttp2_session_mem_send(pointer, &frame)
      if count < 0 { fail(.internalError) }
      guard count > 0, let start = unsafe frame else {
        headsSent()
        break
      }
      let bytes = unsafe Span(_unsafeStart: start, count: count)
      sink.append(bytes)
      switch count < 9 ? nil : FrameType(rawValue: bytes[3]) {
      case .headers, .pushPromise, .continuation: isInBlock = bytes[4] & FrameFlag.endHeaders == 0
      default: isInBlock = false
      }
    }
    if isFarewellDue {
      isFarewellDue = false
      writeGoAway()
    }
    swap(&sink, &queue)
  }

  var isSinkFull: Bool { sink.count >= sinkByteCountMax }

  /// Whether there is something to send. A closed window may still hold it back.
  package var wantsToWrite: Bool {
    if failure != nil { return isFarewellDue }
    // SAFETY: the session is alive.
    return unsafe nghttp2_session_want_write(pointer) != 0
  }

  /// Whether the connection has served its purpose: close it once what was produced is written.
  package var isFinished: Bool {
    if failure != nil { return !isFarewellDue }
    // SAFETY: the session is alive.
    return unsafe nghttp2_session_want_read(pointer) == 0 && nghttp2_session_want_write(pointer) == 0
  }

  // MARK: The end

  /// Ends the connection. The next ``produce(into:upTo:)`` reports the reason to the peer.
  package func fail(_ reason: FailureReason) { fail(reason, isPeerTold: false) }

  func fail(_ reason: FailureReason, isPeerTold: Bool) {
    if failure != nil { return }
    events.append(.failed(reason))
    failure = reason
    isFarewellDue = !isPeerTold
  }

  /// By hand: after a fatal error nghttp2 must not be called again.
  private func writeGoAway() {
    let code = failure?.code ?? ErrorCode.noError
    sink.append([0, 0, 8, FrameType.goAway.rawValue, 0, 0, 0, 0, 0])
    for word in [UInt32(truncatingIfNeeded: lastPeerStream), code] {
      for shift: UInt32 in [24, 16, 8, 0] { sink.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
  }

  /// Announces the end to the client, without refusing what is on its way already (RFC 9113 §6.8). A PING follows. Once
  /// it is answered, ``SessionEvent/shutdownHeard``, nothing more is on its way.
  package func announceShutdown() {
    if failure != nil { return }
    isShutdownAnnounced = true
    // SAFETY: the session is alive. A client's session refuses the call and nothing happens.
    _ = unsafe nghttp2_submit_shutdown_notice(pointer)
  }

  /// Reports the last stream that is served to the peer. Open ones go on. Afterwards the session is finished.
  package func shutDown() {
    if failure != nil { return }
    // SAFETY: the session is alive.
    _ = unsafe nghttp2_submit_goaway(
      pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(pointer),
      ErrorCode.noError, nil, 0)
  }

  /// Gives back what a connection without streams does not need.
  package func releaseStorage() {
    if streams.openCount > 0 || eventIndex < events.count { return }
    streams.releaseStorage()
    contentByteCount = 0
    resetStreams.releaseStorage()
    requestBuilder.releaseStorage()
    responseBuilder.releaseStorage()
    trailerBuilder.releaseStorage()
    trailerList = HeaderList()
    events = []
    eventIndex = 0
  }

  /// What waits to be sent, in memory.
  package var queuedByteCount: Int { contentByteCount + headByteCount }

  /// Streams that are not closed yet.
  package var openStreamCount: Int { streams.openCount }
}
