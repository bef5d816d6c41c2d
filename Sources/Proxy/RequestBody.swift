// What has come of a request's body, and what of it is kept for another attempt.

import Bytes
import HTTPWire

struct RequestBody: ~Copyable {
  /// Bytes read from the client, framing left out.
  var byteCount: UInt64 = 0
  /// When the rate was last looked at, and what had come by then. See ``checkRate(at:since:_:)``.
  var rateCheckedAt: Int64 = 0
  var rateByteCount: UInt64 = 0
  /// Since then the server's side has held the client back.
  var hasHeldClientBack = false
  var isComplete = false
  /// Where the body is, when it is chunked.
  var chunks = ChunkedDecoder()
  var trailers = FieldSection()
  /// All that has come, while ``isKept``.
  var kept = ByteQueue()
  /// LIMIT: `buffer` of the upstream's `retry`. 0 once the body is not kept any more.
  var keptByteCountMax = 0
  /// The next connection gets ``kept`` before anything else.
  var isReplayDue = false

  /// Whether the body could be sent once more as far as it has come.
  var isKept: Bool { keptByteCountMax > 0 }

  mutating func releaseKept() {
    keptByteCountMax = 0
    isReplayDue = false
    kept.releaseStorage()
  }

  /// The next piece of a chunked body.
  mutating func nextChunk(_ bytes: Span<UInt8>, offset: inout Int, limits: HeadLimits) -> ChunkEvent {
    chunks.next(bytes, offset: &offset, trailers: &trailers, limits: limits)
  }

  /// LIMIT: `limits.body_rate`, on average over each `limits.body_timeout` in which the client could send.
  /// - Parameter begin: when the client could send at the earliest.
  /// - Returns: when to look again. Nil when too little has come.
  mutating func checkRate(at now: Int64, since begin: Int64, _ snapshot: Snapshot) -> Int64? {
    let start = max(rateCheckedAt, begin)
    if now < start &+ snapshot.bodyTimeout { return start &+ snapshot.bodyTimeout }
    let expected = Double(snapshot.bodyRate) * Double(now &- start) / 1_000_000_000
    if !hasHeldClientBack, Double(byteCount &- rateByteCount) < expected { return nil }
    rateCheckedAt = now
    rateByteCount = byteCount
    hasHeldClientBack = false
    return now &+ snapshot.bodyTimeout
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
    if isKept { kept.releaseStorage() }
    keptByteCountMax = 0
    isReplayDue = false
  }
}
