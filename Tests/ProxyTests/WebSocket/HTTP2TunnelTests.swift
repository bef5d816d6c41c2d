// WebSockets over HTTP/2 (RFC 8441): an extended CONNECT downstream, an Upgrade upstream.

import HTTP2
import Testing

@testable import Proxy

@Suite("WebSockets over HTTP/2")
struct HTTP2TunnelTests {
  private struct Open {
    let client: HTTP2Client
    let server: FakeSocket
  }

  private func open(_ bench: Bench) throws -> Open {
    let client = try HTTP2Client(bench)
    client.connect()
    let server = try bench.server()
    server.send(switching(for: server.text))
    client.turn()
    #expect(client.status == 200 && !client.hasEnded)
    _ = server.take()
    return Open(client: client, server: server)
  }

  @Test("An extended CONNECT becomes an Upgrade with a key of its own, and the 101 a 200")
  func accepted() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = try HTTP2Client(bench)
    client.connect("/chat?x=1", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Key: AAAA")
    let server = try bench.server()
    let asked = server.take()
    #expect(lines(of: asked)[0] == "GET /chat?x=1 HTTP/1.1")
    #expect(values("Connection", in: asked) == ["Upgrade"] && values("Upgrade", in: asked) == ["websocket"])
    #expect(values("Sec-WebSocket-Key", in: asked).count == 1)
    #expect(values("Sec-WebSocket-Key", in: asked).first?.utf8.count == 24)
    #expect(values("Transfer-Encoding", in: asked).isEmpty && values("Content-Length", in: asked).isEmpty)
    client.send(masked("early"))
    #expect(server.bytes.isEmpty, "T49")
    server.send(
      Array(switching(for: asked, ["Sec-WebSocket-Protocol: b", "Content-Length: 0"]).utf8) + frame("first"))
    client.turn()
    #expect(client.status == 200)
    #expect(client.fields.contains("sec-websocket-protocol: b"))
    for name in ["sec-websocket-accept", "upgrade", "connection", "content-length"] {
      #expect(!client.fields.contains { $0.hasPrefix(name) }, "\(name)")
    }
    #expect(server.bytes == masked("early"))
    client.send(masked("more"))
    #expect(server.bytes == masked("early") + masked("more"))
    server.send(frame("second"))
    client.turn()
    #expect(client.bytes == frame("first") + frame("second") && client.closed == nil)
    bench.expectNothingHeld()
  }

  @Test("An accept that does not belong to the key is a malformed answer", arguments: [[], ["twice"]])
  func wrongAccept(_ more: [String]) throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = try HTTP2Client(bench)
    client.connect()
    let server = try bench.server()
    server.send(
      more.isEmpty
        ? switching() : switching(for: server.text, ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]))
    client.turn()
    #expect(client.status == 502)
    bench.expectNothingHeld()
  }

  @Test("A CONNECT that is not a good handshake is refused, and no server hears of it")
  func refused() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    for (line, expected) in [
      ("Sec-WebSocket-Version: 12", 400), ("Content-Length: 5", 400), ("Content-Length: 1", 400),
    ] {
      let client = try HTTP2Client(bench)
      client.connect("/", line)
      #expect(client.status == expected, "\(line)")
    }
    let other = try HTTP2Client(bench)
    other.connect(protocol: "connect-udp")
    #expect(other.status == 501)
    let withoutRoute = try Bench(openRoutes)
    let client = try HTTP2Client(withoutRoute)
    client.connect()
    #expect(client.status == 501)
    #expect(bench.servers.isEmpty && withoutRoute.servers.isEmpty)
    withoutRoute.expectNothingHeld()
    bench.expectNothingHeld()
  }

  @Test("T49 A server that answers instead of agreeing is passed on, and what waited goes nowhere")
  func declined() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = try HTTP2Client(bench)
    client.connect()
    client.send(Array(get("/smuggled").utf8))
    let server = try bench.server()
    let asked = server.bytes.count
    server.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    client.turn()
    #expect(client.status == 403 && client.bytes == Array("no".utf8))
    #expect(server.bytes.count == asked && bench.servers.count == 1)
    bench.expectNothingHeld()
  }

  @Test("The end of either side ends the other, whether in order or not")
  func ends() throws {
    for way in 0..<6 {
      let bench = try Bench(WebSocketConfigurations.open)
      let open = try open(bench)
      open.client.send(masked("x"))
      open.server.send(frame("y"))
      open.client.turn()
      switch way {
      case 0: open.client.finish()
      case 1: open.client.reset()
      case 2: open.client.socket.reset()
      case 3: open.client.socket.end()
      case 4: open.server.end()
      default: open.server.reset()
      }
      open.client.turn()
      #expect(open.server.bytes == masked("x"))
      #expect(open.server.isGone || !open.server.isOpen, "way \(way)")
      if way != 2, way != 3 {
        #expect(open.client.bytes == frame("y") && open.client.closed != nil, "way \(way)")
      }
      #expect(open.client.hasEnded == [0, 4].contains(way))
      bench.expectNothingHeld()
    }
  }

  @Test("A stream that had ended before the 101 ends with it")
  func endedEarly() throws {
    for hasFrame in [false, true] {
      let bench = try Bench(WebSocketConfigurations.open)
      let client = try HTTP2Client(bench)
      client.connect(isEnd: !hasFrame)
      if hasFrame {
        client.send(frame("without a mask"))
        client.finish()
      }
      let server = try bench.server()
      let asked = server.take()
      server.send(Array(switching(for: asked).utf8) + frame("lost"))
      client.turn()
      #expect(client.status == 200 && client.hasEnded)
      #expect(closeCode(client.bytes) == (hasFrame ? 1002 : nil))
      #expect(server.isClosed)
      bench.expectNothingHeld()
    }
  }

  @Test("T70 A stream whose window is shut holds its server back, and another stream's is not held up")
  func pace() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try open(bench)
    open.client.isTaking = false
    let piece = frame([UInt8](repeating: 7, count: 16_000), first: 0x82)
    for _ in 0..<100 { open.server.send(piece) }
    open.client.turn()
    #expect(open.server.isPaused && open.server.unreadByteCount > 1_200_000)
    #expect(open.client.bytes.count < 70_000)
    let stream = open.client.stream
    open.client.isTaking = true
    if let stream { open.client.session.consumed(stream, open.client.bytes.count) }
    open.client.turn()
    #expect(open.client.bytes.count == 100 * piece.count && !open.server.isPaused)
    bench.expectNothingHeld()
  }

  @Test("T70 A server that does not read shuts the stream's window, and gets everything in the end")
  func slowServer() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try open(bench)
    open.server.room = 0
    let piece = masked(frame([UInt8](repeating: 7, count: 16_000), first: 0x82))
    for _ in 0..<100 { open.client.send(piece) }
    let waiting = open.client.stream.map { open.client.session.outputByteCount(of: $0) } ?? 0
    #expect(waiting > 1_300_000)
    open.server.read(.max)
    open.client.turn()
    #expect(open.server.bytes.count == 100 * piece.count)
    bench.expectNothingHeld()
  }

  @Test("A tunnel over HTTP/2 ends with its token, its route and the gateway, and others go on")
  func endings() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(WebSocketConfigurations.guarded(issuer), keySets: [issuer.keySet()])
    func start(seconds: Int64) throws -> HTTP2Client {
      let client = try HTTP2Client(bench)
      client.connect("/", "Sec-WebSocket-Protocol: bearer, \(try issuer.token(seconds: seconds))")
      let server = try bench.server()
      #expect(values("Sec-WebSocket-Protocol", in: server.text).isEmpty)
      server.send(switching(for: server.take()))
      client.turn()
      #expect(client.status == 200 && client.fields.contains("sec-websocket-protocol: bearer"))
      return client
    }
    let short = try start(seconds: 10)
    let long = try start(seconds: 1000)
    bench.wait(.seconds(11))
    short.turn()
    long.turn()
    #expect(closeCode(short.bytes) == 4401 && short.hasEnded && short.closed == 0)
    #expect(long.bytes.isEmpty && !long.hasEnded)
    let withdrawn = try start(seconds: 1000)
    bench.act { $0.drain() }
    bench.wait(.seconds(2))
    long.send(masked("still"))
    #expect(try bench.server().isOpen && !long.hasEnded)
    try bench.reload("routes: [{ path: /, auth: public, upstream: app }]")
    withdrawn.turn()
    #expect(closeCode(withdrawn.bytes) == 1001 && withdrawn.hasEnded)
    bench.expectNothingHeld()
  }

  @Test("The drain's deadline ends a tunnel with 1001, and its connection though other streams stall")
  func drainDeadline() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try open(bench)
    var list = HeaderList()
    let isSet = list.setRequest(head: Array(get("/slow").utf8).span, scheme: "http")
    #expect(isSet)
    let stream = open.client.session.submitRequest(&list, isEnd: true)
    #expect(stream != nil)
    open.client.turn()
    #expect(bench.servers.count == 2)
    bench.act { $0.drain() }
    bench.wait(.seconds(1))
    open.client.turn()
    bench.act { $0.abortAll() }
    open.client.turn()
    #expect(closeCode(open.client.bytes) == 1001)
    bench.wait(.seconds(10))
    #expect(bench.isDrained)
    bench.expectNothingHeld()
  }

  @Test("A client whose window stays shut cannot hold its connection beyond the end of its token")
  func stalled() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(WebSocketConfigurations.guarded(issuer), keySets: [issuer.keySet()])
    let client = try HTTP2Client(bench)
    client.connect("/", "Authorization: Bearer \(try issuer.token(seconds: 20))")
    let server = try bench.server()
    server.send(switching(for: server.text))
    client.turn()
    client.isTaking = false
    for _ in 0..<20 { server.send(frame([UInt8](repeating: 7, count: 16_000), first: 0x82)) }
    client.turn()
    bench.wait(.seconds(21))
    #expect(server.isGone || !server.isOpen)
    // Long enough for idle_timeout and body_timeout, one after the other.
    for _ in 0..<30 {
      bench.wait(.seconds(10))
      client.turn()
    }
    #expect(!client.socket.isOpen)
    bench.expectNothingHeld()
  }

  @Test("T58 A frame that breaks the rules ends its stream with 1002 and leaves the connection")
  func violation() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try open(bench)
    open.client.send(frame("without a mask"))
    #expect(closeCode(open.client.bytes) == 1002 && open.client.hasEnded)
    #expect(open.server.isClosed && open.client.socket.isOpen)
    open.client.connect()
    #expect(bench.servers.count == 2)
    bench.expectNothingHeld()
  }
}
