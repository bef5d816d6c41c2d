// When the steps of an exchange happened, and what has to happen by when.

/// Moments in steady nanoseconds. 0 for what did not happen.
struct ExchangeTimes {
  var startedAt: Int64 = 0
  var startedUnixMilliseconds: Int64 = 0
  /// Of the attempt that came last.
  var upstreamStartedAt: Int64 = 0
  var upstreamConnectedAt: Int64 = 0
  var upstreamRespondedAt: Int64 = 0
  /// When the server last sent something of its answer.
  var upstreamReceivedAt: Int64 = 0
  /// The end of the route's `timeout`, or of a gRPC call's own if that is earlier.
  var routeDeadline = Int64.max
  /// What the request is refused with when that has passed.
  var deadlineRefusal = GatewayRefusal.routeTimeout
  /// How long the server may be silent within its answer.
  var readTimeout: Int64 = 0
  /// What the client had taken of the answer when its deadline was last looked at.
  var sentByteCountAtLastCheck: UInt64 = 0

  mutating func reset() { self = ExchangeTimes() }
}
