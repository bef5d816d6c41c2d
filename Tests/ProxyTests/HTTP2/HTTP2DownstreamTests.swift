// A client's HTTP/2 connection: many exchanges, their ends, and its own.

import Bytes
import HTTP2
import Testing

@testable import Proxy

@Suite("HTTP/2 clients")
struct HTTP2DownstreamTests {
  static let piece = String(repeating: "x", count: 16 * 1024)

  @Test("Streams of one connection are answered in any order, each from its own server connection")
  func order() throws {
    let over = try HTTP2Bench(HTTP2Bench.route)
    let client = try over.client()
    let streams = try (0..<20).map { try #require(client.ask(head("GET /\($0) HTTP/1.1", "Host: h"))) }
    try over.settle()
    #expect(over.bench.servers.count == 20)
    for server in over.bench.servers.reversed() {
      server.send(ok("for \(lines(of: server.text)[0])"))
      try over.settle()
    }
    for (index, stream) in streams.enumerated() {
      #expect(client[stream].text == "for GET /\(index) HTTP/1.1" && client[stream].code == 0)
    }
    #expect(over.bench.logLines.count == 20)
    over.bench.expectNothingHeld()
  }

  @Test("The preface by prior knowledge counts however it is cut, and what only begins like it is HTTP/1")
  func preface() throws {
    let bench = try Bench("routes: [{ path: /*, auth: public, respond: { status: 200, body: hi } }]")
    let peer = try HTTP2Peer(.client, bench.connect(), bench)
    let stream = peer.ask(get())
    let socket = bench.connect()
    let cut = try HTTP2Peer(.client, socket, bench)
    for byte in Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) { socket.send([byte]) }
    #expect(socket.bytes.count > 9 && socket.bytes[3] == 4, "SETTINGS came")
    _ = cut
    while peer.work() {}
    #expect(peer[try #require(stream)].text == "hi")
    for text in ["PRI * HTTP/1.1\r\nHost: h\r\n\r\n", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"] {
      let plain = bench.connect()
      for byte in Array(text.utf8) { plain.send([byte]) }
      #expect(plain.text.hasPrefix("HTTP/1.1 "))
    }
    bench.expectNothingHeld()
  }

  @Test(
    "A client that resets a stream ends its exchange and the server's connection, and nothing else",
    arguments: Mix.clients)
  func clientResets(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    let client = try over.client()
    let kept = try #require(client.ask(get("/kept")))
    let lost = try #require(client.ask(head("POST /lost HTTP/1.1", "Host: h"), body: "begun", isEnd: false))
    try over.settle()
    client.reset(lost)
    try over.settle()
    if mix == .both {
      let server = over.servers[0]
      let stream = try #require(server.begun.first { server[$0].head.contains("/lost") })
      #expect(server[stream].code == ErrorCode.cancel)
      server.answer(try #require(server.begun.first { server[$0].head.contains("/kept") }), body: "ok")
    } else {
      #expect(over.bench.servers[1].isAborted)
      over.bench.servers[0].send(ok())
    }
    try over.settle()
    #expect(client[kept].text == "ok")
    #expect(over.bench.logLines.contains { $0.contains("client_closed") })
    over.bench.expectNothingHeld()
  }

  @Test("T61 A response that the server does not finish ends in a reset, never in END_STREAM", arguments: Mix.clients)
  func truncated(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    let client = try over.client()
    let stream = try #require(client.ask(get()))
    try over.settle()
    if mix == .both {
      over.servers[0].answer(1, 200, "content-length: 10\r\n", body: "half", isEnd: false)
      try over.settle()
      over.servers[0].reset(1, ErrorCode.internalError)
    } else {
      try over.bench.server().send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
      try over.bench.server().end()
    }
    try over.settle()
    #expect(client[stream].text == "half" && !client[stream].isEnded)
    #expect(client[stream].code == ErrorCode.internalError)
    #expect(!client.socket.isGone, "the connection lives")
    #expect(over.bench.errorCount("upstream_truncated") == 1)
    over.bench.expectNothingHeld()
  }

  @Test(
    "An answer that comes before the request's end is whole, and the rest of the request is not needed",
    arguments: Mix.clients)
  func early(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    let client = try over.client()
    let stream = try #require(client.ask(head("POST / HTTP/1.1", "Host: h"), body: "begun", isEnd: false))
    try over.settle()
    if mix == .both {
      over.servers[0].answer(1, 403, body: "no")
    } else {
      try over.bench.server().send("HTTP/1.1 403 X\r\nContent-Length: 2\r\n\r\nno")
    }
    try over.settle()
    #expect(client[stream].status == 403 && client[stream].text == "no" && client[stream].isEnded)
    #expect(client[stream].code == ErrorCode.noError)
    let next = try #require(client.ask(get("/next")))
    try over.settle()
    if mix == .both {
      over.servers[0].answer(try #require(over.servers[0].begun.last), body: "ok")
    } else {
      try over.bench.server().send(ok())
    }
    try over.settle()
    #expect(client[next].text == "ok")
    over.bench.expectNothingHeld()
  }

  @Test("A refusal is an answer on its stream, and the connection goes on")
  func refusals() throws {
    let over = try HTTP2Bench("routes: [{ path: /a, auth: public, upstream: app, body_size: 10B }]")
    let client = try over.client()
    let absent = try #require(client.ask(get("/absent")))
    let large = try #require(client.ask(head("POST /a HTTP/1.1", "Host: h", "Content-Length: 11"), body: "12345678901"))
    try over.settle()
    let grows = try #require(client.ask(head("POST /a HTTP/1.1", "Host: h"), body: "12345678901", isEnd: false))
    try over.settle()
    #expect(client[absent].status == 404 && code("\r\n\r\n" + client[absent].text) == "route_not_found")
    #expect(client[large].status == 413 && client[grows].status == 413)
    #expect(client[large].isEnded && client[grows].isEnded)
    #expect(!client.socket.isGone)
    over.bench.expectNothingHeld()
  }

  // MARK: Back-pressure

  @Test("T70 A stream that is not read stops its server at the mark while another one goes on", arguments: Mix.clients)
  func stalledStream(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    let client = try over.client()
    client.consumes = false
    let slow = try #require(client.ask(get("/slow")))
    try over.settle()
    let size = 64 * Self.piece.utf8.count
    if mix == .both {
      over.servers[0].answer(1, isEnd: false)
      for _ in 0..<64 { over.servers[0].append(Self.piece, to: 1) }
      over.servers[0].finish(1)
    } else {
      try over.bench.server().send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
      for _ in 0..<64 { try over.bench.server().send(Self.piece) }
    }
    try over.settle()
    #expect(client[slow].body.count <= 64 * 1024)
    if mix == .both {
      let held = over.servers[0].session.outputByteCount(of: StreamID(id: 1, slot: 0))
      #expect(held > size - 256 * 1024, "the gateway took 256 KiB at most: \(held)")
    } else {
      #expect(over.bench.servers[0].isPaused && over.bench.servers[0].unreadByteCount > size - 256 * 1024)
    }
    let fast = try #require(client.ask(get("/fast")))
    try over.settle()
    if mix == .both { over.servers[0].answer(3, body: "ok") } else { try over.bench.server().send(ok()) }
    try over.settle()
    #expect(client[fast].text == "ok")
    client.consume()
    try over.settle()
    #expect(client[slow].body.count == size && client[slow].isEnded)
    over.bench.expectNothingHeld()
  }

  @Test(
    "T70 A server that does not read stops the client's stream at the mark, and gets the rest later",
    arguments: Mix.clients)
  func stalledServer(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    over.bench.holdsConnects = true
    let client = try over.client()
    let size = 64 * Self.piece.utf8.count
    let stream = try #require(client.ask(head("POST / HTTP/1.1", "Host: h"), body: "", isEnd: false))
    for _ in 0..<64 { client.append(Self.piece, to: stream) }
    client.finish(stream)
    try over.settle()
    func held() -> Int { client.session.outputByteCount(of: StreamID(id: stream, slot: 0)) }
    #expect(held() >= size - 64 * 1024, "before the connection is there")
    if mix == .clientOnly { try over.bench.server().room = 0 }
    over.bench.connectAll()
    if mix == .both {
      try over.settle()
      over.servers[0].consumes = true
    }
    try over.settle()
    if mix == .clientOnly {
      #expect(held() >= size - 256 * 1024)
      try over.bench.server().read(.max)
      try over.settle()
      #expect(unchunked(try over.bench.server().text).utf8.count { $0 == UInt8(ascii: "x") } >= size)
      try over.bench.server().send(ok())
    } else {
      #expect(over.servers[0][1].body.count == size)
      over.servers[0].answer(1, body: "ok")
    }
    try over.settle()
    #expect(client[stream].text == "ok")
    over.bench.expectNothingHeld()
  }

  @Test("T70 An HTTP/2 server whose window is shut stops the client at the mark")
  func shutWindow() throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let size = 64 * Self.piece.utf8.count
    let stream = try #require(client.ask(head("POST / HTTP/1.1", "Host: h"), body: "", isEnd: false))
    try over.settle()
    over.servers[0].consumes = false
    for _ in 0..<64 { client.append(Self.piece, to: stream) }
    client.finish(stream)
    try over.settle()
    #expect(client.session.outputByteCount(of: StreamID(id: stream, slot: 0)) >= size - 320 * 1024)
    over.servers[0].consume()
    try over.settle()
    #expect(over.servers[0][1].body.count == size && over.servers[0][1].isEnded)
    over.servers[0].answer(1, body: "ok")
    try over.settle()
    #expect(client[stream].text == "ok")
    over.bench.expectNothingHeld()
  }

  @Test("T70 A client that reads nothing at all makes the gateway hold a bounded amount, and is cut off")
  func stalledClient() throws {
    let over = try HTTP2Bench(HTTP2Bench.route + "limits: { body_timeout: 10s }")
    let client = try over.client()
    client.socket.room = 0
    for _ in 0..<20 { client.ask(get()) }
    try over.settle()
    for server in over.bench.servers {
      server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
      for _ in 0..<60 { server.send(Self.piece) }
      #expect(server.isPaused)
    }
    #expect(client.socket.connection.output.count < 256 * 1024)
    try over.wait(.seconds(35))
    #expect(over.bench.servers.allSatisfy { $0.isAborted })
    #expect(over.bench.errorCount("client_stalled") > 0)
    try over.wait(.seconds(200))
    #expect(client.socket.isAborted)
    over.bench.expectNothingHeld()
  }

  // MARK: Deadlines

  @Test("A client that says nothing, or no more, is sent away", arguments: [false, true])
  func idle(_ hasAsked: Bool) throws {
    let over = try HTTP2Bench(HTTP2Bench.route + "limits: { header_timeout: 5s, idle_timeout: 20s }")
    let client = try over.client()
    if hasAsked {
      client.ask(get())
      try over.settle()
      try over.bench.server().send(ok())
      try over.settle()
    }
    try over.wait(.seconds(hasAsked ? 19 : 4))
    #expect(!client.socket.isGone)
    try over.wait(.seconds(2))
    #expect(client.socket.isClosed && client.goAways.last?.code == ErrorCode.noError)
    over.bench.expectNothingHeld()
  }

  @Test("An idle client that does not even take the announcement of the end is cut off")
  func idleAndStalled() throws {
    let over = try HTTP2Bench(
      "routes: [{ path: /*, auth: public, respond: { status: 200, body: hi } }]\nlimits: { idle_timeout: 20s }")
    let client = try over.client()
    client.ask(get())
    try over.settle()
    client.socket.room = 0
    try over.wait(.seconds(61))
    #expect(client.socket.isAborted)
    over.bench.expectNothingHeld()
  }

  @Test("A client that takes its last answer slowly keeps its connection until it has it")
  func slowTail() throws {
    let over = try HTTP2Bench(HTTP2Bench.route + "limits: { idle_timeout: 10s, body_timeout: 10s }")
    let client = try over.client()
    let stream = try #require(client.ask(get()))
    try over.settle()
    client.socket.room = 0
    try over.bench.server().send(ok(String(repeating: "x", count: 60_000)))
    for _ in 0..<2 {
      try over.wait(.seconds(9))
      client.socket.read(33_000)
    }
    client.socket.read(.max)
    try over.settle()
    #expect(client[stream].body.count == 60_000 && client[stream].isEnded)
    over.bench.expectNothingHeld()
  }

  @Test(
    "A body that stops coming is 408 on its stream, a route's timeout 504, a silent server 504", arguments: Mix.clients)
  func timeouts(_ mix: Mix) throws {
    let over = try HTTP2Bench(
      "routes: [{ path: /*, auth: public, upstream: app }, { path: /r, auth: public, upstream: app, timeout: 3s }]\n"
        + "limits: { body_timeout: 10s }\n"
        + "upstreams: { app: { servers: [10.0.0.1:1], response_timeout: 5s"
        + (mix == .both ? ", protocol: http2" : "") + " } }")
    let client = try over.client()
    let body = try #require(client.ask(head("POST / HTTP/1.1", "Host: h"), body: "begun", isEnd: false))
    let route = try #require(client.ask(get("/r")))
    let silent = try #require(client.ask(get("/s")))
    try over.settle()
    try over.wait(.seconds(4))
    #expect(client[route].status == 504 && code("\r\n\r\n" + client[route].text) == "route_timeout")
    try over.wait(.seconds(2))
    #expect(client[silent].status == 504 && code("\r\n\r\n" + client[silent].text) == "upstream_timeout")
    #expect(client[body].status == 0)
    try over.wait(.seconds(5))
    #expect(client[body].status == 408 && client[body].isEnded && client[body].code != nil)
    #expect(!client.socket.isGone)
    if mix == .both {
      #expect(over.servers[0].messages.values.allSatisfy { $0.code == ErrorCode.cancel })
      #expect(!over.servers[0].socket.isGone)
    }
    over.bench.expectNothingHeld()
  }
}

extension Mix {
  /// Those whose client speaks HTTP/2.
  static let clients: [Mix] = [.clientOnly, .both]
}
