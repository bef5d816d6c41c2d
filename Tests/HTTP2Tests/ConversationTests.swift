// Two of our sessions against each other: requests, content, trailers, interim heads, resets and shutdown, both ways.

import HTTP2
import HTTPWire
import TestSupport
import Testing

@Suite("HTTP/2 between two sessions")
struct ConversationTests {
  private let client: Endpoint
  private let server: Endpoint

  init() throws {
    client = try #require(Endpoint(.client))
    server = try #require(Endpoint(.server))
    exchange(client, server)
    client.seen = []
    server.seen = []
  }

  @Test("A GET and its answer cross with their fields, and both sides see the stream close")
  func get() throws {
    let stream = try #require(
      client.ask("GET /a?b HTTP/1.1\r\nHost: example.org\r\nAccept: x\r\nConnection: close\r\nTE: gzip\r\n\r\n"))
    exchange(client, server)
    #expect(
      server.seen == [.request(1, ["GET /a?b", "host: example.org", "accept: x"], isEnd: true), .end(1)])
    #expect(server.request.version == .http2)
    #expect(server.request.framing == .none)
    server.answer(try #require(server.streams[1]), 200, "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n")
    server.append("hello", to: try #require(server.streams[1]))
    server.finish(try #require(server.streams[1]))
    exchange(client, server)
    #expect(
      client.seen == [
        .response(1, 200, ["content-type: text/plain"], isEnd: false), .data(1, "hello"), .end(1), .closed(1, 0),
      ])
    #expect(server.seen.last == .closed(1, 0))
    #expect(client.session.openStreamCount == 0)
    #expect(server.session.openStreamCount == 0)
    client.append("late", to: stream)
    client.session.reset(stream, code: ErrorCode.cancel)
    #expect(client.produce().isEmpty)
  }

  @Test("Content and trailers cross in both directions")
  func trailers() throws {
    let stream = try #require(client.ask("POST /up HTTP/1.1\r\nHost: a\r\n\r\n", end: false))
    client.append("one", to: stream)
    exchange(client, server)
    #expect(server.request.framing == .chunked)
    client.append("two", to: stream)
    client.finish(stream, trailers: "X-Sum: 1\r\n")
    exchange(client, server)
    #expect(
      server.seen == [
        .request(1, ["POST /up", "host: a"], isEnd: false), .data(1, "onetwo"), .trailers(1, ["x-sum: 1"]), .end(1),
      ])
    let answer = try #require(server.streams[1])
    server.answer(answer, 200)
    exchange(client, server)
    server.append("data", to: answer)
    exchange(client, server)
    server.finish(answer, trailers: "Grpc-Status: 0\r\n")
    exchange(client, server)
    #expect(
      client.seen == [
        .response(1, 200, [], isEnd: false), .data(1, "data"), .trailers(1, ["grpc-status: 0"]), .end(1), .closed(1, 0),
      ])
  }

  @Test("Trailers without content follow the head alone")
  func trailersOnly() throws {
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    exchange(client, server)
    let stream = try #require(server.streams[1])
    server.answer(stream, 200)
    server.finish(stream, trailers: "grpc-status: 16\r\n")
    exchange(client, server)
    #expect(
      client.seen == [
        .response(1, 200, [], isEnd: false), .trailers(1, ["grpc-status: 16"]), .end(1), .closed(1, 0),
      ])
  }

  @Test("Interim responses come before the final one")
  func interim() throws {
    client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    exchange(client, server)
    let stream = try #require(server.streams[1])
    for status in [103, 103] {
      server.list.setStatus(status)
      server.session.submitInterim(&server.list, on: stream)
    }
    server.answer(stream, 204, end: true)
    exchange(client, server)
    #expect(
      client.seen == [.interim(1, 103), .interim(1, 103), .response(1, 204, [], isEnd: true), .end(1), .closed(1, 0)])
  }

  @Test("Resets carry their codes in both directions", arguments: [ErrorCode.cancel, ErrorCode.internalError, 99])
  func resets(code: UInt32) throws {
    let first = try #require(client.ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n", end: false))
    client.ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n", end: false)
    exchange(client, server)
    client.session.reset(first, code: code)
    server.session.reset(try #require(server.streams[3]), code: code)
    exchange(client, server)
    #expect(client.seen.contains(.closed(1, code)) && client.seen.contains(.closed(3, code)))
    #expect(server.seen.contains(.closed(1, code)) && server.seen.contains(.closed(3, code)))
  }

  @Test("An answer that is complete before its request takes back the rest politely")
  func earlyAnswer() throws {
    let stream = try #require(client.ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n", end: false))
    client.append("some", to: stream)
    exchange(client, server)
    let answer = try #require(server.streams[1])
    server.answer(answer, 413)
    server.append("too much", to: answer)
    server.finish(answer)
    exchange(client, server)
    #expect(
      client.seen == [
        .response(1, 413, [], isEnd: false), .data(1, "too much"), .end(1), .closed(1, ErrorCode.noError),
      ])
    #expect(server.session.openStreamCount == 0)
  }

  @Test("Extended CONNECT is reported with its protocol, a plain one is refused")
  func extendedConnect() throws {
    let head = Array("GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n".utf8)
    let isSet = client.list.setRequest(head: head.span, scheme: "https", connectProtocol: "websocket")
    #expect(isSet)
    let asked = client.session.submitRequest(&client.list, isEnd: false)
    #expect(asked != nil)
    exchange(client, server)
    #expect(server.seen == [.request(1, ["CONNECT /chat", "host: a"], isEnd: false)])
    #expect(server.request.connectProtocol == .webSocket)
    let stream = try #require(server.streams[1])
    server.answer(try #require(server.streams[1]), 200)
    server.append("frame", to: stream)
    exchange(client, server)
    #expect(client.seen.last == .data(1, "frame"))
  }

  @Test("Shutdown lets open streams end, refuses new ones as safe to retry, and then the session is finished")
  func shutdown() throws {
    client.ask("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    exchange(client, server)
    server.session.announceShutdown()
    exchange(client, server)
    #expect(client.seen == [.goAway(Int32.max, 0)])
    #expect(!client.session.mayOpenStream && server.isShutdownHeard)
    #expect(server.sentFrames.map(\.type).suffix(2) == [7, 6], "the PING goes behind the announcement")
    server.session.shutDown()
    exchange(client, server)
    #expect(client.seen == [.goAway(Int32.max, 0), .goAway(1, 0)])
    #expect(!server.session.isFinished)
    server.answer(try #require(server.streams[1]), 200, end: true)
    exchange(client, server)
    #expect(client.seen.suffix(3) == [.response(1, 200, [], isEnd: true), .end(1), .closed(1, 0)])
    #expect(server.session.isFinished)
  }

  @Test("Streams above the last one of a GOAWAY are safe to retry")
  func goAwayRetry() throws {
    let client = try #require(greetedClient())
    client.ask("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    client.ask("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    client.produce()
    client.receive(Frames.goAway(1))
    client.produce()
    #expect(
      client.seen == [.closed(3, ErrorCode.refusedStream), .goAway(1, 0)]
        || client.seen == [.goAway(1, 0), .closed(3, ErrorCode.refusedStream)])
    #expect(client.safeToRetry == [3])
    #expect(client.session.openStreamCount == 1)
  }

  @Test("Slots are used again, and an old handle names nothing")
  func slots() throws {
    var slots: Set<Int> = []
    var old: StreamID?
    for _ in 0..<50 {
      let stream = try #require(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
      slots.insert(stream.slot)
      exchange(client, server)
      if let old { #expect(client.session.outputByteCount(of: old) == 0) }
      server.answer(try #require(server.streams[stream.id]), 200, end: true)
      exchange(client, server)
      old = stream
    }
    #expect(slots == [0])
  }

  @Test("A client opens no more streams than the peer takes")
  func peerStreamLimit() throws {
    let client = try #require(greetedClient(peer: [(3, 2)]))
    #expect(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n") != nil)
    #expect(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n") != nil)
    #expect(!client.session.mayOpenStream)
    #expect(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == nil)
    client.receive(Frames.settings([(3, 3)]))
    #expect(client.seen == [.settings])
    #expect(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n") != nil)
  }

  @Test("A request that is taken back before it left is closed, and the connection goes on")
  func takenBack() throws {
    let stream = try #require(client.ask("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"))
    client.session.reset(stream, code: ErrorCode.cancel)
    exchange(client, server)
    #expect(client.seen.count == 1 && client.safeToRetry.isEmpty)
    if case .closed(stream.id, _)? = client.seen.first {} else { Issue.record("\(client.seen)") }
    #expect(client.session.openStreamCount == 0)
    client.ask("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    exchange(client, server)
    #expect(server.seen.contains(.request(3, ["GET /2", "host: a"], isEnd: true)))
  }

  @Test("Heads larger than a frame cross in CONTINUATION frames")
  func largeHeads() throws {
    let value = String(repeating: "x", count: 25_000)
    client.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Large: \(value)\r\n\r\n")
    exchange(client, server, upTo: 1)
    #expect(server.seen == [.request(1, ["GET /", "host: a", "x-large: \(value)"], isEnd: true), .end(1)])
  }
}
