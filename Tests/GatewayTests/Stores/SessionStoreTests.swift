// Sessions that several gateways share, with Redis beside them: what is there, who hears of an end, and when that is.

import Foundation
import TestSupport
import Testing

@Suite("Sessions that a fleet shares", .needs("redis-server"), .timeLimit(.minutes(10)))
struct SessionStoreTests {
  private let sessions: StoredSessions

  init() async throws { sessions = try await StoredSessions() }

  @Test("T112 A session begun at one gateway is known to all, and a log-out at one ends it in all workers of all")
  func fleet() async throws {
    let redis = try await RedisServer.start()
    let store = "servers: [\"\(redis.address)\"]"
    let gateways = [try await sessions.gateway(store), try await sessions.gateway(store)]
    let cookie = try await sessions.begin(gateways[0])
    let other = try await sessions.begin(gateways[1], "bob")
    for gateway in gateways {
      #expect(try await sessions.statuses(gateway, cookie) == [200])
      #expect(try await sessions.statuses(gateway, other) == [200])
    }
    // Remembered for an hour by now: Redis is asked no more.
    let asked = try await gateways[1].metrics().sum("catraca_store_commands_total")
    #expect(try await sessions.statuses(gateways[1], cookie) == [200])
    #expect(try await gateways[1].metrics().sum("catraca_store_commands_total") - asked <= 2)
    #expect(try await sessions.end(gateways[0], cookie).status == 204)
    for gateway in gateways {
      try await poll("the end to be known") { try await sessions.statuses(gateway, cookie) == [401] }
    }
    for gateway in gateways { #expect(try await sessions.statuses(gateway, other) == [200]) }
    #expect(try await redis.ask("DBSIZE") == "3")
    let log = gateways.flatMap { $0.accessLog + $0.standardError }
    let value = try #require(cookie.split(separator: "=").last)
    #expect(!log.contains { $0.contains(value) })
  }

  @Test("T106 Neither cookie nor subject nor token is in Redis in clear, and each key has an end")
  func kept() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"], prefix: \"gate:\"")
    // No digest has such a text by chance, in hexadecimal digits or in base64url.
    let subject = "ada@example.com"
    let cookie = try await sessions.begin(gateway, subject)
    let value = String(try #require(cookie.split(separator: "=").last))
    let keys = try await redis.ask("KEYS", "*").split(separator: "\n").map(String.init)
    #expect(keys.count == 3)
    #expect(keys.count { $0.wholeMatch(of: /gate:session:[0-9a-f]{64}/) != nil } == 1)
    #expect(keys.count { $0.wholeMatch(of: /gate:of:[A-Za-z0-9_-]{22}/) != nil } == 2)
    for key in keys {
      #expect((1...86_400_000).contains(Int(try await redis.ask("PTTL", key)) ?? 0))
      #expect(!key.contains(subject))
      let bytes = try await redis.ask("DUMP", key)
      #expect(!bytes.contains(value) && !bytes.contains(sessions.token(subject).prefix(60)))
    }
    #expect(try await sessions.end(gateway, cookie).status == 204)
    #expect(try await redis.ask("DBSIZE") == "0")
  }

  @Test("T106 A new session ends the one that the browser sent, and nobody can choose its cookie")
  func fixed() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    let old = try await sessions.begin(gateway, "mallory")
    #expect(try await sessions.statuses(gateway, old) == [200])
    let fresh = try await sessions.begin(gateway, "ada", [old])
    #expect(fresh != old)
    try await poll("the old one to be over") { try await sessions.statuses(gateway, old) == [401] }
    #expect(try await sessions.statuses(gateway, fresh) == [200])
    let chosen = "Cookie: __Host-session=\(String(repeating: "A", count: 43))"
    let next = try await sessions.begin(gateway, "ada", [chosen])
    #expect(next != chosen)
    #expect(try await sessions.statuses(gateway, chosen) == [401])
  }

  @Test("catraca sessions lists and ends those of a subject, wherever they began")
  func command() async throws {
    let redis = try await RedisServer.start()
    let store = "servers: [\"\(redis.address)\"]"
    let gateways = [try await sessions.gateway(store), try await sessions.gateway(store)]
    let cookies = [try await sessions.begin(gateways[0]), try await sessions.begin(gateways[1])]
    let bob = try await sessions.begin(gateways[0], "bob")
    for cookie in cookies + [bob] { #expect(try await sessions.statuses(gateways[1], cookie) == [200]) }
    let list = try await gateways[0].admin("/sessions?sub=ada")
    #expect(list.text.split(separator: "\"subject\":\"ada\"").count == 3, "\(list.text)")
    let all = try await gateways[0].admin("/sessions").text
    #expect(all.split(separator: "\"subject\":").count == 4 && all.contains("\"subject\":\"bob\""), "\(all)")
    #expect(try await gateways[0].admin("/sessions/end?sub=ada", method: "POST").text == "ended: 2\n")
    for cookie in cookies {
      for gateway in gateways {
        try await poll("the end to be known") { try await sessions.statuses(gateway, cookie) == [401] }
      }
    }
    #expect(try await sessions.statuses(gateways[1], bob) == [200])
    #expect(try await gateways[0].admin("/sessions?sub=ada").text == "[]\n")
  }

  @Test("A caller has a hundred sessions at most, over all gateways: the oldest ends for a new one")
  func bounded() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    let first = try await sessions.begin(gateway)
    #expect(try await sessions.statuses(gateway, first) == [200])
    for _ in 0..<100 { _ = try await sessions.begin(gateway) }
    try await poll("the first one to be over") { try await sessions.statuses(gateway, first) == [401] }
    #expect(try await redis.ask("DBSIZE") == "102")
  }

  @Test("A value that no gateway has written is no session, is counted, and is gone with the next one that begins")
  func unreadable() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    let cookie = try await sessions.begin(gateway)
    let key = try #require(
      try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").first.map(String.init))
    #expect(try await gateway.metrics().sum("catraca_store_unreadable_total") == 0)
    try await redis.ask("SET", key, "{\"sub\":\"root\"}")
    try await poll("the value to be seen") { try await sessions.statuses(gateway, cookie) == [401] }
    let metrics = try await gateway.metrics()
    let count = metrics.sum("catraca_store_unreadable_total")
    #expect(count > 0)
    #expect(metrics.samples.contains { $0.name == "catraca_store_unreadable_total" && $0.labels["store"] == "main" })
    _ = try await gateway.waitForLog("a word of it") { $0.contains("cannot be read") }
    let fresh = try await sessions.begin(gateway, "ada", [cookie])
    #expect(try await sessions.statuses(gateway, fresh) == [200])
    #expect(try await gateway.metrics().sum("catraca_store_unreadable_total") == count)
  }

  @Test("Asked about with each request, a session is one command, ends at once, and so does its WebSocket")
  func asked() async throws {
    let redis = try await RedisServer.start()
    let store = "servers: [\"\(redis.address)\"]"
    let gateway = try await sessions.gateway(store, rules: "cache: 0s, idle_timeout: 12h, lifetime: 24h")
    let far = try await sessions.gateway(store)
    let cookie = try await sessions.begin(far)
    for _ in 0..<3 { #expect(try await sessions.statuses(gateway, cookie) == [200]) }
    // Each of the two workers orders reports once.
    let statistics = try await redis.ask("INFO", "commandstats")
    #expect(statistics.firstMatch(of: /cmdstat_client\|caching:calls=[12],/) != nil, "\(statistics)")
    let key = try #require(
      try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").first.map(String.init))
    // Another person's session at the same place is that person's with the next request.
    let other = try await sessions.begin(far, "bob")
    let keys = try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").map(String.init)
    try await redis.ask("COPY", try #require(keys.first { $0 != key }), key, "REPLACE")
    for _ in 0..<8 {
      let answer = try await sessions.send(gateway, "GET", "/session", [cookie])
      #expect(answer.text == "{\"sub\":\"bob\"}\n", "\(answer.text)")
    }
    #expect(try await sessions.end(far, cookie).status == 204)
    #expect(try await sessions.statuses(gateway, cookie) == [401])
    #expect(try await sessions.statuses(gateway, other) == [200])
  }

  @Test("A session that nobody uses ends by itself, and one that is used goes on")
  func idle() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway(
      "servers: [\"\(redis.address)\"]", rules: "cache: 1h, idle_timeout: 60s, lifetime: 24h")
    let cookie = try await sessions.begin(gateway)
    let key = try #require(
      try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").first.map(String.init))
    #expect((50_000...60_000).contains(Int(try await redis.ask("PTTL", key)) ?? 0))
    // As if it had been used long ago: its last use is read from the value, and its end is the key's.
    try await redis.ask("SETRANGE", key, "4", "\u{1}")
    try await redis.ask("PEXPIRE", key, "30000")
    #expect(try await sessions.statuses(gateway, cookie) == [200])
    try await poll("the end to have moved on") { (Int(try await redis.ask("PTTL", key)) ?? 0) > 50_000 }
    try await redis.ask("PEXPIRE", key, "1")
    try await poll("the end") { try await sessions.statuses(gateway, cookie) == [401] }
  }

  @Test("A WebSocket ends with its session, at whichever gateway that is ended")
  func webSocket() async throws {
    let redis = try await RedisServer.start()
    let store = "servers: [\"\(redis.address)\"]"
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.stream.receive(through: "\r\n\r\n")
      try await connection.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
      _ = try? await connection.stream.receiveToEnd()
    }
    let rules = "cache: 1h, idle_timeout: 12h, lifetime: 24h"
    let text = sessions.configuration(store, rules: rules, secrets: "0123456789abcdef0123456789abcdef")
      .replacing(sessions.upstream.address, with: upstream.address)
    let near = try await GatewayProcess.start(text, files: ["keys.json": keySetText([sessions.key.jwk()])])
    let far = try await sessions.gateway(store)
    try await near.waitUntilReady()
    let cookie = try await sessions.begin(far)
    let talker = try await near.connect()
    try await talker.send(
      "GET /talk HTTP/1.1\r\nHost: shop.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        + "Origin: https://shop.example.com\r\n\(cookie)\r\n\r\n")
    #expect(latin1(try await talker.receive(through: "\r\n\r\n")).hasPrefix("HTTP/1.1 101"))
    // A change that ends nothing ends no WebSocket.
    let key = try #require(
      try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").first.map(String.init))
    try await redis.ask("PEXPIRE", key, "3600000")
    #expect(try await sessions.end(far, cookie).status == 204)
    let frame = try await talker.receive(4)
    #expect(frame[0] == 0x88 && Int(frame[2]) << 8 | Int(frame[3]) == 4401, "\(frame)")
  }

  @Test("A user of Redis' ACL with the rights that the reference lists for sessions is enough")
  func rights() async throws {
    let rights =
      "+hello +client|setname +client|tracking +client|caching +ping +eval +get +set +del +getrange +setrange +pexpire "
      + "+pttl +ttl +expire +time +zadd +zrem +zcard +zrange +zremrangebyrank"
    let redis = try await RedisServer.start(
      configuration: "user default off\nuser gateway on >secret resetkeys ~catraca:* resetchannels -@all \(rights)")
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"], username: gateway, password: secret")
    let cookie = try await sessions.begin(gateway)
    #expect(try await sessions.statuses(gateway, cookie) == [200])
    #expect(try await gateway.admin("/sessions/end?sub=ada", method: "POST").text == "ended: 1\n")
    try await poll("the end to be known") { try await sessions.statuses(gateway, cookie) == [401] }
    #expect(!gateway.standardError.contains { $0.contains("a store does not report changes") })
  }

  @Test("A store that does not report changes is used for as long as cache says, and the log has that once")
  func untracked() async throws {
    let redis = try await RedisServer.start(configuration: "user default on nopass ~* &* +@all -client|tracking")
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]", rules: "cache: 1s")
    let cookie = try await sessions.begin(gateway)
    #expect(try await sessions.statuses(gateway, cookie) == [200])
    _ = try await gateway.waitForLog("a word of it") { $0.contains("a store does not report changes") }
    try await redis.ask("FLUSHALL")
    try await poll("the end to be noticed") { try await sessions.statuses(gateway, cookie) == [401] }
    #expect(gateway.standardError.count { $0.contains("a store does not report changes") } == 1)
  }
}
