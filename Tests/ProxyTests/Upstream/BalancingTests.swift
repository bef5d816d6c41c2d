// Which server takes a request, and which connections are kept.

import Testing

@testable import Proxy

@Suite("Balancing")
struct BalancingTests {
  @Test("Weights are kept to, spread smoothly")
  func weights() throws {
    let bench = try Bench(
      openRoutes + "\nupstreams: { app: { servers: [{ address: 10.0.0.1:1, weight: 5 }, 10.0.0.2:1, 10.0.0.3:1] } }")
    for _ in 0..<14 { bench.connect().send(get()) }
    let order = bench.servers.map { String($0.address.dropFirst(7).prefix(1)) }.joined()
    #expect(order == "12111311211131")
    bench.expectNothingHeld()
  }

  @Test("A kept connection is used again, the latest first, and no more are kept than the file says")
  func pool() throws {
    let bench = try Bench(openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1], idle_connections: 2 } }")
    let clients = (0..<3).map { _ in bench.connect() }
    for client in clients { client.send(get()) }
    for server in bench.servers { server.send(ok()) }
    #expect(bench.servers.map(\.isAborted) == [false, false, true])
    clients[0].send(get())
    #expect(bench.servers.count == 3)
    #expect(bench.servers[1].text.utf8.count > bench.servers[0].text.utf8.count)
    bench.expectNothingHeld()
  }

  @Test("At most three servers are tried, each once")
  func threeServers() throws {
    let bench = try Bench(
      openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:1, 10.0.0.3:1, 10.0.0.4:1] } }")
    bench.refusing = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"]
    let client = bench.connect()
    client.send(get())
    #expect(bench.servers.count == 3 && Set(bench.servers.map(\.address)).count == 3)
    #expect(status(client.text) == 502)
    bench.expectNothingHeld()
  }

  @Test("A heavy server that refuses is not tried again while a light one is left")
  func heavyServerDown() throws {
    let bench = try Bench(
      openRoutes + "\nupstreams: { app: { servers: [{ address: 10.0.0.1:1, weight: 1000 }, 10.0.0.2:1] } }")
    bench.refusing = ["10.0.0.1:1"]
    let client = bench.connect()
    for _ in 0..<3 {
      client.send(get())
      // The light one's connection is kept.
      try #require(bench.servers.last { $0.isOpen }).send(ok())
      #expect(status(client.take()) == 200)
    }
    bench.expectNothingHeld()
  }

  @Test("A server that says close, or speaks HTTP/1.0, is not used again")
  func notKept() throws {
    for answer in [ok("x", "Connection: close"), "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"] {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      client.send(get())
      try bench.server().send(answer)
      #expect(try bench.server().isAborted && !client.isGone)
      bench.expectNothingHeld()
    }
  }

  @Test("A response rule replaces the type of a fixed answer")
  func ownAnswerRules() throws {
    for (rule, types) in [("set: { Content-Type: text/html }", ["text/html"]), ("remove: [content-type]", [])] {
      let bench = try Bench(
        "routes: [{ path: /, auth: public, respond: { status: 200, body: x }, response_headers: { \(rule) } }]")
      let client = bench.connect()
      client.send(get())
      #expect(values("Content-Type", in: client.text) == types)
      bench.expectNothingHeld()
    }
  }

  @Test("Fixed answers and redirects need no server, and a redirect stays on its host")
  func ownAnswers() throws {
    let bench = try Bench(
      """
      routes:
      - { path: /health, auth: public, respond: { status: 200, body: fine } }
      - { path: /old/*, auth: public, redirect: { to: /, status: 308 } }
      - { path: /gone, auth: public, methods: [GET], respond: { status: 204 } }
      """)
    let client = bench.connect()
    client.send(get("/health") + head("HEAD /health HTTP/1.1", "Host: h"))
    #expect(client.take().hasSuffix("fine" + "") == false)
    client.send(get("/health"))
    #expect(body(of: client.take()) == "fine")
    // As it is, it is redirected to its normal form first.
    client.send(get("/old//evil.example/a?b=c"))
    #expect(values("Location", in: client.text) == ["/old/evil.example/a?b=c"] && status(client.take()) == 308)
    client.send(get("/old/evil.example/a?b=c"))
    #expect(values("Location", in: client.text) == ["/evil.example/a?b=c"] && status(client.take()) == 308)
    client.send(get("/gone"))
    #expect(status(client.text) == 204 && values("Content-Length", in: client.take()).isEmpty)
    client.send(head("POST /gone HTTP/1.1", "Host: h"))
    #expect(status(client.text) == 405 && values("Allow", in: client.take()) == ["GET"])
    client.send(get("/nothing"))
    #expect(code(client.text) == "route_not_found" && !client.isGone)
    bench.expectNothingHeld()
  }
}
