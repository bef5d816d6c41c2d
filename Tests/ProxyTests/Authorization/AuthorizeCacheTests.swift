// Answers of services that count for several requests: at the same time, and later. T113.

import Testing
import Tokens

@testable import Proxy

@Suite("Remembered answers of services")
struct AuthorizeCacheTests {
  private static let cached = ", cache: { for: 10s }"

  /// Sends a request that is served, and says whether the service was asked.
  private func isAsked(_ scene: AuthorizeScene, _ text: String, _ answer: String = consent) throws -> Bool {
    let client = scene.bench.connect()
    let before = scene.askedCount
    client.send(text)
    let isAsked = scene.askedCount > before
    if isAsked { try scene.service().send(answer) }
    try scene.expectServed(client)
    client.reset()
    return isAsked
  }

  @Test("A thousand requests that ask the same wait for one call, and each goes its own way")
  func singleFlight() throws {
    let scene = try AuthorizeScene()
    let bearer = try scene.bearer()
    let clients = (0..<1000).map { _ in scene.bench.connect() }
    for client in clients { client.send(get("/", bearer)) }
    #expect(scene.askedCount == 1 && scene.bench.worker.sideRequests.count == 1)
    // Some leave while they wait: the call goes on for the others.
    for client in clients[..<300] { client.reset() }
    for client in clients[900...] { client.reset() }
    try scene.service().send(consent)
    #expect(scene.apps.count == 600 && scene.count(.passed) == 600)
    for app in scene.apps { app.send(ok("served")) }
    #expect(clients[300..<900].allSatisfy { body(of: $0.take()) == "served" })
    #expect(scene.bench.worker.sideRequests.isEmpty)
    scene.bench.expectNothingHeld()
  }

  @Test("When the last one that waits has left, the call ends by itself and hurts nobody")
  func nobodyLeft() throws {
    let scene = try AuthorizeScene(service: Self.cached)
    let client = scene.bench.connect()
    client.send(get("/", try scene.bearer()))
    client.reset()
    try scene.service().send(consent)
    #expect(scene.apps.isEmpty && scene.bench.worker.sideRequests.isEmpty)
    #expect(try !isAsked(scene, get("/", scene.bearer())))
    scene.bench.expectNothingHeld()
  }

  @Test(
    "T113 An answer counts for requests that ask the very same: no other caller, method, path, query, host or header")
  func keys() throws {
    let scene = try AuthorizeScene(service: ", headers: [X-Plan], cache: { for: 10s }")
    let (alice, other) = (try scene.bearer(), try scene.bearer(",\"org\":1"))
    #expect(try isAsked(scene, get("/a?b=c", alice, "X-Plan: 1")))
    #expect(try !isAsked(scene, get("/a?b=c", alice, "X-Plan: 1", "X-Else: 2")))
    #expect(scene.count(.remembered) == 1)
    for text in [
      get("/a?b=c", other, "X-Plan: 1"), get("/a?b=d", alice, "X-Plan: 1"), get("/a", alice, "X-Plan: 1"),
      get("/b?b=c", alice, "X-Plan: 1"), get("/a?b=c", alice, "X-Plan: 2"), get("/a?b=c", alice),
      head("DELETE /a?b=c HTTP/1.1", "Host: h", alice, "X-Plan: 1"),
      head("GET /a?b=c HTTP/1.1", "Host: i", alice, "X-Plan: 1"),
      get("/a?b=c", alice, "X-Plan: 1", "X-Plan: 1"),
    ] {
      #expect(try isAsked(scene, text), "\(text)")
      #expect(try !isAsked(scene, text), "\(text)")
    }
    scene.bench.expectNothingHeld()
  }

  @Test("T113 Of another client's address, and on another route of the same service, the service is asked again")
  func places() throws {
    let scene = try AuthorizeScene(
      service: ", cache: { for: 10s, by: [client_ip, host, method] }", route: "auth: public",
      more: ", { path: /other, auth: public, authorize: { service: policy }, upstream: app }")
    #expect(try isAsked(scene, get("/a")))
    #expect(try !isAsked(scene, get("/b")))
    #expect(try isAsked(scene, get("/other")))
    let client = scene.bench.connect(from: "198.51.100.9")
    client.send(get("/a"))
    #expect(scene.askedCount == 3)
    try scene.service().send(consent)
    try scene.expectServed(client)
    scene.bench.expectNothingHeld()
  }

  @Test("What 'by' names decides, a claim with its issuer, and a value that is there twice is asked about for itself")
  func named() throws {
    let scene = try AuthorizeScene(
      service: ", cache: { for: 10s, by: [\"claim:sub\", method, path, \"header:X-Plan\", \"query:v\"] }")
    let (alice, again) = (try scene.bearer(), try scene.bearer(",\"org\":1"))
    #expect(try isAsked(scene, get("/a", alice)))
    #expect(try !isAsked(scene, get("/a?other=1", again)))
    #expect(try isAsked(scene, get("/a?v=1", again)))
    #expect(try isAsked(scene, get("/a", alice, "X-Plan: a")))
    // Where one client's ends and the next one's begins is never in doubt.
    #expect(try isAsked(scene, get("/a?v=2", alice, "X-Plan: a")))
    #expect(try isAsked(scene, get("/a?v=", alice, "X-Plan: a2")))
    for _ in 0..<2 { #expect(try isAsked(scene, get("/a", alice, "X-Plan: a", "X-Plan: b"))) }
    for _ in 0..<2 { #expect(try isAsked(scene, get("/a?v=1&v=2", alice))) }
    scene.bench.expectNothingHeld()
  }

  @Test("T113 An answer ends at 'for', earlier by Cache-Control, and with the caller's token")
  func ends() throws {
    let scene = try AuthorizeScene(service: Self.cached)
    let bearer = try scene.bearer()
    #expect(try isAsked(scene, get("/", bearer)))
    #expect(try !isAsked(scene, get("/", bearer)))
    scene.bench.wait(.seconds(10))
    #expect(try isAsked(scene, get("/", bearer)))
    for (field, seconds) in [
      ("max-age=3", 3), ("private, Max-Age=\"3\"", 0), ("no-store", 0), ("max-age=60, no-cache", 0), ("max-age=", 0),
      ("max-age=99999999999999999999", 10), ("s-maxage=2, max-age=5", 2), ("public", 10),
    ] {
      let path = "/\(field.hashValue)"
      let answer = "HTTP/1.1 200 OK\r\nCache-Control: \(field)\r\nContent-Length: 0\r\n\r\n"
      #expect(try isAsked(scene, get(path, bearer), answer))
      #expect(try isAsked(scene, get(path, bearer), answer) == (seconds == 0), "\(field)")
      if seconds > 0 {
        scene.bench.wait(.seconds(seconds))
        #expect(try isAsked(scene, get(path, bearer), answer), "\(field)")
      }
    }
    scene.bench.expectNothingHeld()
    let brief = try AuthorizeScene(service: ", cache: { for: 1h, by: [\"claim:sub\", method, path] }")
    #expect(try isAsked(brief, get("/", brief.bearer(seconds: 5))))
    #expect(try !isAsked(brief, get("/", brief.bearer())))
    brief.bench.wait(.seconds(40))
    // The one who was asked about is gone: nobody else goes on with the answer.
    #expect(try isAsked(brief, get("/", brief.bearer())))
    brief.bench.expectNothingHeld()
  }

  @Test("Refusals and failures are never remembered, and a reload forgets all answers")
  func forgotten() throws {
    let scene = try AuthorizeScene(service: Self.cached)
    let bearer = try scene.bearer()
    for answer in ["HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"] {
      for _ in 0..<2 {
        let client = scene.bench.connect()
        client.send(get("/", bearer))
        try scene.service().send(answer)
        #expect(status(client.take()) >= 403)
      }
    }
    #expect(scene.askedCount == 4 && scene.bench.worker.authorizations.rememberedCount == 0)
    #expect(try isAsked(scene, get("/", bearer)))
    #expect(try !isAsked(scene, get("/", bearer)))
    try scene.bench.reload(AuthorizeScene.text(scene.issuer, service: Self.cached), keySets: [scene.issuer.keySet()])
    #expect(try isAsked(scene, get("/", bearer)))
    scene.bench.expectNothingHeld()
  }

  @Test(
    "A request that waits during a reload goes on by the configuration that it began with, and leaves nothing behind")
  func reload() throws {
    let scene = try AuthorizeScene(service: Self.cached)
    let bearer = try scene.bearer()
    let (before, after) = (scene.bench.connect(), scene.bench.connect())
    before.send(get("/", bearer))
    try scene.bench.reload(
      AuthorizeScene.text(scene.issuer, service: Self.cached + ", answer_headers: [X-New]"),
      keySets: [scene.issuer.keySet()])
    after.send(get("/", bearer))
    #expect(scene.askedCount == 2)
    try #require(scene.services.first).send("HTTP/1.1 200 OK\r\nX-New: 1\r\nContent-Length: 0\r\n\r\n")
    #expect(values("X-New", in: try scene.app().take()).isEmpty)
    try scene.expectServed(before)
    try scene.service().send("HTTP/1.1 200 OK\r\nX-New: 2\r\nContent-Length: 0\r\n\r\n")
    #expect(values("X-New", in: try scene.app().text) == ["2"])
    try scene.expectServed(after)
    #expect(try !isAsked(scene, get("/", bearer)))
    scene.bench.expectNothingHeld()
  }

  @Test("What is remembered is bounded, however many paths a caller asks for")
  func bound() throws {
    let scene = try AuthorizeScene(service: ", answer_headers: [X-T], cache: { for: 1h }")
    let bearer = try scene.bearer()
    let value = String(repeating: "v", count: 8000)
    let client = scene.bench.connect()
    for number in 0..<1000 {
      client.send(get("/\(number)", bearer))
      try scene.service().send("HTTP/1.1 200 OK\r\nX-T: \(value)\r\nContent-Length: 0\r\n\r\n")
      try scene.expectServed(client)
    }
    #expect(scene.bench.worker.authorizations.rememberedCount <= 2 * Authorizations.byteCountMax / 8000 + 1)
    #expect(try !isAsked(scene, get("/999", bearer)))
    #expect(try isAsked(scene, get("/1", bearer)))
    scene.bench.expectNothingHeld()
  }

  @Test("A WebSocket is decided about once, at its handshake, and ends where a reload asks somebody else")
  func tunnels() throws {
    let scene = try AuthorizeScene(route: "auth: login, websocket: true")
    let client = scene.bench.connect()
    client.send(
      get(
        "/", try scene.bearer(), "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
    #expect(values("X-Forwarded-Method", in: try scene.service().text) == ["GET"])
    #expect(values("Upgrade", in: try scene.service().text).isEmpty)
    try scene.service().send(consent)
    try scene.app().send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    #expect(status(client.take()) == 101 && scene.askedCount == 1)
    scene.bench.wait(.seconds(20))
    #expect(client.isOpen)
    try scene.bench.reload(
      AuthorizeScene.text(scene.issuer, route: "auth: login, websocket: true"), keySets: [scene.issuer.keySet()])
    #expect(client.isOpen && !client.isOutputClosed)
    let other = AuthorizeScene.text(scene.issuer, route: "auth: login, websocket: true").replacing(
      "policy", with: "rules")
    try scene.bench.reload(other, keySets: [scene.issuer.keySet()])
    #expect(client.isGone)
    scene.bench.expectNothingHeld()
  }

  @Test("A route that answers with the identity headers shows what an upstream would get, for proxies that ask")
  func shown() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      "routes: [{ path: /auth, auth: login, identity: { headers: { X-User: sub, X-Org: org } }, "
        + "respond: { status: 204, identity: true } }]\n" + issuer.section, keySets: [issuer.keySet()])
    let client = bench.connect()
    client.send(get("/auth", "X-User: root", "Authorization: Bearer \(try issuer.token())"))
    let answer = client.take()
    #expect(status(answer) == 204 && values("X-User", in: answer) == ["alice"] && values("X-Org", in: answer).isEmpty)
    #expect(values("Cache-Control", in: answer) == ["no-store"])
    client.send(get("/auth", "X-User: root"))
    let refused = client.take()
    #expect(status(refused) == 401 && values("X-User", in: refused).isEmpty)
    bench.expectNothingHeld()
  }
}
