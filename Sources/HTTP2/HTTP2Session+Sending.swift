// What the caller sends: heads, content, trailers, resets. Content waits in its stream's queue and goes from there into
// the frames' queue in one copy, as far as the peer's windows and the caller's bound allow.

import Bytes
internal import CNGHTTP2

extension HTTP2Session {
  /// Begins a request. Nil if none can be begun now: see ``mayOpenStream``.
  package func submitRequest(_ list: inout HeaderList, isEnd: Bool) -> StreamID? {
    guard role == .client, mayOpenStream, !list.isEmpty else { return nil }
    // The identifier is known only afterwards. Callbacks do not run before the next `produce`.
    let record = streams.open(id: -1)
    // SAFETY: nghttp2 copies the fields.
    let id = unsafe list.withFields { fields, count in
      unsafe catraca_submit_request(pointer, fields, count, Int32(clamping: record.slot), isEnd ? nil : readContent)
    }
    guard id > 0 else {
      streams.close(record)
      if id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE.rawValue { isExhausted = true } else { fail(.internalError) }
      return nil
    }
    record.id = id
    record.isReported = true
    record.isHeadSubmitted = true
    record.isFinished = isEnd
    incompleteCount += 1
    keeps(list.keptByteCount, of: record)
    flood.requestBegan()
    return record.handle
  }

  /// Sends an interim response (RFC 9110 §15.2).
  /// - Returns: by how much ``outputByteCount(of:)`` has grown.
  @discardableResult
  package func submitInterim(_ list: inout HeaderList, on stream: StreamID) -> Int {
    guard let record = sendable(stream), !record.isHeadSubmitted else { return 0 }
    // SAFETY: nghttp2 copies the fields.
    _ = unsafe list.withFields { fields, count in
      unsafe nghttp2_submit_headers(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, nil, fields, count, nil)
    }
    return keeps(list.keptByteCount, of: record)
  }

  /// Sends the final response's head. Content may be appended afterwards unless `isEnd`.
  /// - Returns: by how much ``outputByteCount(of:)`` has grown.
  @discardableResult
  package func submitResponse(_ list: inout HeaderList, on stream: StreamID, isEnd: Bool) -> Int {
    guard let record = sendable(stream), !record.isHeadSubmitted else { return 0 }
    record.isHeadSubmitted = true
    record.isFinished = isEnd
    // SAFETY: nghttp2 copies the fields.
    let result = unsafe list.withFields { fields, count in
      unsafe catraca_submit_response(
        pointer, stream.id, fields, count, Int32(clamping: record.slot), isEnd ? nil : readContent)
    }
    if result != 0 { reset(stream, code: ErrorCode.internalError) }
    return keeps(list.keptByteCount, of: record)
  }

  @discardableResult
  private func keeps(_ byteCount: Int, of record: StreamRecord) -> Int {
    if record.headRound != headRound {
      record.headRound = headRound
      record.headByteCount = 0
    }
    record.headByteCount += byteCount
    headByteCount += byteCount
    return byteCount
  }

  /// nghttp2 sends heads before content: it has none left when it sends that, or nothing.
  @inline(__always)
  func headsSent() {
    if headByteCount == 0 { return }
    headByteCount = 0
    headRound &+= 1
    if isDrainOfHeadsDue { reportDrainOfHeads() }
  }

  private func reportDrainOfHeads() {
    isDrainOfHeadsDue = false
    for record in streams.all where record.isDrainDue { reportDrain(of: record) }
  }

  private func reportDrain(of record: StreamRecord) {
    if byteCount(of: record) > Self.outputHighWater / 2 { return }
    record.isDrainDue = false
    report(.drained(record.handle))
  }

  /// Appends content. Look at ``isOutputFull(_:highWater:)`` before more is taken from the other side.
  package func append(_ content: Span<UInt8>, to stream: StreamID) {
    guard let record = sendable(stream), !record.isFinished, !content.isEmpty else { return }
    let before = record.output.allocatedByteCount
    record.output.append(content)
    contentByteCount += record.output.allocatedByteCount - before
    resume(record)
  }

  /// Ends our side of the stream.
  /// - Parameter trailers: lines as HTTP/1 writes them, without the empty line. May be empty.
  package func finish(_ stream: StreamID, trailers: Span<UInt8> = Span()) {
    guard let record = sendable(stream), !record.isFinished else { return }
    record.isFinished = true
    record.trailers.append(trailers)
    resume(record)
  }

  /// Ends the stream in both directions. `closed` follows once it is sent.
  package func reset(_ stream: StreamID, code: UInt32) {
    guard let record = sendable(stream) else { return }
    record.isResetWanted = true
    record.isInputDiscarded = true
    releaseOutput(of: record)
    // SAFETY: the session is alive.
    _ = unsafe nghttp2_submit_rst_stream(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, code)
  }

  private func releaseOutput(of record: StreamRecord) {
    contentByteCount -= record.output.allocatedByteCount
    record.output.releaseStorage()
  }

  /// What waits on the stream: heads and content.
  package func outputByteCount(of stream: StreamID) -> Int { streams.record(of: stream).map(byteCount) ?? 0 }

  private func byteCount(of record: StreamRecord) -> Int {
    record.output.count + (record.headRound == headRound ? record.headByteCount : 0)
  }

  /// Whether so much waits that the other side has to be held back until `drained`.
  package func isOutputFull(_ stream: StreamID, highWater: Int = outputHighWater) -> Bool {
    outputByteCount(of: stream) >= highWater
  }

  /// Requests ``SessionEvent/drained(_:)`` once what waits on the stream, which is something, is half of the bound at
  /// most.
  package func awaitDrain(of stream: StreamID) {
    guard let record = streams.record(of: stream) else { return }
    record.isDrainDue = true
    if record.headRound == headRound, record.headByteCount > 0 { isDrainOfHeadsDue = true }
  }

  /// Whether a request can be begun: the peer takes more streams, and neither side has said that it is the end.
  package var mayOpenStream: Bool {
    if failure != nil || isGoingAway || isExhausted { return false }
    // SAFETY: the session is alive.
    guard unsafe nghttp2_session_check_request_allowed(pointer) != 0 else { return false }
    return openStreamCount < outgoingStreamCountMax
  }

  /// Streams that may be open at once.
  package var outgoingStreamCountMax: Int {
    // SAFETY: the session is alive.
    let peerMax = unsafe nghttp2_session_get_remote_settings(pointer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
    // LIMIT: our own bound holds also where the peer has none.
    return min(Int(clamping: peerMax), settings.concurrentStreamCountMax)
  }

  private func sendable(_ stream: StreamID) -> StreamRecord? {
    guard failure == nil, let record = streams.record(of: stream), !record.isResetWanted else { return nil }
    return record
  }

  private func resume(_ record: StreamRecord) {
    if !record.isDeferred { return }
    record.isDeferred = false
    // SAFETY: the session is alive.
    _ = unsafe nghttp2_session_resume_data(pointer, record.id)
  }

  func record(nghttp2Stream id: Int32) -> StreamRecord? {
    // SAFETY: the session is alive.
    let slot = Int(unsafe catraca_slot(pointer, id))
    guard let record = streams.record(at: slot), record.id == id else { return nil }
    return record
  }

  /// How much content the next DATA frame gets, and whether it is the last.
  func offerContent(of record: StreamRecord, atMost byteCountMax: Int, flags: inout UInt32) -> Int {
    let count = min(record.output.count, byteCountMax)
    if count == record.output.count, record.isFinished {
      flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
      if !record.trailers.isEmpty {
        flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        submitTrailers(of: record)
      }
    } else if count == 0 {
      record.isDeferred = true
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    flags |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
    return count
  }

  private func submitTrailers(of record: StreamRecord) {
    trailerList.reset()
    trailerList.append(lines: record.trailers.span)
    record.trailers.removeAll()
    // SAFETY: nghttp2 copies the fields, and allows this call within the callback.
    _ = unsafe trailerList.withFields { fields, count in
      unsafe nghttp2_submit_trailer(pointer, record.id, fields, count)
    }
  }

  /// Writes a DATA frame whose header nghttp2 has made.
  func writeContent(of record: StreamRecord, header: Span<UInt8>, paddingByteCount: Int, byteCount: Int) {
    sink.append(header)
    if paddingByteCount > 0 { sink.append(UInt8(clamping: paddingByteCount - 1)) }
    sink.append(record.output.span.extracting(0..<byteCount))
    for _ in 0..<max(0, paddingByteCount - 1) { sink.append(0) }
    record.output.removeFirst(byteCount)
    if record.output.isEmpty, record.output.allocatedByteCount > Self.keptByteCount { releaseOutput(of: record) }
    flood.sentData()
    headsSent()
    if record.isDrainDue { reportDrain(of: record) }
  }

  /// The response is complete and the request is not. The rest of it is not needed (RFC 9113 §8.1).
  func endEarly(_ record: StreamRecord) {
    guard role == .server, !record.hasEnded, !record.isResetWanted else { return }
    answeredEarly.append(record.handle)
    isResetDue = true
  }

  /// To be called when ``isResetDue`` and all that was produced is written. Clients of many libraries lose an answer
  /// when its end and the reset behind it come in one read. So the reset has a record and a write of its own (T118).
  package func resetAnswered() {
    isResetDue = false
    for stream in answeredEarly {
      if let record = streams.record(of: stream), !record.hasEnded { reset(stream, code: ErrorCode.noError) }
    }
    answeredEarly.removeAll(keepingCapacity: true)
  }
}
