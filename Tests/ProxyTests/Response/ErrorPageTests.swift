// Pages of the operator's for what the gateway refuses, and routes that are closed for maintenance.

import Testing

@testable import Proxy

@Suite("Error pages and maintenance")
struct ErrorPageTests {
  private static let pages = """
    error_pages:
      404: "<p>{code} {status} {reason} {request_id} {other}{</p>"
      5xx: { body: "five {status}", content_type: text/plain }
      401: { body: '{"c":"{code}"}', content_type: application/json }
    issuers: { login: { issuer: i, audiences: [a], jwks: "https://i.example/keys" } }
    routes:
      - { path: /a, auth: public, methods: [GET], upstream: app, error_pages: { 502: "route's own", 4xx: "four" } }
      - { path: /b, auth: public, upstream: app }
      - { path: /token, auth: login, upstream: app }
    """

  private func text(_ request: String, of configuration: String = pages) throws -> String {
    let bench = try Bench(configuration)
    bench.refusing = ["10.0.0.1:9000"]
    let client = bench.connect()
    client.send(request)
    defer { bench.expectNothingHeld() }
    return client.text
  }

  @Test("A page has its variables filled in, the refusal's status and fields, and the code in a field")
  func page() throws {
    let missing = try text(get("/none", "X-Request-Id: id-1"))
    #expect(status(missing) == 404)
    #expect(body(of: missing) == "<p>route_not_found 404 Not Found id-1 {other}{</p>")
    #expect(values("content-type", in: missing) == ["text/html; charset=utf-8"])
    #expect(values("x-error-code", in: missing) == ["route_not_found"])
    #expect(values("cache-control", in: missing) == ["no-store"])
    let token = try text(get("/token"))
    #expect(status(token) == 401 && body(of: token) == "{\"c\":\"token_missing\"}")
    #expect(values("www-authenticate", in: token).count == 1)
    let head = try text(get("/none").replacing("GET", with: "HEAD"))
    #expect(body(of: head).isEmpty && values("content-length", in: head) != ["0"])
  }

  @Test(
    "A route's pages come before those of the file, a status before its class. What has none stays a problem document")
  func order() throws {
    #expect(try body(of: text(get("/a"))) == "route's own")
    #expect(try body(of: text(get("/b"))) == "five 502")
    #expect(try values("content-type", in: text(get("/b"))) == ["text/plain"])
    // No route took it, so no route's page counts.
    #expect(
      try values("content-type", in: text(get("/a").replacing("GET", with: "PUT"))) == ["application/problem+json"])
    #expect(try code(text(get("/%zz"))) == "target_percent_invalid")
  }

  @Test(
    "Who names JSON and not HTML gets the problem document, unless the page is JSON",
    arguments: [
      ("application/json", true), ("text/plain, application/problem+json;q=0.5", true),
      ("Application/Vnd.API+JSON", true),
      ("text/html, application/json", false), ("*/*", false), ("text/plain", false), ("application/jsonp", false),
    ])
  func negotiated(_ accept: String, _ isProblem: Bool) throws {
    let text = try text(get("/none", "Accept: \(accept)"))
    #expect((values("content-type", in: text) == ["application/problem+json"]) == isProblem)
    #expect(values("x-error-code", in: text).isEmpty == isProblem)
    let json = try self.text(get("/token", "Accept: \(accept)"))
    #expect(body(of: json) == "{\"c\":\"token_missing\"}")
  }

  @Test("An upstream's own error passes as it is")
  func upstreamError() throws {
    let bench = try Bench(Self.pages)
    let client = bench.connect()
    client.send(get("/b"))
    try bench.server().send(ok("theirs").replacing("200 OK", with: "503 No"))
    #expect(status(client.text) == 503 && body(of: client.text) == "theirs")
    bench.expectNothingHeld()
  }

  @Test("A call of gRPC is refused as gRPC requires, whatever pages there are")
  func grpc() throws {
    let over = try HTTP2Bench(Self.pages)
    let client = try over.client()
    let call = try #require(client.ask(head("POST /none HTTP/1.1", "Host: h", "Content-Type: application/grpc")))
    try over.settle()
    #expect(client[call].status == 200 && client[call].head.contains("route_not_found") && client[call].body.isEmpty)
    over.bench.expectNothingHeld()
  }

  // MARK: Maintenance

  private static let closed = """
    maintenance: { body: "Closed, {code}.", retry_after: 5m, allow: [192.0.2.0/24] }
    trusted_proxies: [10.1.0.0/16]
    issuers: { login: { issuer: i, audiences: [a], jwks: "https://i.example/keys" } }
    routes:
      - { path: /*, auth: login, upstream: app }
      - { path: /open, auth: public, maintenance: false, respond: { status: 200, body: open } }
      - { path: /own, auth: public, maintenance: true, upstream: app, error_pages: { 503: "own {code}" } }
      - { path: /bare, auth: public, maintenance: { retry_after: 1s }, upstream: app }
    """

  @Test("A closed route answers 503 before it asks for a token, with Retry-After. A route may say otherwise")
  func maintenance() throws {
    let bench = try Bench(Self.closed)
    let client = bench.connect(from: "203.0.113.9")
    func ask(_ path: String) -> String {
      client.send(get(path))
      return client.take()
    }
    let closed = ask("/x")
    #expect(status(closed) == 503 && body(of: closed) == "Closed, maintenance.")
    #expect(values("retry-after", in: closed) == ["300"])
    #expect(body(of: ask("/open")) == "open")
    let own = ask("/own")
    #expect(body(of: own) == "own maintenance" && values("retry-after", in: own) == ["120"])
    let bare = ask("/bare")
    #expect(code(bare) == "maintenance" && values("retry-after", in: bare) == ["1"])
    #expect(bench.errorCount("maintenance") == 3)
    bench.expectNothingHeld()
  }

  @Test("Clients that are let through are known by the peer's address, or by a trusted proxy's word")
  func allowed() throws {
    let bench = try Bench(Self.closed)
    let cases = [
      ("192.0.2.1", "", 401), ("192.0.3.1", "", 503), ("203.0.113.9", "192.0.2.1", 503), ("10.1.0.1", "192.0.2.1", 401),
      ("10.1.0.1", "203.0.113.9", 503), ("10.1.0.1", "192.0.2.1, 203.0.113.9", 503), ("10.1.0.1", "", 503),
    ]
    for (peer, forwarded, wanted) in cases {
      let client = bench.connect(from: peer)
      client.send(forwarded.isEmpty ? get("/x") : get("/x", "X-Forwarded-For: \(forwarded)"))
      #expect(status(client.text) == wanted, "\(peer) \(forwarded)")
    }
    bench.expectNothingHeld()
  }

  @Test("A reload closes and opens routes. What runs is not disturbed")
  func reload() throws {
    let bench = try Bench(openRoutes)
    let running = bench.connect()
    running.send(get())
    let server = try bench.server()
    try bench.reload("maintenance: true\n" + openRoutes)
    let late = bench.connect()
    late.send(get())
    #expect(status(late.take()) == 503)
    server.send(ok("whole"))
    #expect(body(of: running.text) == "whole")
    try bench.reload(openRoutes)
    late.send(get())
    try bench.server().send(ok())
    #expect(status(late.text) == 200)
    bench.expectNothingHeld()
  }
}
