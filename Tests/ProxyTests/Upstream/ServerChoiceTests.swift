// Every way to choose a server, by the numbers: shares, what moves when a server goes, and the bound on load.

import Bytes
import Configuration
import Testing

@testable import Proxy

@Suite("Choice of a server")
struct ServerChoiceTests {
  private static let names = (1...10).map { "10.0.0.\($0):1" }

  private func bench(_ servers: [String], _ keys: String) throws -> Bench {
    try Bench(openRoutes + "\nupstreams: { app: { servers: [\(servers.joined(separator: ", "))], \(keys) } }")
  }

  /// How often each server of the first pool is chosen, by its place.
  private func counts(_ bench: Bench, _ count: Int, isKept: Bool = false) throws -> [Int] {
    let pool = bench.worker.pools[0]
    let exchange = Exchange(worker: bench.worker, snapshot: bench.snapshot)
    var result = [Int](repeating: 0, count: pool.servers.count)
    for _ in 0..<count {
      let server = try #require(pool.nextServer(for: exchange))
      pool.rotation.began(at: server)
      if !isKept { end(at: server, in: pool) }
      result[try #require(pool.servers.firstIndex { $0 === server })] += 1
    }
    return result
  }

  private func occupy(_ server: UpstreamServer, in pool: UpstreamPool) {
    pool.rotation.began(at: server)
    pool.policy.loadChanged(of: server)
  }

  private func end(at server: UpstreamServer, in pool: UpstreamPool) {
    pool.rotation.ended(at: server)
    pool.policy.loadChanged(of: server)
  }

  private static let weighted = [
    "{ address: 10.0.0.1:1, weight: 6 }", "{ address: 10.0.0.2:1, weight: 3 }", "10.0.0.3:1",
  ]

  @Test("Turns and the fewest requests keep to weights exactly, and two at random nearly", arguments: [false, true])
  func weights(isKept: Bool) throws {
    #expect(try counts(try bench(Self.weighted, "balance: round_robin"), 1000, isKept: isKept) == [600, 300, 100])
    #expect(try counts(try bench(Self.weighted, "balance: least_requests"), 1000, isKept: isKept) == [600, 300, 100])
    let random = try counts(try bench(Self.weighted, "balance: random_two"), 10_000, isKept: isKept)
    // Two different ones are drawn and the first is taken where both are idle.
    let tolerance = isKept ? 100 : 600
    for (count, share) in zip(random, [6000, 3000, 1000]) { #expect(abs(count - share) < tolerance, "\(random)") }
  }

  @Test("The server with the fewest requests for its weight is taken")
  func leastRequests() throws {
    let bench = try bench(Self.weighted, "balance: least_requests")
    let pool = bench.worker.pools[0]
    let exchange = Exchange(worker: bench.worker, snapshot: bench.snapshot)
    for (active, expected) in [([6, 3, 0], 2), ([5, 3, 1], 0), ([6, 2, 1], 1), ([12, 6, 1], 2), ([0, 0, 1], 0)] {
      for (server, count) in zip(pool.servers, active) {
        while server.load.activeCount < count { occupy(server, in: pool) }
        while server.load.activeCount > count { end(at: server, in: pool) }
      }
      #expect(pool.nextServer(for: exchange) === pool.servers[expected], "\(active)")
    }
  }

  @Test("The turns of a heavy server are spread between those of the others")
  func turns() throws {
    let servers = ["{ address: 10.0.0.1:1, weight: 5 }", "10.0.0.2:1", "10.0.0.3:1"]
    let bench = try bench(servers, "balance: round_robin")
    let pool = bench.worker.pools[0]
    let exchange = Exchange(worker: bench.worker, snapshot: bench.snapshot)
    let places = (0..<14).map { _ in
      let next = pool.nextServer(for: exchange)
      return pool.servers.firstIndex { $0 === next }
    }
    #expect(places == [0, 1, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 2, 0])
  }

  @Test("A server that was busy for long, or that comes, has nothing to catch up on", arguments: [1, 2])
  func turnsAfterLoad(weight: Int) throws {
    let servers = ["{ address: 10.0.0.1:1, weight: \(weight) }", "10.0.0.2:1", "10.0.0.3:1"]
    let bench = try bench(servers, "balance: least_requests")
    let pool = bench.worker.pools[0]
    func expectShares() throws {
      let counts = try counts(bench, 20 + 10 * weight)
      for (count, share) in zip(counts, [10 * weight, 10, 10]) { #expect(abs(count - share) <= 1, "\(counts)") }
    }
    occupy(pool.servers[0], in: pool)
    #expect(try counts(bench, 300) == [0, 150, 150])
    end(at: pool.servers[0], in: pool)
    try expectShares()
    pool.rotate(to: Array(pool.servers[1...]))
    #expect(try counts(bench, 300) == [0, 150, 150])
    pool.rotate(to: pool.servers)
    try expectShares()
  }

  @Test(
    "Of many servers the only one that is not full is found",
    arguments: ["round_robin", "least_requests", "random_two", "hash, hash_on: client_ip"])
  func full(balance: String) throws {
    let servers = (0..<500).map { "{ address: 10.0.\($0 / 200).\($0 % 200 + 1):1, weight: \($0 % 3 + 1) }" }
    let bench = try bench(servers, "balance: \(balance), max_requests_per_server: 1")
    let pool = bench.worker.pools[0]
    let exchange = Exchange(worker: bench.worker, snapshot: bench.snapshot)
    exchange.delivery.pool = pool
    for server in pool.servers where server !== pool.servers[321] { _ = server.shared.requests.take(below: 1) }
    #expect(pool.nextServer(for: exchange) === pool.servers[321])
    _ = pool.servers[321].shared.requests.take(below: 1)
    #expect(!pool.admit(exchange))
    for server in pool.servers { server.shared.requests.giveBack() }
  }

  @Test("Of two at random the less busy one is taken: a busy server is chosen only against itself")
  func randomTwo() throws {
    let bench = try bench(Array(Self.names.prefix(2)), "balance: random_two")
    bench.worker.pools[0].servers[0].load.activeCount = 1
    #expect(try counts(bench, 1000) == [0, 1000])
  }

  // MARK: Consistent hashing

  private func owners(_ pool: UpstreamPool, _ count: Int = 10_000) -> [String] {
    var policy = policy(pool)
    var random = RandomIdentifiers(seed: (1, 2))
    return (0..<count).map { number in
      let hash = Array("caller-\(number)".utf8).span.placementHash
      let server = policy.next(for: hash, leavingOut: Self.none, in: pool.rotation, &random)
      return server.map { String(decoding: $0.addressText, as: UTF8.self) } ?? ""
    }
  }

  private func policy(_ pool: UpstreamPool) -> ConsistentHash {
    var policy = ConsistentHash()
    policy.configure(pool.configuration.hashKey, pool.servers)
    policy.rotationChanged(pool.rotation)
    return policy
  }

  private static var none: PassedOver { PassedOver(tried: [], requestsMax: nil) }
  private static let hashed = "balance: hash, hash_on: client_ip"

  @Test("Callers are spread by weight, and every worker and gateway agrees on whose they are")
  func ring() throws {
    let pool = try bench(Self.names, Self.hashed).worker.pools[0]
    let first = owners(pool)
    for name in Self.names { #expect(abs(first.count { $0 == name } - 1000) < 250, "\(name)") }
    #expect(owners(try bench(Self.names.reversed(), Self.hashed).worker.pools[0]) == first)
    let heavy = owners(try bench(Self.weighted, Self.hashed).worker.pools[0])
    for (name, share) in zip(Self.names, [6000, 3000, 1000]) {
      #expect(abs(heavy.count { $0 == name } - share) < share / 4, "\(name)")
    }
  }

  @Test("A server that goes moves its own callers and no other, and they come back with it")
  func removal() throws {
    let bench = try bench(Self.names, Self.hashed)
    let pool = bench.worker.pools[0]
    let before = owners(pool)
    pool.rotate(to: pool.servers.filter { $0 !== pool.servers[3] })
    let without = owners(pool)
    for (old, new) in zip(before, without) where old != Self.names[3] { #expect(old == new) }
    #expect(!without.contains(Self.names[3]))
    // Not all of them go to one neighbour.
    let heirs = Set(zip(before, without).filter { $0.0 == Self.names[3] }.map(\.1))
    #expect(heirs.count == 9)
    pool.rotate(to: pool.servers)
    #expect(owners(pool) == before)
  }

  @Test("A server that a reload adds takes a part of each server's callers, and nobody else moves")
  func addition() throws {
    let bench = try bench(Self.names, Self.hashed)
    let before = owners(bench.worker.pools[0])
    let more = Self.names + ["10.0.0.11:1"]
    try bench.reload(
      openRoutes + "\nupstreams: { app: { servers: [\(more.joined(separator: ", "))], \(Self.hashed) } }")
    let after = owners(bench.worker.pools[0])
    let moved = zip(before, after).filter { $0 != $1 }
    #expect(moved.allSatisfy { $0.1 == "10.0.0.11:1" })
    #expect(abs(moved.count - 10_000 / 11) < 250)
  }

  @Test("No server gets more than 1.25 of its share, though all requests come from one caller")
  func boundedLoad() throws {
    let pool = try bench(Self.names, Self.hashed).worker.pools[0]
    var random = RandomIdentifiers(seed: (1, 2))
    let hash = Array("everyone".utf8).span.placementHash
    var policy = policy(pool)
    for total in 1...1000 {
      let next = policy.next(for: hash, leavingOut: Self.none, in: pool.rotation, &random)
      let server = try #require(next)
      occupy(server, in: pool)
      #expect(server.load.activeCount <= max(16, (total * 5 + 39) / 40), "\(total)")
    }
    #expect(pool.servers.allSatisfy { $0.load.activeCount <= 125 })
    // Below the bound the caller stays where it is.
    #expect(pool.servers.count { $0.load.activeCount == 125 } >= 7)
  }

  // MARK: Servers that come and fail

  @Test(
    "Servers that failed the request are passed over while any other is left",
    arguments: ["round_robin", "least_requests", "random_two", "hash, hash_on: client_ip"], [1, 5])
  func tried(balance: String, weight: Int) throws {
    let servers = ["{ address: 10.0.0.1:1, weight: \(weight) }", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"]
    let bench = try bench(servers, "balance: \(balance)")
    let pool = bench.worker.pools[0]
    bench.connect().send(get())
    let exchange = Exchange(worker: bench.worker, snapshot: bench.snapshot)
    for _ in 0..<50 {
      exchange.delivery.attempts.triedServers = []
      for count in 1...4 {
        let next = try #require(pool.nextServer(for: exchange))
        #expect(!exchange.delivery.attempts.triedServers.contains { $0 === next })
        exchange.delivery.attempts.triedServers.append(next)
        #expect(exchange.delivery.attempts.triedServers.count == count)
      }
      #expect(pool.nextServer(for: exchange) != nil)
    }
  }

  @Test("A server that comes back gets a share that grows evenly over slow_start")
  func slowStart() throws {
    let bench = try bench(["10.0.0.1:1", "10.0.0.2:1"], "slow_start: 20s")
    let pool = bench.worker.pools[0]
    #expect(try counts(bench, 1000) == [500, 500])
    pool.rotate(to: [pool.servers[0]])
    #expect(try counts(bench, 100) == [100, 0])
    pool.rotate(to: pool.servers)
    #expect(try counts(bench, 1000)[1] <= 1)
    for (seconds, share) in [(5, 0.25), (5, 0.5), (5, 0.75)] {
      bench.wait(.seconds(seconds))
      let wanted = 1000 * share / (1 + share)
      #expect(abs(Double(try counts(bench, 1000)[1]) - wanted) < 5)
    }
    bench.wait(.seconds(6))
    #expect(try counts(bench, 1000) == [500, 500] && !pool.rotation.isStartingSlowly)
  }

  @Test("While a hashed server starts slowly, a growing part of its callers comes and stays")
  func slowRing() throws {
    let bench = try bench(Self.names, Self.hashed + ", slow_start: 20s")
    let pool = bench.worker.pools[0]
    let before = owners(pool)
    pool.rotate(to: pool.servers.filter { $0 !== pool.servers[3] })
    pool.rotate(to: pool.servers)
    var had: Set<Int> = []
    for share in [0.0, 0.25, 0.5, 0.75] {
      let now = owners(pool)
      let own = Set(now.indices.filter { now[$0] == Self.names[3] })
      #expect(own.isSuperset(of: had))
      #expect(abs(Double(own.count) - share * Double(before.count { $0 == Self.names[3] })) < 80)
      had = own
      bench.wait(.seconds(5))
    }
    bench.wait(.seconds(1))
    #expect(owners(pool) == before)
  }

  @Test(
    "A reload keeps the connections of the servers that stay, closes those of the others, and starts new ones slowly")
  func reload() throws {
    let bench = try bench(["10.0.0.1:1", "10.0.0.2:1"], "slow_start: 20s")
    let clients = [bench.connect(), bench.connect()]
    for client in clients { client.send(get()) }
    for server in bench.servers { server.send(ok()) }
    try bench.reload(
      openRoutes
        + "\nupstreams: { app: { servers: [10.0.0.3:1, { address: 10.0.0.1:1, weight: 2 }], slow_start: 20s } }")
    #expect(bench.servers.map(\.isGone) == [false, true])
    #expect(bench.worker.pools[0].servers.map(\.configuration.weight) == [1, 2])
    clients[0].send(get())
    #expect(bench.servers.count == 2 && bench.servers[0].text.utf8.count > bench.servers[1].text.utf8.count)
    bench.servers[0].send(ok())
    #expect(try counts(bench, 1000)[0] <= 1)
    bench.wait(.seconds(21))
    #expect(try counts(bench, 300) == [100, 200])
    bench.expectNothingHeld()
  }

  @Test("A request at a server that a reload takes away ends there, and its connection with it")
  func reloadUnderWay() throws {
    let bench = try bench(["10.0.0.1:1"], "idle_connections: 4")
    let client = bench.connect()
    client.send(get())
    try bench.reload(openRoutes + "\nupstreams: { app: { servers: [10.0.0.2:1], idle_connections: 4 } }")
    try bench.server().send(ok("done"))
    #expect(body(of: client.take()) == "done" && bench.servers[0].isGone)
    client.send(get())
    #expect(bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.2:1"])
    bench.expectNothingHeld()
  }
}
