// The store of sessions fails in every way it can: what clients with a session see of it, and those without (T109,
// T110).

import Foundation
import TestSupport
import Testing

@Suite("Stores of sessions that fail", .timeLimit(.minutes(10)))
struct SessionFaultTests {
  private let sessions: StoredSessions

  init() async throws { sessions = try await StoredSessions() }

  /// What a client with a session may see: its session, or that the store cannot be asked. Never that there is none.
  private func look(_ gateway: GatewayProcess, _ cookie: String) async throws -> Int {
    let answer = try await sessions.send(gateway, "GET", "/page", [cookie])
    if answer.status == 503 {
      #expect(answer.code == "session_store_unavailable")
      #expect(answer["Set-Cookie"] == nil)
    } else {
      #expect(answer.status == 200)
    }
    return answer.status
  }

  @Test(
    "T109 A store that fails is 503 for sessions and nothing for others, and sessions go on when it is back",
    .needs("redis-server"),
    arguments: [StoreFaultTests.Fault.stopped, .slow, .paused, .disconnected, .replica, .full, .flushed, .password])
  func faults(_ fault: StoreFaultTests.Fault) async throws {
    let redis = try await RedisServer.start(fault == .password ? ["--requirepass", "secret"] : [])
    let password = fault == .password ? ", password: secret" : ""
    let gateway = try await sessions.gateway(
      "servers: [\"\(redis.address)\"], timeout: 100ms\(password)", rules: "cache: 0s, idle_timeout: 12h, lifetime: 24h"
    )
    let cookie = try await sessions.begin(gateway)
    #expect(try await look(gateway, cookie) == 200)
    try await fault.strike(redis)
    var longest = Duration.zero
    var refused = 0
    for _ in 0..<30 {
      let start = ContinuousClock.now
      if try await look(gateway, cookie) == 503 { refused += 1 }
      longest = max(longest, ContinuousClock.now - start)
      #expect(try await sessions.send(gateway, "GET", "/free").status == 204)
    }
    switch fault {
    // Reading goes on where writing does not.
    case .replica, .full:
      #expect(refused < 30)
      let begun = try await sessions.post(gateway, "bob")
      #expect(begun.status == 503 && begun.code == "session_store_unavailable")
    case .stopped, .password: #expect(refused > 20)
    default: break
    }
    #expect(longest < .seconds(5))
    try await fault.heal(redis)
    let healing = ContinuousClock.now
    try await poll("the session to be served again") { try await look(gateway, cookie) == 200 }
    print(
      "sessions, \(fault.rawValue): \(refused) of 30 refused, longest \(longest), healed in \(ContinuousClock.now - healing)"
    )
    try await poll("sessions to begin again") { try await sessions.post(gateway, "bob").status == 200 }
  }

  @Test(
    "T109 A store that was killed has lost its sessions: 503 while it is away, and 401 when it is back without them",
    .needs("redis-server"))
  func killed() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    let cookie = try await sessions.begin(gateway)
    #expect(try await sessions.statuses(gateway, cookie) == [200])
    try await redis.kill()
    // What workers remember is forgotten with the connection, for nobody would report an end.
    try await poll("nothing to be remembered") { try await sessions.statuses(gateway, cookie) == [503] }
    #expect(try await sessions.post(gateway).code == "session_store_unavailable")
    #expect(try await sessions.end(gateway, cookie).code == "session_store_unavailable")
    try await redis.restart()
    try await poll("the store to be asked again") { try await sessions.statuses(gateway, cookie) == [401] }
    let fresh = try await sessions.begin(gateway)
    #expect(try await sessions.statuses(gateway, fresh) == [200])
  }

  @Test("T112 What is flushed or deleted in Redis by hand ends in all workers at once", .needs("redis-server"))
  func flushed() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    for isFlush in [true, false] {
      let cookie = try await sessions.begin(gateway)
      #expect(try await sessions.statuses(gateway, cookie) == [200])
      let key = try #require(
        try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").first.map(String.init))
      if isFlush { try await redis.ask("FLUSHALL") } else { try await redis.ask("DEL", key) }
      try await poll("the end to be known") { try await sessions.statuses(gateway, cookie) == [401] }
    }
  }

  @Test(
    "T109 What somebody else has written in the place of a session is no session, and the log has it once",
    .needs("redis-server"))
  func garbage() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    for words in [["SET", "x"], ["SETRANGE", "0", "\u{2}"], ["SETRANGE", "41", "\u{7F}"], ["APPEND", "x"]] {
      let cookie = try await sessions.begin(gateway)
      #expect(try await sessions.statuses(gateway, cookie) == [200])
      let key = try #require(
        try await redis.ask("KEYS", "catraca:session:*").split(separator: "\n").first.map(String.init))
      let rest = words.dropFirst()
      _ = try await ChildProcess.run("redis-cli", ["-p", "\(redis.port)", words[0], key] + rest)
      try await poll("no session to be there") { try await sessions.statuses(gateway, cookie) == [401] }
      try await redis.ask("FLUSHALL")
    }
    let key = "catraca:session:" + String(repeating: "0", count: 64)
    try await redis.ask("LPUSH", key, "x")
    _ = try await gateway.waitForLog("a word of it") { $0.contains("a session in the store cannot be read") }
    #expect(gateway.standardError.count { $0.contains("a session in the store cannot be read") } == 1)
  }

  @Test(
    "A secret may be replaced while sessions are about, and those begun with the last one go on",
    .needs("redis-server"))
  func rotated() async throws {
    let redis = try await RedisServer.start()
    let store = "servers: [\"\(redis.address)\"]"
    let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210")
    let gateway = try await sessions.gateway(store, secrets: old)
    let cookie = try await sessions.begin(gateway)
    let rules = "cache: 1h, idle_timeout: 12h, lifetime: 24h"
    for secrets in ["\(new), \(old)", new] {
      try gateway.write(configuration: sessions.configuration(store, rules: rules, secrets: secrets))
      #expect(try await gateway.reload().status == 200)
      #expect(try await sessions.statuses(gateway, cookie) == [200])
    }
  }

  @Test("T110 Reports between replies, and replies that come byte by byte or break off, give nobody another's session")
  func mixed() async throws {
    let connections = Monitor(0)
    let redis = try await TestUpstream.start { connection in
      let count = connections.update { count in
        count += 1
        return count
      }
      var sent = 0
      while true {
        let command = try await connection.stream.receiveCommand()
        let reply: String
        switch (command.first, command.last) {
        case ("HELLO", _): reply = "%1\r\n+proto\r\n:3\r\n"
        case ("PING", _): reply = "+PONG\r\n"
        case ("CLIENT", _): reply = "+OK\r\n"
        case ("GET", let key?):
          sent += 1
          // Nobody has a session. Each connection breaks off somewhere in its third reply.
          let push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$\(key.utf8.count)\r\n\(key)\r\n"
          reply = push + "_\r\n" + push
          if sent > 2 {
            try await connection.send(Array(reply.utf8.prefix(count % reply.utf8.count)))
            return connection.close()
          }
        default: reply = "-ERR no\r\n"
        }
        for byte in Array(reply.utf8) { try await connection.send([byte]) }
      }
    }
    let gateway = try await sessions.gateway("servers: [\"\(redis.address)\"]")
    let cookie = "Cookie: __Host-session=\(String(repeating: "A", count: 43))"
    var statuses: Set<Int> = []
    try await poll("connections that were cut and others") {
      statuses.formUnion(try await sessions.statuses(gateway, cookie))
      #expect(try await sessions.send(gateway, "GET", "/free").status == 204)
      return connections.current > 12 && statuses.contains(401)
    }
    #expect(statuses.isSubset(of: [401, 503]))
  }
}
