// A side that does not read holds the other side back, and gets all of it once it reads again. Nothing grows without
// bound.

import Bytes
import Testing

@testable import Proxy

@Suite("Back-pressure")
struct BackPressureTests {
  static let piece = String(repeating: "x", count: 16 * 1024)

  @Test("T70 A client that does not read stops the server at the mark, and gets the rest when it reads again")
  func responseHeldBack() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 0
    client.send(get())
    let server = try bench.server()
    server.send("HTTP/1.1 200 OK\r\nContent-Length: \(64 * Self.piece.utf8.count)\r\n\r\n")
    var sent = 0
    while !server.isPaused, sent < 64 {
      server.send(Self.piece)
      sent += 1
    }
    #expect(sent == 4, "64 KiB and a head are the mark")
    for _ in sent..<64 { server.send(Self.piece) }
    #expect(server.unreadByteCount == 60 * Self.piece.utf8.count)
    client.read(32 * 1024)
    #expect(server.isPaused, "half of it is not written yet")
    client.read(.max)
    #expect(!server.isPaused && server.unreadByteCount == 0)
    #expect(body(of: client.text).utf8.count == 64 * Self.piece.utf8.count)
    #expect(!client.isGone)
    bench.expectNothingHeld()
  }

  @Test("T70 A server that does not read stops the client at the mark, and gets the rest when it reads again")
  func requestHeldBack() throws {
    for framing in ["Content-Length: \(64 * Self.piece.utf8.count)", "Transfer-Encoding: chunked"] {
      let bench = try Bench(openRoutes)
      bench.holdsConnects = true
      let client = bench.connect()
      client.send(head("POST / HTTP/1.1", "Host: h", framing))
      let server = try bench.server()
      server.room = 0
      let isChunked = framing.hasSuffix("chunked")
      for _ in 0..<64 { client.send(isChunked ? "4000\r\n" + Self.piece + "\r\n" : Self.piece) }
      if isChunked { client.send("0\r\n\r\n") }
      #expect(client.isPaused)
      #expect(client.unreadByteCount >= 59 * Self.piece.utf8.count)
      bench.connectAll()
      #expect(client.isPaused)
      server.read(.max)
      #expect(client.unreadByteCount == 0)
      #expect(unchunked(server.text).utf8.count { $0 == UInt8(ascii: "x") } >= 64 * Self.piece.utf8.count)
      server.send(ok())
      #expect(status(client.text) == 200)
      #expect(!client.isPaused)
      bench.expectNothingHeld()
    }
  }

  @Test("A body held back goes on when another server takes the place of one that refused the connection")
  func heldBackAcrossServers() throws {
    let bench = try Bench(openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2] } }")
    bench.refusing = ["10.0.0.1:1"]
    bench.holdsConnects = true
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: \(8 * Self.piece.utf8.count)"))
    for _ in 0..<8 { client.send(Self.piece) }
    #expect(client.isPaused)
    bench.connectAll()
    bench.connectAll()
    #expect(bench.servers.map(\.address) == ["10.0.0.1:1", "10.0.0.2:2"])
    #expect(client.unreadByteCount == 0)
    #expect(body(of: bench.servers[1].text).utf8.count == 8 * Self.piece.utf8.count)
    bench.servers[1].send(ok())
    #expect(status(client.text) == 200)
    bench.expectNothingHeld()
  }

  @Test("T70 Pipelined requests of a client that does not read its answers wait", arguments: [false, true])
  func pipelinedAnswers(_ isProxied: Bool) throws {
    let fixed = "routes: [{ path: /*, auth: public, respond: { status: 200, body: \(Self.piece) } }]"
    let bench = try Bench(isProxied ? openRoutes : fixed)
    let client = bench.connect()
    client.room = 0
    var held = 0
    for _ in 0..<400 {
      client.send(get())
      if isProxied, let server = bench.servers.last, server.isOpen { server.send(ok(Self.piece)) }
      held = max(held, client.connection.output.count)
    }
    #expect(held < 128 * 1024)
    #expect(client.isPaused || client.unreadByteCount == 0)
    client.read(.max)
    if !isProxied { #expect(client.text.utf8.count > 400 * Self.piece.utf8.count) }
    #expect(!client.isPaused)
    bench.expectNothingHeld()
  }

  @Test("T70 Interim responses without end do not pile up for a client that does not read")
  func interimFlood() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.room = 0
    client.send(get())
    let server = try bench.server()
    let hint = "HTTP/1.1 103 E\r\nLink: \(String(repeating: "l", count: 4000))\r\n\r\n"
    for _ in 0..<200 { server.send(hint) }
    #expect(server.isPaused)
    #expect(client.connection.output.count < 128 * 1024)
    client.read(.max)
    server.send(ok())
    #expect(client.text.hasSuffix("\r\n\r\nok"))
    bench.expectNothingHeld()
  }

  @Test("A client that was held back gets the whole body timeout again")
  func timeoutAfterHold() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 1000000"))
    let server = try bench.server()
    server.room = 0
    while !client.isPaused { client.send(Self.piece) }
    #expect(client.unreadByteCount == 0)
    for _ in 0..<11 {
      bench.wait(.seconds(5))
      server.read(1000)
    }
    server.read(.max)
    #expect(!client.isPaused)
    bench.wait(.seconds(20))
    #expect(client.bytes.isEmpty)
    bench.wait(.seconds(41))
    #expect(code(client.text) == "body_timeout")
    bench.expectNothingHeld()
  }
}
