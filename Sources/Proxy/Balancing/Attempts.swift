// Where a request has been sent so far, and what it has taken there that it has to give back.

struct Attempts {
  /// Those that failed this request: passed over while others are left.
  var triedServers: [UpstreamServer] = []
  /// The one that the request's sticky cookie names.
  var boundServer: UpstreamServer?
  /// Sent to the exchange's server, with no outcome yet.
  var isAtServer = false
  /// Has one of the permits that `max_requests_per_server` leaves at the server.
  var holdsServerPermit = false
  /// Has one of the permits that the upstream's limits leave.
  var holdsPermit = false
  /// Counted among the retries of its upstream.
  var isInRetryBudget = false
  var hasRetriedReuse = false
  /// How often the request was sent, or would have been, had the connection not failed.
  var count = 0
  /// Of them, those that a failure at a server led to.
  var retryCount = 0

  mutating func reset() { self = Attempts() }
}
