// An open WebSocket: its pace, the loss of either side, frames that break the rules, and all reasons to end it.

import Testing

@testable import Proxy

@Suite("WebSocket tunnels")
struct TunnelTests {
  // MARK: Pace

  @Test("T70 A client that does not read holds the server back, and gets everything in the end")
  func slowClient() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try OpenWebSocket(bench)
    open.client.room = 0
    let piece = frame([UInt8](repeating: 7, count: 16_000), first: 0x82)
    for _ in 0..<100 { open.server.send(piece) }
    #expect(open.server.isPaused)
    #expect(open.server.unreadByteCount > 1_400_000)
    open.client.read(.max)
    #expect(open.client.bytes.count == 100 * piece.count && !open.server.isPaused)
    bench.expectNothingHeld()
  }

  @Test("T70 A server that does not read holds the client back, and gets everything in the end")
  func slowServer() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try OpenWebSocket(bench)
    open.server.room = 0
    let piece = masked(frame([UInt8](repeating: 7, count: 16_000), first: 0x82))
    for _ in 0..<100 { open.client.send(piece) }
    #expect(open.client.isPaused)
    #expect(open.client.unreadByteCount > 1_300_000)
    open.server.read(.max)
    #expect(open.server.bytes.count == 100 * piece.count && !open.client.isPaused)
    bench.expectNothingHeld()
  }

  // MARK: Loss

  enum Loss: CaseIterable { case clientEnd, clientReset, serverEnd, serverReset }

  @Test(
    "Whichever side goes first, at whatever byte of a frame, takes the other along",
    arguments: Loss.allCases)
  func loss(_ loss: Loss) throws {
    let (there, back) = (masked("hello"), frame("hello"))
    for cut in 0...there.count {
      let bench = try Bench(WebSocketConfigurations.open)
      let open = try OpenWebSocket(bench)
      open.client.send(Array(there[..<cut]))
      open.server.send(Array(back[..<min(cut, back.count)]))
      switch loss {
      case .clientEnd: open.client.end()
      case .clientReset: open.client.reset()
      case .serverEnd: open.server.end()
      case .serverReset: open.server.reset()
      }
      #expect(open.server.bytes == Array(there[..<cut]))
      #expect(open.client.bytes == Array(back[..<min(cut, back.count)]))
      #expect(open.client.isGone || !open.client.isOpen, "\(loss) at \(cut)")
      #expect(open.server.isGone || !open.server.isOpen, "\(loss) at \(cut)")
      bench.expectNothingHeld()
      #expect(bench.logLines.count == 1)
    }
  }

  @Test("What a side has said before it went still arrives at one that is slow")
  func lastWords() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let toServer = try OpenWebSocket(bench)
    toServer.server.room = 3
    toServer.client.send(masked("last words"))
    toServer.client.end()
    #expect(!toServer.server.isGone)
    toServer.server.read(.max)
    #expect(toServer.server.bytes == masked("last words") && toServer.server.isClosed)
    let toClient = try OpenWebSocket(bench)
    toClient.client.room = 3
    toClient.server.send(frame("last words"))
    toClient.server.end()
    toClient.client.read(.max)
    #expect(toClient.client.bytes == frame("last words") && toClient.client.isGone)
    bench.expectNothingHeld()
  }

  // MARK: Frames

  @Test("T58 A client's frame that breaks the rules ends the tunnel with 1002 and is not passed on")
  func clientViolation() throws {
    let violations: [[UInt8]] = [
      frame("no mask"), masked("", first: 0x83), masked("", first: 0x80), masked("", first: 0x09),
      masked(frame([UInt8](repeating: 0, count: 126), first: 0x89)), masked("", first: 0x83),
      [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
    ]
    for violation in violations {
      for isSplit in [false, true] {
        let bench = try Bench(WebSocketConfigurations.open)
        let open = try OpenWebSocket(bench)
        open.client.send(masked("good"))
        if isSplit { for byte in violation { open.client.send([byte]) } } else { open.client.send(violation) }
        #expect(closeCode(open.client.bytes) == 1002, "\(violation)")
        #expect(open.client.isGone && open.server.isClosed)
        if !isSplit {
          #expect(open.server.bytes.count == masked("good").count + 8, "\(violation)")
          #expect(maskedCloseCode(open.server.bytes) == 1001)
        }
        bench.expectNothingHeld()
        #expect(bench.errorCount("websocket_frame_invalid") == 1)
      }
    }
  }

  @Test("T58 A server's frame that breaks the rules ends the tunnel with 1002 and is not passed on")
  func serverViolation() throws {
    let violations: [[UInt8]] = [
      masked("masked"), frame("", first: 0x8B), frame("", first: 0x80), frame("", first: 0x0A),
      frame([UInt8](repeating: 0, count: 126), first: 0x8A), [0x82, 126, 0, 1],
    ]
    for violation in violations {
      let bench = try Bench(WebSocketConfigurations.open)
      let open = try OpenWebSocket(bench)
      open.server.send(frame("good"))
      open.server.send(violation)
      #expect(open.client.bytes == frame("good") + [0x88, 2, 0x03, 0xEA], "\(violation)")
      #expect(maskedCloseCode(open.server.bytes) == 1001 && open.server.isClosed && open.client.isGone)
      bench.expectNothingHeld()
    }
  }

  @Test("T58 No close frame is put into the middle of a frame whose rest was not passed on")
  func violationBehindRest() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try OpenWebSocket(bench)
    let good = frame("good")
    open.server.send(Array(good[..<4]))
    open.server.send(good[4...] + frame("", first: 0x83))
    #expect(open.client.bytes == Array(good[..<4]), "cut short, and nothing that looks like content")
    #expect(open.client.isGone)
    let other = try OpenWebSocket(bench)
    let sent = masked("good")
    other.client.send(Array(sent[..<8]))
    other.client.send(sent[8...] + masked("", first: 0x83))
    #expect(other.server.bytes == Array(sent[..<8]) && other.server.isClosed)
    #expect(closeCode(other.client.bytes) == 1002)
    bench.expectNothingHeld()
  }

  // MARK: Time

  @Test("A tunnel in which nothing moves is ended after idle_timeout, one in which something moves is not")
  func idle() throws {
    let bench = try Bench(
      "routes: [{ path: /*, auth: public, upstream: app, timeout: 2s, websocket: { idle_timeout: 10s } }]")
    let open = try OpenWebSocket(bench)
    for _ in 0..<4 {
      bench.wait(.seconds(8))
      open.client.send(masked("", first: 0x89))
      bench.wait(.seconds(8))
      open.server.send(frame("", first: 0x8A))
    }
    #expect(!open.client.isGone)
    bench.wait(.seconds(9))
    #expect(!open.client.isGone)
    bench.wait(.seconds(2))
    #expect(closeCode(open.client.bytes) == 1001 && maskedCloseCode(open.server.bytes) == 1001)
    #expect(open.client.isGone && open.server.isClosed)
    #expect(bench.logLines.last?.contains("websocket_idle") == true)
    bench.expectNothingHeld()
  }

  @Test("A handshake that the server does not answer runs into the route's timeout")
  func handshakeTimeout() throws {
    let bench = try Bench("routes: [{ path: /*, auth: public, upstream: app, timeout: 2s, websocket: true }]")
    let client = bench.connect()
    client.send(handshake())
    client.send(masked("early"))
    bench.wait(.seconds(3))
    #expect(status(client.text) == 504)
    #expect(client.isGone)
    bench.expectNothingHeld()
  }

  private func guarded(
    _ websocket: String = "true", _ place: String = "Authorization: Bearer TOKEN"
  ) throws -> (Bench, OpenWebSocket) {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      WebSocketConfigurations.guarded(issuer, websocket: websocket), keySets: [issuer.keySet()])
    let token = try issuer.token(seconds: 60)
    return (bench, try OpenWebSocket(bench, handshake("/", place.replacing("TOKEN", with: token))))
  }

  @Test("A tunnel ends with its token, by 4401 to the client and 1001 to the server")
  func expiry() throws {
    let (bench, open) = try guarded()
    bench.wait(.seconds(59))
    open.server.send(frame("before"))
    #expect(open.client.bytes == frame("before"))
    bench.wait(.milliseconds(1200))
    #expect(closeCode(open.client.bytes) == 4401 && maskedCloseCode(open.server.bytes) == 1001)
    #expect(open.client.isOutputClosed && open.server.isClosed)
    #expect(bench.logLines.last?.contains("token_expired") == true)
    bench.wait(.seconds(3))
    #expect(!open.client.isOpen, "a client that says nothing more is let go")
    bench.expectNothingHeld()
  }

  @Test("expiry_grace is granted beyond the token's end")
  func grace() throws {
    let (bench, open) = try guarded("{ expiry_grace: 20s }")
    bench.wait(.seconds(79))
    #expect(!open.client.isGone)
    bench.wait(.milliseconds(1200))
    #expect(closeCode(open.client.bytes) == 4401)
    bench.expectNothingHeld()
  }

  @Test("The end waits for the rest of the server's frame and comes right behind it")
  func expiryWithinFrame() throws {
    let (bench, open) = try guarded()
    let long = frame("long")
    open.server.send(Array(long[..<3]))
    open.client.send(Array(masked("also long")[..<9]))
    bench.wait(.seconds(61))
    #expect(open.client.bytes == Array(long[..<3]) && !open.client.isGone)
    open.client.send(masked("also long")[9...] + masked("too late"))
    open.server.send(Array(long[3..<5]))
    open.server.send(long[5...] + frame("too late"))
    #expect(open.client.bytes == long + [0x88, 2, 0x11, 0x31])
    #expect(Array(open.server.bytes.dropLast(8)) == masked("also long"), "no further frame of the client passes")
    #expect(maskedCloseCode(open.server.bytes) == 1001)
    #expect(open.client.isGone && open.server.isClosed)
    bench.expectNothingHeld()
  }

  @Test("A frame that does not end is cut off 5 s after the end", arguments: [false, true])
  func expiryWithinEndlessFrame(isMoving: Bool) throws {
    let (bench, open) = try guarded()
    open.server.send([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0])
    bench.wait(.milliseconds(60_500))
    for _ in 0..<40 where isMoving {
      open.server.send([1, 2, 3])
      bench.wait(.milliseconds(100))
    }
    if !isMoving { bench.wait(.seconds(4)) }
    #expect(!open.client.isGone)
    bench.wait(.seconds(2))
    #expect(open.client.isGone && (open.server.isGone || !open.server.isOpen))
    #expect(closeCode(open.client.bytes) == nil)
    bench.expectNothingHeld()
  }

  @Test("A client that does not read cannot outlive its token")
  func expiryOfStalled() throws {
    let (bench, open) = try guarded()
    open.client.room = 0
    for _ in 0..<20 { open.server.send(frame([UInt8](repeating: 7, count: 16_000), first: 0x82)) }
    bench.wait(.seconds(61))
    #expect(open.server.isGone || !open.server.isOpen)
    bench.wait(.seconds(200))
    #expect(!open.client.isOpen)
    bench.expectNothingHeld()
  }

  @Test("After the server's close frame no second one is sent at the end")
  func expiryAfterClose() throws {
    let (bench, open) = try guarded()
    open.server.send([0x88, 2, 0x03, 0xE8])
    open.client.send(masked([0x88, 2, 0x03, 0xE8]))
    let (there, back) = (open.server.bytes, open.client.bytes)
    bench.wait(.seconds(61))
    #expect(open.server.bytes == there && open.client.bytes == back)
    #expect(open.client.isGone && open.server.isClosed)
    bench.expectNothingHeld()
  }

  // MARK: Reload and drain

  private static let keeping: [(String, Bool, @Sendable (BenchIssuer) -> String)] = [
    ("the same", true, { WebSocketConfigurations.guarded($0) }),
    ("another idle_timeout", true, { WebSocketConfigurations.guarded($0, websocket: "{ idle_timeout: 1m }") }),
    ("a scope that the token has", true, { WebSocketConfigurations.guarded($0, auth: ", scopes: [read]") }),
    ("open to all", true, { _ in WebSocketConfigurations.open }),
    ("a scope that it lacks", false, { WebSocketConfigurations.guarded($0, auth: ", scopes: [write]") }),
    (
      "no websocket", false,
      { WebSocketConfigurations.guarded($0, websocket: "false").replacing("websocket_protocol, ", with: "") }
    ),
    ("another path", false, { WebSocketConfigurations.guarded($0).replacing("path: /*", with: "path: /other/*") }),
    (
      "another host", false,
      { WebSocketConfigurations.guarded($0).replacing("path: /*", with: "path: /*\n  host: x.y") }
    ),
    (
      "a more special route that asks for more", false,
      {
        WebSocketConfigurations.guarded(
          $0,
          more: "- { path: /live, auth: { issuers: [login], scopes: [write] }, upstream: app, websocket: true }")
      }
    ),
    (
      "another audience", false,
      { WebSocketConfigurations.guarded($0).replacing("audiences: [a]", with: "audiences: [b]") }
    ),
    (
      "clients with its address", true,
      { WebSocketConfigurations.guarded($0).replacing("path: /*", with: "path: /*\n  clients: [192.0.2.0/24]") }
    ),
    (
      "clients without its address", false,
      { WebSocketConfigurations.guarded($0).replacing("path: /*", with: "path: /*\n  clients: [\"!192.0.2.7\"]") }
    ),
  ]

  @Test("A reload ends a tunnel with 1001 exactly where a new handshake would not be let through", arguments: 0..<12)
  func reload(_ index: Int) throws {
    let (what, isKept, text) = Self.keeping[index]
    let issuer = try BenchIssuer()
    let bench = try Bench(WebSocketConfigurations.guarded(issuer), keySets: [issuer.keySet()])
    let token = try issuer.token(",\"scope\":\"read\"")
    let open = try OpenWebSocket(bench, handshake("/live", "Authorization: Bearer \(token)"))
    for _ in 0..<2 {
      let fresh = text(issuer)
      try bench.reload(fresh, keySets: fresh.contains("issuers: {") ? [issuer.keySet()] : [])
    }
    if isKept {
      open.client.send(masked("still"))
      open.server.send(frame("there"))
      #expect(open.server.bytes == masked("still") && open.client.bytes == frame("there"), "\(what)")
    } else {
      #expect(closeCode(open.client.bytes) == 1001 && maskedCloseCode(open.server.bytes) == 1001, "\(what)")
      #expect(open.client.isGone && open.server.isClosed, "\(what)")
      #expect(bench.logLines.last?.contains("route_withdrawn") == true)
    }
    bench.expectNothingHeld()
  }

  @Test("A reload ends a tunnel whose tenant left the list, and no tunnel of another tenant")
  func tenants() throws {
    let issuer = try BenchIssuer()
    func text(_ tenants: String) -> String {
      WebSocketConfigurations.open.replacing("public", with: "login") + "\n" + issuer.section(tenants: tenants)
    }
    let bench = try Bench(text("[one, two]"), keySets: [issuer.keySet()])
    let token = try issuer.token(",\"org\":\"two\"", issuer: "two")
    let open = try OpenWebSocket(bench, handshake("/live", "Authorization: Bearer \(token)"))
    try bench.reload(text("[two, three]"), keySets: [issuer.keySet()])
    open.client.send(masked("still"))
    #expect(open.server.bytes == masked("still"))
    try bench.reload(text("[three]"), keySets: [issuer.keySet()])
    #expect(closeCode(open.client.bytes) == 1001 && open.client.isGone)
    #expect(bench.logLines.last?.contains("route_withdrawn") == true)
    bench.expectNothingHeld()
  }

  @Test("A drain lets tunnels live to its deadline, and ends them with 1001 then")
  func drain() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let open = try OpenWebSocket(bench)
    let within = try OpenWebSocket(bench)
    within.server.send(Array(frame("long")[..<3]))
    let idle = bench.connect()
    bench.act { $0.drain() }
    #expect(idle.isGone && !open.client.isGone && !bench.isDrained)
    bench.wait(.seconds(20))
    open.client.send(masked("still"))
    #expect(open.server.take().utf8.count > 0)
    bench.act { $0.abortAll() }
    #expect(closeCode(open.client.bytes) == 1001 && maskedCloseCode(open.server.bytes) == 1001)
    #expect(open.client.isGone && open.server.isClosed)
    within.server.send(Array(frame("long")[3...]))
    #expect(within.client.bytes == frame("long") + [0x88, 2, 0x03, 0xE9])
    #expect(within.client.isGone)
    bench.wait(.seconds(8))
    #expect(bench.isDrained)
    bench.expectNothingHeld()
  }
}
