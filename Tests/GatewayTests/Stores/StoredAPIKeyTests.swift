// API keys that several gateways share, with Redis beside them: the command that the tool prints, who hears of a
// change, and what a store that is away means.

import Foundation
import TestSupport
import Testing

@Suite("API keys that a fleet shares", .needs("redis-server"), .timeLimit(.minutes(10)))
struct StoredAPIKeyTests {
  private func start(_ redis: RedisServer) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      workers: 2
      redis: { main: { servers: ["\(redis.address)"], timeout: 10s, prefix: "gate:" } }
      api_keys: { partners: { redis: main, cache: 5m } }
      routes:
        - { path: /free, auth: public, respond: { status: 204 } }
        - { path: /*, auth: { api_keys: [partners], scopes: [read] }, respond: { status: 200, body: welcome } }
      """)
  }

  /// A new key, and the words of the command that lets it in.
  private func make(_ arguments: String...) async throws -> (key: String, command: [String]) {
    let ran = try await GatewayProcess.run(["key", "new", "--redis", "partners", "--prefix", "gate:"] + arguments)
    #expect(ran.status == 0, "\(ran)")
    let lines = ran.standardOutput.split(separator: "\n").filter { !$0.hasPrefix("#") }
    // As a shell would cut it.
    let parts = try #require(lines.last).split(separator: "'")
    let words = parts[0].split(separator: " ").map(String.init) + [String(parts[1])]
    return (String(lines[0]), words + parts.dropFirst(2).flatMap { $0.split(separator: " ").map(String.init) })
  }

  private func ask(_ redis: RedisServer, _ words: [String]) async throws -> String {
    try await ChildProcess.run("redis-cli", ["-p", "\(redis.port)"] + words).standardOutput
  }

  /// What all workers say to the key.
  private func statuses(_ gateway: GatewayProcess, _ key: String) async throws -> Set<Int> {
    var result: Set<Int> = []
    for _ in 0..<16 { result.insert(try await gateway.get("/", ["X-Api-Key: \(key)"]).status) }
    return result
  }

  @Test("A key of the command passes at all gateways, and one that is deleted counts nowhere at once")
  func fleet() async throws {
    let redis = try await RedisServer.start()
    let gateways = [try await start(redis), try await start(redis)]
    let (key, command) = try await make("--id", "acme's", "--scope", "read", "--expires", "2099-01-31")
    let (weak, weakCommand) = try await make("--id", "bob", "--scope", "other")
    for gateway in gateways { #expect(try await statuses(gateway, key) == [401]) }
    #expect(try await ask(redis, command).contains("OK"))
    #expect(try await ask(redis, weakCommand).contains("OK"))
    // That there is none was remembered by nobody.
    for gateway in gateways {
      #expect(try await statuses(gateway, key) == [200])
      #expect(try await statuses(gateway, weak) == [403])
    }
    #expect((Int(try await ask(redis, ["TTL", command[1]])) ?? 0) > 86_400)
    #expect(!(try await ask(redis, ["KEYS", "*"])).contains(key.prefix(20)))
    let asked = try await gateways[0].metrics().sum("catraca_store_commands_total")
    #expect(try await statuses(gateways[0], key) == [200])
    #expect(try await gateways[0].metrics().sum("catraca_store_commands_total") - asked <= 2)
    #expect(try await ask(redis, ["DEL", command[1]]).contains("1"))
    for gateway in gateways {
      try await poll("the end to be known") { try await statuses(gateway, key) == [401] }
    }
    let log = gateways.flatMap { $0.accessLog + $0.standardError }
    #expect(!log.contains { $0.contains(key.prefix(20)) })
    let line = try await gateways[0].waitForAccessLog(containing: "\"subject\":\"acme's\"")
    #expect(line.contains("\"auth_kind\":\"api_key\""))
  }

  @Test("T109 A store that is away is 503 for keys, nothing for others, and is asked again when it is back")
  func away() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await start(redis)
    let (key, command) = try await make("--id", "acme", "--scope", "read")
    #expect(try await ask(redis, command).contains("OK"))
    #expect(try await statuses(gateway, key) == [200])
    try await redis.kill()
    // What workers remember is forgotten with the connection, for nobody would report an end.
    try await poll("nothing to be remembered") { try await statuses(gateway, key) == [503] }
    let response = try await gateway.get("/", ["X-Api-Key: \(key)"])
    #expect(response.code == "api_key_store_unavailable" && response["Retry-After"] == "1")
    #expect(try await gateway.get("/free").status == 204)
    try await redis.restart()
    try await poll("the store to be asked again") { try await statuses(gateway, key) == [401] }
    #expect(try await ask(redis, command).contains("OK"))
    #expect(try await statuses(gateway, key) == [200])
  }
}
