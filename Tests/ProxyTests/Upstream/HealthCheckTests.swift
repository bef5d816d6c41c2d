// Active checks on virtual time: what is asked, what takes a server out and back, and what is known after a reload.

import Configuration
import HTTP2
import Testing

@testable import Proxy

@Suite("Health checks")
struct HealthCheckTests {
  static func text(_ check: String, servers: String = "10.0.0.1:1, 10.0.0.2:2", _ keys: String = "") -> String {
    openRoutes + "\nupstreams: { app: { servers: [\(servers)], health_check: { \(check) }\(keys) } }"
  }

  static let quick = "path: /healthz, interval: 1s, timeout: 500ms, healthy_after: 2, unhealthy_after: 2"

  /// Checks that wait for their answer.
  private func pending(_ bench: Bench) -> [FakeSocket] {
    bench.servers.filter { $0.isOpen && $0.text.hasPrefix("GET /healthz ") }
  }

  /// Lets each server be checked so many times: those at these addresses are well, the others say 500.
  private func rounds(_ count: Int, _ bench: Bench, well: String...) {
    let serverCount = bench.snapshot.configuration.upstreams[0].servers.count
    for _ in 0..<count {
      for _ in 0..<30 where pending(bench).count < serverCount { bench.wait(.milliseconds(100)) }
      #expect(pending(bench).count == serverCount)
      for socket in pending(bench) {
        _ = socket.take()
        socket.send(well.contains(socket.address) ? ok() : "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
      }
      bench.forgetServers()
    }
  }

  private func rotation(_ bench: Bench) -> [String] {
    bench.act { $0.pools[0].reviewRotation() }
    return bench.worker.pools[0].rotation.servers.map(\.configuration.address.description)
  }

  @Test("A check is a GET of its own to each server, and nothing of it reaches the access log or the counts")
  func question() throws {
    let bench = try Bench(Self.text(Self.quick))
    bench.wait(.milliseconds(200))
    #expect(Set(bench.servers.map(\.address)) == ["10.0.0.1:1", "10.0.0.2:2"])
    let text = try #require(bench.servers.first { $0.address == "10.0.0.1:1" }).text
    #expect(
      text == "GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:1\r\nUser-Agent: catraca-health-check\r\n\r\n", "\(text)")
    rounds(1, bench, well: "10.0.0.1:1", "10.0.0.2:2")
    // Neither connection was kept.
    #expect(bench.sockets.isEmpty)
    #expect(bench.logLines.isEmpty && bench.worker.counters.copy() == CountersSnapshot())
    // The next one comes an interval later, a tenth more or less.
    bench.wait(.milliseconds(800))
    #expect(bench.servers.isEmpty)
    bench.wait(.milliseconds(400))
    #expect(bench.servers.count == 2)
  }

  @Test(
    "T120: A check that the gateway had no means of making says nothing of the server", arguments: ["", ", type: tcp"])
  func ownWant(_ kind: String) throws {
    let keys = "interval: 1s, timeout: 500ms, healthy_after: 1, unhealthy_after: 1"
    let bench = try Bench(Self.text(kind.isEmpty ? "path: /healthz, " + keys : keys + kind))
    bench.wanting = ["10.0.0.1:1", "10.0.0.2:2"]
    bench.wait(.seconds(5))
    #expect(bench.servers.count >= 8 && rotation(bench).count == 2 && bench.upstreamChanges.isEmpty)
    #expect(bench.snapshot.sharing[0].servers[0].checkCounts.failed == 0)
    bench.wanting = []
    bench.refusing = ["10.0.0.1:1"]
    bench.wait(.seconds(2))
    #expect(bench.upstreamChanges.contains(.unhealthy(server: "10.0.0.1:1", .connectFailed, status: 0)))
  }

  @Test("host, port and path say what is asked and where")
  func whereToAsk() throws {
    let bench = try Bench(
      Self.text("path: '/h?x=1', host: orders.internal, port: 9100", servers: "10.0.0.1:1"))
    bench.wait(.seconds(1))
    #expect(try bench.server().address == "10.0.0.1:9100")
    #expect(try bench.server().text.hasPrefix("GET /h?x=1 HTTP/1.1\r\nHost: orders.internal\r\n"))
  }

  @Test("A server goes out after unhealthy_after bad checks and comes back after healthy_after good ones")
  func outAndBack() throws {
    let bench = try Bench(Self.text(Self.quick))
    rounds(1, bench, well: "10.0.0.1:1")
    #expect(rotation(bench).count == 2 && bench.upstreamChanges.isEmpty)
    rounds(1, bench, well: "10.0.0.1:1")
    #expect(rotation(bench) == ["10.0.0.1:1"])
    #expect(bench.upstreamChanges == [.unhealthy(server: "10.0.0.2:2", .status, status: 500)])
    let client = bench.connect()
    for _ in 1...4 {
      client.send(get())
      let server = try #require(bench.servers.last { $0.text.hasPrefix("GET / ") })
      #expect(server.address == "10.0.0.1:1")
      _ = server.take()
      server.send(ok())
    }
    rounds(4, bench, well: "10.0.0.1:1")
    #expect(bench.upstreamChanges.count == 1)
    rounds(1, bench, well: "10.0.0.1:1", "10.0.0.2:2")
    #expect(rotation(bench) == ["10.0.0.1:1"])
    rounds(1, bench, well: "10.0.0.1:1", "10.0.0.2:2")
    #expect(rotation(bench).count == 2)
    #expect(bench.upstreamChanges.last == .healthy(server: "10.0.0.2:2"))
  }

  @Test("One good check among bad ones begins the count again")
  func streaks() throws {
    let bench = try Bench(Self.text(Self.quick))
    for _ in 1...4 {
      rounds(1, bench, well: "10.0.0.1:1")
      rounds(1, bench, well: "10.0.0.1:1", "10.0.0.2:2")
    }
    #expect(rotation(bench).count == 2 && bench.upstreamChanges.isEmpty)
  }

  static let answers: [(answer: String, check: String, result: CheckResult)] = [
    (ok(), "", .passed), ("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "", .passed),
    ("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "", .status),
    ("HTTP/1.1 204 Empty\r\n\r\n", "status: [200]", .status), ("HTTP/1.1 204 Empty\r\n\r\n", "status: [204]", .passed),
    ("HTTP/1.1 429 x\r\nContent-Length: 0\r\n\r\n", "status: [200, 400-499]", .passed),
    (ok("all ready now"), "body: ready", .passed), (ok("not yet"), "body: ready", .body),
    (ok(""), "body: ready", .body),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n", "body: ready", .passed),
    ("HTTP/1.1 100 Continue\r\n\r\n" + ok(), "", .passed), ("nonsense\r\n\r\n", "", .malformed),
    ("HTTP/1.1 200 OK\r\n", "", .timeout), ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf", "", .timeout),
    ("", "", .timeout),
  ]

  @Test("What an answer means", arguments: answers)
  func results(_ answer: String, _ check: String, _ result: CheckResult) throws {
    let keys = check.isEmpty ? "" : ", " + check
    let bench = try Bench(Self.text("interval: 1s, timeout: 500ms\(keys)", servers: "10.0.0.1:1"))
    bench.wait(.milliseconds(200))
    try bench.server().send(answer)
    bench.wait(.milliseconds(600))
    #expect(bench.snapshot.sharing[0].servers[0].lastCheck?.result == result)
    #expect(bench.sockets.isEmpty)
  }

  @Test("A body is looked at in its first 64 KiB, and read to its end")
  func longBody() throws {
    for (text, result) in [
      (String(repeating: "x", count: 60_000) + "ready" + String(repeating: "x", count: 100_000), CheckResult.passed),
      (String(repeating: "x", count: 65_534) + "ready", .body),
    ] {
      let bench = try Bench(Self.text("interval: 1s, body: ready", servers: "10.0.0.1:1"))
      bench.wait(.milliseconds(200))
      try bench.server().send(ok(text))
      #expect(bench.snapshot.sharing[0].servers[0].lastCheck?.result == result)
    }
  }

  @Test("A server that refuses, closes, or takes too long to connect")
  func noAnswer() throws {
    let bench = try Bench(Self.text("interval: 1s, timeout: 500ms", servers: "10.0.0.1:1"))
    let shared = bench.snapshot.sharing[0].servers[0]
    bench.refusing = ["10.0.0.1:1"]
    bench.wait(.milliseconds(200))
    #expect(shared.lastCheck?.result == .connectFailed && bench.servers.count == 1)
    bench.refusing = []
    bench.wait(.milliseconds(1200))
    try bench.server().reset()
    #expect(shared.lastCheck?.result == .closed && bench.servers.count == 2)
    bench.holdsConnects = true
    bench.wait(.milliseconds(1800))
    #expect(shared.lastCheck?.result == .timeout && bench.sockets.isEmpty)
    #expect(bench.upstreamChanges == [.unhealthy(server: "10.0.0.1:1", .timeout, status: 0), .panicBegan])
  }

  @Test("tcp only connects")
  func connectOnly() throws {
    let bench = try Bench(
      Self.text("type: tcp, interval: 1s, timeout: 500ms, unhealthy_after: 1", servers: "10.0.0.1:1"))
    let shared = bench.snapshot.sharing[0].servers[0]
    bench.wait(.milliseconds(200))
    #expect(shared.lastCheck?.result == .passed)
    #expect(try bench.server().isClosed && bench.server().bytes.isEmpty)
    bench.refusing = ["10.0.0.1:1"]
    bench.wait(.milliseconds(1200))
    #expect(shared.lastCheck?.result == .connectFailed && !shared.isHealthy)
    bench.refusing = []
    bench.holdsConnects = true
    bench.wait(.milliseconds(1800))
    #expect(shared.lastCheck?.result == .timeout && bench.sockets.isEmpty)
    #expect(shared.checkCounts.passed == 1 && shared.checkCounts.failed >= 2)
  }

  @Test("grpc asks grpc.health.v1 by name, and takes SERVING alone")
  func call() throws {
    for (message, status, result) in [
      ([0, 0, 0, 0, 2, 8, 1], "0", CheckResult.passed), ([0, 0, 0, 0, 2, 8, 2], "0", .notServing),
      ([0, 0, 0, 0, 0], "0", .notServing), ([], "5", .notServing), ([0, 0, 0, 0, 2, 8, 1], "14", .notServing),
    ] as [([UInt8], String, CheckResult)] {
      let bench = try Bench(
        Self.text("type: grpc, service: a.B, interval: 1s", servers: "10.0.0.1:1", ", protocol: http2"))
      bench.wait(.milliseconds(200))
      let server = try GRPCPeer(.server, try bench.server(), bench)
      server.exchange()
      let stream = try #require(server.streams.keys.first)
      let seen = try #require(server.streams[stream])
      #expect(seen.head.first == "POST /grpc.health.v1.Health/Check", "\(seen.head)")
      #expect(seen.head.contains("content-type: application/grpc") && seen.head.contains("te: trailers"))
      #expect(seen.content == [0, 0, 0, 0, 5, 0x0A, 3] + Array("a.B".utf8) && seen.isEnded)
      try server.answer(stream, 200, "content-type: application/grpc\r\n")
      try server.send(message, on: stream)
      try server.finish(stream, trailers: "grpc-status: \(status)\r\n")
      #expect(bench.snapshot.sharing[0].servers[0].lastCheck?.result == result)
      bench.wait(.milliseconds(100))
      #expect(bench.sockets.isEmpty, "the connection is not kept")
    }
  }

  @Test(
    "With too few servers healthy, requests go to all of them. With panic_threshold 0% and none healthy they are refused"
  )
  func panic() throws {
    let three = "10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3"
    let bench = try Bench(Self.text(Self.quick, servers: three))
    rounds(2, bench, well: "10.0.0.1:1", "10.0.0.2:2")
    #expect(rotation(bench) == ["10.0.0.1:1", "10.0.0.2:2"])
    rounds(2, bench, well: "10.0.0.1:1")
    #expect(rotation(bench).count == 3 && bench.upstreamChanges.last == .panicBegan)
    rounds(2, bench, well: "10.0.0.1:1", "10.0.0.3:3")
    #expect(rotation(bench) == ["10.0.0.1:1", "10.0.0.3:3"] && bench.upstreamChanges.last == .panicEnded)

    let strict = try Bench(Self.text(Self.quick, servers: three, ", panic_threshold: 0%"))
    rounds(2, strict, well: "10.0.0.1:1")
    #expect(rotation(strict) == ["10.0.0.1:1"])
    rounds(2, strict)
    let client = strict.connect()
    client.send(get())
    #expect(code(client.text) == "upstream_unavailable" && status(client.text) == 503)
    #expect(values("Retry-After", in: client.take()) == ["1"])
    #expect(strict.worker.counters.copy().rejections(upstream: 0, .upstreamUnavailable) == 1)
    rounds(2, strict, well: "10.0.0.2:2")
    client.send(get())
    #expect(try #require(strict.servers.last { $0.text.hasPrefix("GET / ") }).address == "10.0.0.2:2")
  }

  @Test(
    "What is known of a server outlives a reload, also one that changes its upstream. Without checks all is forgotten")
  func reload() throws {
    let bench = try Bench(Self.text(Self.quick))
    rounds(2, bench, well: "10.0.0.1:1")
    #expect(rotation(bench) == ["10.0.0.1:1"])
    try bench.reload(Self.text(Self.quick))
    #expect(rotation(bench) == ["10.0.0.1:1"])
    try bench.reload(
      Self.text(Self.quick, servers: "10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3", ", response_timeout: 3s"))
    bench.wait(.milliseconds(100))
    #expect(rotation(bench) == ["10.0.0.1:1", "10.0.0.3:3"])
    #expect(bench.upstreamChanges.count == 1)
    rounds(1, bench, well: "10.0.0.1:1", "10.0.0.3:3")
    #expect(rotation(bench) == ["10.0.0.1:1", "10.0.0.3:3"])
    try bench.reload(openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2] } }")
    #expect(rotation(bench).count == 2)
    try bench.reload(Self.text(Self.quick))
    bench.wait(.milliseconds(100))
    #expect(rotation(bench).count == 2)
  }

  @Test("A check under way when a reload takes it away ends with nothing said, and so does one at a drain's end")
  func endsUnderWay() throws {
    for isReload in [true, false] {
      let bench = try Bench(
        Self.text("interval: 1s, unhealthy_after: 1", servers: "10.0.0.1:1"))
      bench.wait(.milliseconds(200))
      #expect(try bench.server().isOpen)
      if isReload {
        try bench.reload(openRoutes)
      } else {
        bench.act { $0.drain() }
        bench.act { $0.abortAll() }
      }
      #expect(bench.sockets.isEmpty && bench.upstreamChanges.isEmpty)
      bench.wait(.seconds(3))
      #expect(bench.servers.count == 1)
    }
  }

  @Test("Of two workers one checks, and both know what it found")
  func twoWorkers() throws {
    let snapshot = Snapshot(try configuration(Self.text(Self.quick)), generation: 1)
    let first = Bench(snapshot)
    let second = Bench(snapshot, checksServers: false)
    rounds(2, first, well: "10.0.0.2:2")
    #expect(second.servers.isEmpty)
    let client = second.connect()
    for _ in 1...3 {
      client.send(get())
      #expect(try second.server().address == "10.0.0.2:2")
      try second.server().send(ok())
    }
  }
}
