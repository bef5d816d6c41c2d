// What has come of a request's body.

struct RequestBody {
  /// Bytes read from the client, framing left out.
  var byteCount: UInt64 = 0
  /// When the rate was last looked at, and what had come by then. See ``Exchange/checkBodyRate(at:)``.
  var rateCheckedAt: Int64 = 0
  var rateByteCount: UInt64 = 0
  /// Since then the server's side has held the client back.
  var hasHeldClientBack = false
  var isComplete = false

  mutating func reset() { self = RequestBody() }
}
