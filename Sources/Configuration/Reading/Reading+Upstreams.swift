// `upstreams:`, the services behind the gateway.

extension Reading {
  func upstream(_ entry: SourceNode.Entry) -> Upstream? {
    checkName(entry, "an upstream")
    guard let section = Section(entry.value, .upstream, self, example: "\(entry.key): { servers: [host:port] }") else {
      return nil
    }
    var result = Upstream(name: entry.key, servers: [])
    if let node = section.required("servers", "write servers: [host:port]") { result.servers = servers(node) }
    result.balance = balance(section)
    if let node = section["sticky"] { result.sticky = sticky(node) }
    if let node = section["slow_start"] { result.slowStart = duration(node, "'slow_start'", from: "1s", to: "1h") }
    if let node = section["protocol"],
      let name = choice(node, "'protocol'", among: UpstreamProtocol.allCases.map(\.rawValue)),
      let known = UpstreamProtocol(rawValue: name)
    {
      result.protocol = known
    }
    if let node = section["tls"] { result.tls = upstreamTLS(node, servers: result.servers) }
    if let node = section["connect_timeout"], let value = duration(node, "'connect_timeout'", from: "10ms", to: "1m") {
      result.connectTimeout = value
    }
    if let node = section["response_timeout"], let value = duration(node, "'response_timeout'", from: "10ms", to: "24h")
    {
      result.responseTimeout = value
    }
    if let node = section["read_timeout"] { result.readTimeout = readTimeout(node) }
    if let node = section["retry"] { result.retry = retry(node) }
    if let node = section["idle_connections"], let value = integer(node, "'idle_connections'", in: 0...65_536) {
      result.idleConnections = value
    }
    readHealth(section, of: &result)
    readRequestLimits(section, of: &result)
    return result
  }

  private func servers(_ node: SourceNode) -> [Upstream.Server] {
    guard let items = list(node, "'servers'") else { return [] }
    // LIMIT: what one upstream may hold.
    if items.count > 1024 {
      error(node.place, "an upstream has at most 1024 servers, not \(items.count)")
      return []
    }
    var result: [Upstream.Server] = []
    for item in items {
      guard let server = server(item) else { continue }
      if result.contains(where: { $0.address == server.address }) {
        error(item.place, "the server \(server.address.description.shown) stands twice: give it a weight instead")
        continue
      }
      result.append(server)
    }
    return result
  }

  private func server(_ node: SourceNode) -> Upstream.Server? {
    if case .mapping = node.content {
      guard let section = Section(node, .server, self),
        let value = section.required("address", "write { address: host:port, weight: 1 }")
      else { return nil }
      var weight = 1
      if let node = section["weight"] { weight = integer(node, "'weight'", in: 1...1000) ?? 1 }
      return serverAddress(value, "'address'").map { Upstream.Server(address: $0, weight: weight) }
    }
    return serverAddress(node, "a server").map { Upstream.Server(address: $0) }
  }

  /// Names of issuers and upstreams stand in metrics, logs and file names.
  func checkName(_ entry: SourceNode.Entry, _ what: String) {
    let name = entry.key
    let isGood =
      (1...64).contains(name.utf8.count) && name.utf8.first?.isAlphanumeric == true
      && name.utf8.allSatisfy { $0.isAlphanumeric || "._-".utf8.contains($0) }
    if !isGood {
      error(
        entry.keyPlace,
        "the name \(name.quoted) of \(what) is none: write up to 64 letters, digits, '.', '_' and '-', "
          + "the first a letter or digit"
      )
    }
  }
}
