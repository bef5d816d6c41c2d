// What is left of the rate limits of a running gateway. A rehearsal takes from copies of their buckets.

import Configuration
package import Proxy

/// The buckets in which the workers count, and their clock.
package struct LiveBuckets: Sendable {
  private let limiters: RateLimiters
  /// Steady.
  let nanoseconds: Int64
  /// The index of the one route whose limits are looked at. Nil for none.
  let route: Int?

  package init(_ limiters: RateLimiters, ofRoute route: Int?, nanoseconds: Int64) {
    self.limiters = limiters
    self.route = route
    self.nanoseconds = nanoseconds
  }

  /// Those of the route, once more.
  func copied(in configuration: GatewayConfiguration) -> RateLimiters? {
    route.map { RateLimiters(copyOf: limiters, for: configuration.routes[$0], in: configuration) }
  }
}

extension GatewayConfiguration {
  /// Leaves the limits of one route only, and lets them say in the answer what is left.
  mutating func keepLimits(ofRoute kept: Int?) {
    for index in rateLimits.indices { rateLimits[index].sendsFields = true }
    for route in routes.indices {
      if route != kept { routes[route].rateLimits = [] }
      for index in routes[route].rateLimits.indices {
        guard case .own(var limit) = routes[route].rateLimits[index] else { continue }
        limit.sendsFields = true
        routes[route].rateLimits[index] = .own(limit)
      }
    }
  }
}

extension Route {
  /// The limits in the order in which they are asked, in words.
  /// - Parameter outcome: of a rehearsal with live buckets. Nil where nobody knows what is left.
  func limitWords(in configuration: GatewayConfiguration, _ outcome: RehearsedOutcome?) -> [String] {
    let limits = rateLimits.compactMap { $0.limit(in: configuration) }
    var asked = limits.filter { !$0.isByClaim } + limits.filter(\.isByClaim)
    guard let outcome else { return asked.map(\.words) }
    var result: [String] = []
    var answers = outcome.fields.filter { $0.name == "RateLimit" }.map(\.value)[...]
    while !asked.isEmpty {
      let limit = asked.removeFirst()
      var words = limit.words
      // A limit that refuses nobody says nothing in answers.
      if !limit.isDryRun, let answer = answers.popFirst() {
        let isRefused = outcome.code == "rate_limited" && answers.isEmpty
        let isOfFleet = limit.store != nil
        words +=
          isOfFleet
          ? ", counted in Redis, which alone knows what is left" : ", \(Self.left(answer, isRefused: isRefused))"
      }
      result.append(words)
    }
    return result
  }

  /// - Parameter answer: `"name";r=REMAINING;t=SECONDS`, with this request taken out.
  private static func left(_ answer: String, isRefused: Bool) -> String {
    func number(_ name: String) -> Int64 {
      answer.split(separator: ";").last { $0.hasPrefix("\(name)=") }.flatMap { Int64($0.dropFirst(2)) } ?? 0
    }
    return isRefused ? "none left, the next one in \(number("t"))s" : "\(number("r") + 1) left"
  }
}

extension RouteRateLimit {
  /// Nil for one that is gone.
  fileprivate func limit(in configuration: GatewayConfiguration) -> RateLimit? {
    switch self {
    case .own(let own): own
    case .shared(let index): configuration.rateLimits.indices.contains(index) ? configuration.rateLimits[index] : nil
    }
  }
}

extension RateLimit {
  fileprivate var isByClaim: Bool { if case .value(.claim) = key { true } else { false } }

  fileprivate var words: String {
    "\(name): \(requests) in \(per.components.seconds)s, at most \(burst) at one moment"
      + (isDryRun ? ", counted only" : "")
  }
}
