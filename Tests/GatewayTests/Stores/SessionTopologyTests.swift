// Sessions in a cluster of Redis and behind its sentinels.

import TestSupport
import Testing

@Suite("Sessions in clusters and behind sentinels", .needs("redis-server"), .timeLimit(.minutes(10)))
struct SessionTopologyTests {
  private let sessions: StoredSessions

  init() async throws { sessions = try await StoredSessions() }

  @Test("In a cluster, sessions and the indices of their owners are spread, and an end is reported by each server")
  func cluster() async throws {
    let servers = try await RedisServer.cluster()
    let gateways = [
      try await sessions.gateway("servers: [\"\(servers[0].address)\"], cluster: true"),
      try await sessions.gateway("servers: [\"\(servers[2].address)\"], cluster: true"),
    ]
    var cookies: [String] = []
    for number in 0..<12 { cookies.append(try await sessions.begin(gateways[number % 2], "user-\(number)")) }
    for gateway in gateways {
      for cookie in cookies { #expect(try await sessions.statuses(gateway, cookie, count: 6) == [200]) }
    }
    for server in servers { #expect(try await server.ask("DBSIZE") != "0") }
    let all = try await gateways[1].admin("/sessions").text
    #expect(all.split(separator: "\"subject\":\"user-").count == 13, "\(all)")
    for number in 0..<6 {
      #expect(try await sessions.end(gateways[number % 2], cookies[number]).status == 204)
      let ended = try await gateways[0].admin("/sessions/end?sub=user-\(number + 6)", method: "POST").text
      #expect(ended == "ended: 1\n")
    }
    for gateway in gateways {
      for cookie in cookies {
        try await poll("the end to be known") { try await sessions.statuses(gateway, cookie, count: 6) == [401] }
      }
    }
    for server in servers { #expect(try await server.ask("DBSIZE") == "0") }
  }

  @Test("Behind Sentinel, sessions live on when their master has failed, and may still be ended for all")
  func sentinel() async throws {
    let (master, replica, sentinel) = try await RedisServer.watched()
    let store = "servers: [\"\(sentinel.address)\"], sentinel: mymaster"
    let gateways = [try await sessions.gateway(store), try await sessions.gateway(store)]
    let cookie = try await sessions.begin(gateways[0])
    for gateway in gateways { #expect(try await sessions.statuses(gateway, cookie) == [200]) }
    try await poll("the replica to have it") { try await replica.ask("DBSIZE") == "3" }
    try await master.kill()
    for gateway in gateways {
      try await poll("the successor to serve") {
        let statuses = try await sessions.statuses(gateway, cookie)
        #expect(statuses.isSubset(of: [200, 503]))
        return statuses == [200]
      }
    }
    try await poll("the successor to take writes") { try await sessions.post(gateways[0], "bob").status == 200 }
    #expect(try await sessions.end(gateways[1], cookie).status == 204)
    for gateway in gateways {
      try await poll("the end to be known") { try await sessions.statuses(gateway, cookie) == [401] }
    }
  }
}
