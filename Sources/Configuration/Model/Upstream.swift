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
  package var connectTimeout = Duration.seconds(2)
  /// From the request's last byte to the response's head.
  package var responseTimeout = Duration.seconds(30)
  /// Idle connections kept, over all workers' own pools: each worker keeps at most this many.
  package var idleConnections = 256

  package init(name: String, servers: [Server]) {
    self.name = name
    self.servers = servers
  }
}
