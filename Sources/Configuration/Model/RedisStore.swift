// `redis:`: where a fleet of gateways keeps what all of them must know.

/// One of `redis:`.
package struct RedisStore: Sendable, Equatable {
  package enum Topology: Sendable, Equatable {
    case single
    /// The servers are sentinels, which say where this master is.
    case sentinel(master: String)
    /// The servers are some of a cluster's, which say where the others are.
    case cluster
  }

  package var name: String
  /// One for ``Topology/single``.
  package var servers: [Upstream.Server] = []
  package var topology = Topology.single
  /// For sentinels as well.
  package var tls: UpstreamTLS?
  /// Nil is the user `default`.
  package var username: String?
  /// Never nil with ``username``.
  package var password: String?
  /// What every key begins with.
  package var prefix = "catraca:"
  /// For each command, from when it is given.
  package var timeout = Duration.milliseconds(200)

  /// Addresses of names, for those by which a cluster or sentinels call the servers.
  package var names: ResolvedNames = [:]

  package init(name: String) { self.name = name }
}

extension RedisStore {
  static let settings = Settings<RedisStore>(
    "redis{}", title: "a Redis store", example: "main: { servers: [10.0.0.5:6379] }", blank: RedisStore(name: ""),
    finish: { store, section in section.reading.finish(&store, section) },
    [
      Setting(
        "servers", \.servers, .storeServers,
        "`host:port` or `unix:/path`. One server, or with `sentinel` the sentinels, or with `cluster` some of its "
          + "servers.",
        required: "write servers: [10.0.0.5:6379]"),
      Setting(
        "sentinel", .line("name"), "The name of the master that the sentinels watch.", otherwise: "none",
        store: { store, master in store.topology = .sentinel(master: master) }),
      Setting(
        "cluster", ValueType.boolean.form, "`true` for Redis Cluster.", defaultValue: { _ in .boolean(false) },
        read: { node, reading, store in
          guard let isCluster = reading.boolean(node, "'cluster'") else { return false }
          if isCluster { store.topology = .cluster }
          return true
        }),
      Setting(
        "tls", \.tls, .mapping(UpstreamTLS.storeSettings),
        "TLS to the servers, and to sentinels. `{}` is TLS with the defaults."),
      Setting("username", \.username, .line("name"), "The user of Redis' ACL.", otherwise: "`default`"),
      Setting(
        "password", \.password, .secret, "The user's password. Write `file:/path` for a secret.",
        otherwise: "none"),
      Setting("prefix", \.prefix, .storePrefix, "What the names of all keys begin with."),
      Setting(
        "timeout", \.timeout, .duration(from: .milliseconds(10), to: .seconds(10)),
        "How long a command may take. It is looked at ten times a second."),
    ])
}
