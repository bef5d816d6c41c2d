// How requests are spread: over the servers of an upstream, and over the upstreams of a route.

/// `balance:` of an upstream. The raw values are those of the file.
package enum Balance: String, Sendable, CaseIterable {
  case roundRobin = "round_robin"
  case leastRequests = "least_requests"
  case randomTwo = "random_two"
  /// The same server for the same caller, by ``Upstream/hashKey``.
  case hash
}

/// `sticky:` of an upstream: a cookie that leads its bearer back to the same server.
package struct StickyCookie: Sendable, Equatable {
  /// The cookie's name.
  package var name: String
  /// nil ends it with the browser's session.
  package var maxAge: Duration?
  /// Goes into the cookie's value, so that nobody can find the server's address by trying all of them.
  package var secret = ""

  package init(name: String) { self.name = name }
}

/// `upstreams:` of a route, with `split_on`.
package struct Split: Sendable, Equatable {
  package struct Share: Sendable, Equatable {
    /// Index into ``GatewayConfiguration/upstreams``.
    package var upstream: Int
    /// 0...1000. Not 0 for all of them.
    package var weight: Int

    package init(upstream: Int, weight: Int) {
      self.upstream = upstream
      self.weight = weight
    }
  }

  /// In the file's order, each upstream once.
  package var shares: [Share]
  /// Keeps a caller on one side. Nil decides for each request on its own.
  package var key: RequestValue?

  package init(shares: [Share], key: RequestValue? = nil) {
    self.shares = shares
    self.key = key
  }
}

extension StickyCookie {
  static let settings = Settings<StickyCookie>(
    "upstreams{}.sticky", title: "'sticky'", example: "sticky: { cookie: NAME }", blank: StickyCookie(name: ""),
    [
      Setting("cookie", \.name, .cookieName, "The cookie's name.", required: "write sticky: { cookie: NAME }"),
      Setting(
        "max_age", \.maxAge, .wholeSeconds(from: .seconds(1), to: .days(400)),
        "How long the cookie lives from the answer that set it.", otherwise: "the browser's session"),
      Setting(
        "secret", \.secret, .stickySecret,
        "The same on all gateways. Without it, a client that tries all addresses can find a server's address from its "
          + "cookie. Write `file:/path`.",
        otherwise: "none"),
    ])
}

extension Split.Share {
  static let settings = Settings<Split.Share>(
    "routes[].upstreams[]", title: "an upstream of a route", example: "upstreams: [{ name: orders, weight: 95 }]",
    blank: Split.Share(upstream: 0, weight: 1),
    [
      Setting(
        "name", \.upstream, .upstreamName, "The name of an upstream.", required: "write { name: orders, weight: 95 }"),
      Setting(
        "weight", \.weight, .integer(0...1000),
        "Its share of the requests, against the others'. `0` gives it nothing."),
    ])
}
