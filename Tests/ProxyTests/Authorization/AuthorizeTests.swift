// A service that is asked whether requests may pass: what it gets, what its answer does, and each way to fail.

import Configuration
import Testing
import Tokens

@testable import Proxy

/// A bench whose route asks `policy` at 10.0.0.5:1 and goes on to `app` at 10.0.0.1:1.
struct AuthorizeScene {
  let issuer: BenchIssuer
  let bench: Bench

  /// - Parameters:
  ///   - service: further keys of the service.
  ///   - route: of the route, with `auth`.
  ///   - upstream: further keys of the service's upstream.
  ///   - use: further keys of `authorize`.
  init(
    service: String = "", route: String = "auth: login", upstream: String = "", use: String = "", more: String = ""
  ) throws {
    issuer = try BenchIssuer()
    bench = Bench(
      Snapshot(
        try configuration(
          Self.text(issuer, service: service, route: route, upstream: upstream, use: use, more: more)),
        generation: 1), keySets: [try issuer.keySet()])
  }

  static func text(
    _ issuer: BenchIssuer, service: String = "", route: String = "auth: login", upstream: String = "",
    use: String = "", more: String = ""
  ) -> String {
    """
    upstreams: { app: { servers: [10.0.0.1:1] }, opa: { servers: [10.0.0.5:1]\(upstream) } }
    services: { policy: { upstream: opa, path: "/v1/check?from=gateway"\(service) } }
    routes: [{ path: /*, authorize: { service: policy\(use) }, upstream: app, \(route) }\(more)]
    \(issuer.section)
    """
  }

  func bearer(_ more: String = "", seconds: Int64 = 3600) throws -> String {
    "Authorization: Bearer \(try issuer.token(more, seconds: seconds))"
  }

  /// Sockets to the service, and to the route's upstream.
  var services: [FakeSocket] { bench.servers.filter { $0.address == "10.0.0.5:1" } }
  var apps: [FakeSocket] { bench.servers.filter { $0.address == "10.0.0.1:1" } }

  func service() throws -> FakeSocket { try #require(services.last) }
  func app() throws -> FakeSocket { try #require(apps.last) }

  /// How many requests the service got.
  var askedCount: Int { services.reduce(0) { $0 + $1.text.components(of: "GET /v1/check") } }

  func count(_ result: AuthorizationResult) -> UInt64 {
    bench.worker.counters.copy().authorizationCounts.first { $0.result == result }?.count ?? 0
  }

  /// Lets the upstream answer, and expects that the client gets it.
  func expectServed(_ client: FakeSocket, _ place: SourceLocation = #_sourceLocation) throws {
    try app().send(ok("served"))
    #expect(body(of: client.take()) == "served", sourceLocation: place)
  }
}

extension String {
  fileprivate func components(of word: String) -> Int { ranges(of: word).count }
}

let consent = "HTTP/1.1 204 No Content\r\n\r\n"

@Suite("Services that are asked")
struct AuthorizeTests {
  @Test("The service gets the request's method, URL and client, the identity, the listed headers, and no credential")
  func question() throws {
    let scene = try AuthorizeScene(
      service: ", headers: [Accept-Language, X-Plan]", route: "auth: login, identity: { headers: { X-User: sub } }")
    let client = scene.bench.connect()
    client.send(
      head(
        "POST /a%2Db/./c?x=1&y=%20 HTTP/1.1".replacing("/./", with: "/"), "Host: api.example.com",
        try scene.bearer(), "Accept-Language: pt", "x-plan: gold", "X_Plan: lead", "X-User: root", "Cookie: s=1",
        "X-Forwarded-Uri: /admin", "X-Forwarded-For: 10.9.9.9", "Content-Length: 4") + "body")
    let asked = try scene.service().text
    #expect(asked.hasPrefix("GET /v1/check?from=gateway HTTP/1.1\r\nHost: 10.0.0.5:1\r\n"))
    #expect(
      lines(of: asked).dropFirst(2).sorted() == [
        "Accept-Language: pt", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: api.example.com",
        "X-Forwarded-Method: POST", "X-Forwarded-Proto: http", "X-Forwarded-Uri: /a-b/c?x=1&y=%20", "X-User: alice",
        "x-plan: gold",
      ])
    #expect(body(of: asked).isEmpty && scene.apps.isEmpty)
    try scene.service().send(consent)
    #expect(body(of: try scene.app().text) == "body")
    try scene.expectServed(client)
    #expect(scene.count(.passed) == 1)
    #expect(scene.bench.logLines.count == 1 && scene.bench.logLines[0].contains("\"authorize\":\"passed\""))
    scene.bench.expectNothingHeld()
  }

  @Test("Credentials go to the service where the file lists them, and the gateway's own cookies do not")
  func credentials() throws {
    let scene = try AuthorizeScene(
      service: ", headers: [Authorization, Cookie]", route: "auth: public",
      more: ", { path: /other, auth: { issuers: [login], tokens_from: [\"cookie:token\"] }, upstream: app }")
    let client = scene.bench.connect()
    client.send(get("/", "Authorization: Basic abc", "Cookie: a=1; b=2"))
    let asked = try scene.service().text
    #expect(values("Authorization", in: asked) == ["Basic abc"] && values("Cookie", in: asked) == ["a=1; b=2"])
    try scene.service().send(consent)
    try scene.expectServed(client)
    scene.bench.expectNothingHeld()
  }

  @Test("What the file lists of the answer goes to the upstream, nothing else does, and no client can send it")
  func answerHeaders() throws {
    let scene = try AuthorizeScene(
      service: ", answer_headers: [X-Tenant, X-Level]",
      route: "auth: login, identity: { headers: { X-User: sub } }",
      more: ", { path: /open, auth: public, upstream: app }")
    let client = scene.bench.connect()
    client.send(get("/", try scene.bearer(), "X-Tenant: root", "X_Tenant: root", "X.Level: 9"))
    try scene.service().send(
      "HTTP/1.1 200 OK\r\nx-tenant: acme\r\nX-User: root\r\nSet-Cookie: theirs=1\r\nX-Other: 1\r\nX-Level:\r\n"
        + "Content-Length: 2\r\n\r\nok")
    let sent = try scene.app().text
    #expect(values("X-Tenant", in: sent) == ["acme"] && values("X-User", in: sent) == ["alice"])
    for word in ["root", "theirs", "X-Other", "X.Level", "X-Level", "X_Tenant"] {
      #expect(!sent.contains(word), "\(word)")
    }
    try scene.app().send(ok("served"))
    let answer = client.take()
    #expect(!answer.contains("theirs") && !answer.contains("acme"))
    // Stripped on every route of the file.
    client.send(get("/open", "X-Tenant: root", "x_tenant: root"))
    #expect(!(try scene.app().text.contains("root")))
    try scene.expectServed(client)
    scene.bench.expectNothingHeld()
  }

  @Test(
    "401 and 403 of the service are the answer, with its challenge and its body and nothing else",
    arguments: [401, 403])
  func refusal(_ code: Int) throws {
    let scene = try AuthorizeScene()
    let client = scene.bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", try scene.bearer(), "Content-Length: 3") + "abc")
    try scene.service().send(
      "HTTP/1.1 \(code) Anything\r\nWWW-Authenticate: Custom realm=x\r\nSet-Cookie: theirs=1\r\nX-Trace: 1\r\n"
        + "Content-Type: text/html\r\nContent-Length: 4\r\n\r\nNope")
    let answer = client.take()
    #expect(status(answer) == code && body(of: answer) == "Nope")
    #expect(values("WWW-Authenticate", in: answer) == ["Custom realm=x"])
    #expect(values("Content-Type", in: answer) == ["text/html"] && values("Cache-Control", in: answer) == ["no-store"])
    #expect(!answer.contains("theirs") && !answer.contains("X-Trace") && scene.apps.isEmpty)
    #expect(scene.count(.refused) == 1 && scene.bench.errorCount("authorize_refused") == 1)
    #expect(scene.bench.logLines.allSatisfy { $0.contains("\"reason\":\"authorize_refused\"") })
    scene.bench.expectNothingHeld()
  }

  @Test("A refusal without a body is a problem document of that status, and the operator's page comes before both")
  func pages() throws {
    let plain = try AuthorizeScene()
    let client = plain.bench.connect()
    client.send(get("/", try plain.bearer()))
    try plain.service().send("HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Login\r\n\r\n")
    let answer = client.take()
    #expect(status(answer) == 401 && code(answer) == "authorize_refused")
    #expect(values("WWW-Authenticate", in: answer) == ["Login"])
    plain.bench.expectNothingHeld()
    let paged = try AuthorizeScene(
      route: "auth: login, error_pages: { 401: { body: \"<p>sign in {status}\", content_type: text/html } }")
    let browser = paged.bench.connect()
    browser.send(get("/", try paged.bearer(), "Accept: text/html"))
    try paged.service().send("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nNope")
    let page = browser.take()
    #expect(status(page) == 401 && body(of: page) == "<p>sign in 401")
    paged.bench.expectNothingHeld()
  }

  @Test("A call of gRPC that the service refuses ends with the status of gRPC", arguments: [(401, 16), (403, 7)])
  func calls(_ code: Int, _ grpc: Int) throws {
    let scene = try AuthorizeScene()
    let client = scene.bench.connect()
    client.send(
      head(
        "POST /pkg.Service/Call HTTP/1.1", "Host: h", try scene.bearer(), "Content-Type: application/grpc-web+proto",
        "Content-Length: 0"))
    try scene.service().send("HTTP/1.1 \(code) No\r\nContent-Length: 4\r\n\r\nNope")
    let answer = client.take()
    #expect(status(answer) == 200 && values("Grpc-Status", in: answer) == ["\(grpc)"])
    #expect(values("Grpc-Message", in: answer) == ["authorize_refused"])
    scene.bench.expectNothingHeld()
  }

  private static let failures: [String] = [
    "HTTP/1.1 302 Found\r\nLocation: https://login.example.com/\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 500 Broken\r\nContent-Length: 4\r\n\r\noops", "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\n\r\n", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  ]

  @Test(
    "What is neither 2xx nor 401 nor 403 is a failure: refused with 503, or let through as the file says",
    arguments: failures)
  func failure(_ answer: String) throws {
    for passes in [false, true] {
      let scene = try AuthorizeScene(service: passes ? ", on_failure: pass, answer_headers: [X-T]" : "")
      let client = scene.bench.connect()
      client.send(get("/", try scene.bearer(), "X-T: 1"))
      try scene.service().send(answer)
      if scene.services.last?.isOpen == true { try scene.service().reset() }
      if passes {
        #expect(values("X-T", in: try scene.app().text).isEmpty)
        try scene.expectServed(client)
        #expect(scene.count(.unasked) == 1)
      } else {
        let text = client.take()
        #expect(status(text) == 503 && code(text) == "authorize_unavailable" && scene.apps.isEmpty)
        #expect(values("Retry-After", in: text) == ["1"] && !text.contains("Location"))
        #expect(scene.count(.unavailable) == 1)
      }
      scene.bench.expectNothingHeld()
    }
  }

  @Test(
    "A service that is silent, or sends nothing but interim answers, is given up at the timeout",
    arguments: ["", "HTTP/1.1 103 Early Hints\r\n\r\n"])
  func silence(_ interim: String) throws {
    let scene = try AuthorizeScene(service: ", timeout: 500ms")
    let client = scene.bench.connect()
    client.send(get("/", try scene.bearer()))
    for _ in 0..<4 {
      if !interim.isEmpty { try scene.service().send(interim) }
      scene.bench.wait(.milliseconds(100))
    }
    #expect(client.bytes.isEmpty)
    scene.bench.wait(.milliseconds(200))
    #expect(code(client.take()) == "authorize_unavailable")
    #expect(try scene.service().isAborted)
    scene.bench.expectNothingHeld()
  }

  @Test("An answer of more than 64 KiB is a failure, and is not read to its end")
  func large() throws {
    let scene = try AuthorizeScene()
    let client = scene.bench.connect()
    client.send(get("/", try scene.bearer()))
    try scene.service().send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    let piece = String(repeating: "x", count: 10_000)
    for _ in 0..<1000 { try scene.service().send(piece) }
    #expect(try scene.service().unreadByteCount > 9_000_000)
    scene.bench.wait(.milliseconds(200))
    #expect(code(client.take()) == "authorize_unavailable")
    #expect(try scene.service().isAborted)
    scene.bench.expectNothingHeld()
  }

  @Test("A service that accepts nobody fails at once, and after five failures is tried once a second")
  func circuit() throws {
    let scene = try AuthorizeScene()
    scene.bench.refusing = ["10.0.0.5:1"]
    for number in 1...20 {
      let client = scene.bench.connect()
      client.send(get("/\(number)", try scene.bearer()))
      #expect(code(client.take()) == "authorize_unavailable")
    }
    #expect(scene.services.count == 5)
    #expect(scene.bench.upstreamChanges == [.serviceFails(service: "policy", reason: "upstream_connect_failed")])
    scene.bench.refusing = []
    scene.bench.wait(.seconds(1))
    let trying = scene.bench.connect()
    trying.send(get("/try", try scene.bearer()))
    // While one is on its way, the others do not wait with it.
    let other = scene.bench.connect()
    other.send(get("/other", try scene.bearer()))
    #expect(code(other.take()) == "authorize_unavailable" && scene.services.count == 6)
    try scene.service().send(consent)
    try scene.expectServed(trying)
    #expect(scene.bench.upstreamChanges.last == .serviceAnswers(service: "policy"))
    other.send(get("/other", try scene.bearer()))
    try scene.service().send(consent)
    try scene.expectServed(other)
    scene.bench.expectNothingHeld()
  }

  @Test("The call obeys its upstream: another server after a failed connect, its queue, and its checks")
  func upstream() throws {
    let scene = try AuthorizeScene(upstream: ", max_requests: 1, queue: { length: 10, timeout: 10s }")
    let first = scene.bench.connect()
    let second = scene.bench.connect()
    first.send(get("/1", try scene.bearer()))
    second.send(get("/2", try scene.bearer()))
    #expect(scene.askedCount == 1)
    try scene.service().send(consent)
    #expect(scene.askedCount == 2)
    try scene.service().send(consent)
    for app in scene.apps { app.send(ok("served")) }
    #expect(body(of: first.take()) == "served" && body(of: second.take()) == "served")
    // Who waits in the queue is dropped at the service's timeout.
    first.send(get("/3", try scene.bearer()))
    second.send(get("/4", try scene.bearer()))
    scene.bench.wait(.milliseconds(700))
    #expect(code(first.take()) == "authorize_unavailable" && code(second.take()) == "authorize_unavailable")
    scene.bench.expectNothingHeld()
    let two = try BenchIssuer()
    let bench = Bench(
      Snapshot(
        try configuration(
          AuthorizeScene.text(two).replacing("[10.0.0.5:1]", with: "[10.0.0.4:1, 10.0.0.5:1]")), generation: 1),
      keySets: [try two.keySet()])
    bench.refusing = ["10.0.0.4:1"]
    for _ in 0..<4 {
      let client = bench.connect()
      client.send(get("/", "Authorization: Bearer \(try two.token())"))
      try #require(bench.servers.last { $0.address == "10.0.0.5:1" }).send(consent)
      try #require(bench.servers.last { $0.address == "10.0.0.1:1" }).send(ok())
      #expect(status(client.take()) == 200)
    }
    bench.expectNothingHeld()
  }
}
