// How requests are spread: over the servers of an upstream, and over the upstreams of a route.

package import Tokens

/// `balance:` of an upstream.
package enum Balance: Sendable, Equatable {
  case roundRobin, leastRequests, randomTwo
  /// The same server for the same caller.
  case hash(CallerKey)
}

/// What tells one caller from another: `hash_on` and `split_on`.
package enum CallerKey: Sendable, Hashable {
  case claim(ClaimPath)
  case cookie(String)
  /// Lower case.
  case header(String)
  case clientIP
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
    /// 0...1000; not 0 for all of them.
    package var weight: Int

    package init(upstream: Int, weight: Int) {
      self.upstream = upstream
      self.weight = weight
    }
  }

  /// In the file's order, each upstream once.
  package var shares: [Share]
  /// Keeps a caller on one side; nil decides for each request anew.
  package var key: CallerKey?

  package init(shares: [Share], key: CallerKey? = nil) {
    self.shares = shares
    self.key = key
  }
}
