// Passive ejection on virtual time: which outcomes count, for how long a server is out, and how many may be.

import Configuration
import Testing

@testable import Proxy

@Suite("Ejection")
struct EjectionTests {
  static func text(_ keys: String, servers: String = "10.0.0.1:1, 10.0.0.2:2", _ more: String = "") -> String {
    openRoutes + "\nupstreams: { app: { servers: [\(servers)], eject: { \(keys) }\(more) } }"
  }

  static let failing = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"

  /// One request, answered by the server that it came to.
  private func exchange(_ bench: Bench, _ answers: [String: String]) throws -> (server: String, client: String) {
    let client = bench.connect()
    client.send(get())
    let server = try #require(bench.servers.last { !$0.bytes.isEmpty || $0.isConnecting })
    _ = server.take()
    server.send(answers[server.address] ?? ok())
    let text = client.take()
    client.reset()
    bench.forgetServers()
    return (server.address, text)
  }

  private func rotation(_ bench: Bench) -> [String] {
    bench.act { $0.pools[0].reviewRotation() }
    return bench.worker.pools[0].rotation.servers.map(\.configuration.address.description)
  }

  @Test("Failures in a row take a server out for a while. A success in between begins the count again")
  func failuresInARow() throws {
    let bench = try Bench(Self.text("errors: 3, for: 10s, on: [503]"))
    let bad = ["10.0.0.1:1": Self.failing]
    for _ in 1...4 { _ = try exchange(bench, bad) }
    for _ in 1...2 { _ = try exchange(bench, [:]) }
    for _ in 1...4 { _ = try exchange(bench, bad) }
    #expect(rotation(bench).count == 2 && bench.upstreamChanges.isEmpty)
    for _ in 1...2 { _ = try exchange(bench, bad) }
    #expect(rotation(bench) == ["10.0.0.2:2"])
    #expect(bench.upstreamChanges == [.ejected(server: "10.0.0.1:1", milliseconds: 10_000, failures: 3)])
    for _ in 1...5 { #expect(try exchange(bench, bad).server == "10.0.0.2:2") }
    bench.wait(.milliseconds(9900))
    #expect(rotation(bench) == ["10.0.0.2:2"])
    bench.wait(.milliseconds(200))
    #expect(rotation(bench).count == 2)
    #expect(bench.upstreamChanges.last == .returned(server: "10.0.0.1:1") && bench.upstreamChanges.count == 2)
    #expect(bench.snapshot.sharing[0].servers[0].ejectionCount == 1)
    // It begins with a clean slate.
    for _ in 1...4 { _ = try exchange(bench, bad) }
    #expect(rotation(bench).count == 2)
  }

  @Test("The second time takes twice as long, up to max_for, and each such time served well takes one off")
  func growingTime() throws {
    let bench = try Bench(Self.text("errors: 1, for: 10s, max_for: 25s, on: [503]"))
    let bad = ["10.0.0.1:1": Self.failing]
    func eject() throws -> Int64? {
      for _ in 1...2 where rotation(bench).count == 2 { _ = try exchange(bench, bad) }
      guard case .ejected(_, let milliseconds, _) = bench.upstreamChanges.last else { return nil }
      return milliseconds
    }
    #expect(try eject() == 10_000)
    bench.wait(.milliseconds(10_100))
    #expect(try eject() == 20_000)
    bench.wait(.milliseconds(20_100))
    #expect(try eject() == 25_000)
    // Out, and then well for as long as takes two off.
    bench.wait(.milliseconds(25_100 + 20_000))
    #expect(try eject() == 20_000)
    bench.wait(.milliseconds(20_100 + 60_000))
    #expect(try eject() == 10_000)
  }

  static let outcomes: [(on: String, server: String, isOut: Bool)] = [
    ("connect_failure", "refuses", true), ("timeout", "refuses", false),
    ("reset", "closes", true), ("connect_failure", "closes", false),
    ("malformed", "nonsense\r\n\r\n", true), ("reset", "nonsense\r\n\r\n", false),
    ("timeout", "silent", true), ("reset", "silent", false),
    ("500-599", failing, true), ("503", failing, true), ("502", failing, false), ("reset", failing, false),
    ("reset", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true),
  ]

  @Test("What counts is what 'on' says", arguments: outcomes)
  func counting(_ on: String, _ behaviour: String, _ isOut: Bool) throws {
    let bench = try Bench(Self.text("errors: 1, on: [\(on)]", ", response_timeout: 1s"))
    if behaviour == "refuses" { bench.refusing = ["10.0.0.1:1"] }
    for _ in 1...2 {
      let client = bench.connect()
      client.send(get())
      guard let server = bench.servers.last, server.address == "10.0.0.1:1", server.isOpen else {
        for socket in bench.servers where socket.isOpen { socket.send(ok()) }
        continue
      }
      switch behaviour {
      case "refuses", "silent": bench.wait(.milliseconds(1200))
      case "closes": server.reset()
      default: server.send(behaviour)
      }
      if behaviour.hasSuffix("half") { server.reset() }
    }
    #expect(rotation(bench) == (isOut ? ["10.0.0.2:2"] : ["10.0.0.1:1", "10.0.0.2:2"]))
    bench.expectNothingHeld()
  }

  @Test("A client that goes away, and a route's own timeout, are nobody's failure")
  func notTheServer() throws {
    let route = "routes: [{ path: /*, auth: public, upstream: app, timeout: 1s }]"
    let bench = try Bench(
      route + "\nupstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2], eject: { errors: 1 } } }")
    for _ in 1...4 {
      let client = bench.connect()
      client.send(get())
      client.reset()
    }
    let client = bench.connect()
    client.send(get())
    bench.wait(.milliseconds(1200))
    #expect(code(client.text) == "route_timeout")
    #expect(rotation(bench).count == 2)
  }

  @Test("max_share bounds how many may be out, and a single server never is")
  func share() throws {
    let four = "10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3, 10.0.0.4:4"
    for (servers, keys, count) in [
      (four, "", 2), (four, ", max_share: 100%", 0), (four, ", max_share: 24%", 4), (four, ", max_share: 75%", 1),
      ("10.0.0.1:1", "", 1), ("10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3", "", 2),
    ] {
      let bench = try Bench(Self.text("errors: 1, on: [503]\(keys)", servers: servers, ", panic_threshold: 0%"))
      for _ in 1...12 {
        let client = bench.connect()
        client.send(get())
        guard let server = bench.servers.last(where: { $0.isOpen && !$0.bytes.isEmpty }) else {
          #expect(code(client.text) == "upstream_unavailable")
          continue
        }
        _ = server.take()
        server.send(Self.failing)
        client.reset()
      }
      let left = bench.snapshot.sharing[0].servers.count { $0.ejectedUntil == 0 }
      #expect(left == count, "\(servers) \(keys)")
    }
  }

  @Test("T119: While max_share holds a server back from ejection, its next time out does not grow")
  func heldBack() throws {
    let three = "10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3"
    let bench = try Bench(Self.text("errors: 3, for: 1s", servers: three))
    bench.refusing = ["10.0.0.2:2", "10.0.0.3:3"]
    for _ in 1...80 {
      for _ in 1...20 { _ = try exchange(bench, [:]) }
      bench.wait(.milliseconds(100))
    }
    for server in bench.refusing {
      let times = bench.upstreamChanges.compactMap { change -> Int64? in
        guard case .ejected(server, let milliseconds, _) = change else { return nil }
        return milliseconds
      }
      #expect(times.count >= 2 && Array(times.prefix(2)) == [1000, 2000], "\(server): \(times)")
    }
  }

  @Test("T120: What the gateway itself lacks is its own refusal, and no server's failure")
  func ownWant() throws {
    let bench = try Bench(Self.text("errors: 1, for: 10s"))
    bench.wanting = ["10.0.0.1:1", "10.0.0.2:2"]
    for _ in 1...4 {
      let client = bench.connect()
      client.send(get())
      #expect(status(client.text) == 503 && code(client.text) == "resources_exhausted")
      #expect(values("Retry-After", in: client.text) == ["1"])
    }
    #expect(rotation(bench).count == 2 && bench.upstreamChanges.isEmpty)
    // Where only one of them cannot be reached, as for lack of ports, the other serves.
    bench.wanting = ["10.0.0.1:1"]
    for _ in 1...4 { #expect(try exchange(bench, [:]).server == "10.0.0.2:2") }
    #expect(rotation(bench).count == 2 && bench.upstreamChanges.isEmpty)
  }

  @Test("Two workers count and eject together, and one of them reports it")
  func twoWorkers() throws {
    let snapshot = Snapshot(try configuration(Self.text("errors: 4, for: 10s, on: [503]")), generation: 1)
    let first = Bench(snapshot)
    let second = Bench(snapshot, checksServers: false)
    let bad = ["10.0.0.1:1": Self.failing]
    for bench in [first, second, first, second] {
      for _ in 1...2 { _ = try exchange(bench, bad) }
    }
    #expect(rotation(first) == ["10.0.0.2:2"] && rotation(second) == ["10.0.0.2:2"])
    #expect(first.upstreamChanges.count + second.upstreamChanges.count == 1)
    first.wait(.milliseconds(10_100))
    #expect(rotation(second).count == 2)
    second.wait(.milliseconds(10_100))
    #expect(first.upstreamChanges.count + second.upstreamChanges.count == 2)
  }

  @Test("A server that is out stays out over a reload")
  func reload() throws {
    let bench = try Bench(Self.text("errors: 1, for: 10s, on: [503]"))
    let bad = ["10.0.0.1:1": Self.failing]
    for _ in 1...2 { _ = try exchange(bench, bad) }
    #expect(rotation(bench) == ["10.0.0.2:2"])
    let three = "10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3"
    try bench.reload(Self.text("errors: 2, for: 10s, on: [503]", servers: three))
    #expect(rotation(bench) == ["10.0.0.2:2", "10.0.0.3:3"])
    bench.wait(.milliseconds(10_100))
    #expect(rotation(bench).count == 3)
    try bench.reload(openRoutes)
    bench.wait(.seconds(1))
    #expect(bench.upstreamChanges.count == 2)
  }
}
