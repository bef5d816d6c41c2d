// How many requests may pass within a time, and for whom they are counted.

/// One of `rate_limits:`, or the `rate_limit:` of a route.
package struct RateLimit: Sendable, Hashable {
  package enum Key: Sendable, Hashable {
    /// All that a route gets.
    case route
    /// Of an IPv6 address the first ``Limits/ipv6PrefixLength`` bits.
    case value(RequestValue)
  }

  /// What counts while the store does not answer. The raw values are those of the file.
  package enum OnFailure: String, Sendable, CaseIterable {
    /// Each gateway counts its share.
    case local
    case allow
    case refuse
  }

  /// The name that clients see: letters, digits, `-`, `_` and `.`.
  package var name: String
  package var requests: Int
  /// In whole seconds.
  package var per: Duration
  /// Requests that may come at one moment. A bucket that is empty fills up in less than a year.
  package var burst: Int
  package var key = Key.value(.clientIP)
  /// Keys that are kept apart for certain.
  package var keyCount = 100_000
  /// Counts what it would refuse, and refuses nothing.
  package var isDryRun = false
  /// Whether answers carry the RateLimit fields.
  package var sendsFields = true
  /// Index into ``GatewayConfiguration/stores``: where the fleet counts. Nil counts in this process.
  package var store: Int?
  /// Requests that a worker takes out of the store at once.
  package var lease = 1
  package var onFailure = OnFailure.local
  /// Gateways of the fleet, for ``OnFailure/local``.
  package var instances = 1

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

extension RateLimit {
  static let sharedSettings = settings("rate_limits{}", title: "a rate limit", ownSettings + storeSettings)
  static let routeSettings = settings("routes[].rate_limit", title: "'rate_limit'", ownSettings)

  private static func settings(_ path: String, title: String, _ records: [Setting<RateLimit>]) -> Settings<RateLimit> {
    Settings<RateLimit>(
      path, title: title, example: "{ requests: 100, per: 1s }",
      blank: RateLimit(name: "", requests: 1, per: .seconds(1), burst: 1), records)
  }

  private static let ownSettings: [Setting<RateLimit>] = [
    Setting(
      "requests", \.requests, .integer(1...1_000_000), "How many pass within `per`, in the long run.",
      required: "write requests: 100"),
    Setting(
      "per", \.per, .wholeSeconds(from: .seconds(1), to: .days(30)), "The time in which `requests` pass.",
      required: "write per: 1s"),
    Setting(
      "burst", \.burst, .integer(1...1_000_000), "How many pass at one moment.",
      otherwise: "as many as `requests`"),
    Setting("by", \.key, .rateLimitKey, "What requests are counted by. Each value has a bucket of its own."),
    Setting(
      "keys", \.keyCount, .integer(1...1_000_000),
      "How many of them are counted separately for certain. Each takes 32 bytes once they are used."),
    Setting(
      "dry_run", \.isDryRun, .boolean,
      "`true` counts what would be refused (`catraca_rate_limited_dry_run_total`) and refuses nothing."),
    Setting("fields", \.sendsFields, .boolean, "Whether responses carry `RateLimit-Policy` and `RateLimit`."),
  ]

  /// A store knows a limit by its name.
  private static let storeSettings: [Setting<RateLimit>] = [
    Setting(
      "store", \.store, .storeName, "The name of a `redis` store where all gateways that have this limit count.",
      otherwise: "this process counts"),
    Setting(
      "lease", \.lease, .integer(1...100_000),
      "How many requests a worker takes out of the store at once, to spend them without asking. At most `burst`."),
    Setting(
      "on_failure", \.onFailure, .choice,
      "While the store does not answer: `local` counts here, `allow` lets all pass, `refuse` answers 503."),
    Setting(
      "instances", \.instances, .integer(1...10_000),
      "How many gateways share the limit. With `local` each lets its part of `requests` and `burst` pass."),
  ]
}
