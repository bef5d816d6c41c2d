// The handshake of a WebSocket over HTTP/1.1: what becomes a tunnel, what is refused, and what is an ordinary request.

import Testing

@testable import Proxy

@Suite("WebSocket handshakes")
struct HandshakeTests {
  @Test("A good handshake goes up whole, and what the server agrees to comes back, with frames both ways")
  func accepted() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(handshake("/chat?a=b", "Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: x, y"))
    let server = try bench.server()
    let asked = server.take()
    #expect(lines(of: asked)[0] == "GET /chat?a=b HTTP/1.1")
    #expect(values("Connection", in: asked) == ["Upgrade"])
    #expect(values("Upgrade", in: asked) == ["websocket"])
    #expect(values("Sec-WebSocket-Version", in: asked) == ["13"])
    #expect(values("Sec-WebSocket-Key", in: asked) == ["dGhlIHNhbXBsZSBub25jZQ=="])
    #expect(values("Sec-WebSocket-Extensions", in: asked) == ["permessage-deflate"])
    #expect(values("Sec-WebSocket-Protocol", in: asked) == ["x, y"])
    #expect(client.text.isEmpty)
    server.send(switching("Sec-WebSocket-Protocol: y", "Sec-WebSocket-Extensions: permessage-deflate"))
    let answer = client.take()
    #expect(lines(of: answer)[0] == "HTTP/1.1 101 Switching Protocols")
    #expect(values("Connection", in: answer) == ["Upgrade"])
    #expect(values("Upgrade", in: answer) == ["websocket"])
    #expect(values("Sec-WebSocket-Accept", in: answer) == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
    #expect(values("Sec-WebSocket-Protocol", in: answer) == ["y"])
    #expect(values("Sec-WebSocket-Extensions", in: answer) == ["permessage-deflate"])
    client.send(masked("hello"))
    #expect(server.bytes == masked("hello"))
    server.send(frame("world"))
    #expect(client.bytes == frame("world"))
    bench.expectNothingHeld()
    #expect(bench.logLines.count == 1 && bench.logLines[0].contains("\"status\":101"))
  }

  private static let key = sampleKey
  private static let good = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", sampleKey]
  private static let broken: [(String, String)] = [
    ("two keys", handshake(lines: good + [key])),
    ("no key", handshake(lines: Array(good.dropLast()))),
    ("a key that is too short", handshake(lines: good.dropLast() + ["Sec-WebSocket-Key: c2hvcnQ="])),
    ("a key that is too long", handshake(lines: good.dropLast() + [key + "AAAA"])),
    ("a key of other characters", handshake(lines: good.dropLast() + ["Sec-WebSocket-Key: dGhlIHNh bXBsZSBub25jZ=="])),
    ("POST", handshake(method: "POST", lines: good)), ("HEAD", handshake(method: "HEAD", lines: good)),
    ("content", handshake(lines: good + ["Content-Length: 2"]) + "hi"),
    ("chunked content", handshake(lines: good + ["Transfer-Encoding: chunked"]) + "0\r\n\r\n"),
    ("two Upgrade fields", handshake(lines: good + ["Upgrade: websocket"])),
  ]

  @Test("Half a handshake is refused, and no server hears of it", arguments: Self.broken)
  func malformed(_ what: String, _ request: String) throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(request)
    #expect(status(client.text) == 400, "\(what)")
    if !request.hasPrefix("HEAD") { #expect(code(client.text) == "websocket_handshake_invalid", "\(what)") }
    #expect(bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  @Test(
    "A version other than 13 is refused with the one that is known",
    arguments: [
      [], ["Sec-WebSocket-Version: 8"], ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"],
      ["Sec-WebSocket-Version: 13, 8"], ["Sec-WebSocket-Version: 013"], ["Sec-WebSocket-Version:"],
    ])
  func version(_ versions: [String]) throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(handshake(lines: ["Connection: Upgrade", "Upgrade: websocket", sampleKey] + versions))
    #expect(status(client.text) == 400)
    #expect(code(client.text) == "websocket_version_unsupported")
    #expect(values("Sec-WebSocket-Version", in: client.text) == ["13"])
    #expect(bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  private static let plain: [(String, String, String)] = [
    ("a request without Upgrade", WebSocketConfigurations.open, get()),
    ("no Connection", WebSocketConfigurations.open, handshake(lines: Array(good.dropFirst()))),
    ("another protocol", WebSocketConfigurations.open, get("/", "Connection: Upgrade", "Upgrade: h2c")),
    ("HTTP/1.0", WebSocketConfigurations.open, handshake(lines: good).replacing("HTTP/1.1", with: "HTTP/1.0")),
    ("a route without websocket", openRoutes, handshake()),
    ("websocket: false", "routes: [{ path: /*, auth: public, upstream: app, websocket: false }]", handshake()),
  ]

  @Test("What is not a handshake is an ordinary request without Upgrade", arguments: Self.plain)
  func ordinary(_ what: String, _ routes: String, _ request: String) throws {
    let bench = try Bench(routes)
    let client = bench.connect()
    client.send(request)
    let server = try bench.server()
    #expect(values("Upgrade", in: server.text).isEmpty, "\(what)")
    #expect(values("Connection", in: server.text).isEmpty, "\(what)")
    server.send(ok("plain"))
    #expect(body(of: client.take()) == "plain", "\(what)")
    if !request.contains("HTTP/1.0") {
      client.send(get("/next"))
      try bench.server().send(ok("next"))
      #expect(body(of: client.text) == "next", "the connection lives on: \(what)")
    }
    bench.expectNothingHeld()
  }

  @Test("T49 Bytes behind the handshake wait for the 101, and go on then", arguments: [true, false])
  func early(isCut: Bool) throws {
    let bench = try Bench(WebSocketConfigurations.open)
    bench.holdsConnects = true
    let client = bench.connect()
    if isCut {
      client.send(handshake())
      client.send(masked("early"))
    } else {
      client.send(Array(handshake().utf8) + masked("early"))
    }
    bench.connectAll()
    let server = try bench.server()
    client.send(masked("more"))
    #expect(server.take().hasSuffix("\r\n\r\n"))
    server.send(switching())
    #expect(server.bytes == masked("early") + masked("more"))
    #expect(status(client.text) == 101)
    bench.expectNothingHeld()
  }

  @Test("T49 A client that sends ahead of the 101 is held back")
  func earlyFlood() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(handshake())
    let piece = masked(frame([UInt8](repeating: 1, count: 8000), first: 0x82))
    for _ in 0..<100 { client.send(piece) }
    #expect(client.isPaused)
    #expect(client.unreadByteCount > 700_000)
    let server = try bench.server()
    _ = server.take()
    server.send(switching())
    #expect(server.bytes.count == 100 * piece.count && !client.isPaused)
    bench.expectNothingHeld()
  }

  private static let refusals = [
    ok("no"), "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nno",
  ]

  @Test(
    "T49 A server that answers instead of agreeing is passed on. What waited goes nowhere", arguments: Self.refusals)
  func declined(_ answer: String) throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(handshake() + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
    let server = try bench.server()
    let asked = server.bytes.count
    server.send(answer)
    if answer.hasSuffix("\r\n\r\nno"), !answer.contains("Content-Length") { server.end() }
    #expect(status(client.text) == status(answer))
    #expect(client.text.contains("no"))
    #expect(values("Upgrade", in: client.text).isEmpty)
    #expect(values("Connection", in: client.text) == ["close"])
    #expect(client.isGone)
    #expect(server.bytes.count == asked && bench.servers.count == 1, "nothing of it is taken for a request")
    bench.expectNothingHeld()
  }

  private static let wrongSwitches = [
    "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
    "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/1.0 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  ]

  @Test("A 101 to something else than a WebSocket is a malformed answer", arguments: Self.wrongSwitches)
  func wrongSwitch(_ answer: String) throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(handshake())
    let server = try bench.server()
    server.send(answer)
    #expect(status(client.text) == 502 && code(client.text) == "upstream_malformed")
    #expect(server.isAborted)
    bench.expectNothingHeld()
  }

  @Test("A 101 that nobody asked for is a malformed answer")
  func unasked() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(get())
    try bench.server().send(switching())
    #expect(status(client.text) == 502 && code(client.text) == "upstream_malformed")
    bench.expectNothingHeld()
  }

  @Test("A 101 brings no Content-Length on, and frames in its segment come behind it")
  func sameSegment() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(handshake())
    try bench.server().send(Array(switching("Content-Length: 0").utf8) + frame("first"))
    #expect(status(client.text) == 101)
    #expect(values("Content-Length", in: client.text).isEmpty)
    #expect(Array(client.bytes.suffix(7)) == frame("first"))
    bench.expectNothingHeld()
  }

  @Test("A frame that breaks the rules and waited for the 101 ends the tunnel as it opens")
  func earlyViolation() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(handshake())
    client.send(frame("without a mask"))
    let server = try bench.server()
    _ = server.take()
    server.send(Array(switching().utf8) + frame("lost"))
    #expect(status(client.text) == 101)
    #expect(closeCode(client.bytes) == 1002)
    #expect(maskedCloseCode(server.bytes) == 1001 && server.bytes.count == 8)
    #expect(server.isClosed)
    bench.expectNothingHeld()
  }

  @Test("With half_close, a client that ended its half before the 101 is closed as it opens", arguments: [true, false])
  func earlyEnd(hasFrame: Bool) throws {
    let bench = try Bench(WebSocketConfigurations.open + "\nlimits: { half_close: true }")
    let client = bench.connect()
    client.send(handshake())
    if hasFrame { client.send(masked("last words")) }
    client.end()
    let server = try bench.server()
    _ = server.take()
    server.send(Array(switching().utf8) + frame("lost"))
    #expect(status(client.text) == 101)
    #expect(server.bytes == (hasFrame ? masked("last words") : []))
    #expect(server.isClosed && client.isGone)
    bench.expectNothingHeld()
  }

  @Test("A kept connection that the server had closed costs no handshake")
  func stale() throws {
    let bench = try Bench(WebSocketConfigurations.open)
    let client = bench.connect()
    client.send(get())
    try bench.server().send(ok())
    _ = client.take()
    client.send(handshake())
    #expect(bench.servers.count == 1)
    try bench.server().end()
    #expect(bench.servers.count == 2)
    try bench.server().send(switching())
    #expect(status(client.text) == 101)
    bench.expectNothingHeld()
  }

  @Test("A handshake that waited for keys is not opened by a configuration that was replaced meanwhile")
  func reloadedWhileWaiting() throws {
    let (old, new) = (try BenchIssuer(keyID: "old"), try BenchIssuer(keyID: "new"))
    let bench = try Bench(WebSocketConfigurations.guarded(old), keySets: [old.keySet()])
    let client = bench.connect()
    client.send(handshake("/", "Authorization: Bearer \(try new.token())"))
    #expect(bench.servers.isEmpty && client.text.isEmpty, "waits for the keys")
    try bench.reload(
      "routes: [{ path: /*, auth: { issuers: [login] }, upstream: app }]\n\(new.section)", keySets: [new.keySet()])
    #expect(bench.servers.isEmpty)
    #expect(status(client.text) == 503 && code(client.text) == "keys_unavailable")
    bench.expectNothingHeld()
  }
}
