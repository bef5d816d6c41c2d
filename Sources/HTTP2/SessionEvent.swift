// What a session reports, and the bounds that it is given. All of it are values. Bytes are never in an event.

package import HTTPWire

/// An error code of RST_STREAM and GOAWAY (RFC 9113 §7).
package enum ErrorCode {
  package static let noError: UInt32 = 0
  package static let protocolError: UInt32 = 1
  package static let internalError: UInt32 = 2
  package static let flowControlError: UInt32 = 3
  package static let streamClosed: UInt32 = 5
  package static let frameSizeError: UInt32 = 6
  package static let refusedStream: UInt32 = 7
  package static let cancel: UInt32 = 8
  package static let compressionError: UInt32 = 9
  package static let connectError: UInt32 = 10
  package static let enhanceYourCalm: UInt32 = 11
  package static let inadequateSecurity: UInt32 = 12
  package static let http11Required: UInt32 = 13
}

/// Why a connection was ended. The raw values are stable: they are counted under them.
package enum FailureReason: String, Sendable, CaseIterable {
  case badPreface = "h2_bad_preface"
  case protocolError = "h2_protocol_error"
  case streamClosed = "h2_stream_closed"
  case flowControlError = "h2_flow_control_error"
  case frameSizeError = "h2_frame_size_error"
  case compressionError = "h2_compression_error"
  case internalError = "h2_internal_error"
  case rapidReset = "h2_rapid_reset"
  case provokedResets = "h2_provoked_resets"
  case continuationFlood = "h2_continuation_flood"
  case headerBlockTooLarge = "h2_header_block_too_large"
  case pingFlood = "h2_ping_flood"
  case settingsFlood = "h2_settings_flood"
  case priorityFlood = "h2_priority_flood"
  case windowUpdateFlood = "h2_window_update_flood"
  case emptyDataFlood = "h2_empty_data_flood"
  case interimFlood = "h2_interim_flood"
  case unknownFrameFlood = "h2_unknown_frame_flood"
  /// Answers that the peer's frames call for pile up, because it does not read.
  case outputFlood = "h2_output_flood"
  /// A frame or a header block that was begun did not end in time.
  case headerTimeout = "h2_header_timeout"

  /// The code that the peer receives.
  package var code: UInt32 {
    switch self {
    case .badPreface, .protocolError: ErrorCode.protocolError
    case .streamClosed: ErrorCode.streamClosed
    case .flowControlError: ErrorCode.flowControlError
    case .frameSizeError: ErrorCode.frameSizeError
    case .compressionError: ErrorCode.compressionError
    case .internalError: ErrorCode.internalError
    case .rapidReset, .provokedResets, .continuationFlood, .headerBlockTooLarge, .pingFlood, .settingsFlood,
      .priorityFlood, .windowUpdateFlood, .emptyDataFlood, .interimFlood, .unknownFrameFlood, .outputFlood,
      .headerTimeout:
      ErrorCode.enhanceYourCalm
    }
  }

  /// The reason for which nghttp2 gives up with this code.
  init(code: UInt32) {
    switch code {
    case ErrorCode.streamClosed: self = .streamClosed
    case ErrorCode.flowControlError: self = .flowControlError
    case ErrorCode.frameSizeError: self = .frameSizeError
    case ErrorCode.compressionError: self = .compressionError
    case ErrorCode.internalError: self = .internalError
    case ErrorCode.enhanceYourCalm: self = .outputFlood
    default: self = .protocolError
    }
  }
}

/// What happened in a session, in order.
package enum SessionEvent: Equatable, Sendable {
  /// A request begins. take it with ``HTTP2Session/takeRequestHead(into:)`` before anything else is received.
  /// - Parameter isEnd: it has no content: `end` is next.
  case requestHead(StreamID, isEnd: Bool)
  /// The final response to a request. take it with ``HTTP2Session/takeResponseHead(into:)``.
  case responseHead(StreamID, isEnd: Bool)
  /// An interim response. Taken in the same way.
  case interimHead(StreamID)
  /// The head was refused. A server may take what was read of it and still answer on the stream, with the error's
  /// status. Content that comes is thrown away. A client resets it.
  case headRefused(StreamID, HeadError)
  /// Content: a range of the bytes that were just handed in. It must be ``HTTP2Session/consumed(_:_:)`` later.
  case data(StreamID, Range<Int>)
  /// Trailers. take them with ``HTTP2Session/takeTrailers(into:)``. `end` is next.
  case trailers(StreamID)
  /// The peer's side of the stream is complete. Never reported twice, nor after a reset.
  case end(StreamID)
  /// What waits on the stream fell to half of the bound that it had reached.
  case drained(StreamID)
  /// The last of a stream that was reported or requested. Code 0: both sides ended it, or one took back the rest
  /// politely.
  /// - Parameter isSafeToRetry: the peer says that it did nothing with the request (RFC 9113 §8.7).
  case closed(StreamID, code: UInt32, isSafeToRetry: Bool)
  /// The peer changed its settings: how many streams it takes may be another number now.
  case settingsChanged
  /// The client knows of the end that was announced: all that it asked for before has come.
  case shutdownHeard
  /// The peer takes no streams above this one. Those that are open above it are reported as `closed`.
  case goAway(lastStreamID: Int32, code: UInt32)
  /// The connection is lost, and nothing follows. ``HTTP2Session/produce(into:upTo:)`` once more reports the reason to
  /// the peer.
  case failed(FailureReason)
}

/// Which end of the connection a session is.
package enum SessionRole: Sendable { case server, client }

/// What a session announces to its peer and holds it to. Together these bound the memory of a connection (T57, T70):
/// streams × (head + window), beside what waits to be sent.
package struct SessionSettings: Sendable {
  /// LIMIT: streams that a client may have open. More are refused and never reported (T68).
  package var concurrentStreamCountMax = 100
  /// LIMIT: bytes of content that a stream's peer may send ahead of ``HTTP2Session/consumed(_:_:)``.
  package var streamWindow = 64 * 1024
  /// LIMIT: bytes of content on their way in all streams. Given back as they come, so that no stream stalls another.
  package var connectionWindow = 1024 * 1024
  /// LIMIT: of decoded heads and trailers, counted as RFC 9113 §6.5.2 does.
  package var headLimits = HeadLimits()
  /// LIMIT: of heads that are sent, before what the gateway adds to them.
  package var sentHeadByteCountMax = 64 * 1024
  /// LIMIT: bytes of each of the two HPACK tables.
  package var headerTableByteCountMax = 4096
  /// Whether extended CONNECT is offered (RFC 8441). Servers only.
  package var acceptsExtendedConnect = true

  package init() {}
}
