// What has come of a request's body.

import HTTPWire

struct RequestBody: ~Copyable {
  /// Bytes read from the client, framing left out.
  var byteCount: UInt64 = 0
  /// When the rate was last looked at, and what had come by then. See ``Exchange/checkBodyRate(at:)``.
  var rateCheckedAt: Int64 = 0
  var rateByteCount: UInt64 = 0
  /// Since then the server's side has held the client back.
  var hasHeldClientBack = false
  var isComplete = false
  /// Where the body is, when it is chunked.
  var chunks = ChunkedDecoder()
  var trailers = FieldSection()

  /// The next piece of a chunked body.
  mutating func nextChunk(_ bytes: Span<UInt8>, offset: inout Int, limits: HeadLimits) -> ChunkEvent {
    chunks.next(bytes, offset: &offset, trailers: &trailers, limits: limits)
  }

  /// Forgets the body and keeps the memory of its trailers.
  mutating func reset() {
    byteCount = 0
    rateCheckedAt = 0
    rateByteCount = 0
    hasHeldClientBack = false
    isComplete = false
    chunks = ChunkedDecoder()
    trailers.reset()
  }
}
