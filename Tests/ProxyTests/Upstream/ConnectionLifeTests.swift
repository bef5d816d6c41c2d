// How long a connection to a server is kept for the next request, and how many requests it takes.

import Testing

@testable import Proxy

@Suite("Lives of connections to servers")
struct ConnectionLifeTests {
  private static func bench(_ keys: String) throws -> Bench {
    try Bench(openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1], \(keys) } }")
  }

  private static func multiplexed(_ keys: String) throws -> HTTP2Bench {
    try HTTP2Bench(
      HTTP2Bench.route + "upstreams: { app: { servers: [10.0.0.1:1], protocol: http2, \(keys) } }\n")
  }

  @Test(
    "An idle connection is closed after idle_timeout, and not before", arguments: [("", 55), ("idle_timeout: 3s", 3)])
  func idle(_ keys: String, _ seconds: Int) throws {
    let bench = try Self.bench(keys)
    let client = bench.connect()
    client.send(get())
    let server = try bench.server()
    server.send(ok())
    bench.wait(.milliseconds(seconds * 1000 - 200))
    #expect(server.isOpen)
    bench.wait(.milliseconds(400))
    #expect(!server.isOpen)
    client.send(get())
    #expect(bench.servers.count == 2)
    bench.expectNothingHeld()
  }

  @Test("A use of the connection begins its idle time anew")
  func used() throws {
    let bench = try Self.bench("idle_timeout: 3s")
    let client = bench.connect()
    for _ in 0..<4 {
      client.send(get())
      try bench.server().send(ok())
      bench.wait(.seconds(2))
    }
    #expect(bench.servers.count == 1)
    bench.expectNothingHeld()
  }

  @Test(
    "Keep-Alive of an answer shortens the idle time to a second less than it says",
    arguments: [
      ("timeout=5", 4000), ("max=100, Timeout = 5", 4000), ("timeout=5, max=2", 4000), ("timeout=600", 55_000),
      ("timeout=9999999", 55_000), ("timeout=-1", 55_000), ("timeout=", 55_000), ("timeout", 55_000), ("5", 55_000),
      (",,=,", 55_000), ("xtimeout=2", 55_000),
    ])
  func announced(_ value: String, _ milliseconds: Int) throws {
    let bench = try Self.bench("idle_connections: 4")
    let client = bench.connect()
    client.send(get())
    let server = try bench.server()
    server.send(ok("fine", "Keep-Alive: \(value)"))
    #expect(body(of: client.text) == "fine" && values("Keep-Alive", in: client.text).isEmpty)
    bench.wait(.milliseconds(milliseconds - 200))
    #expect(server.isOpen)
    bench.wait(.milliseconds(400))
    #expect(!server.isOpen)
    bench.expectNothingHeld()
  }

  @Test("A server that keeps connections for a second or less gets a new one for each request", arguments: [0, 1])
  func announcedAtOnce(_ seconds: Int) throws {
    let bench = try Self.bench("idle_timeout: 10s")
    let client = bench.connect()
    for _ in 0..<2 {
      client.send(get())
      try bench.server().send(ok("fine", "Keep-Alive: timeout=\(seconds)"))
      #expect(body(of: client.take()) == "fine")
      #expect(try !bench.server().isOpen)
    }
    #expect(bench.servers.count == 2)
    bench.expectNothingHeld()
  }

  @Test("A connection takes connection_max_requests and no more")
  func requests() throws {
    let bench = try Self.bench("connection_max_requests: 3")
    let client = bench.connect()
    for number in 1...7 {
      client.send(get("/\(number)"))
      try bench.server().send(ok())
      #expect(bench.servers.count == (number + 2) / 3)
      #expect(try bench.server().isOpen == (number % 3 != 0))
    }
    bench.expectNothingHeld()
  }

  @Test("A connection takes no new request after connection_max_age, and a running one is left to end")
  func age() throws {
    let bench = try Self.bench("connection_max_age: 5s")
    let client = bench.connect()
    client.send(get())
    let first = try bench.server()
    first.send(ok())
    bench.wait(.seconds(4))
    #expect(first.isOpen)
    bench.wait(.milliseconds(1200))
    #expect(!first.isOpen, "idle")
    client.send(get())
    let second = try bench.server()
    bench.wait(.seconds(7))
    #expect(second.isOpen, "in use")
    _ = client.take()
    second.send(ok("late"))
    #expect(body(of: client.text) == "late" && !second.isOpen)
    bench.expectNothingHeld()
  }

  @Test("HTTP/2: after connection_max_requests the next stream gets a connection of its own, and running ones end")
  func streams() throws {
    let over = try Self.multiplexed("connection_max_requests: 2")
    let client = try over.client()
    let asked = try (0..<5).map { try #require(client.ask(get("/\($0)"))) }
    try over.settle()
    #expect(over.servers.map(\.begun.count) == [2, 2, 1])
    for server in over.servers { for id in server.begun { server.answer(id, body: "fine") } }
    try over.settle()
    for stream in asked { #expect(client[stream].text == "fine") }
    #expect(over.bench.servers.map(\.isOpen) == [false, false, true])
    over.bench.expectNothingHeld()
  }

  @Test("HTTP/2: after connection_max_age new streams go elsewhere, and running ones end where they are")
  func multiplexedAge() throws {
    let over = try Self.multiplexed("connection_max_age: 5s, response_timeout: 1m")
    let client = try over.client()
    let first = try #require(client.ask(get("/1")))
    try over.settle()
    try over.wait(.seconds(6))
    let second = try #require(client.ask(get("/2")))
    try over.settle()
    #expect(over.servers.map(\.begun.count) == [1, 1])
    over.servers[0].answer(over.servers[0].begun[0], body: "one")
    over.servers[1].answer(over.servers[1].begun[0], body: "two")
    try over.settle()
    #expect(client[first].text == "one" && client[second].text == "two")
    #expect(over.bench.servers.map(\.isOpen) == [false, true])
    over.bench.expectNothingHeld()
  }

  @Test("HTTP/2: a connection without streams is closed after idle_timeout")
  func multiplexedIdle() throws {
    let over = try Self.multiplexed("idle_timeout: 3s")
    let client = try over.client()
    _ = try #require(client.ask(get()))
    try over.settle()
    over.servers[0].answer(over.servers[0].begun[0], body: "fine")
    try over.settle()
    try over.wait(.milliseconds(2500))
    #expect(over.bench.servers[0].isOpen)
    try over.wait(.seconds(1))
    #expect(!over.bench.servers[0].isOpen)
    over.bench.expectNothingHeld()
  }
}
