// A service behind the gateway.

package struct Upstream: Sendable, Equatable {
  package struct Server: Sendable, Hashable {
    package var address: Address
    /// 1...1000; the share of round robin.
    package var weight: Int

    package init(address: Address, weight: Int = 1) {
      self.address = address
      self.weight = weight
    }
  }

  package var name: String
  package var servers: [Server]
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
