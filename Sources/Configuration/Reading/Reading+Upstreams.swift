// `upstreams:`, the services behind the gateway.

extension Reading {
  fileprivate func upstreams(_ node: SourceNode, _ what: String) -> [Upstream]? {
    guard let entries = entries(node, what, example: "orders: { servers: [host:port] }") else { return nil }
    names.upstreams = NameList(entries.map(\.key))
    let result = entries.compactMap { upstream($0) }
    names.protocols = Dictionary(result.map { ($0.name, $0.protocol) }) { first, _ in first }
    return result
  }

  private func upstream(_ entry: SourceNode.Entry) -> Upstream? {
    checkName(entry, "an upstream")
    guard
      let section = Section(
        entry.value, Upstream.settings.table, self, example: "\(entry.key): { servers: [host:port] }")
    else { return nil }
    var result = Upstream(name: entry.key, servers: [])
    Upstream.settings.take(section, into: &result)
    return result
  }

  /// What follows from several keys of an upstream.
  func finish(_ upstream: inout Upstream, _ section: Section) {
    checkBalance(upstream.balance, section)
    checkUnavailable(upstream, section)
    if let node = section["tls"], let tls = upstream.tls { checkServerName(tls, of: upstream.servers, at: node) }
    if let node = section["health_check"], let check = upstream.healthCheck {
      checkHealth(check, of: upstream, at: node)
    }
    if let node = section["servers"], !section.has("tls"), upstream.servers.contains(where: { $0.address.isUsuallyTLS })
    {
      warn(node.position, "servers on ports 443 and 8443 usually require TLS: write tls: {} in this upstream")
    }
    if section.has("queue"), !["max_requests", "max_requests_per_server", "adaptive"].contains(where: section.has) {
      error(section.keyPosition("queue"), "'queue' requires a limit: write max_requests too")
    }
  }

  fileprivate func servers(_ node: SourceNode, _ what: String) -> [Upstream.Server] {
    guard let items = list(node, what) else { return [] }
    // LIMIT: what one upstream may hold.
    if items.count > 1024 {
      error(node.position, "an upstream has at most 1024 servers, not \(items.count)")
      return []
    }
    var result: [Upstream.Server] = []
    for item in items {
      guard let server = server(item) else { continue }
      if result.contains(where: { $0.address == server.address }) {
        error(item.position, "the server \(server.address.description.shown) appears twice: give it a weight instead")
        continue
      }
      result.append(server)
    }
    return result
  }

  private func server(_ node: SourceNode) -> Upstream.Server? {
    if case .mapping = node.content { return Upstream.Server.settings.read(node, self) }
    return serverAddress(node, "a server").map { Upstream.Server(address: $0) }
  }

  /// Names of issuers and upstreams appear in metrics, logs and file names.
  func checkName(_ entry: SourceNode.Entry, _ what: String) {
    let name = entry.key
    let isGood =
      (1...64).contains(name.utf8.count) && name.utf8.first?.isAlphanumeric == true
      && name.utf8.allSatisfy { $0.isAlphanumeric || "._-".utf8.contains($0) }
    if !isGood {
      error(
        entry.keyPosition,
        "\(name.quoted) is not a valid name of \(what): write up to 64 letters, digits, '.', '_' and '-', "
          + "beginning with a letter or digit"
      )
    }
  }
}

extension ValueForm {
  /// Of issuers and upstreams, as `checkName` has it.
  static let namePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
}

extension ValueType where Value == [Upstream] {
  static let upstreams = ValueType(
    .mappings(
      "mapping by name", names: ["pattern": .text(ValueForm.namePattern)], .mapping(Upstream.settings.table))
  ) { node, reading, what in reading.upstreams(node, what) }
}

extension ValueType where Value == Int {
  /// An index into the upstreams.
  static let upstreamName = ValueType(.text("name")) { node, reading, what in
    reading.upstreamReference(node, what)
  }
}

extension ValueType where Value == [Upstream.Server] {
  static let servers = ValueType(
    .list(
      of: .any(of: [.text("address"), .mapping(Upstream.Server.settings.table)]), "list, at most 1024", isUnique: false,
      atMost: 1024)
  ) { node, reading, what in reading.servers(node, what) }
}

extension ValueType where Value == UpstreamHost {
  static let upstreamHost = ValueType(
    .text("`client`, `server`, or a name with a port or without"),
    write: { host in
      switch host {
      case .client: .text("client")
      case .server: .text("server")
      case .name(let name): .text(name)
      }
    },
    read: { node, reading, what in
      guard let text = reading.line(node, what)?.lowercased() else { return nil }
      switch text {
      case "client": return .client
      case "server": return .server
      default: return reading.authority(text, at: node.position, what).map(UpstreamHost.name)
      }
    })
}
