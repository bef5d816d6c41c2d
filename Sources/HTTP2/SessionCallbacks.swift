// The functions that nghttp2 calls. Each finds what it is about and leaves a note in the session's queues. None calls
// the user of the session.

import Bytes
internal import CNGHTTP2
import HTTPWire

/// The table of callbacks, which all sessions share.
// SAFETY: @unchecked Sendable: made once, never changed and never freed. nghttp2 copies it into each session.
@safe
final class SessionCallbacks: @unchecked Sendable {
  static let shared = SessionCallbacks()
  let pointer: OpaquePointer?

  private init() {
    var made: OpaquePointer?
    // SAFETY: without memory the table is null, which sessions refuse.
    guard unsafe nghttp2_session_callbacks_new(&made) == 0, let table = unsafe made else {
      unsafe pointer = nil
      return
    }
    unsafe pointer = table
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(table) { _, frame, owner in
      unsafe with(owner) { session in unsafe frame.map { unsafe session.beganBlock($0) } ?? fatal }
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback(table) {
      _, _, name, nameCount, value, valueCount, _, owner in
      unsafe with(owner) { session in
        unsafe session.field(span(name, nameCount), span(value, valueCount))
      }
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) { _, _, stream, bytes, count, owner in
      unsafe with(owner) { session in unsafe bytes.map { unsafe session.content($0, count, on: stream) } ?? fatal }
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(table) { _, frame, owner in
      unsafe with(owner) { session in unsafe frame.map { unsafe session.received($0) } ?? fatal }
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(table) { _, stream, code, owner in
      unsafe with(owner) { session in
        session.closed(stream, code)
        return 0
      }
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(table) { _, frame, header, count, source, owner in
      unsafe with(owner) { session in
        guard let frame = unsafe frame, let source = unsafe source else { return fatal }
        return unsafe session.write(frame, span(header, 9), count, slot: Int(source.pointee.fd))
      }
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(table) { _, frame, owner in
      unsafe with(owner) { session in
        guard let frame = unsafe frame else { return fatal }
        unsafe session.sent(frame)
        return 0
      }
    }
    unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table) { _, frame, _, owner in
      unsafe with(owner) { session in
        guard let frame = unsafe frame else { return fatal }
        // Its reset is on its way.
        session.resetStreams.insert(unsafe frame.pointee.hd.stream_id)
        return 0
      }
    }
    unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(table) { _, frame, error, owner in
      unsafe with(owner) { session in
        guard let frame = unsafe frame else { return fatal }
        unsafe session.notSent(frame, because: error)
        return 0
      }
    }
  }
}

private let fatal = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue

/// Calls the session without counting a reference, as this happens many times for each request.
// SAFETY: the owner that init gave: alive, because it frees the session before it goes.
private func with(_ owner: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> Int32) -> Int32 {
  guard let owner = unsafe owner else { return fatal }
  return unsafe Unmanaged<HTTP2Session>.fromOpaque(owner)._withUnsafeGuaranteedRef(body)
}

// SAFETY: nghttp2 gives `count` bytes that outlive the callback in which the span is used.
@_lifetime(immortal)
private func span(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Span<UInt8> {
  guard let start = unsafe start, count > 0 else { return Span() }
  let view = unsafe Span(_unsafeStart: start, count: count)
  return unsafe _overrideLifetime(view, borrowing: ())
}

/// Asks for the content of the next DATA frame.
let readContent: nghttp2_data_source_read_callback = { _, stream, _, count, flags, source, owner in
  // SAFETY: the pointers are good for this call. Of the owner see `with`.
  guard let owner = unsafe owner, let source = unsafe source, let flags = unsafe flags else { return Int(fatal) }
  return unsafe Unmanaged<HTTP2Session>.fromOpaque(owner)._withUnsafeGuaranteedRef { session in
    guard let record = unsafe session.streams.record(at: Int(source.pointee.fd)), record.id == stream else {
      return Int(fatal)
    }
    return unsafe session.offerContent(of: record, atMost: count, flags: &flags.pointee)
  }
}

extension HTTP2Session {
  fileprivate func failFatally(_ reason: FailureReason) -> Int32 {
    fail(reason)
    return fatal
  }

  // SAFETY: of these three: the frame is good for the call, and its type says which member of the union it is.
  fileprivate func beganBlock(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    block = .none
    let header = unsafe frame.pointee.hd
    guard FrameType(rawValue: header.type) == .headers else { return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue }
    if unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST {
      let record = streams.open(id: header.stream_id)
      lastPeerStream = max(lastPeerStream, header.stream_id)
      unsafe catraca_set_slot(pointer, header.stream_id, Int32(clamping: record.slot))
      _ = unsafe catraca_take_turns(pointer, header.stream_id)
      flood.requestBegan()
      incompleteCount += 1
      requestBuilder.begin()
      block = .request
    } else if let record = record(nghttp2Stream: header.stream_id) {
      if role == .server || record.hasFinalHead {
        trailerBuilder.begin()
        block = .trailers
      } else {
        responseBuilder.begin()
        block = .response
      }
    }
    return 0
  }

  fileprivate func field(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Int32 {
    if let reason = flood.field(byteCount: name.count + value.count) { return failFatally(reason) }
    switch block {
    case .none: break
    case .request: requestBuilder.add(name, value, limits: settings.headLimits)
    case .response: responseBuilder.add(name, value, limits: settings.headLimits)
    case .trailers: trailerBuilder.add(name, value, limits: settings.headLimits)
    }
    return 0
  }

  fileprivate func content(_ bytes: UnsafePointer<UInt8>, _ count: Int, on stream: Int32) -> Int32 {
    // Given back at once: a stream that stalls holds its own window only (T70).
    _ = unsafe nghttp2_session_consume_connection(pointer, count)
    guard let record = record(nghttp2Stream: stream), !record.isInputDiscarded, record.isReported else {
      _ = unsafe nghttp2_session_consume_stream(pointer, stream, count)
      return 0
    }
    guard let range = unsafe inputRange(of: bytes, count: count) else { return failFatally(.internalError) }
    report(.data(record.handle, range))
    return 0
  }

  fileprivate func received(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let header = unsafe frame.pointee.hd
    let isEnd = header.flags & FrameFlag.end != 0
    switch FrameType(rawValue: header.type) {
    case .headers:
      defer { block = .none }
      guard let record = record(nghttp2Stream: header.stream_id) else { return 0 }
      if let reason = receivedBlock(record, isEnd: isEnd) { return failFatally(reason) }
      if isEnd { ended(record) }
    case .data:
      if isEnd, let record = record(nghttp2Stream: header.stream_id) { ended(record) }
    case .ping:
      if isEnd, isShutdownAnnounced { report(.shutdownHeard) }
    case .settings:
      if !isEnd { report(.settingsChanged) }
    case .goAway:
      isGoingAway = true
      unsafe report(
        .goAway(lastStreamID: frame.pointee.goaway.last_stream_id, code: frame.pointee.goaway.error_code))
    default: break
    }
    return 0
  }

  private func ended(_ record: StreamRecord) {
    if record.hasEnded { return }
    record.hasEnded = true
    incompleteCount -= 1
    if record.isReported, !record.isInputDiscarded { report(.end(record.handle)) }
  }

  private func receivedBlock(_ record: StreamRecord, isEnd: Bool) -> FailureReason? {
    let error: HeadError?
    let event: SessionEvent
    switch block {
    case .none: return nil
    case .request:
      error = requestBuilder.complete(isEnd: isEnd)
      event = .requestHead(record.handle, isEnd: isEnd)
    case .response:
      error = responseBuilder.complete()
      if error == nil, responseBuilder.is1xx {
        if let reason = flood.interimHead(at: now) { return reason }
        event = .interimHead(record.handle)
      } else {
        record.hasFinalHead = true
        event = .responseHead(record.handle, isEnd: isEnd)
      }
    case .trailers:
      error = trailerBuilder.complete()
      event = .trailers(record.handle)
      if error != nil, !record.isResetWanted {
        // Content that ends in nonsense must not pass for a whole one.
        record.isInputDiscarded = true
        _ = unsafe nghttp2_submit_rst_stream(pointer, 0, record.id, ErrorCode.protocolError)
        return nil
      }
    }
    if record.isInputDiscarded || record.isResetWanted { return nil }
    record.isReported = true
    if let error {
      record.isInputDiscarded = true
      report(.headRefused(record.handle, error))
    } else {
      report(event)
    }
    return nil
  }

  fileprivate func closed(_ stream: Int32, _ code: UInt32) {
    guard let record = record(nghttp2Stream: stream) else { return }
    close(record, code)
  }

  private func close(_ record: StreamRecord, _ code: UInt32) {
    if record.isReported {
      let isSafe = role == .client && code == ErrorCode.refusedStream
      report(.closed(record.handle, code: code, isSafeToRetry: isSafe))
    }
    if !record.hasEnded { incompleteCount -= 1 }
    let before = record.output.allocatedByteCount
    streams.close(record)
    contentByteCount += record.output.allocatedByteCount - before
  }

  fileprivate func write(
    _ frame: UnsafeMutablePointer<nghttp2_frame>, _ header: Span<UInt8>, _ count: Int, slot: Int
  ) -> Int32 {
    guard let record = streams.record(at: slot), unsafe record.id == frame.pointee.hd.stream_id,
      count <= record.output.count
    else { return failFatally(.internalError) }
    unsafe writeContent(of: record, header: header, paddingByteCount: frame.pointee.data.padlen, byteCount: count)
    return isSinkFull ? NGHTTP2_ERR_PAUSE.rawValue : 0
  }

  // SAFETY: as above.
  fileprivate func sent(_ frame: UnsafePointer<nghttp2_frame>) {
    let header = unsafe frame.pointee.hd
    switch FrameType(rawValue: header.type) {
    case .goAway:
      let code = unsafe frame.pointee.goaway.error_code
      if isShutdownAnnounced, unsafe frame.pointee.goaway.last_stream_id == Int32.max {
        // Only now: nghttp2 would send it in front of the announcement.
        _ = unsafe nghttp2_submit_ping(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
      }
      if code != ErrorCode.noError { fail(FailureReason(code: code), isPeerTold: true) }
    case .reset:
      resetStreams.insert(header.stream_id)
      let isOurs = record(nghttp2Stream: header.stream_id)?.isResetWanted ?? false
      if !isOurs, let reason = flood.ownReset(at: now) { fail(reason) }
    case .headers, .data:
      if incompleteCount > 0, header.flags & FrameFlag.end != 0,
        let record = record(nghttp2Stream: header.stream_id)
      {
        endEarly(record)
      }
    default: break
    }
  }

  fileprivate func notSent(_ frame: UnsafePointer<nghttp2_frame>, because error: Int32) {
    let header = unsafe frame.pointee.hd
    guard FrameType(rawValue: header.type) == .headers, let record = streams.record(id: header.stream_id) else {
      return
    }
    if unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST {
      // The request never left. Only where the peer goes away may it fare better elsewhere.
      let isGone = error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED.rawValue
      close(record, isGone ? ErrorCode.refusedStream : ErrorCode.internalError)
    } else {
      reset(record.handle, code: ErrorCode.internalError)
    }
  }
}
