// Stores of several servers: Sentinel with a fail-over, a cluster with a slot that moves, and gateways that have lost
// theirs.

import Foundation
import TestSupport
import Testing

@Suite("Stores of several servers", .needs("redis-server"), .timeLimit(.minutes(10)))
struct StoreTopologyTests {
  private static func file(_ store: String, limit: String, by: String = "client_ip") -> String {
    """
    redis:
      main: { \(store) }
    rate_limits:
      few: { \(limit), per: 24h, by: "\(by)", store: main }
    routes:
      - { path: /few, auth: public, rate_limit: few, respond: { status: 204 } }
    """
  }

  @Test(
    "With Sentinel, the gateway finds the master, and its successor after a fail-over, by address or by name",
    arguments: [false, true])
  func sentinel(isNamed: Bool) async throws {
    let host = isNamed ? "localhost" : "127.0.0.1"
    let (master, replica, sentinel) = try await RedisServer.watched(host: host)
    let gateway = try await GatewayProcess.start(
      Self.file(
        "servers: [\"127.0.0.1:\(try closedPort())\", \"\(sentinel.address)\"], sentinel: mymaster",
        limit: "requests: 1000, on_failure: refuse"))
    try await StoreTests.waitUntilUp(gateway)
    #expect(try await gateway.get("/few").status == 204)
    #expect(try await master.ask("DBSIZE") == "1")
    try await master.kill()
    let start = ContinuousClock.now
    try await poll("requests to be counted by the successor") { try await gateway.get("/few").status == 204 }
    print("fail-over by Sentinel: \(ContinuousClock.now - start)")
    #expect(try await replica.ask("ROLE").hasPrefix("master"))
    _ = try await gateway.waitForLog("the store to be back") {
      $0.contains("a store answers again") && $0.contains("\(replica.port)")
    }
    // What was a master comes back as a replica, and is not asked.
    try await master.restart()
    #expect(try await gateway.get("/few").status == 204)
    if isNamed {
      #expect(try await sentinel.ask("SENTINEL", "get-master-addr-by-name", "mymaster").hasPrefix("localhost"))
    }
  }

  @Test(
    "In a cluster each server counts its slots. A slot that moves is followed, while it moves and when it has moved",
    arguments: [nil, "localhost"])
  func slots(name: String?) async throws {
    let servers = try await RedisServer.cluster(name: name)
    let gateway = try await GatewayProcess.start(
      Self.file(
        "servers: [\"\(servers[2].address)\"], cluster: true", limit: "requests: 5, on_failure: refuse", by: "query:who"
      ))
    try await StoreTests.waitUntilUp(gateway)
    if name != nil {
      try await poll("the name to be resolved") {
        for number in 0..<10 where try await gateway.get("/few?who=\(number)").status == 503 { return false }
        return true
      }
    }
    for number in 0..<30 { #expect([204, 429].contains(try await gateway.get("/few?who=\(number)").status)) }
    var counts: [Int] = []
    for server in servers { counts.append(Int(try await server.ask("DBSIZE")) ?? 0) }
    #expect(counts.reduce(0, +) == 30 && counts.allSatisfy { $0 > 0 }, "\(counts)")
    // The bucket of one caller moves with its slot.
    #expect(try await gateway.get("/few?who=mover").status == 204)
    let key = try await moved(of: servers)
    try await key.source.ask("MIGRATE", "127.0.0.1", "\(key.target.port)", key.name, "0", "5000")
    #expect(try await gateway.get("/few?who=mover")["RateLimit"]?.contains("r=3;") == true)
    for server in servers { try await server.ask("CLUSTER", "SETSLOT", key.slot, "NODE", key.targetID) }
    #expect(try await gateway.get("/few?who=mover")["RateLimit"]?.contains("r=2;") == true)
    #expect(try await gateway.get("/few?who=mover")["RateLimit"]?.contains("r=1;") == true)
    let metrics = try await gateway.metrics()
    // Before a name is resolved nobody is asked.
    if name == nil {
      #expect(
        metrics.sum("catraca_store_commands_total") == metrics.sum("catraca_store_commands_total", ["result": "ok"]))
    }
    #expect(metrics.samples.count { $0.name == "catraca_store_up" } == 3)
  }

  private struct MovingKey {
    var name: String
    var slot: String
    var source: RedisServer
    var target: RedisServer
    var targetID: String
  }

  /// The bucket of `who=mover`, whose slot begins to move.
  private func moved(of servers: [RedisServer]) async throws -> MovingKey {
    // The first half of SHA-256 of `mover sent`.
    let name = "catraca:limit:few:686e49ffdb922a5158370cfdb7850f3e"
    for (index, source) in servers.enumerated() where try await source.ask("EXISTS", name) == "1" {
      let target = servers[(index + 1) % 3]
      let (sourceID, targetID) = (try await source.ask("CLUSTER", "MYID"), try await target.ask("CLUSTER", "MYID"))
      let slot = try await source.ask("CLUSTER", "KEYSLOT", name)
      try await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceID)
      try await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", targetID)
      return MovingKey(name: name, slot: slot, source: source, target: target, targetID: targetID)
    }
    throw StreamFailure.malformed("no server has the key")
  }

  @Test("A cluster's server that is gone leaves the others' slots alone")
  func lostServer() async throws {
    let servers = try await RedisServer.cluster()
    for server in servers { try await server.ask("CONFIG", "SET", "cluster-require-full-coverage", "no") }
    let gateway = try await GatewayProcess.start(
      Self.file(
        "servers: [\"\(servers[0].address)\", \"\(servers[1].address)\"], cluster: true",
        limit: "requests: 1000, on_failure: refuse", by: "query:who"))
    try await StoreTests.waitUntilUp(gateway)
    func statuses() async throws -> [Int] {
      var statuses: [Int] = []
      for number in 0..<30 { statuses.append(try await gateway.get("/few?who=\(number)").status) }
      return statuses
    }
    #expect(try await statuses().allSatisfy { $0 == 204 })
    try await servers[2].kill()
    try await poll("its slots to be refused, and no others") {
      let statuses = try await statuses()
      return statuses.contains(503) && statuses.contains(204)
    }
    try await servers[2].restart()
    try await poll("all slots to be counted again") { try await statuses().allSatisfy { $0 == 204 } }
  }

  @Test("Without the store, a gateway lets its share pass, or all, or none, as the limit says")
  func alone() async throws {
    let store = "servers: [\"127.0.0.1:\(try closedPort())\"]"
    let local = try await GatewayProcess.start(Self.file(store, limit: "requests: 12, instances: 4"))
    #expect(try await StoreTests.admitted(local, count: 8) == 3)
    let open = try await GatewayProcess.start(Self.file(store, limit: "requests: 1, on_failure: allow"))
    #expect(try await StoreTests.admitted(open, count: 8) == 8)
    let closed = try await GatewayProcess.start(Self.file(store, limit: "requests: 12, on_failure: refuse"))
    let answer = try await closed.get("/few")
    #expect(answer.status == 503 && answer.code == "limit_store_unavailable" && answer["Retry-After"] == "1")
    _ = try await closed.waitForLog("the reason") {
      $0.contains("a store does not answer") && $0.contains("store=main") && $0.contains("the connection failed")
    }
    #expect(try await local.admin("/status").text.contains("\"up\" : false"))
  }
}
