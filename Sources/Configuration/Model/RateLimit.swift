// How many requests may pass within a time, and for whom they are counted.

package import Tokens

/// One of `rate_limits:`, or the `rate_limit:` of a route.
package struct RateLimit: Sendable, Hashable {
  package enum Key: Sendable, Hashable {
    /// The client's address; of IPv6 the first ``Limits/ipv6PrefixLength`` bits.
    case clientAddress
    /// All that a route gets.
    case route
    /// Of the verified token.
    case claim(ClaimPath)
    /// Lower case.
    case header(String)
    case cookie(String)
  }

  /// What clients are told it is called: letters, digits, `-`, `_` and `.`.
  package var name: String
  package var requests: Int
  /// In whole seconds.
  package var per: Duration
  /// Requests that may come at one moment; a bucket that is empty fills up in less than a year.
  package var burst: Int
  package var key = Key.clientAddress
  /// Keys that are kept apart for certain.
  package var keyCount = 100_000
  /// Counts what it would refuse, and refuses nothing.
  package var isDryRun = false
  /// Whether answers carry the RateLimit fields.
  package var isTold = true

  package init(name: String, requests: Int, per: Duration, burst: Int) {
    self.name = name
    self.requests = requests
    self.per = per
    self.burst = burst
  }
}

/// A limit of a route.
package enum RouteRateLimit: Sendable, Hashable {
  /// Index into ``GatewayConfiguration/rateLimits``: every route that names it shares its buckets.
  case shared(Int)
  case own(RateLimit)
}
