// Limits that a fleet shares, with Redis beside the gateway: each way to reach it, and what is counted there.

import Foundation
import TestSupport
import Testing

@Suite("Limits that a fleet shares", .needs("redis-server"), .timeLimit(.minutes(10)))
struct StoreTests {
  /// A gateway with a limit in a store.
  static func gateway(
    _ store: String, limit: String = "requests: 5, per: 24h", workers: Int = 1, more: String = ""
  ) async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(
      """
      workers: \(workers)
      redis:
        main: { \(store) }
      rate_limits:
        few: { \(limit), store: main }
      routes:
        - { path: /few, auth: public, rate_limit: few, respond: { status: 204 } }
        - { path: /free, auth: public, respond: { status: 204 } }
      \(more)
      """)
    try await waitUntilUp(gateway)
    return gateway
  }

  static func waitUntilUp(_ gateway: GatewayProcess) async throws {
    try await gateway.waitForMetrics("the store to be up") { metrics in
      let servers = metrics.samples.filter { $0.name == "catraca_store_up" }
      return !servers.isEmpty && servers.allSatisfy { $0.value == 1 }
    }
  }

  /// How many of so many requests, on several connections, pass.
  static func admitted(_ gateway: GatewayProcess, path: String = "/few", count: Int, clients: Int = 4) async throws
    -> Int
  {
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<clients {
        group.addTask {
          let client = try await gateway.connect()
          var passed = 0
          for _ in 0..<count / clients {
            let status = try await client.get(path).status
            #expect([204, 429].contains(status))
            if status == 204 { passed += 1 }
          }
          return passed
        }
      }
      return try await group.reduce(0, +)
    }
  }

  @Test("A bucket in Redis is exact, has an end, and shows nothing of the client. Answers have the same fields as ever")
  func fields() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await Self.gateway("servers: [\"\(redis.address)\"], prefix: \"gate:\"")
    let first = try await gateway.get("/few")
    #expect(first.status == 204)
    #expect(first["RateLimit-Policy"] == "\"few\";q=5;w=86400")
    #expect(first["RateLimit"] == "\"few\";r=4;t=1" || first["RateLimit"]?.hasPrefix("\"few\";r=4;t=") == true)
    #expect(try await Self.admitted(gateway, count: 8) == 4)
    let refused = try await gateway.get("/few")
    #expect(refused.code == "rate_limited")
    #expect((17_000...17_280).contains(Int(refused["Retry-After"] ?? "") ?? 0))
    let keys = try await redis.ask("KEYS", "*").split(separator: "\n")
    #expect(keys.count == 1)
    #expect(keys.first?.wholeMatch(of: /gate:limit:few:[0-9a-f]{32}/) != nil, "\(keys)")
    let left = Int(try await redis.ask("PTTL", String(keys.first ?? ""))) ?? 0
    #expect((86_000_000...86_400_000).contains(left))
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_rate_limited_total", ["route": "/few"]) == 5)
    // Those who are refused again do not cost Redis anything. The first command asked for the script.
    let commandCount = metrics.sum("catraca_store_commands_total", ["store": "main", "result": "ok"])
    #expect((7...11).contains(commandCount))
    #expect(metrics.sum("catraca_store_command_duration_seconds_count", ["store": "main"]) == commandCount)
    #expect(try await gateway.get("/few").status == 429)
    #expect(try await gateway.metrics().sum("catraca_store_commands_total") == commandCount)
    #expect(metrics.sum("catraca_store_commands_active") == 0)
    let status = try await gateway.admin("/status").text
    #expect(status.contains("\"stores\"") && status.contains("\"address\" : \"\(redis.address)\""))
    #expect(status.contains("\"up\" : true"))
  }

  @Test(
    "T111 Four gateways of two workers let exactly as many pass as the limit says, with a lease or without",
    arguments: [1, 20])
  func fleet(lease: Int) async throws {
    let redis = try await RedisServer.start()
    var gateways: [GatewayProcess] = []
    for _ in 0..<4 {
      gateways.append(
        try await Self.gateway(
          "servers: [\"\(redis.address)\"], timeout: 10s", limit: "requests: 200, per: 24h, lease: \(lease)",
          workers: 2))
    }
    let admitted = try await withThrowingTaskGroup(of: Int.self) { group in
      for gateway in gateways { group.addTask { try await Self.admitted(gateway, count: 160, clients: 8) } }
      return try await group.reduce(0, +)
    }
    #expect(lease == 1 ? admitted == 200 : (100...200).contains(admitted), "\(admitted)")
    // What is left in leases is spent by their workers, and nobody takes more than that.
    var rest = 0
    for gateway in gateways { rest += try await Self.admitted(gateway, count: 160, clients: 8) }
    #expect(admitted + rest <= 200)
    if lease > 1 {
      let commands = try await gateways[0].metrics().sum("catraca_store_commands_total", ["result": "ok"])
      #expect(commands < 160, "\(commands)")
    }
  }

  @Test("T111 However workers spend their leases, no more pass in any stretch of time than burst and rate allow")
  func stretches() async throws {
    let redis = try await RedisServer.start()
    let clock = ContinuousClock()
    var gateways: [GatewayProcess] = []
    for _ in 0..<2 {
      gateways.append(
        try await Self.gateway(
          "servers: [\"\(redis.address)\"], timeout: 10s", limit: "requests: 200, per: 1s, burst: 60, lease: 20",
          workers: 2))
    }
    // When each request that passed was sent, and when its answer was there: it was let in between.
    let passed = try await withThrowingTaskGroup(of: [(ContinuousClock.Instant, ContinuousClock.Instant)].self) {
      group in
      for gateway in gateways {
        for _ in 0..<4 {
          group.addTask {
            let client = try await gateway.connect()
            var passed: [(ContinuousClock.Instant, ContinuousClock.Instant)] = []
            for _ in 0..<120 {
              let begin = clock.now
              let status = try await client.get("/few").status
              if status == 204 { passed.append((begin, clock.now)) } else { #expect(status == 429) }
            }
            return passed
          }
        }
      }
      return try await group.reduce([], +)
    }.sorted { $0.1 < $1.1 }
    #expect(passed.count > 60)
    for (first, _) in passed {
      var count = 0
      for (begin, end) in passed where begin >= first {
        count += 1
        let most = 60 + 200 * ((end - first) / .seconds(1))
        #expect(Double(count) <= most + 1, "\(count) in \(end - first)")
      }
    }
  }

  @Test("A bucket refills by the clock of Redis, and is gone when it is full")
  func refill() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await Self.gateway("servers: [\"\(redis.address)\"]", limit: "requests: 3, per: 1s")
    #expect(try await gateway.get("/few").status == 204)
    try await poll("the bucket to be gone") { try await redis.ask("DBSIZE") == "0" }
    #expect(try await gateway.get("/few")["RateLimit"]?.hasPrefix("\"few\";r=2") == true)
    try await poll("requests to pass again") {
      for _ in 0..<4 { _ = try await gateway.get("/few") }
      return try await gateway.get("/few").status == 204
    }
  }

  @Test("A user of Redis' ACL with the rights that the reference lists is enough")
  func user() async throws {
    let rights =
      "+hello +client|setname +ping +eval +evalsha +get +set +time"
    let redis = try await RedisServer.start(
      configuration: "user default off\nuser gateway on >secret resetkeys ~catraca:* resetchannels -@all \(rights)")
    let gateway = try await Self.gateway(
      "servers: [\"\(redis.address)\"], username: gateway, password: secret")
    #expect(try await Self.admitted(gateway, count: 8) == 5)
    #expect(try await gateway.metrics().sum("catraca_store_commands_total", ["result": "ok"]) > 6)
  }

  @Test("Over a Unix socket")
  func unixSocket() async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "redis-\(UUID().uuidString.prefix(8)).sock").path
    let redis = try await RedisServer.start(["--unixsocket", path])
    let gateway = try await Self.gateway("servers: [\"unix:\(path)\"]")
    #expect(try await Self.admitted(gateway, count: 8) == 5)
    #expect(try await redis.ask("DBSIZE") == "1")
  }

  @Test("Over TLS, with a certificate of the gateway. A server whose certificate is of nobody is not asked")
  func secure() async throws {
    let files = try await TestCertificates.shared()
    let port = try closedPort()
    let redis = try await RedisServer.start([
      "--tls-port", "\(port)", "--tls-cert-file", files.certificate(.good), "--tls-key-file", files.key(.good),
      "--tls-ca-cert-file", files.authority,
    ])
    let own = "certificate: \"\(files.certificate(.client))\", key: \"\(files.key(.client))\""
    let gateway = try await Self.gateway(
      "servers: [\"127.0.0.1:\(port)\"], tls: { ca: \"\(files.authority)\", server_name: localhost, \(own) }")
    #expect(try await Self.admitted(gateway, count: 8) == 5)
    #expect(try await redis.ask("DBSIZE") == "1")
    let wary = try await GatewayProcess.start(
      """
      redis:
        main: { servers: ["127.0.0.1:\(port)"], tls: { server_name: localhost } }
      rate_limits:
        few: { requests: 5, per: 24h, store: main, on_failure: refuse }
      routes: [{ path: /few, auth: public, rate_limit: few, respond: { status: 204 } }]
      """)
    _ = try await wary.waitForLog("TLS to fail") { $0.contains("TLS to a store failed") && $0.contains("store=main") }
    #expect(try await wary.get("/few").code == "limit_store_unavailable")
  }

  @Test("By a claim, several gateways count one caller together, and two issuers' callers of one name apart")
  func claims() async throws {
    let redis = try await RedisServer.start()
    let issuer = try await TestIssuer.start()
    let file = """
      redis:
        main: { servers: ["\(redis.address)"] }
      rate_limits:
        few: { requests: 4, per: 24h, by: claim:sub, store: main }
        all: { requests: 100, per: 24h, by: route, store: main }
      issuers:
      \(issuer.configuration())
      routes:
        - { path: /few, auth: login, rate_limit: [all, few], respond: { status: 204 } }
      """
    let gateways = [try await GatewayProcess.start(file), try await GatewayProcess.start(file)]
    let alice = ["Authorization: Bearer \(issuer.token(["sub": "alice"]))"]
    let bob = ["Authorization: Bearer \(issuer.token(["sub": "bob"]))"]
    var passed = 0
    for gateway in gateways {
      try await gateway.waitUntilReady()
      try await Self.waitUntilUp(gateway)
      for _ in 0..<4 where try await gateway.get("/few", alice).status == 204 { passed += 1 }
    }
    #expect(passed == 4)
    #expect(try await gateways[1].get("/few", bob).status == 204)
    #expect(try await redis.ask("DBSIZE") == "3")
  }

  @Test("A dry run counts in the store and refuses nothing")
  func dryRun() async throws {
    let redis = try await RedisServer.start()
    let gateway = try await Self.gateway(
      "servers: [\"\(redis.address)\"]", limit: "requests: 2, per: 24h, dry_run: true, on_failure: refuse")
    #expect(try await Self.admitted(gateway, count: 8) == 8)
    #expect(try await gateway.metrics().sum("catraca_rate_limited_dry_run_total") == 6)
    try await redis.kill()
    #expect(try await Self.admitted(gateway, count: 8) == 8)
  }

  @Test("A reload that leaves the store leaves its connection. One that takes it away lets running requests end")
  func reload() async throws {
    let redis = try await RedisServer.start()
    let store = "servers: [\"\(redis.address)\"]"
    let gateway = try await Self.gateway(store)
    #expect(try await gateway.get("/few").status == 204)
    let before = try await redis.ask("CLIENT", "LIST", "TYPE", "normal").split(separator: "\n").filter {
      $0.contains("name=catraca")
    }.map { $0.prefix { $0 != " " } }
    #expect(before.count == 1)
    let text = { (status: Int, store: String) in
      """
      redis:
        main: { \(store) }
      rate_limits:
        few: { requests: 5, per: 24h, store: main }
      routes: [{ path: /few, auth: public, rate_limit: few, respond: { status: \(status) } }]
      """
    }
    try gateway.write(configuration: text(202, store))
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/few").status == 202)
    let after = try await redis.ask("CLIENT", "LIST", "TYPE", "normal").split(separator: "\n").filter {
      $0.contains("name=catraca")
    }.map { $0.prefix { $0 != " " } }
    #expect(after == before)
    let other = try await RedisServer.start()
    try gateway.write(configuration: text(203, "servers: [\"\(other.address)\"]"))
    #expect(try await gateway.reload().status == 200)
    try await Self.waitUntilUp(gateway)
    #expect(try await gateway.get("/few").status == 203)
    #expect(try await other.ask("DBSIZE") == "1")
    try await poll("the old connection to be closed") {
      try await !redis.ask("CLIENT", "LIST", "TYPE", "normal").contains("name=catraca")
    }
  }
}
