// `retry`: which failures send a request again, which requests that is safe for, where to, when, and how many at once.

import Testing

@testable import Proxy

@Suite("Retries")
struct RetryTests {
  private static func bench(_ retry: String, servers: String = "10.0.0.1:1, 10.0.0.2:2", more: String = "") throws
    -> Bench
  {
    try Bench(openRoutes + "\nupstreams: { app: { servers: [\(servers)], retry: \(retry)\(more) } }")
  }

  private static let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n"

  private func retries(_ bench: Bench) -> UInt64 { bench.worker.counters.copy().retries(upstream: 0) }

  @Test("A status that is named is held back, and the next server's answer goes to the client", arguments: [503, 500])
  func heldBack(_ status: Int) throws {
    let bench = try Self.bench("{ on: [\"503\", 500] }")
    let client = bench.connect()
    client.send(get("/a"))
    bench.servers[0].send("HTTP/1.1 \(status) No\r\nX-From: first\r\nContent-Length: 4\r\n\r\nbusy")
    #expect(client.bytes.isEmpty && bench.servers[0].isAborted)
    #expect(bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.2:2"])
    #expect(try lines(of: bench.server().text)[0] == "GET /a HTTP/1.1")
    bench.servers[1].send(ok("fine"))
    #expect(body(of: client.text) == "fine" && !client.text.contains("first"))
    #expect(retries(bench) == 1)
    #expect(bench.logLines[0].contains("\"server\":\"10.0.0.2:2\",\"upstream_status\":200,\"attempts\":2,"))
    #expect(bench.worker.pools[0].retryCount == 0 && bench.worker.pools[0].activeCount == 0)
    bench.expectNothingHeld()
  }

  @Test("The last attempt's status goes to the client, and one that is not named goes at once")
  func last() throws {
    let bench = try Self.bench("{ attempts: 1, on: [\"503\"] }")
    let client = bench.connect()
    client.send(get())
    for server in [0, 1] { bench.servers[server].send(Self.busy + "\r\nbusy") }
    #expect(status(client.text) == 503 && body(of: client.take()) == "busy" && bench.servers.count == 2)
    client.send(get())
    try #require(bench.servers.last { $0.isOpen }).send("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n")
    #expect(status(client.text) == 502 && retries(bench) == 1)
    bench.expectNothingHeld()
  }

  @Test(
    "What may not be made twice, or has lost a part of its body, is not sent again after a status or a reset",
    arguments: [
      head("POST / HTTP/1.1", "Host: h"), head("PATCH / HTTP/1.1", "Host: h"),
      head("PUT / HTTP/1.1", "Host: h", "Content-Length: 1") + "x",
      head("GET / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked") + "1\r\nx\r\n",
    ])
  func unsafe(_ request: String) throws {
    for isReset in [true, false] {
      let bench = try Self.bench("{ on: [\"503\", reset_before_response] }")
      let client = bench.connect()
      client.send(request)
      if isReset { bench.servers[0].reset() } else { bench.servers[0].send(Self.busy + "\r\nbusy") }
      #expect(status(client.text) == (isReset ? 502 : 503))
      #expect(bench.servers.count == 1 && retries(bench) == 0)
      bench.expectNothingHeld()
    }
  }

  @Test("A retry whose next server is full goes to a third. Only where all are full it is refused")
  func fullNext() throws {
    for isThirdFull in [false, true, false, true, false, true] {
      let bench = try Self.bench(
        "{ attempts: 1, on: [\"503\"], backoff: 1s }", servers: "10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3",
        more: ", max_requests_per_server: 1")
      let servers = bench.snapshot.sharing[0].servers
      let client = bench.connect()
      client.send(get())
      _ = servers[1].requests.take(below: 1)
      if isThirdFull { _ = servers[2].requests.take(below: 1) }
      bench.servers[0].send(Self.busy + "\r\nbusy")
      if isThirdFull {
        #expect(code(client.text) == "upstream_overloaded")
      } else {
        #expect(bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.3:3"])
        bench.servers[1].send(ok("fine"))
        #expect(body(of: client.text) == "fine")
      }
      bench.expectNothingHeld()
    }
  }

  @Test(
    "With one of three servers dead a third of the requests meets it first",
    arguments: ["round_robin", "least_requests"])
  func deadOne(_ balance: String) throws {
    let bench = try Bench(
      openRoutes
        + "\nupstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2, 10.0.0.3:3], balance: \(balance) } }")
    bench.refusing = ["10.0.0.2:2"]
    var served: [String: Int] = [:]
    for _ in 1...300 {
      let client = bench.connect()
      client.send(get())
      let server = try #require(bench.servers.last { $0.isOpen && !$0.bytes.isEmpty })
      _ = server.take()
      server.send(ok())
      served[server.address, default: 0] += 1
      client.reset()
    }
    #expect(bench.servers.count { $0.address == "10.0.0.2:2" } == 100)
    #expect(served.values.allSatisfy { (120...180).contains($0) }, "\(served)")
  }

  @Test("A reset before the answer moves a safe request on, also within a head, and never once the answer has begun")
  func reset() throws {
    for part in ["", "HTTP/1.1 200 O"] {
      let bench = try Self.bench("{}")
      let client = bench.connect()
      client.send(head("PUT /a HTTP/1.1", "Host: h", "Transfer-Encoding: chunked") + "0\r\n\r\n")
      bench.servers[0].send(part)
      bench.servers[0].reset()
      #expect(try bench.server().text.hasSuffix("0\r\n\r\n") && bench.servers.count == 2)
      bench.servers[1].send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal")
      bench.servers[1].reset()
      #expect(bench.servers.count == 2 && body(of: client.text) == "hal" && client.isGone)
      bench.expectNothingHeld()
    }
  }

  @Test("An interim head that went to the client is the beginning of an answer")
  func interim() throws {
    let bench = try Self.bench("{}")
    let client = bench.connect()
    client.send(get())
    bench.servers[0].send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    bench.servers[0].reset()
    #expect(bench.servers.count == 1 && client.text.contains("502"))
    bench.expectNothingHeld()
  }

  @Test("A server that does not answer in time is left for another, where that is named")
  func responseTimeout() throws {
    for (retry, code) in [("{ on: [response_timeout] }", 200), ("{}", 504)] {
      let bench = try Self.bench(retry, more: ", response_timeout: 1s")
      let client = bench.connect()
      client.send(get())
      bench.wait(.milliseconds(1100))
      #expect(bench.servers.count == (code == 200 ? 2 : 1) && bench.servers[0].isAborted)
      if code == 200 { bench.servers[1].send(ok()) }
      #expect(status(client.text) == code)
      bench.expectNothingHeld()
    }
  }

  @Test("The same server is asked again after a wait, and not at once")
  func backoff() throws {
    let bench = try Self.bench("{ attempts: 2, on: [\"503\"], backoff: 1s }", servers: "10.0.0.1:1")
    let client = bench.connect()
    client.send(get())
    bench.servers[0].send(Self.busy + "\r\nbusy")
    bench.wait(.milliseconds(400))
    #expect(bench.servers.count == 1 && client.bytes.isEmpty)
    bench.wait(.milliseconds(1200))
    #expect(bench.servers.count == 2)
    bench.servers[1].send(Self.busy + "\r\nbusy")
    // Twice as long.
    bench.wait(.milliseconds(900))
    #expect(bench.servers.count == 2)
    bench.wait(.milliseconds(2200))
    bench.servers[2].send(ok("fine"))
    #expect(body(of: client.text) == "fine" && bench.logLines[0].contains("\"attempts\":3,"))
    bench.expectNothingHeld()
  }

  @Test("A client that goes, or a route's timeout, ends the wait for the next attempt")
  func endedWhileWaiting() throws {
    let text =
      "routes: [{ path: /*, auth: public, upstream: app, timeout: 2s }]\n"
      + "upstreams: { app: { servers: [10.0.0.1:1], retry: { on: [\"503\"], backoff: 10s } } }"
    for isGone in [true, false] {
      let bench = try Bench(text)
      let client = bench.connect()
      client.send(get())
      bench.servers[0].send(Self.busy + "\r\nbusy")
      if isGone { client.reset() } else { bench.wait(.milliseconds(2200)) }
      if !isGone { #expect(code(client.text) == "route_timeout") }
      bench.wait(.seconds(20))
      #expect(bench.servers.count == 1 && bench.worker.pools[0].retryCount == 0)
      bench.expectNothingHeld()
    }
  }

  @Test(
    "A server that says Retry-After is not asked before that, nor is another",
    arguments: [("0", true), ("1", false), ("Fri, 31 Dec 1999 23:59:59 GMT", false), ("99999", false), ("", false)])
  func retryAfter(_ value: String, _ isRetried: Bool) throws {
    let bench = try Self.bench("{ on: [\"503\"] }")
    let client = bench.connect()
    client.send(get())
    bench.servers[0].send(Self.busy + "Retry-After: \(value)\r\n\r\nbusy")
    #expect(bench.servers.count == (isRetried ? 2 : 1))
    if isRetried { bench.servers[1].send(ok()) }
    #expect(status(client.text) == (isRetried ? 200 : 503))
    bench.expectNothingHeld()
  }

  @Test("No more requests are on a retry than the budget allows. The others get what their server said")
  func budget() throws {
    let bench = try Self.bench("{ on: [\"503\"], budget: 20% }")
    let clients = (0..<30).map { _ in bench.connect() }
    for client in clients { client.send(get()) }
    let first = bench.servers
    for server in first { server.send(Self.busy + "\r\nbusy") }
    // Of 30 that are live a fifth. As they are answered, fewer are, but never less than three may.
    let counts = bench.worker.counters.copy()
    #expect((3...6).contains(counts.retries(upstream: 0)))
    #expect(counts.refusedRetries(upstream: 0) == 30 - counts.retries(upstream: 0))
    #expect(clients.count { status($0.text) == 503 } == 30 - Int(counts.retries(upstream: 0)))
    for server in bench.servers[30...] { server.send(ok()) }
    #expect(clients.allSatisfy { !$0.bytes.isEmpty } && bench.worker.pools[0].retryCount == 0)
    bench.expectNothingHeld()
  }

  @Test("A connect that fails costs no budget while another server is left")
  func connects() throws {
    let bench = try Self.bench("{ budget: 0% }")
    bench.refusing = ["10.0.0.1:1"]
    let clients = (0..<20).map { _ in bench.connect() }
    for client in clients { client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 1") + "x") }
    for server in bench.servers where server.isOpen { server.send(ok()) }
    #expect(clients.allSatisfy { status($0.text) == 200 })
    #expect(retries(bench) > 5 && bench.worker.counters.copy().refusedRetries(upstream: 0) == 0)
    bench.expectNothingHeld()
  }

  @Test("A held-back answer of an HTTP/2 server resets its stream only")
  func multiplexed() throws {
    let over = try HTTP2Bench(
      openRoutes
        + "\nupstreams: { app: { servers: [10.0.0.1:1], protocol: http2, retry: { on: [\"503\"], attempts: 1 } } }")
    let clients = [over.bench.connect(), over.bench.connect()]
    for (index, client) in clients.enumerated() { client.send(get("/\(index)")) }
    try over.settle()
    let server = over.servers[0]
    let (first, second) = (server.begun[0], server.begun[1])
    server.answer(first, 503, body: "busy", isEnd: false)
    try over.settle()
    over.bench.wait(.milliseconds(400))
    try over.settle()
    #expect(server[first].code == 8 && server[second].code == nil && server.begun.count == 3)
    #expect(lines(of: server[server.begun[2]].head)[0] == "GET /0 HTTP/2")
    for id in server.begun[1...] { server.answer(id, body: "fine") }
    try over.settle()
    for client in clients { #expect(unframed(client.text).body == "fine") }
    #expect(over.bench.servers.count == 1)
    over.bench.expectNothingHeld()
  }
}
