// Proofs that gateways remember together in Redis, and what counts while Redis does not answer.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Proofs of a fleet", .needs("redis-server"), .timeLimit(.minutes(10)))
struct SharedProofTests {
  private let key: TestKey
  private let client: TestProof

  init() throws {
    key = try TestKey(.es256)
    client = try TestProof()
  }

  private func door(_ redis: RedisServer, timeout: String = "10s", route: [String] = []) async throws -> TokenDoor {
    try await TokenDoor.start(
      jwks: [key.jwk()], rules: ["dpop: { store: main }"], route: ["identity: { headers: { X-User: sub } }"] + route,
      top: "redis: { main: { servers: [\"\(redis.address)\"], timeout: \(timeout) } }")
  }

  @Test("T101 A proof counts once in the whole fleet, and is kept no longer than it is good")
  func once() async throws {
    let redis = try await RedisServer.start()
    let doors = [try await door(redis), try await door(redis)]
    let token = TokenDoor.token(key, client.claims)
    for (first, second) in [(0, 1), (1, 0)] {
      let fields = client.fields(of: token)
      let passed = try await doors[first].gateway.get("/door", fields)
      #expect(passed.status == 200 && passed.text.contains("X-User: alice"), "\(passed.head)")
      for index in [second, first, second] {
        let again = try await doors[index].gateway.get("/door", fields)
        #expect(again.status == 401 && again.code == "proof_replayed", "\(index)")
      }
    }
    let names = try await redis.ask("KEYS", "catraca:proof:*").split(separator: "\n").map(String.init)
    #expect(names.count == 2)
    for name in names {
      let life = try #require(Int(try await redis.ask("TTL", name).trimmingCharacters(in: .whitespacesAndNewlines)))
      // The window, and how far clocks may differ on both sides.
      #expect((1...60 + 3 * 60 + 1).contains(life), "\(life)")
    }
    // A thousand clients at once with one proof: at one of the gateways one of them is first.
    let fields = client.fields(of: token)
    let passedCount = try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<40 {
        group.addTask { try await doors[number % 2].gateway.get("/door", fields).status == 200 }
      }
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(passedCount == 1)
  }

  @Test(
    "T101 Without Redis each gateway refuses what it has seen itself, and a request waits no longer than the timeout")
  func alone() async throws {
    for isStopped in [false, true] {
      let redis = try await RedisServer.start()
      let doors = [try await door(redis, timeout: "100ms"), try await door(redis, timeout: "100ms")]
      let token = TokenDoor.token(key, client.claims)
      #expect(try await doors[0].gateway.get("/door", client.fields(of: token)).status == 200)
      if isStopped { redis.signal(SIGSTOP) } else { try await redis.kill() }
      let fields = client.fields(of: token)
      for (index, door) in doors.enumerated() {
        #expect(try await door.gateway.get("/door", fields).status == 200, "\(isStopped) \(index)")
        #expect(try await door.gateway.get("/door", fields).code == "proof_replayed", "\(isStopped) \(index)")
      }
      _ = try await doors[0].gateway.waitForMetrics("commands without a reply") {
        $0.sum("catraca_store_commands_total", ["store": "main"])
          > $0.sum(
            "catraca_store_commands_total", ["store": "main", "result": "ok"])
      }
      if isStopped { redis.signal(SIGCONT) } else { try await redis.restart() }
      // Once it is back, it is asked again.
      try await poll("the fleet to remember") {
        let fields = client.fields(of: token)
        guard try await doors[0].gateway.get("/door", fields).status == 200 else { return false }
        return try await doors[1].gateway.get("/door", fields).code == "proof_replayed"
      }
    }
  }

  @Test("In shadow, and for a WebSocket, a proof of another gateway is known as well")
  func elsewhere() async throws {
    let redis = try await RedisServer.start()
    let plain = try await door(redis)
    let shadow = try await TokenDoor.start(
      jwks: [key.jwk()], rules: ["dpop: { store: main }"], auth: "{ issuers: [login], mode: shadow }",
      top: "redis: { main: { servers: [\"\(redis.address)\"], timeout: 10s } }")
    let token = TokenDoor.token(key, client.claims)
    let fields = client.fields(of: token)
    #expect(try await plain.gateway.get("/door", fields).status == 200)
    #expect(try await shadow.gateway.get("/door", fields + ["X-Request-Id: again"]).status == 200)
    let line = try await shadow.gateway.waitForAccessLog(containing: "again")
    #expect(line.contains("\"shadow_reason\":\"proof_replayed\""), "\(line)")
    let handshake = webSocketHandshake("/door", client.fields("GET", "ws://test/door", of: token))
    let socket = try await TokenDoor.start(
      jwks: [key.jwk()], rules: ["dpop: { store: main }"], route: ["websocket: true"],
      top: "redis: { main: { servers: [\"\(redis.address)\"], timeout: 10s } }")
    _ = try await socket.gateway.exchange(handshake)
    #expect(try await socket.upstream.waitForRequests(1).count == 1)
    let again = try await socket.gateway.exchange(handshake)
    #expect(again.code == "proof_replayed")
  }
}
