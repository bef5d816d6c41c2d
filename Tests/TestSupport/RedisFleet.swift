// Several Redis servers that belong together.

extension RedisServer {
  /// Three servers that have a third of the slots each.
  /// - Parameter name: by which they call each other to clients.
  package static func cluster(name: String? = nil) async throws -> [RedisServer] {
    let naming = name.map { ["--cluster-announce-hostname", $0, "--cluster-preferred-endpoint-type", "hostname"] }
    var servers: [RedisServer] = []
    var buses: [Int] = []
    for _ in 0..<3 {
      buses.append(try closedPort())
      servers.append(
        try await start(
          ["--cluster-enabled", "yes", "--cluster-port", "\(buses[servers.count])"] + (naming ?? [])))
    }
    for (index, server) in servers.enumerated() {
      let first = index * 5462
      try await server.ask("CLUSTER", "ADDSLOTSRANGE", "\(first)", "\(min(first + 5461, 16_383))")
      if index > 0 {
        try await servers[0].ask("CLUSTER", "MEET", "127.0.0.1", "\(server.port)", "\(buses[index])")
      }
    }
    try await poll("the cluster to be whole") {
      for server in servers {
        let info = try await server.ask("CLUSTER", "INFO")
        if !info.contains("cluster_state:ok") || !info.contains("cluster_known_nodes:3") { return false }
      }
      return true
    }
    return servers
  }

  /// A master with a replica, and a sentinel that watches both as `mymaster`.
  /// - Parameter host: by which they call each other. A name or an address.
  package static func watched(
    host: String = "127.0.0.1"
  ) async throws -> (master: RedisServer, replica: RedisServer, sentinel: RedisServer) {
    let isNamed = host != "127.0.0.1"
    let master = try await start()
    let replica = try await start(
      ["--replicaof", host, "\(master.port)"] + (isNamed ? ["--replica-announce-ip", host] : []))
    try await poll("the replica to have its master") {
      try await replica.ask("INFO", "replication").contains("master_link_status:up")
    }
    let sentinel = try await start(
      configuration: """
        sentinel resolve-hostnames \(isNamed ? "yes" : "no")
        sentinel announce-hostnames \(isNamed ? "yes" : "no")
        sentinel monitor mymaster \(host) \(master.port) 1
        sentinel down-after-milliseconds mymaster 500
        sentinel failover-timeout mymaster 5000
        """, isSentinel: true)
    try await poll("the sentinel to know the replica") {
      try await sentinel.ask("SENTINEL", "REPLICAS", "mymaster").contains("\(replica.port)")
    }
    return (master, replica, sentinel)
  }
}
