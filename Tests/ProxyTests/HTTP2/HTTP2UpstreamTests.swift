// A server's HTTP/2 connection: shared by exchanges, within what the server allows, and what becomes of them when it
// goes.

import HTTP2
import Testing

@testable import Proxy

@Suite("HTTP/2 servers")
struct HTTP2UpstreamTests {
  private static let two = "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:1], protocol: http2 } }\n"

  @Test("Requests of many clients share one connection, and none sees another's answer")
  func shared() throws {
    let over = try HTTP2Bench()
    let multiplexed = try over.client()
    let plain = (0..<10).map { _ in over.bench.connect() }
    for (index, client) in plain.enumerated() { client.send(get("/plain\(index)")) }
    let streams = try (0..<10).map { try #require(multiplexed.ask(get("/many\($0)"))) }
    try over.settle()
    #expect(over.bench.servers.count == 1)
    let server = over.servers[0]
    for id in server.begun.reversed() {
      server.answer(id, body: "for \(lines(of: server[id].head)[0])")
      try over.settle()
    }
    for (index, client) in plain.enumerated() { #expect(unframed(client.text).body == "for GET /plain\(index) HTTP/2") }
    for (index, stream) in streams.enumerated() {
      #expect(multiplexed[stream].text == "for GET /many\(index) HTTP/2")
    }
    over.bench.expectNothingHeld()
  }

  @Test("T68 No more streams are open than a server takes. The others get connections of their own")
  func streamLimit() throws {
    let over = try HTTP2Bench()
    over.serverSettings.concurrentStreamCountMax = 4
    let clients = (0..<20).map { _ in over.bench.connect() }
    for (index, client) in clients.enumerated() {
      client.send(
        index % 2 == 0
          ? get("/\(index)") : head("POST /\(index) HTTP/1.1", "Host: h", "Content-Length: 4") + "body")
    }
    try over.settle()
    #expect(over.servers.count == 5)
    for server in over.servers {
      #expect(server.begun.count == 4)
      for id in server.begun { server.answer(id, body: server[id].text + "!") }
    }
    try over.settle()
    for (index, client) in clients.enumerated() {
      #expect(status(client.text) == 200 && unframed(client.text).body == (index % 2 == 0 ? "!" : "body!"))
    }
    #expect(over.bench.errorCount("upstream_closed") == 0)
    over.bench.expectNothingHeld()
  }

  @Test("A server that takes no streams, or does not speak HTTP/2, is one that cannot be reached")
  func noServer() throws {
    for isForeign in [false, true] {
      let over = try HTTP2Bench(HTTP2Bench.route + Self.two)
      over.serverSettings.concurrentStreamCountMax = 0
      let client = over.bench.connect()
      if isForeign {
        client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 4") + "body")
        for _ in 0..<2 { try over.bench.server().send("HTTP/1.1 400 Bad Request\r\n\r\n") }
      } else {
        client.send(get())
        try over.settle()
      }
      #expect(over.bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.2:1"])
      #expect(status(client.text) == 502 && code(client.text) == "upstream_connect_failed")
      over.bench.expectNothingHeld()
    }
  }

  @Test("A server that never sends its settings is closed after the connect timeout")
  func silent() throws {
    let bench = try Bench(
      HTTP2Bench.route + "upstreams: { app: { servers: [10.0.0.1:1], protocol: http2, connect_timeout: 2s } }")
    let client = bench.connect()
    client.send(get())
    bench.wait(.seconds(1))
    #expect(client.bytes.isEmpty)
    bench.wait(.seconds(2))
    #expect(code(client.text) == "upstream_connect_timeout")
    bench.expectNothingHeld()
  }

  @Test("A failed connect tries another server with what waited, bodies included", arguments: [false, true])
  func connectFails(_ isKept: Bool) throws {
    let over = try HTTP2Bench(HTTP2Bench.route + Self.two)
    if isKept {
      // The second server has a connection already.
      over.bench.refusing = []
      let first = over.bench.connect()
      first.send(get("/1"))
      let second = over.bench.connect()
      second.send(get("/2"))
      try over.settle()
      #expect(over.bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.2:1"])
      first.reset()
      over.servers[0].socket.reset()
      over.servers[1].answer(1, body: "")
      try over.settle()
    }
    over.bench.refusing = ["10.0.0.1:1"]
    let client = try over.client()
    let stream = try #require(
      client.ask(head("POST /body HTTP/1.1", "Host: h"), body: String(repeating: "b", count: 30_000)))
    try over.settle()
    let server = try #require(over.servers.last { $0.socket.isOpen })
    #expect(server.socket.address == "10.0.0.2:1")
    let id = try #require(server.begun.last)
    #expect(server[id].body.count == 30_000 && server[id].isEnded)
    server.answer(id, body: "ok")
    try over.settle()
    #expect(client[stream].text == "ok")
    over.bench.expectNothingHeld()
  }

  @Test("A stream that a server refuses is asked for once more, whatever the method. Twice refused is 502")
  func refusedStream() throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let once = try #require(client.ask(head("POST /once HTTP/1.1", "Host: h")))
    try over.settle()
    over.servers[0].reset(1, ErrorCode.refusedStream)
    try over.settle()
    #expect(over.servers[0].begun == [1, 3] && over.servers[0][3].head.contains("/once"))
    over.servers[0].answer(3, body: "ok")
    let twice = try #require(client.ask(get("/twice")))
    try over.settle()
    for id in [5, 7] as [Int32] {
      over.servers[0].reset(id, ErrorCode.refusedStream)
      try over.settle()
    }
    #expect(client[once].text == "ok" && client[twice].status == 502)
    over.bench.expectNothingHeld()
  }

  @Test("A server's other resets are 502, with the connection kept", arguments: [0, 1, 2, 8, 11, 13] as [UInt32])
  func otherResets(_ code: UInt32) throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let lost = try #require(client.ask(head("POST / HTTP/1.1", "Host: h"), body: "b"))
    let kept = try #require(client.ask(get()))
    try over.settle()
    over.servers[0].reset(1, code)
    over.servers[0].answer(3, body: "ok")
    try over.settle()
    #expect(client[lost].status == 502 && client[kept].text == "ok")
    #expect(over.bench.servers.count == 1)
    over.bench.expectNothingHeld()
  }

  @Test("A server that goes away finishes what it took. The rest and what is new go to another connection")
  func goAway() throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let taken = try #require(client.ask(get("/taken")))
    try over.settle()
    let server = over.servers[0]
    let crossed = try #require(client.ask(head("POST /crossed HTTP/1.1", "Host: h")))
    try over.settle()
    // GOAWAY: the first stream was the last that it looks at.
    server.socket.send([0, 0, 8, 7, 0, 0, 0, 0, 0] + [0, 0, 0, 1] + [0, 0, 0, 0])
    try over.settle()
    let new = try #require(client.ask(get("/new")))
    try over.settle()
    #expect(server.begun == [1, 3] && over.servers.count == 2)
    let other = over.servers[1]
    #expect(other.begun.count == 2)
    server.answer(1, body: "taken")
    for id in other.begun { other.answer(id, body: "other") }
    try over.settle()
    #expect(client[taken].text == "taken" && client[crossed].text == "other" && client[new].text == "other")
    #expect(server.socket.isGone && !other.socket.isGone)
    over.bench.expectNothingHeld()
  }

  @Test("A lost connection: what is safe is asked for again, the rest is 502, once for each")
  func lost() throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let safe = try #require(client.ask(get("/safe")))
    let risky = try #require(client.ask(head("POST /risky HTTP/1.1", "Host: h"), body: "b"))
    let begun = try #require(client.ask(get("/begun")))
    try over.settle()
    over.servers[0].answer(5, body: "half", isEnd: false)
    try over.settle()
    over.servers[0].socket.reset()
    try over.settle()
    #expect(over.servers.count == 2 && over.servers[1].begun.count == 1)
    over.servers[1].answer(1, body: "again")
    try over.settle()
    #expect(client[safe].text == "again" && client[risky].status == 502)
    #expect(client[begun].code == ErrorCode.internalError && !client[begun].isEnded)
    over.bench.expectNothingHeld()
  }

  @Test("T51 A server's nonsense is 502 on its stream, and the others go on")
  func nonsense() throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let wrong = try #require(client.ask(get("/wrong")))
    let short = try #require(client.ask(get("/short")))
    let right = try #require(client.ask(get("/right")))
    try over.settle()
    let server = over.servers[0]
    server.answer(1, 200, "content-length: 5\r\ncontent-length: 6\r\n", body: "12345")
    server.answer(3, 200, "content-length: 5\r\n", body: "1234")
    server.answer(5, body: "ok")
    try over.settle()
    #expect(client[wrong].status == 502 && client[right].text == "ok")
    #expect(!client[short].isEnded && client[short].code == ErrorCode.internalError)
    over.bench.expectNothingHeld()
  }

  @Test("T98 A server's head that does not end takes its connection with it, and what is new gets another")
  func openHead() throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let stuck = try #require(client.ask(head("POST /stuck HTTP/1.1", "Host: h"), body: "b"))
    try over.settle()
    // HEADERS of five octets, of which one comes: `:status: 200`.
    over.servers[0].socket.send([0, 0, 5, 1, 4, 0, 0, 0, 1, 0x88])
    try over.settle()
    try over.wait(.seconds(61))
    #expect(over.servers[0].socket.isGone && client[stuck].status >= 500)
    let next = try #require(client.ask(get("/next")))
    try over.settle()
    over.servers[1].answer(1, body: "next")
    try over.settle()
    #expect(client[next].text == "next")
    over.bench.expectNothingHeld()
  }

  @Test("An unused connection is closed in the end, and a retired one after its last stream")
  func ends() throws {
    let over = try HTTP2Bench()
    let client = try over.client()
    let stream = try #require(client.ask(get()))
    try over.settle()
    try over.bench.reload(
      HTTP2Bench.route + "upstreams: { app: { servers: [10.0.0.2:1], protocol: http2 } }")
    let fresh = try #require(client.ask(get()))
    try over.settle()
    #expect(over.bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.2:1"])
    #expect(!over.servers[0].socket.isGone)
    over.servers[0].answer(1, body: "old")
    over.servers[1].answer(1, body: "new")
    try over.settle()
    #expect(client[stream].text == "old" && client[fresh].text == "new")
    #expect(over.servers[0].socket.isGone && !over.servers[1].socket.isGone)
    try over.wait(.seconds(57))
    #expect(over.servers[1].socket.isGone)
    over.bench.expectNothingHeld()
  }
}
