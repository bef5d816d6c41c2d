// Each wait has an end, and each end its code.

import Testing

@testable import Proxy

@Suite("Deadlines")
struct DeadlineTests {
  @Test("A body that stops coming is 408 after the body timeout, and one that trickles is not")
  func requestBody() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 100"))
    for _ in 0..<6 {
      bench.wait(.seconds(20))
      client.send("x")
    }
    #expect(client.bytes.isEmpty)
    bench.wait(.seconds(61))
    #expect(code(client.text) == "body_timeout" && status(client.text) == 408)
    #expect(values("Connection", in: client.text) == ["close"] && client.isOutputClosed)
    #expect(bench.servers[0].isAborted)
    bench.wait(.seconds(3))
    #expect(client.isAborted, "the linger is over")
    bench.expectNothingHeld()
  }

  @Test("A body that brings less than body_rate is 408 once body_timeout is over, and one that brings it is not")
  func bodyRate() throws {
    for (perSecond, isCut) in [(1, true), (9, true), (11, false), (200, false)] {
      let bench = try Bench(openRoutes + "\nlimits: { body_rate: 10B, body_timeout: 5s }")
      let client = bench.connect()
      client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 100000"))
      for second in 1...40 where client.bytes.isEmpty {
        client.send(String(repeating: "x", count: perSecond))
        bench.wait(.seconds(1))
        if isCut, second < 5 { #expect(client.bytes.isEmpty, "its time is not over") }
      }
      #expect(code(client.text) == (isCut ? "body_timeout" : ""), "\(perSecond)")
      bench.expectNothingHeld()
    }
  }

  @Test("A client that the server holds back is not blamed for the rate of its body, and is again once it is not")
  func bodyRateHeldBack() throws {
    let bench = try Bench(openRoutes + "\nlimits: { body_rate: 10B, body_timeout: 5s }")
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 1000000"))
    let server = try bench.server()
    server.room = 0
    client.send(String(repeating: "x", count: 200_000))
    bench.wait(.seconds(4))
    #expect(client.bytes.isEmpty)
    server.read(.max)
    bench.wait(.milliseconds(500))
    client.send("x")
    bench.wait(.seconds(3))
    client.send("x")
    #expect(client.bytes.isEmpty)
    for _ in 1...12 where client.bytes.isEmpty {
      client.send("x")
      bench.wait(.seconds(1))
    }
    #expect(code(client.text) == "body_timeout")
    bench.expectNothingHeld()
  }

  @Test("A kept connection without a request is closed after the idle timeout")
  func idle() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get())
    try bench.server().send(ok())
    bench.wait(.seconds(54))
    #expect(try bench.server().isOpen)
    bench.wait(.seconds(2))
    #expect(try bench.server().isAborted, "the server's side is given up first")
    bench.wait(.seconds(18))
    #expect(!client.isGone)
    bench.wait(.seconds(2))
    #expect(client.isClosed)
    bench.expectNothingHeld()
  }

  @Test("An empty line behind a request asks for nothing, so the connection ends without another answer")
  func emptyLine() throws {
    for line in ["\r", "\r\n"] {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      client.send(get())
      try bench.server().send(ok())
      _ = client.take()
      client.send(line)
      bench.wait(.seconds(11))
      #expect(client.isClosed && client.bytes.isEmpty && bench.logLines.count == 1)
      bench.expectNothingHeld()
    }
  }

  @Test("A server that does not answer is 504 after the response timeout, counted from the request's end")
  func response() throws {
    let bench = try Bench(openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1], response_timeout: 5s } }")
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 2") + "a")
    bench.wait(.seconds(10))
    #expect(client.bytes.isEmpty)
    client.send("b")
    bench.wait(.milliseconds(4900))
    #expect(client.bytes.isEmpty)
    bench.wait(.milliseconds(300))
    #expect(code(client.text) == "upstream_timeout" && status(client.text) == 504)
    #expect(!client.isGone && bench.servers[0].isAborted)
    bench.expectNothingHeld()
  }

  @Test("A response that stalls is cut short")
  func stalledResponse() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get())
    try bench.server().send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    bench.wait(.seconds(59))
    #expect(!client.isGone)
    bench.wait(.seconds(2))
    #expect(client.isClosed && body(of: client.text) == "abc")
    #expect(bench.errorCount("upstream_timeout") == 1)
    bench.expectNothingHeld()
  }

  @Test("A route's timeout is 504 before the answer has begun, and cuts it short behind that")
  func route() throws {
    for isBegun in [false, true] {
      let bench = try Bench("routes: [{ path: /*, auth: public, upstream: app, timeout: 3s }]")
      let client = bench.connect()
      client.send(get())
      if isBegun { try bench.server().send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") }
      bench.wait(.milliseconds(2900))
      #expect(!client.isGone && client.bytes.isEmpty == !isBegun)
      bench.wait(.milliseconds(300))
      #expect(isBegun ? client.isClosed : code(client.text) == "route_timeout")
      #expect(bench.servers[0].isAborted)
      bench.expectNothingHeld()
    }
  }

  @Test("A client that reads nothing of its answer is cut off, and so is its server")
  func stalledClient() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 10
    client.send(get())
    let server = try bench.server()
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while !server.isPaused { server.send(BackPressureTests.piece) }
    bench.wait(.seconds(61))
    #expect(client.isAborted && server.isAborted)
    #expect(bench.errorCount("client_stalled") == 1)
    bench.expectNothingHeld()
  }

  @Test("A client that reads its answer slowly is not cut off")
  func slowClient() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 10
    client.send(get())
    let server = try bench.server()
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 131072\r\n\r\n")
    for _ in 0..<8 { server.send(BackPressureTests.piece) }
    for _ in 0..<4 {
      bench.wait(.seconds(25))
      #expect(!client.isGone, "\(bench.logLines)")
      client.read(33 * 1024)
    }
    #expect(body(of: client.text).utf8.count == 131_072)
    bench.expectNothingHeld()
  }

  @Test("A closed connection whose last bytes nobody takes is thrown away")
  func unreadClose() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 5
    client.send(get("/", "Connection: close"))
    try bench.server().send(ok())
    #expect(!client.isGone)
    bench.wait(.seconds(61))
    #expect(client.isAborted)
    bench.expectNothingHeld()
  }
}
