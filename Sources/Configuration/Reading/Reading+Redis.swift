// `redis:`, and what its keys require of each other.

extension Reading {
  fileprivate func stores(_ node: SourceNode, _ what: String) -> [RedisStore]? {
    guard let entries = entries(node, what, example: "main: { servers: [10.0.0.5:6379] }") else { return nil }
    names.stores = NameList(entries.map(\.key))
    return entries.map { entry in
      checkName(entry, "a Redis store")
      var store = RedisStore(name: entry.key)
      if let section = Section(entry.value, RedisStore.settings.table, self) {
        RedisStore.settings.take(section, into: &store)
      }
      return store
    }
  }

  /// What follows from several keys of a store.
  func finish(_ store: inout RedisStore, _ section: Section) {
    if section.has("sentinel"), case .cluster = store.topology {
      error(section.keyPosition("cluster"), "a store has 'sentinel' or 'cluster', not both: remove one")
    }
    checkServers(of: store, section)
    if store.username != nil, !section.has("password") {
      error(section.keyPosition("username"), "'username' requires 'password': write password: file:/path")
    }
    if let node = section["tls"], let tls = store.tls { checkServerName(tls, of: store.servers, at: node) }
  }

  private func checkServers(of store: RedisStore, _ section: Section) {
    guard let node = section["servers"] else { return }
    if case .single = store.topology {
      if store.servers.count > 1, !section.refused.contains("sentinel"), !section.refused.contains("cluster") {
        error(
          node.position,
          "several servers are sentinels or of a cluster: write sentinel: NAME or cluster: true, or keep one server")
      }
    } else if store.servers.contains(where: \.isUnixSocket) {
      error(
        node.position, "sentinels and servers of a cluster have addresses of the network: write host:port, not unix:")
    }
  }

  fileprivate func storeServers(_ node: SourceNode, _ what: String) -> [Upstream.Server]? {
    guard let items = list(node, what) else { return nil }
    // LIMIT: each is tried after the other.
    if items.count > 64 { error(node.position, "a store has at most 64 servers, not \(items.count)") }
    var result: [Upstream.Server] = []
    for item in items {
      guard let address = serverAddress(item, "a server", usualPort: 6379) else { continue }
      if result.contains(where: { $0.address == address }) {
        error(item.position, "the server \(address.description.shown) appears twice: remove one")
      } else {
        result.append(Upstream.Server(address: address))
      }
    }
    return result
  }

  /// An index into the stores.
  func storeReference(_ node: SourceNode, _ what: String) -> Int? {
    guard let name = line(node, what) else { return nil }
    names.usedStores.insert(name)
    if let index = names.stores.index(of: name) { return index }
    if names.stores.names.isEmpty {
      error(
        node.position,
        "there is no store \(name.quoted): write redis: { \(name.shown): { servers: [10.0.0.5:6379] } } at the top "
          + "of the file")
    } else {
      error(node.position, undefined(name, "store", among: names.stores.names, under: "redis"))
    }
    return nil
  }
}

// MARK: Values

extension ValueType where Value == [RedisStore] {
  static let stores = ValueType(
    .mappings(
      "mapping by name", names: ["pattern": .text(ValueForm.namePattern)], .mapping(RedisStore.settings.table))
  ) { node, reading, what in reading.stores(node, what) }
}

extension ValueType where Value == [Upstream.Server] {
  fileprivate static let form = ValueForm.list(of: .text("address"), "list, at most 64", atMost: 64)

  static let storeServers = ValueType(form) { node, reading, what in reading.storeServers(node, what) }
}

extension ValueType where Value == Int {
  /// An index into the stores.
  static let storeName = ValueType(.text("name")) { node, reading, what in reading.storeReference(node, what) }
}

extension ValueType where Value == String {
  /// The text itself, or `file:/path` of it.
  static let secret = ValueType(.text("text")) { node, reading, what in
    guard let text = reading.line(node, what) else { return nil }
    return reading.secret(text, at: node.position)
  }

  /// A brace would make a hash tag of it (Redis Cluster), and lead all keys to one server.
  static let storePrefix = ValueType(
    .text("text"), write: { .text($0) },
    read: { node, reading, what in
      guard let text = reading.line(node, what) else { return nil }
      if text.utf8.count <= 64, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"{}".utf8.contains($0) }) {
        return text
      }
      reading.error(
        node.position, "\(text.quoted) is not a valid prefix: write up to 64 visible characters of ASCII but { and }")
      return nil
    })
}
