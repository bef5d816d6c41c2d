// From the names of servers to their addresses: each address is a server of its own, with the weight of its name.

/// By host name: its addresses as literals, in a fixed order, each once. One that is not there was never resolved.
package typealias ResolvedNames = [String: [String]]

extension Address {
  /// The host, where it is a name and no literal.
  package var hostName: String? {
    guard case .network(let host, _) = self, IPAddress(host) == nil else { return nil }
    return host
  }
}

extension GatewayConfiguration {
  /// The names of all servers, each once.
  package var hostNames: Set<String> {
    Set((upstreams.flatMap(\.servers) + stores.flatMap(\.servers)).compactMap(\.address.hostName))
  }

  /// The same with addresses in place of names. A name that was never resolved is left out.
  package func resolved(by names: ResolvedNames) -> GatewayConfiguration {
    var result = self
    for index in upstreams.indices { result.upstreams[index].servers = upstreams[index].servers.resolved(by: names) }
    for index in stores.indices {
      result.stores[index].servers = stores[index].servers.resolved(by: names)
      if stores[index].topology != .single { result.stores[index].names = names }
    }
    return result
  }
}

extension RedisStore {
  /// Where a server is that the store itself has called so. Empty for a name that was not resolved yet.
  package func servers(host: String, port: UInt16) -> [Upstream.Server] {
    [Upstream.Server(address: Address(host: host, port: port))].resolved(by: names)
  }
}

extension [Upstream.Server] {
  /// LIMIT: as many as a file may name.
  private static let serverCountMax = 1024

  fileprivate func resolved(by names: ResolvedNames) -> [Upstream.Server] {
    let all = flatMap { server -> [Upstream.Server] in
      guard let name = server.address.hostName else { return [server] }
      return (names[name] ?? []).map {
        Upstream.Server(address: Address(host: $0, port: server.address.port), weight: server.weight, name: name)
      }
    }
    return Array(all.prefix(Self.serverCountMax))
  }
}
