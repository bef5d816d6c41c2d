// A route's rate limit in the data plane's form, and which buckets it has: the same across reloads as long as what it
// says is the same.

package import Configuration

/// One limit of one route, immutable, shared by all workers.
package final class CompiledRateLimit: Sendable {
  let key: RateLimit.Key
  let limiter: RateLimiter
  /// Where a fleet counts. Then the limiter has this process's share, for when the store does not answer.
  let fleet: FleetLimit?
  let isDryRun: Bool
  /// Whether it can be asked only once the token is known.
  let requiresToken: Bool
  /// `RateLimit-Policy: …` and `RateLimit: …` up to the numbers of the moment. Empty where clients do not receive them.
  let fieldLines: [UInt8]

  init(_ limit: RateLimit, _ limiter: RateLimiter) {
    key = limit.key
    self.limiter = limiter
    fleet = FleetLimit(limit)
    isDryRun = limit.isDryRun
    if case .value(.claim) = limit.key { requiresToken = true } else { requiresToken = false }
    // draft-ietf-httpapi-ratelimit-headers-10 §3, §4. Each limit has lines of its own, which are one list all the same.
    let policy = "\"\(limit.name)\";q=\(limit.requests);w=\(limit.per.components.seconds)"
    fieldLines =
      limit.sendsFields && !limit.isDryRun
      ? Array("RateLimit-Policy: \(policy)\r\nRateLimit: \"\(limit.name)\";r=".utf8) : []
  }
}

/// The buckets of one configuration's limits.
package struct RateLimiters: Sendable {
  /// Whose buckets they are. What does not change who is counted how (`dry_run`, `fields`) is left out.
  private struct Identity: Hashable {
    var owner: Owner
    var requests: Int
    var per: Duration
    var burst: Int
    var key: RateLimit.Key
    var keyCount: Int
    /// Parts of the limit, of which this process has one.
    var shareCount: Int

    init(_ limit: RateLimit, of owner: Owner) {
      self.owner = owner
      requests = limit.requests
      per = limit.per
      burst = limit.burst
      key = limit.key
      keyCount = limit.keyCount
      shareCount = limit.store == nil ? 1 : limit.instances
    }
  }

  private enum Owner: Hashable {
    case shared(String)
    /// By everything that distinguishes two routes, and the limit's index among those of its route.
    case route(HostPattern, PathPattern, methods: [String], headers: [HeaderMatch], index: Int)
  }

  private var limiters: [Identity: RateLimiter] = [:]
  /// In the order of the configuration's routes.
  private(set) var routes: [[CompiledRateLimit]] = []

  /// The buckets of one route's limits once more, for a configuration that nobody serves.
  package init(copyOf other: RateLimiters, for route: Route, in configuration: GatewayConfiguration) {
    for index in route.rateLimits.indices {
      let identity = Self.use(at: index, of: route, in: configuration).identity
      if let known = other.limiters[identity] { limiters[identity] = RateLimiter(copyOf: known) }
    }
  }

  private static func use(
    at index: Int, of route: Route, in configuration: GatewayConfiguration
  ) -> (limit: RateLimit, identity: Identity) {
    switch route.rateLimits[index] {
    case .own(let own):
      let owner = Owner.route(route.host, route.path, methods: route.methods, headers: route.headers, index: index)
      return (own, Identity(own, of: owner))
    case .shared(let shared):
      let limit = configuration.rateLimits[shared]
      return (limit, Identity(limit, of: .shared(limit.name)))
    }
  }

  /// - Parameter previous: those of the configuration that this one replaces, whose buckets go on.
  init(_ configuration: GatewayConfiguration, after previous: RateLimiters?) {
    for route in configuration.routes {
      var compiled: [CompiledRateLimit] = []
      for index in route.rateLimits.indices {
        let (limit, identity) = Self.use(at: index, of: route, in: configuration)
        let limiter =
          limiters[identity] ?? previous?.limiters[identity]
          ?? RateLimiter(
            requests: limit.requests, per: limit.per * identity.shareCount,
            burst: max(1, limit.burst / identity.shareCount), keyCount: limit.keyCount)
        limiters[identity] = limiter
        compiled.append(CompiledRateLimit(limit, limiter))
      }
      routes.append(compiled)
    }
  }
}
