// Answers that come before the request is complete: the rest of the body is thrown away where that is little and sure
// to come, and the connection is ended in order where it is not.

import Testing

@testable import Proxy

@Suite("Early answers")
struct EarlyAnswerTests {
  static let limited = "limits: { body_size: 1KiB }\n" + openRoutes

  @Test("The rest of a short body is thrown away behind an early answer, and the next request is served")
  func discarded() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 10") + "abc")
    try bench.server().send(ok("early"))
    #expect(body(of: client.take()) == "early" && !client.isGone)
    #expect(try bench.server().isAborted, "the server waits for the rest and cannot be used again")
    client.send("defghi")
    client.send("j" + get("/next"))
    #expect(bench.servers.count == 2)
    #expect(try lines(of: bench.server().text)[0] == "GET /next HTTP/1.1")
    try bench.server().send(ok("next"))
    #expect(body(of: client.text) == "next")
    bench.expectNothingHeld()
  }

  @Test(
    "A long or chunked rest ends the connection behind an early answer",
    arguments: ["Content-Length: 100000", "Transfer-Encoding: chunked"])
  func lingered(_ framing: String) throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", framing) + "5\r\nab")
    try bench.server().send(ok("early"))
    #expect(values("Connection", in: client.text) == ["close"] && body(of: client.text) == "early")
    #expect(client.isOutputClosed && !client.isClosed, "it lingers, so that the client reads the answer")
    client.send(get("/smuggled"))
    #expect(bench.servers.count == 1)
    client.end()
    #expect(client.isClosed)
    bench.expectNothingHeld()
  }

  @Test("A body that announces more than the limit is 413 at once. One that says nothing is, when it is past it")
  func bodyLimit() throws {
    let bench = try Bench(Self.limited)
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 1025"))
    #expect(code(client.text) == "body_too_large" && bench.servers.isEmpty && !client.isGone)
    client.send(String(repeating: "x", count: 1025))
    _ = client.take()
    client.send(head("POST / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked"))
    let chunk = "100\r\n" + String(repeating: "x", count: 256) + "\r\n"
    for _ in 0..<4 { client.send(chunk) }
    #expect(client.bytes.isEmpty)
    client.send("1\r\nx\r\n")
    #expect(code(client.text) == "body_too_large" && status(client.text) == 413)
    #expect(bench.servers[0].isAborted && client.isOutputClosed)
    bench.expectNothingHeld()
  }

  @Test("T50 A malformed chunk is 400 and ends the connection. Behind an answer's begin it cuts that short")
  func malformedChunk() throws {
    for isBegun in [false, true] {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      client.send(head("POST / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked") + "2\r\nab\r\n")
      if isBegun { try bench.server().send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na") }
      client.send("2\r\nabc\r\n" + get("/smuggled"))
      #expect(isBegun ? client.isClosed : code(client.text) == "body_malformed")
      #expect(bench.servers.count == 1 && bench.servers[0].isAborted)
      #expect(!bench.servers[0].text.contains("smuggled"))
      bench.expectNothingHeld()
    }
  }

  @Test("A drain ends idle connections, lets what runs finish, and is over when nothing is left")
  func drain() throws {
    let bench = try Bench(openRoutes)
    let idle = bench.connect()
    let busy = bench.connect()
    let discarding = bench.connect()
    busy.send(get())
    let first = try bench.server()
    discarding.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 10") + "abc")
    try bench.server().send(ok("early"))
    bench.act { $0.drain() }
    #expect(idle.isClosed && !busy.isGone && !bench.isDrained)
    discarding.send("defghij")
    #expect(discarding.isGone)
    first.send(ok("last"))
    #expect(body(of: busy.text) == "last" && values("Connection", in: busy.text) == ["close"] && busy.isClosed)
    #expect(bench.isDrained)
    bench.expectNothingHeld()
  }
}
