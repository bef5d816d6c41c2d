// Frames that arrive for streams which are over (RFC 9113 §5.1). nghttp2 forgets a stream with its last frame and lets
// such frames pass. Here they end the connection, because their sender has lost track. Where we have reset the stream,
// frames that were on their way are no fault.

/// The streams that we reset, as far as they may still matter.
struct ResetStreams {
  private var recent: [Int32] = []
  private var next = 0
  /// The highest that fell out: up to it nothing is known any more.
  private var forgotten: Int32 = 0

  // LIMIT: streams that are remembered. For older ones every frame is let pass.
  private static let countMax = 128

  mutating func insert(_ stream: Int32) {
    if recent.count < Self.countMax { return recent.append(stream) }
    forgotten = max(forgotten, recent[next])
    recent[next] = stream
    next = (next + 1) % Self.countMax
  }

  /// The client has reset it, too: nothing more is on its way.
  mutating func remove(_ stream: Int32) {
    for index in recent.indices where recent[index] == stream { recent[index] = 0 }
  }

  func mayContain(_ stream: Int32) -> Bool { stream <= forgotten || recent.contains(stream) }

  mutating func releaseStorage() {
    forgotten = max(forgotten, recent.max() ?? 0)
    recent = []
    next = 0
  }
}

extension HTTP2Session {
  /// Judges a frame by its header.
  func orderFailure(of header: FrameCutter.Header) -> FailureReason? {
    switch FrameType(rawValue: header.type) {
    case .priority: return header.stream == 0 ? .protocolError : nil
    case .reset:
      resetStreams.remove(header.stream)
      return nil
    case .headers, .data:
      let isPast = role == .server && header.stream & 1 == 1 && header.stream <= lastPeerStream
      guard isPast, record(nghttp2Stream: header.stream) == nil else { return nil }
      return resetStreams.mayContain(header.stream) ? nil : .streamClosed
    default: return nil
    }
  }
}
