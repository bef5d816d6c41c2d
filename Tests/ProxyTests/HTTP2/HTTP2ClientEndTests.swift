// How a client's HTTP/2 connection ends: drains, half-closes, losses, reloads.

import HTTP2
import Testing

@testable import Proxy

@Suite("The end of HTTP/2 clients")
struct HTTP2ClientEndTests {
  @Test(
    "A drain announces itself to the client, lets running streams finish, serves what was under way, and closes",
    arguments: Mix.clients)
  func drain(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    let client = try over.client()
    let idle = try over.client()
    let stream = try #require(client.ask(get("/a")))
    try over.settle()
    over.bench.act { $0.drain() }
    let late = try #require(client.ask(get("/late")))
    client.send()
    try over.settle()
    #expect(client.goAways.first?.last == Int32.max)
    try over.wait(.seconds(2))
    #expect(idle.socket.isClosed && idle.goAways.last?.code == ErrorCode.noError)
    #expect(client.goAways.last?.last == late && !client.socket.isGone && !over.bench.isDrained)
    if mix == .both {
      for id in over.servers[0].begun { over.servers[0].answer(id, body: "ok") }
    } else {
      for server in over.bench.servers { server.send(ok()) }
    }
    try over.settle()
    #expect(client[stream].text == "ok" && client[late].text == "ok")
    #expect(client.socket.isClosed && over.bench.isDrained)
    over.bench.expectNothingHeld()
  }

  @Test("A request that crosses the announcement of a drain is answered, on an idle connection too")
  func crossedDrain() throws {
    let over = try HTTP2Bench("routes: [{ path: /*, auth: public, respond: { status: 200, body: hi } }]")
    let client = try over.client()
    over.bench.act { $0.drain() }
    over.bench.wait(.milliseconds(200))
    let stream = try #require(client.ask(get()))
    client.send()
    try over.wait(.seconds(2))
    #expect(client[stream].text == "hi" && client[stream].isEnded)
    #expect(client.socket.isClosed && over.bench.isDrained)
    over.bench.expectNothingHeld()
  }

  @Test("T97 A client that ends its half takes its requests along, complete or not", arguments: Mix.clients)
  func left(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    let client = try over.client()
    client.ask(get())
    client.ask(head("POST / HTTP/1.1", "Host: h"), body: "begun", isEnd: false)
    try over.settle()
    client.socket.end()
    try over.settle()
    #expect(over.bench.errorCount("client_closed") == 2 && client.socket.isGone)
    if mix == .both {
      #expect(over.servers[0].messages.values.allSatisfy { $0.code == ErrorCode.cancel })
    } else {
      #expect(over.bench.servers.allSatisfy { $0.isAborted })
    }
    over.bench.expectNothingHeld()
  }

  @Test("T97 An answer whose window is shut does not keep the connection of a client that left")
  func leftBehindShutWindow() throws {
    let body = String(repeating: "x", count: 60_000)
    let over = try HTTP2Bench("routes: [{ path: /*, auth: public, respond: { status: 200, body: \(body) } }]")
    let client = try over.client()
    client.consumes = false
    client.ask(get())
    client.ask(get())
    try over.settle()
    client.socket.end()
    try over.settle()
    #expect(client.socket.isClosed)
    over.bench.expectNothingHeld()
  }

  @Test("With half_close, a client that ends its half gets the answers to what it asked, whole", arguments: Mix.clients)
  func halfClosed(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text + "\nlimits: { half_close: true }")
    let client = try over.client()
    let stream = try #require(client.ask(get()))
    try over.settle()
    client.consumes = false
    client.socket.room = 1000
    if mix == .both {
      over.servers[0].answer(1, body: HTTP2DownstreamTests.piece + HTTP2DownstreamTests.piece)
    } else {
      try over.bench.server().send(ok(HTTP2DownstreamTests.piece + HTTP2DownstreamTests.piece))
    }
    try over.settle()
    client.socket.end()
    #expect(!client.socket.isGone)
    client.socket.read(.max)
    try over.settle()
    #expect(client[stream].body.count == 2 * HTTP2DownstreamTests.piece.utf8.count && client[stream].isEnded)
    #expect(client.socket.isClosed)
    over.bench.expectNothingHeld()
  }

  @Test("A client that is gone takes all of its exchanges along", arguments: Mix.clients)
  func gone(_ mix: Mix) throws {
    let over = try HTTP2Bench(mix.text)
    let client = try over.client()
    for _ in 0..<10 { client.ask(get()) }
    for _ in 0..<10 { client.ask(head("POST / HTTP/1.1", "Host: h"), body: "begun", isEnd: false) }
    try over.settle()
    client.socket.reset()
    try over.settle()
    #expect(over.bench.logLines.count == 20)
    #expect(over.bench.errorCount("client_closed") == 20)
    if mix == .both {
      #expect(over.servers[0].messages.values.allSatisfy { $0.code == ErrorCode.cancel })
    } else {
      #expect(over.bench.servers.allSatisfy { $0.isAborted })
    }
    over.bench.expectNothingHeld()
  }

  @Test("A reload counts from the next request on a connection on")
  func reload() throws {
    let over = try HTTP2Bench("routes: [{ path: /*, auth: public, respond: { status: 200, body: old } }]")
    let client = try over.client()
    let before = try #require(client.ask(get()))
    try over.settle()
    try over.bench.reload("routes: [{ path: /*, auth: public, respond: { status: 200, body: new } }]")
    let after = try #require(client.ask(get()))
    try over.settle()
    #expect(client[before].text == "old" && client[after].text == "new" && !client.socket.isGone)
    over.bench.expectNothingHeld()
  }
}
