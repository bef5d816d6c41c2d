// Where a message's content ends (RFC 9112 §6.3).

/// How the end of a message's content is found.
public enum BodyFraming: Equatable, Sendable {
  /// There is no content. The next byte belongs to the next message.
  case none
  /// Exactly so many bytes follow. At most 2^63 - 1. `Content-Length: 0` is `length(0)`.
  case length(UInt64)
  /// Chunks follow: read them with ``ChunkedDecoder``. In HTTP/2: content of unknown length, which its stream ends.
  case chunked
  /// All bytes until the peer closes. Responses only.
  case untilClose
}
