// What becomes of an exchange when its server, or its client, is lost at each step.

import Testing

@testable import Proxy

@Suite("Lost peers")
struct LossTests {
  static let twoServers =
    openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2], connect_timeout: 2s } }"

  /// A client whose first exchange left a kept connection in the pool.
  private func warm(_ bench: Bench) throws -> (client: FakeSocket, server: FakeSocket) {
    let client = bench.connect()
    client.send(get())
    let server = try bench.server()
    server.send(ok())
    #expect(status(client.take()) == 200)
    _ = server.take()
    return (client, server)
  }

  @Test("A connect that fails moves the request, body and all, to the next server, and 502 comes when none is left")
  func connectFailure() throws {
    let bench = try Bench(Self.twoServers)
    bench.refusing = ["10.0.0.1:1"]
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 4") + "da")
    #expect(bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.2:2"])
    client.send("ta")
    #expect(body(of: bench.servers[1].text) == "data")
    bench.servers[1].send(ok())
    #expect(status(client.take()) == 200)
    #expect(bench.worker.counters.copy().retries(upstream: 0) == 1)
    bench.servers[1].reset()
    bench.refusing = ["10.0.0.1:1", "10.0.0.2:2"]
    client.send(get())
    #expect(status(client.text) == 502 && code(client.text) == "upstream_connect_failed")
    #expect(!client.isGone && bench.servers.count == 4)
    bench.expectNothingHeld()
  }

  @Test("A connect that takes too long moves the request on, and 504 comes when no server is left")
  func connectTimeout() throws {
    let bench = try Bench(Self.twoServers)
    bench.holdsConnects = true
    let client = bench.connect()
    client.send(get())
    bench.wait(.milliseconds(2100))
    #expect(bench.servers.count == 2 && bench.servers[0].isAborted)
    bench.wait(.milliseconds(2100))
    #expect(code(client.text) == "upstream_connect_timeout" && status(client.text) == 504)
    #expect(bench.servers.count == 2)
    bench.expectNothingHeld()
  }

  @Test(
    "T71 A kept connection that was closed meanwhile costs an idempotent request one retry on a fresh one",
    arguments: [true, false])
  func reusedLost(_ isReset: Bool) throws {
    let bench = try Bench(openRoutes)
    let (client, server) = try warm(bench)
    client.send(get("/again"))
    #expect(bench.servers.count == 1 && !server.bytes.isEmpty)
    if isReset { server.reset() } else { server.end() }
    #expect(bench.servers.count == 2)
    #expect(try lines(of: bench.server().text)[0] == "GET /again HTTP/1.1")
    // Fresh connections are not tried twice.
    try bench.server().reset()
    #expect(bench.servers.count == 2 && code(client.text) == "upstream_closed" && status(client.text) == 502)
    #expect(!client.isGone)
    bench.expectNothingHeld()
  }

  @Test("T71 A request that is not idempotent, or whose body was handed over, is not sent twice")
  func reusedNotRetried() throws {
    for request in [
      head("POST / HTTP/1.1", "Host: h"), head("PUT / HTTP/1.1", "Host: h", "Content-Length: 1") + "x",
      head("PUT / HTTP/1.1", "Host: h", "Content-Length: 2") + "x",
    ] {
      let bench = try Bench(openRoutes)
      let (client, server) = try warm(bench)
      client.send(request)
      server.reset()
      #expect(bench.servers.count == 1)
      #expect(code(client.text) == "upstream_closed")
      bench.expectNothingHeld()
    }
  }

  @Test("T71 A request with an empty chunked body that is sent again is complete again")
  func reusedEmptyChunked() throws {
    let bench = try Bench(openRoutes)
    let (client, server) = try warm(bench)
    client.send(head("PUT / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked") + "0\r\n\r\n")
    #expect(body(of: server.text) == "0\r\n\r\n")
    server.reset()
    if bench.servers.count == 2 {
      #expect(try body(of: bench.server().text) == "0\r\n\r\n")
    } else {
      #expect(code(client.text) == "upstream_closed")
    }
    bench.expectNothingHeld()
  }

  @Test("T71 A kept connection that answered in part is not retried")
  func reusedPartialAnswer() throws {
    let bench = try Bench(openRoutes)
    let (client, server) = try warm(bench)
    client.send(get())
    server.send("HTTP/1.1 2")
    server.end()
    #expect(bench.servers.count == 1 && code(client.text) == "upstream_closed")
    bench.expectNothingHeld()
  }

  @Test("Bytes or an end on an idle kept connection end it, and are no answer to the next request")
  func idleNoise() throws {
    for noise in ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "x", ""] {
      let bench = try Bench(openRoutes)
      let (client, server) = try warm(bench)
      if noise.isEmpty { server.end() } else { server.send(noise) }
      #expect(server.isAborted)
      client.send(get())
      #expect(bench.servers.count == 2)
      try bench.server().send(ok("good"))
      #expect(body(of: client.text) == "good")
      bench.expectNothingHeld()
    }
  }

  @Test("Bytes behind a response are no answer to the next request")
  func bytesBehindResponse() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get() + get("/2"))
    try bench.server().send(ok("one") + ok("evil"))
    #expect(bench.servers.count == 2 && bench.servers[0].isAborted)
    try bench.server().send(ok("two"))
    #expect(client.text.contains("one") && client.text.hasSuffix("two") && !client.text.contains("evil"))
    bench.expectNothingHeld()
  }

  static let answers: [(name: String, text: String)] = [
    ("length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    ("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
    ("until close", "HTTP/1.1 200 OK\r\n\r\nhello"),
  ]

  @Test(
    "T61 A server lost anywhere in its answer: 502 before the head is whole, a cut answer behind it", arguments: answers
  )
  func serverLost(_ name: String, _ text: String) throws {
    let bytes = Array(text.utf8)
    let headCount = bytes.count - body(of: text).utf8.count
    let snapshot = Snapshot(try configuration(openRoutes), generation: 1)
    for count in 0..<bytes.count {
      for isReset in [true, false] where !(name == "until close" && !isReset) {
        for request in [get(), "GET / HTTP/1.0\r\nHost: h\r\n\r\n"] {
          let bench = Bench(snapshot)
          let client = bench.connect()
          client.send(request)
          let server = try bench.server()
          server.send(Array(bytes[..<count]))
          if isReset { server.reset() } else { server.end() }
          let place = Comment(rawValue: "\(count) bytes, reset \(isReset): \(client.text)")
          if count < headCount {
            #expect(code(client.text) == "upstream_closed", place)
            #expect(bench.errorCount("upstream_closed") == 1, place)
          } else {
            #expect(status(client.text) == 200 && !client.text.hasSuffix("0\r\n\r\n"), place)
            #expect(bench.errorCount("upstream_truncated") == 1, place)
            // A body that ends with the connection would look whole behind an orderly close.
            let endsWithClose = values("Content-Length", in: client.text).isEmpty && request.contains("1.0")
            #expect(client.isAborted == endsWithClose && client.isClosed != endsWithClose, place)
          }
          #expect(bench.logLines.count == 1)
          bench.expectNothingHeld()
        }
      }
    }
  }

  @Test("T62 A malformed answer is 502, its connection is closed, and the client's next answer is right")
  func malformedAnswers() throws {
    for text in [
      "SSH-2.0-x\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5, 50\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
    ] {
      let bench = try Bench(openRoutes)
      let client = bench.connect()
      client.send(get())
      try bench.server().send(text)
      #expect(code(client.text) == "upstream_malformed" && status(client.text) == 502, "\(text): \(client.text)")
      #expect(bench.servers[0].isAborted && !client.isGone)
      _ = client.take()
      client.send(get())
      try bench.server().send(ok("right"))
      #expect(body(of: client.text) == "right")
      bench.expectNothingHeld()
    }
  }

  @Test("A client lost anywhere in its request or its answer frees the server, and nothing is left")
  func clientLost() throws {
    let request = Array((head("POST / HTTP/1.1", "Host: h", "Content-Length: 5") + "hello").utf8)
    let answer = Array(ok("world").utf8)
    let headCount = request.count - 5
    let snapshot = Snapshot(try configuration(openRoutes), generation: 1)
    for count in 0..<(request.count + answer.count) {
      for isReset in [true, false] {
        let bench = Bench(snapshot)
        let client = bench.connect()
        client.send(Array(request[..<min(count, request.count)]))
        if count > request.count { try bench.server().send(Array(answer[..<(count - request.count)])) }
        if isReset { client.reset() } else { client.end() }
        #expect(isReset || client.isGone, "\(count) bytes")
        #expect(bench.servers.allSatisfy { $0.isAborted }, "\(count) bytes, reset \(isReset)")
        #expect(bench.logLines.count == (count < headCount ? 0 : 1))
        bench.expectNothingHeld()
      }
    }
  }

  @Test("A client lost while its server is being connected leaves nothing", arguments: [true, false])
  func clientLostWhileConnecting(_ isReset: Bool) throws {
    let bench = try Bench(openRoutes)
    bench.holdsConnects = true
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 5") + "he")
    if isReset { client.reset() } else { client.end() }
    #expect(try bench.server().isAborted)
    bench.connectAll()
    #expect(bench.worker.table.count == 0)
    bench.expectNothingHeld()
  }

  @Test("With half_close, a client that ends its half anywhere in its answer still gets all of it")
  func halfClosed() throws {
    let answer = Array(ok("world").utf8)
    for count in 0..<answer.count {
      let bench = try Bench(openRoutes + Self.halfClose)
      let client = bench.connect()
      client.send(get())
      try bench.server().send(Array(answer[..<count]))
      client.end()
      try bench.server().send(Array(answer[count...]))
      #expect(body(of: client.text) == "world" && client.isClosed)
      bench.expectNothingHeld()
    }
  }

  private static let halfClose = "\nlimits: { half_close: true }"

  @Test("T97 A client that is not read while a request of it runs is missed all the same", arguments: [true, false])
  func leftUnread(_ isBody: Bool) throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    if isBody {
      client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 1000000"))
      try bench.server().room = 0
      for _ in 0..<20 { client.send([UInt8](repeating: 0x61, count: 16_000)) }
    } else {
      for _ in 0..<2000 {
        client.send(head("GET / HTTP/1.1", "Host: h", "X-Much: \(String(repeating: "m", count: 40))"))
      }
    }
    #expect(client.isPaused && client.unreadByteCount > 0)
    client.end()
    #expect(client.isGone && bench.logLines.count == 1)
    #expect(bench.servers.count == 1 && bench.servers[0].isAborted)
    bench.expectNothingHeld()
  }

  @Test("T97 Answers that were complete when the client left are written to their end, and nothing more is begun")
  func leftBehindAnswers() throws {
    let bench = try Bench("routes: [{ path: /*, auth: public, respond: { status: 200, body: hi } }]")
    let client = bench.connect()
    client.room = 10
    client.send(get("/1") + get("/2"))
    client.end()
    #expect(!client.isGone)
    client.read(.max)
    #expect(
      client.text.split(separator: "HTTP/1.1 200 OK").count == 2 && client.text.hasSuffix("hi") && client.isClosed)
    bench.expectNothingHeld()
  }

  @Test("With half_close, requests pipelined before the client closed its half are all answered")
  func halfClosedPipeline() throws {
    let bench = try Bench(openRoutes + Self.halfClose)
    let client = bench.connect()
    client.send(get("/1") + get("/2") + get("/3"))
    client.end()
    for number in 1...3 { try bench.server().send(ok("answer \(number)")) }
    #expect(client.text.contains("answer 1") && client.text.contains("answer 2") && client.text.hasSuffix("answer 3"))
    #expect(client.isClosed)
    bench.expectNothingHeld()
  }
}
