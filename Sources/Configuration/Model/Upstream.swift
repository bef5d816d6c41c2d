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

  package init(name: String, servers: [Server]) {
    self.name = name
    self.servers = servers
  }
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
