// A service behind the gateway.

package struct Upstream: Sendable, Equatable {
  package struct Server: Sendable, Hashable {
    package var address: Address
    /// 1...1000; its share of the requests.
    package var weight: Int
    /// The host's name in the file, where ``address`` is one of the addresses that it leads to.
    package var name: String?

    package init(address: Address, weight: Int = 1, name: String? = nil) {
      self.address = address
      self.name = name
      self.weight = weight
    }

    /// Whose certificate is wanted.
    package var host: String { name ?? address.host }

    /// What a Host field says of it.
    package var authority: String {
      name.map { Address(host: $0, port: address.port).authority } ?? address.authority
    }

    /// What tells it from another server, whatever its weight.
    package var place: Server { Server(address: address, name: name) }
  }

  package var name: String
  package var servers: [Server]
  package var balance = Balance.roundRobin
  package var sticky: StickyCookie?
  /// Over this time the share of a server that comes into rotation grows; nil gives it the whole at once.
  package var slowStart: Duration?
  package var `protocol` = UpstreamProtocol.http1
  package var tls: UpstreamTLS?
  package var connectTimeout = Duration.seconds(2)
  /// From the request's last byte to the response's head.
  package var responseTimeout = Duration.seconds(30)
  /// Between two reads of an answer; nil takes `limits.body_timeout`, ``unlimitedDuration`` is `off`.
  package var readTimeout: Duration?
  /// Idle connections kept, over all workers' own pools: each worker keeps at most this many.
  package var idleConnections = 256
  package var healthCheck: HealthCheck?
  package var ejection: Ejection?
  /// In percent: when less of the servers are well, requests go to all of them; 0 never.
  package var panicThreshold = 50
  /// Requests at all servers at once, over all workers.
  package var maxRequests: Int?
  package var maxRequestsPerServer: Int?
  package var queue: RequestQueue?
  package var adaptiveLimit: AdaptiveLimit?

  /// nil: a connect that fails goes to another server, three at most, and nothing else is tried again.
  package var retry: Retry?

  package init(name: String, servers: [Server]) {
    self.name = name
    self.servers = servers
  }
}

/// `off` where a duration may stand: some 95 years, so that adding it to a moment cannot overflow.
package let unlimitedDuration = Duration.seconds(3_000_000_000)

/// `retry:` of an upstream: which failures send a request once more, where that is safe.
package struct Retry: Sendable, Equatable {
  /// The raw values are those of the file; statuses stand beside them.
  package enum Condition: String, Sendable, CaseIterable {
    case connectFailure = "connect_failure"
    case resetBeforeResponse = "reset_before_response"
    case responseTimeout = "response_timeout"
  }

  /// How often one request may be sent again, 1...5.
  package var attempts = 2
  package var conditions: [Condition] = [.connectFailure, .resetBeforeResponse]
  /// 500...599.
  package var statuses: [Int] = []
  /// The share of an upstream's live requests, in percent, that may be on a retry.
  package var budget = 20
  /// The base of the wait before the same server is asked again.
  package var backoff = Duration.milliseconds(100)

  package init() {}
}

/// The raw values are those of the file.
package enum UpstreamProtocol: String, Sendable, CaseIterable {
  case http1, http2
}

/// `tls:` of an upstream.
package struct UpstreamTLS: Sendable, Hashable {
  /// In lower case: what is asked for (SNI) and verified. nil takes each server's own host: a name, or an IP address, which
  /// is verified and not asked for (RFC 6066 §3). Never nil where a server is a Unix socket and the peer is verified.
  package var serverName: String?
  /// PEM file with the trust anchors; nil is the system's store.
  package var certificateAuthority: String?
  /// What the gateway shows for itself.
  package var certificate: CertificateFiles?
  package var isVerified = true

  package init() {}
}
