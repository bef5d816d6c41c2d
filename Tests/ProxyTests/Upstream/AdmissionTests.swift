// Limits on the requests of an upstream, and the line before it, on virtual time.

import Configuration
import Testing

@testable import Proxy

@Suite("Admission")
struct AdmissionTests {
  static func text(_ keys: String, servers: String = "10.0.0.1:1") -> String {
    openRoutes + "\nupstreams: { app: { servers: [\(servers)], \(keys) } }"
  }

  /// A client with a request for this path.
  private func ask(_ bench: Bench, _ path: String = "/") -> FakeSocket {
    let client = bench.connect()
    client.send(get(path))
    return client
  }

  /// Paths that servers were asked for, in order.
  private func asked(_ bench: Bench) -> [String] {
    bench.servers.flatMap { socket in
      socket.text.split(separator: "\r\n").filter { $0.hasPrefix("GET ") }.map { String($0.split(separator: " ")[1]) }
    }
  }

  private func isRefused(_ client: FakeSocket, _ reason: String) -> Bool {
    status(client.text) == 503 && code(client.text) == reason && values("Retry-After", in: client.text) == ["1"]
  }

  @Test("Past max_requests a request is refused at once, and is let in again when another has ended")
  func limit() throws {
    let bench = try Bench(Self.text("max_requests: 2"))
    let first = ask(bench)
    _ = ask(bench)
    let third = ask(bench)
    #expect(isRefused(third, "upstream_overloaded") && bench.servers.count == 2)
    #expect(bench.worker.counters.copy().rejections(upstream: 0, .upstreamOverloaded) == 1)
    bench.servers[0].send(ok())
    #expect(status(first.text) == 200)
    _ = ask(bench)
    #expect(isRefused(ask(bench), "upstream_overloaded"))
    bench.expectNothingHeld()
    #expect(bench.snapshot.sharing[0].upstream.requests.count == 0)
  }

  @Test("Every end of a request gives its place back: answer, refusal, reset, timeout, a client that goes")
  func ends() throws {
    let bench = try Bench(Self.text("max_requests: 1, response_timeout: 1s, connect_timeout: 1s"))
    let shared = bench.snapshot.sharing[0].upstream
    for end in ["answer", "reset", "malformed", "timeout", "client", "refused", "half"] {
      bench.refusing = end == "refused" ? ["10.0.0.1:1"] : []
      let client = ask(bench)
      let server = try bench.server()
      switch end {
      case "answer": server.send(ok())
      case "reset": server.reset()
      case "malformed": server.send("x\r\n\r\n")
      case "timeout": bench.wait(.milliseconds(1200))
      case "client": client.reset()
      case "half":
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        #expect(shared.requests.count == 1)
        server.reset()
      default: break
      }
      #expect(shared.requests.count == 0, "\(end)")
      client.reset()
      for socket in bench.servers { socket.reset() }
    }
    bench.expectNothingHeld()
  }

  @Test("max_requests_per_server passes full servers over, and refuses when all are")
  func perServer() throws {
    let bench = try Bench(
      Self.text("max_requests_per_server: 2", servers: "{ address: '10.0.0.1:1', weight: 100 }, '10.0.0.2:2'"))
    for _ in 1...4 { _ = ask(bench) }
    #expect(bench.servers.map(\.address).sorted() == ["10.0.0.1:1", "10.0.0.1:1", "10.0.0.2:2", "10.0.0.2:2"])
    #expect(isRefused(ask(bench), "upstream_overloaded"))
    let server = try #require(bench.servers.first { $0.address == "10.0.0.2:2" })
    server.send(ok())
    _ = server.take()
    _ = ask(bench)
    #expect(!server.bytes.isEmpty)
    bench.expectNothingHeld()
    #expect(bench.snapshot.sharing[0].servers.allSatisfy { $0.requests.count == 0 })
  }

  @Test("A connect that fails gives the server's place back, and takes one at the next server")
  func perServerRetry() throws {
    let bench = try Bench(Self.text("max_requests_per_server: 1", servers: "10.0.0.1:1, 10.0.0.2:2"))
    bench.refusing = ["10.0.0.1:1"]
    let client = ask(bench)
    let counts = bench.snapshot.sharing[0].servers.map { $0.requests.count }
    #expect(counts == [0, 1])
    try bench.server().send(ok())
    #expect(status(client.text) == 200)
    #expect(bench.snapshot.sharing[0].servers.allSatisfy { $0.requests.count == 0 })
    bench.expectNothingHeld()
  }

  @Test("Those that wait are served in their order, over the connection that became free")
  func order() throws {
    let bench = try Bench(Self.text("max_requests: 1, queue: { length: 3, timeout: 5s }"))
    let clients = (1...4).map { ask(bench, "/\($0)") }
    #expect(isRefused(ask(bench, "/5"), "upstream_overloaded"))
    #expect(asked(bench) == ["/1"] && bench.worker.upstreamLoads[0].waitingCount == 3)
    for number in 1...4 {
      try bench.server().send(ok("\(number)"))
      #expect(body(of: clients[number - 1].text) == "\(number)")
    }
    #expect(asked(bench) == ["/1", "/2", "/3", "/4"] && bench.servers.count == 1)
    #expect(bench.worker.upstreamLoads[0].waitingCount == 0)
    bench.expectNothingHeld()
  }

  @Test("A newcomer does not overtake, also when a place is free at that moment")
  func noOvertaking() throws {
    let bench = try Bench(Self.text("max_requests: 1, queue: {}"))
    let first = ask(bench, "/1")
    let second = ask(bench, "/2")
    // Its request arrives in the same breath as the answer that makes room.
    first.send(get("/3"))
    try bench.server().send(ok())
    #expect(asked(bench) == ["/1", "/2"])
    try bench.server().send(ok())
    #expect(status(second.text) == 200 && asked(bench) == ["/1", "/2", "/3"])
  }

  @Test("Who waits too long is refused, and a route's timeout ends the wait before that")
  func timeouts() throws {
    let bench = try Bench(
      """
      routes:
        - { path: /*, auth: public, upstream: app }
        - { path: /short, auth: public, upstream: app, timeout: 500ms }
      upstreams: { app: { servers: [10.0.0.1:1], max_requests: 1, queue: { timeout: 1s } } }
      """)
    _ = ask(bench, "/1")
    let waiting = ask(bench, "/2")
    let short = ask(bench, "/short")
    bench.wait(.milliseconds(700))
    #expect(code(short.text) == "route_timeout" && waiting.text.isEmpty)
    bench.wait(.milliseconds(500))
    #expect(isRefused(waiting, "upstream_queue_timeout"))
    #expect(bench.worker.counters.copy().rejections(upstream: 0, .upstreamQueueTimeout) == 1)
    #expect(bench.snapshot.sharing[0].upstream.waiting.count == 0)
    try bench.server().send(ok())
    #expect(asked(bench) == ["/1"])
    bench.expectNothingHeld()
  }

  @Test(
    "A client that goes away leaves the queue. A body that waits with its request is whole when that gets its permit")
  func leaving() throws {
    let bench = try Bench(Self.text("max_requests: 1, queue: {}"))
    _ = ask(bench, "/1")
    let second = ask(bench, "/2")
    let third = bench.connect()
    third.send(head("POST /3 HTTP/1.1", "Host: h", "Content-Length: 6") + "abc")
    second.reset()
    #expect(bench.snapshot.sharing[0].upstream.waiting.count == 1)
    third.send("def")
    try bench.server().send(ok())
    let server = try bench.server()
    #expect(server.text.contains("POST /3 ") && server.text.hasSuffix("abcdef"))
    server.send(ok("third"))
    #expect(body(of: third.text) == "third")
    bench.expectNothingHeld()
    #expect(bench.snapshot.sharing[0].upstream.requests.count == 0)
  }

  @Test("When the last server goes out, those that wait are refused")
  func lastServer() throws {
    let keys = "max_requests: 1, queue: {}, panic_threshold: 0%, eject: { errors: 1, max_share: 100%, on: [503] }"
    let bench = try Bench(Self.text(keys))
    _ = ask(bench, "/1")
    let waiting = [ask(bench, "/2"), ask(bench, "/3")]
    try bench.server().send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    bench.wait(.milliseconds(100))
    #expect(waiting.allSatisfy { isRefused($0, "upstream_unavailable") })
    #expect(asked(bench) == ["/1"])
    bench.expectNothingHeld()
  }

  @Test("A gRPC call that is turned away is UNAVAILABLE")
  func call() throws {
    let bench = try CallBench(
      upstream: "upstreams: { app: { servers: [10.0.0.1:9000], protocol: http2, max_requests: 1 } }")
    _ = try bench.call()
    let second = try bench.call()
    bench.client.exchange()
    try bench.expectRefusal(second, 14, "upstream_overloaded")
  }

  @Test("Two workers share one limit and one length of the line, and take turns when both have requests waiting")
  func twoWorkers() throws {
    let snapshot = Snapshot(
      try configuration(Self.text("max_requests: 2, queue: { length: 6, timeout: 1m }")), generation: 1)
    let first = Bench(snapshot)
    let second = Bench(snapshot, checksServers: false)
    first.peer = second
    second.peer = first
    _ = ask(first, "/a1")
    _ = ask(first, "/a2")
    for number in 3...5 {
      _ = ask(first, "/a\(number)")
      _ = ask(second, "/b\(number)")
    }
    #expect(isRefused(ask(second), "upstream_overloaded") && second.servers.isEmpty)
    var order: [String] = []
    for _ in 1...8 {
      #expect(snapshot.sharing[0].upstream.requests.count <= 2)
      for bench in [first, second] {
        guard let server = bench.servers.first(where: { $0.isOpen && !$0.bytes.isEmpty }) else { continue }
        order.append(String(server.take().split(separator: " ")[1]))
        server.send(ok())
        break
      }
    }
    #expect(Set(order) == ["/a1", "/a2", "/a3", "/a4", "/a5", "/b3", "/b4", "/b5"], "\(order)")
    let place = try #require(order.firstIndex(of: "/b3"))
    #expect(place < 5, "the other worker's were not left behind: \(order)")
    first.expectNothingHeld()
    second.expectNothingHeld()
    #expect(snapshot.sharing[0].upstream.requests.count == 0 && snapshot.sharing[0].upstream.waiting.count == 0)
  }

  @Test("Who waits when a reload comes goes on with the configuration that it began with")
  func reload() throws {
    let bench = try Bench(Self.text("max_requests: 1, queue: { timeout: 1m }"))
    _ = ask(bench, "/1")
    let second = ask(bench, "/2")
    try bench.reload(Self.text("max_requests: 1, queue: { timeout: 1m }, response_timeout: 3s"))
    // The new pool's line follows the old one's, at the same limit.
    let third = ask(bench, "/3")
    #expect(asked(bench) == ["/1"])
    for number in 1...3 {
      let server = try #require(bench.servers.last { $0.isOpen })
      server.send(ok("\(number)"))
    }
    #expect(body(of: second.text) == "2" && body(of: third.text) == "3")
    #expect(bench.snapshot.sharing[0].upstream.requests.count == 0)
    bench.expectNothingHeld()
  }
}
