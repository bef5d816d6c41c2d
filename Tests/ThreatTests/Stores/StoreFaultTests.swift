// Redis that fails in every way it can, and what the gateway's clients see of it (T109, T110).

import Foundation
import TestSupport
import Testing

@Suite("Stores that fail", .timeLimit(.minutes(10)))
struct StoreFaultTests {
  enum Fault: String, CaseIterable, Sendable {
    case killed, stopped, slow, paused, disconnected, replica, full, flushed, password

    func strike(_ redis: RedisServer) async throws {
      switch self {
      case .killed: try await redis.kill()
      case .stopped: redis.signal(SIGSTOP)
      case .slow:
        let port = redis.port
        Task { _ = try await ChildProcess.run("redis-cli", ["-p", "\(port)", "DEBUG", "SLEEP", "2"]) }
      case .paused: try await redis.ask("CLIENT", "PAUSE", "2000", "ALL")
      case .disconnected: try await redis.ask("CLIENT", "KILL", "TYPE", "normal")
      case .replica: try await redis.ask("REPLICAOF", "127.0.0.1", "\(try closedPort())")
      case .full: try await redis.ask("CONFIG", "SET", "maxmemory", "1")
      case .flushed: try await redis.ask("SCRIPT", "FLUSH")
      case .password:
        try await redis.ask("CONFIG", "SET", "requirepass", "other", options: ["-a", "secret"])
        try await redis.ask("CLIENT", "KILL", "TYPE", "normal", options: ["-a", "other"])
      }
    }

    func heal(_ redis: RedisServer) async throws {
      switch self {
      case .killed: try await redis.restart()
      case .stopped: redis.signal(SIGCONT)
      case .slow, .paused, .disconnected, .flushed: break
      case .replica: try await redis.ask("REPLICAOF", "NO", "ONE")
      case .full: try await redis.ask("CONFIG", "SET", "maxmemory", "0")
      case .password:
        try await redis.ask("CONFIG", "SET", "requirepass", "secret", options: ["-a", "other"])
      }
    }

    /// What the log says of it. Nil where it may say nothing.
    var words: String? {
      switch self {
      case .killed, .stopped, .password: "a store does not answer"
      case .replica, .full: "a store refuses commands"
      case .slow, .paused, .disconnected, .flushed: nil
      }
    }
  }

  private static func gateway(_ store: String, more: String = "") async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(
      """
      redis:
        main: { \(store), timeout: 100ms }
      rate_limits:
        few: { requests: 100000, per: 24h, by: query:who, store: main, on_failure: refuse }
      routes:
        - { path: /few, auth: public, rate_limit: few, respond: { status: 204 } }
        - { path: /free, auth: public, respond: { status: 204 } }
      """)
    try await gateway.waitForMetrics("the store to be up") { $0.sum("catraca_store_up") >= 1 }
    return gateway
  }

  @Test(
    "T109 A store that fails costs its own limits, a moment each, and nobody else. It is used again when it is back",
    .needs("redis-server"), arguments: Fault.allCases)
  func faults(_ fault: Fault) async throws {
    let redis = try await RedisServer.start(
      fault == .password ? ["--requirepass", "secret"] : [], configuration: "")
    let password = fault == .password ? ", password: secret" : ""
    let gateway = try await Self.gateway("servers: [\"\(redis.address)\"]\(password)")
    #expect(try await gateway.get("/few").status == 204)
    try await fault.strike(redis)
    var longest = Duration.zero
    var refused = 0
    for number in 0..<40 {
      let start = ContinuousClock.now
      let answer = try await gateway.get("/few?who=\(number % 4)")
      longest = max(longest, ContinuousClock.now - start)
      if answer.status == 503 {
        refused += 1
        #expect(answer.code == "limit_store_unavailable")
      } else {
        #expect(answer.status == 204)
      }
      #expect(try await gateway.get("/free").status == 204)
    }
    switch fault {
    case .flushed: #expect(refused == 0)
    case .killed, .stopped, .replica, .full, .password: #expect(refused > 30)
    case .slow, .paused, .disconnected: break
    }
    // Far less than the seconds that others let each request wait.
    #expect(longest < .seconds(5))
    if let words = fault.words { _ = try await gateway.waitForLog("a word of it") { $0.contains(words) } }
    try await fault.heal(redis)
    let healing = ContinuousClock.now
    try await poll("the store to be used again") { try await gateway.get("/few").status == 204 }
    print("\(fault.rawValue): \(refused) of 40 refused, longest \(longest), healed in \(ContinuousClock.now - healing)")
    #expect(ContinuousClock.now - healing < .seconds(20))
    if fault.words == "a store does not answer" {
      _ = try await gateway.waitForLog("the end of it") { $0.contains("a store answers again") }
    }
  }

  private static let passing = "*2\r\n:1\r\n:8\r\n"
  private static let empty = "*2\r\n:0\r\n:691200000000\r\n"

  @Test("T109 Replies that come byte by byte are read, and so are errors and pushes between them")
  func pieces() async throws {
    let redis = try await TestUpstream.redis(pieceByteCount: 1) { command in
      let push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n"
      return push + (command.first == "EVALSHA" ? "-NOSCRIPT No matching script.\r\n" : Self.passing)
    }
    let gateway = try await Self.gateway("servers: [\"\(redis.address)\"]")
    let client = try await gateway.connect()
    for _ in 0..<20 {
      _ = try await undisturbed("a reply in time") { try await client.get("/few").status == 204 ? true : nil }
    }
  }

  @Test("T109 A reply that breaks off at any byte fails its own request, and the next connection serves")
  func cut() async throws {
    let connections = Monitor(0)
    let redis = try await TestUpstream.start { connection in
      let count = connections.update { count in
        count += 1
        return count
      }
      while true {
        switch try await connection.stream.receiveCommand().first {
        case "HELLO": try await connection.send("*0\r\n")
        case "PING": try await connection.send("+PONG\r\n")
        default:
          let reply = Array(Self.passing.utf8)
          let byteCount = (count - 1) % (reply.count + 1)
          try await connection.send(Array(reply.prefix(byteCount)))
          if byteCount < reply.count { return connection.close() }
        }
      }
    }
    let gateway = try await Self.gateway("servers: [\"\(redis.address)\"]")
    var statuses: Set<Int> = []
    try await poll("a whole reply, behind one that was cut at each byte") {
      statuses.insert(try await gateway.get("/few").status)
      #expect(try await gateway.get("/free").status == 204)
      return connections.current >= Self.passing.utf8.count && statuses.contains(204)
    }
    #expect(statuses == [204, 503])
  }

  @Test(
    "T110 A reply of two gigabytes, a nested one and nonsense cost the connection, and not the memory",
    arguments: [
      "$2147483648\r\n", "*2147483648\r\n", "%2147483647\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
      "HTTP/1.1 400 Bad Request\r\n\r\n", ":1\r\n:2\r\n",
    ])
  func monsters(_ reply: String) async throws {
    let count = Monitor(0)
    let redis = try await TestUpstream.redis { _ in
      count.update { count in
        count += 1
        return count
      } == 1 ? reply : Self.passing
    }
    let gateway = try await Self.gateway("servers: [\"\(redis.address)\"]")
    #expect(try await gateway.get("/few").status == 503)
    try await poll("the store to be used again") { try await gateway.get("/few").status == 204 }
    _ = try await redis.waitForConnections(2)
    #expect(try gateway.residentByteCount() < 200_000_000)
  }

  @Test("T110 A reply that comes late reaches nobody else's request")
  func late() async throws {
    let gate = Gate()
    let count = Monitor(0)
    let redis = try await TestUpstream.redis { _ in
      let number = count.update { count in
        count += 1
        return count
      }
      if number > 1 { return Self.empty }
      try await gate.wait(for: "the first request to be over")
      return Self.passing
    }
    let gateway = try await Self.gateway("servers: [\"\(redis.address)\"]")
    #expect(try await gateway.get("/few?who=first").status == 503)
    gate.open()
    // Both replies are on the way now, in their order: the first one is for nobody.
    let second = try await undisturbed("a second reply in time") {
      let answer = try await gateway.get("/few?who=second")
      return answer.status == 503 ? nil : answer
    }
    #expect(second.code == "rate_limited")
  }

  @Test("T110 Servers of a cluster that send a command in a circle are asked a few times, and no more")
  func circle() async throws {
    let ports = [Monitor(0), Monitor(0)]
    let asked = Monitor(0)
    @Sendable func script(_ other: Int) -> @Sendable ([String]) async throws -> String {
      { command in
        if command.first == "CLUSTER" {
          let port = ports[0].current
          return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:\(port)\r\n"
        }
        asked.update { $0 += 1 }
        return "-MOVED 1 127.0.0.1:\(ports[other].current)\r\n"
      }
    }
    let first = try await TestUpstream.redis(script(1))
    let second = try await TestUpstream.redis(script(0))
    ports[0].update { [port = first.port] in $0 = port }
    ports[1].update { [port = second.port] in $0 = port }
    let gateway = try await Self.gateway("servers: [\"\(first.address)\"], cluster: true")
    var requestCount = 0
    try await poll("the servers to be asked") {
      requestCount += 1
      let answer = try await gateway.get("/few")
      #expect(answer.code == "limit_store_unavailable")
      return asked.current > 0
    }
    #expect(asked.current <= 6 * requestCount)
    #expect(try await gateway.get("/free").status == 204)
  }
}
