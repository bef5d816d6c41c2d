// Requests of pages of other origins: who gets which fields, on which answers, and how a preflight is answered.

import Configuration
import Testing

@testable import Proxy

@Suite("CORS")
struct CORSTests {
  private static let origin = "Origin: https://app.example.com"
  private static let vary =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"

  private func route(_ cors: String, more: String = "auth: public, upstream: app") -> String {
    "routes: [{ name: r, path: /api/*, cors: { \(cors) }, \(more) }]"
  }

  private func preflight(_ path: String = "/api/x", method: String = "GET", _ lines: String...) -> String {
    let fields = ["OPTIONS \(path) HTTP/1.1", "Host: h", "Access-Control-Request-Method: \(method)"] + lines
    return fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  /// The CORS fields of an answer and its Vary, sorted, names in lower case.
  private func fields(_ answer: String) -> [String] {
    lines(of: answer).dropFirst().filter {
      $0.lowercased().hasPrefix("access-control-") || $0.lowercased().hasPrefix("vary:")
    }.map { line in
      let name = line.prefix { $0 != ":" }
      return name.lowercased().replacing("access-control-", with: "") + line.dropFirst(name.count)
    }.sorted()
  }

  private func answer(_ bench: Bench, _ request: String) -> String {
    let client = bench.connect()
    client.send(request)
    return client.text
  }

  @Test("A page that may call a path with other methods may read the 405 that one of them gets")
  func missedMethod() throws {
    let bench = try Bench(
      """
      routes:
        - { path: /api, methods: [DELETE], auth: public, upstream: app }
        - { path: /api, methods: [POST], cors: { origins: [https://app.example.com] }, auth: public, upstream: app }
        - { path: /closed, methods: [POST], auth: public, upstream: app }
      """)
    let missed = answer(bench, get("/api", Self.origin))
    #expect(status(missed) == 405 && values("Allow", in: missed) == ["DELETE, POST"])
    #expect(fields(missed) == ["allow-origin: https://app.example.com", "vary: Origin"])
    #expect(fields(answer(bench, get("/api", "Origin: https://other.example"))) == ["vary: Origin"])
    #expect(fields(answer(bench, get("/closed", Self.origin))).isEmpty)
    // What one request missed is forgotten with it.
    let client = bench.connect()
    client.send(get("/api", Self.origin) + get("/nowhere", Self.origin))
    #expect(client.text.ranges(of: "Access-Control-Allow-Origin").count == 1)
    bench.expectNothingHeld()
  }

  @Test("A preflight is answered here, without a token, and nobody behind hears of it")
  func preflights() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      issuer.section + "\n"
        + route(
          "origins: [https://app.example.com], methods: [GET, PUT], headers: [Authorization, X-A], max_age: 1h, "
            + "credentials: true, expose_headers: [X-Total]", more: "auth: login, upstream: app"),
      keySets: [try issuer.keySet()])
    let answer = answer(bench, preflight(method: "PUT", Self.origin, "Access-Control-Request-Headers: authorization"))
    #expect(lines(of: answer)[0] == "HTTP/1.1 204 No Content")
    #expect(
      fields(answer) == [
        "allow-credentials: true", "allow-headers: Authorization, X-A", "allow-methods: GET, PUT",
        "allow-origin: https://app.example.com", "max-age: 3600", "vary: \(Self.vary)",
      ])
    #expect(values("Content-Length", in: answer).isEmpty && bench.servers.isEmpty)
    #expect(bench.worker.counters.copy().authenticationCounts.isEmpty)
    #expect(bench.logLines[0].contains("\"route\":\"r\"") && bench.logLines[0].contains("\"status\":204"))
    bench.expectNothingHeld()
  }

  @Test("An origin that is not allowed is refused with a code and without a field that a browser would take")
  func refusedPreflight() throws {
    let bench = try Bench(route("origins: [https://app.example.com]"))
    for other in [
      "https://evil.example", "http://app.example.com", "https://app.example.com:8443", "null",
      "https://app.example.com.evil.example", "https://app.example.com/", " https://app.example.com https://b.example",
    ] {
      let answer = answer(bench, preflight("/api/x", method: "GET", "Origin: \(other)"))
      #expect(status(answer) == 403 && code(answer) == "origin_not_allowed", "\(other)")
      #expect(fields(answer) == ["vary: \(Self.vary)"], "\(other)")
    }
    #expect(bench.servers.isEmpty && bench.logLines.allSatisfy { $0.contains("\"reason\":\"origin_not_allowed\"") })
  }

  @Test("A preflight is for the route that the announced request would take")
  func preflightRoutes() throws {
    let bench = try Bench(
      """
      routes:
        - { path: /a, methods: [POST], auth: public, upstream: app, cors: { origins: [https://app.example.com] } }
        - { path: /a, methods: [GET], auth: public, upstream: app }
        - { path: /a, methods: [OPTIONS], auth: public, respond: { status: 200, body: own } }
        - { path: /b, methods: [DELETE], auth: public, upstream: app, cors: { origins: ["*"] } }
      """)
    let post = answer(bench, preflight("/a", method: "POST", Self.origin))
    #expect(status(post) == 204 && values("Access-Control-Allow-Methods", in: post) == ["POST"])
    // The route of a GET has no cors: its OPTIONS is an ordinary one.
    #expect(body(of: answer(bench, preflight("/a", method: "GET", Self.origin))) == "own")
    #expect(body(of: answer(bench, preflight("/a", method: "post", Self.origin))) == "own")
    // An OPTIONS that is not a preflight is an ordinary request, too.
    #expect(body(of: answer(bench, head("OPTIONS /a HTTP/1.1", "Host: h", Self.origin))) == "own")
    #expect(body(of: answer(bench, preflight("/a", method: "POST"))) == "own")
    let twice = preflight("/a", method: "POST", Self.origin, "Access-Control-Request-Method: POST")
    #expect(body(of: answer(bench, twice)) == "own")
    #expect(status(answer(bench, preflight("/b", method: "DELETE", Self.origin))) == 204)
    #expect(status(answer(bench, preflight("/b", method: "PUT", Self.origin))) == 405)
    #expect(status(answer(bench, preflight("/c", method: "PUT", Self.origin))) == 404)
    #expect(bench.servers.isEmpty)
  }

  @Test("'*' in headers says back what was asked for. Without asking there is nothing to say")
  func anyHeader() throws {
    let bench = try Bench(route("origins: [\"*\"], headers: [\"*\"], private_network: true"))
    let asked = answer(
      bench, preflight("/api/x", method: "PUT", Self.origin, "Access-Control-Request-Headers: authorization,x-a"))
    #expect(
      fields(asked) == [
        "allow-headers: authorization,x-a", "allow-methods: GET, HEAD, POST, PUT, PATCH, DELETE", "allow-origin: *",
        "max-age: 600", "vary: \(Self.vary)",
      ])
    let silent = answer(
      bench, preflight("/api/x", method: "PUT", Self.origin, "Access-Control-Request-Private-Network: true"))
    #expect(values("Access-Control-Allow-Headers", in: silent).isEmpty)
    #expect(values("Access-Control-Allow-Private-Network", in: silent) == ["true"])
  }

  @Test("An answer of the upstream carries the gateway's fields in the place of its own")
  func passedAnswer() throws {
    let bench = try Bench(
      route("origins: [https://app.example.com], credentials: true, expose_headers: [X-Total, Retry-After]"))
    let client = bench.connect()
    func ask(_ lines: String...) throws -> String {
      client.send((["GET /api/x HTTP/1.1", "Host: h"] + lines).map { $0 + "\r\n" }.joined() + "\r\n")
      let server = try bench.server()
      #expect(values("Origin", in: server.take()).count == lines.count)
      server.send(
        ok(
          "ok", "Access-Control-Allow-Origin: *", "access-control-allow-credentials: false", "Vary: Accept-Encoding",
          "Access-Control-Expose-Headers: X-Upstream", "Access-Control-Max-Age: 9", "X-Total: 5"))
      return client.take()
    }
    let allowed = try ask(Self.origin)
    #expect(
      fields(allowed) == [
        "allow-credentials: true", "allow-origin: https://app.example.com", "expose-headers: X-Total, Retry-After",
        "vary: Accept-Encoding", "vary: Origin",
      ])
    #expect(values("X-Total", in: allowed) == ["5"])
    // As the browser wrote it, though names are compared without regard to case (RFC 6454 §4).
    #expect(
      values("Access-Control-Allow-Origin", in: try ask("Origin: HTTPS://App.Example.com")) == [
        "HTTPS://App.Example.com"
      ])
    for lines in [[], ["Origin: https://evil.example"]] {
      let other = try lines.isEmpty ? ask() : ask(lines[0])
      #expect(status(other) == 200 && fields(other) == ["vary: Accept-Encoding", "vary: Origin"])
    }
    bench.expectNothingHeld()
  }

  @Test("The gateway's own answers of the route carry them: 401, 403, 413, 429, 502, redirects and fixed ones")
  func ownAnswers() throws {
    let issuer = try BenchIssuer()
    let cors = "cors: { origins: [https://app.example.com] }"
    let bench = try Bench(
      """
      \(issuer.section)
      routes:
        - { path: /token, auth: { issuers: [login], scopes: [s] }, upstream: app, \(cors) }
        - { path: /small, auth: public, body_size: 1B, upstream: app, \(cors) }
        - { path: /seldom, auth: public, rate_limit: { requests: 1, per: 1m }, respond: { status: 200 }, \(cors) }
        - { path: /down, auth: public, upstream: app, \(cors) }
        - { path: /moved, auth: public, redirect: { to: /small }, \(cors) }
      """, keySets: [try issuer.keySet()])
    bench.refusing = ["10.0.0.1:9000"]
    let cases: [(String, Int)] = [
      (get("/token", Self.origin), 401), (get("/token", Self.origin, "Authorization: Bearer x.y.z"), 401),
      (get("/token", Self.origin, "Authorization: Bearer \(try issuer.token())"), 403),
      (head("POST /small HTTP/1.1", "Host: h", "Content-Length: 2", Self.origin) + "ab", 413),
      (get("/seldom", Self.origin), 200), (get("/seldom", Self.origin), 429), (get("/down", Self.origin), 502),
      (get("/moved", Self.origin), 308),
    ]
    for (request, expected) in cases {
      let answer = answer(bench, request)
      #expect(status(answer) == expected)
      #expect(fields(answer) == ["allow-origin: https://app.example.com", "vary: Origin"], "\(expected)")
    }
    #expect(fields(answer(bench, get("/nowhere", Self.origin))).isEmpty)
    bench.expectNothingHeld()
  }

  @Test("A route without cors leaves it all to the upstream")
  func unused() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(preflight(method: "PUT", Self.origin))
    let server = try bench.server()
    #expect(values("Access-Control-Request-Method", in: server.take()) == ["PUT"])
    server.send(ok("", "Access-Control-Allow-Origin: https://app.example.com", "Access-Control-Allow-Methods: PUT"))
    #expect(fields(client.take()) == ["allow-methods: PUT", "allow-origin: https://app.example.com"])
  }

  @Test("Fields of one request do not show on the next of its connection")
  func forgotten() throws {
    let bench = try Bench(
      "routes: [{ path: /a, auth: public, cors: { origins: [\"*\"] }, respond: { status: 200 } }, "
        + "{ path: /b, auth: public, respond: { status: 200 } }]")
    let client = bench.connect()
    client.send(get("/a", Self.origin) + get("/b", Self.origin))
    let answers = client.text.split(separator: "HTTP/1.1 200").map { "HTTP/1.1 200" + $0 }
    #expect(answers.count == 2 && fields(answers[0]) == ["allow-origin: *"] && fields(answers[1]).isEmpty)
  }

  @Test("A WebSocket of another origin is refused on a route with cors. The list, the own host and no origin pass")
  func webSockets() throws {
    let bench = try Bench(
      route(
        "origins: [https://app.example.com, capacitor://localhost]",
        more: "auth: public, websocket: true, upstream: app"))
    for allowed in ["https://app.example.com", "capacitor://localhost", "http://h", "https://H"] {
      let client = bench.connect()
      client.send(handshake("/api/x", "Origin: \(allowed)"))
      let asked = try bench.server().take()
      #expect(client.text.isEmpty && values("Origin", in: asked) == [allowed], "\(allowed)")
    }
    bench.connect().send(handshake("/api/x"))
    let good = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", sampleKey]
    #expect(bench.servers.count == 5)
    for other in [
      ["https://evil.example"], ["null"], ["https://evil-h"], ["h"], ["https://app.example.com", "https://h"],
    ] {
      let client = bench.connect()
      client.send(handshake("/api/x", lines: good + other.map { "Origin: \($0)" }))
      #expect(status(client.text) == 403 && code(client.text) == "origin_not_allowed", "\(other)")
    }
    #expect(bench.servers.count == 5)
  }

  private static let patterns = [
    "https://*.example.com", "http://localhost:*", "http://*.dev.example:*", "https://*.example.org:8443", "file://",
    "null", "capacitor://localhost", "ionic://localhost", "chrome-extension://abcdefghijklmnop",
  ]

  @Test(
    "Patterns take what they say",
    arguments: [
      "https://a.example.com", "https://a.b.example.com", "https://A-1.Example.COM", "http://localhost",
      "http://localhost:3000", "http://LOCALHOST:65535", "http://x.dev.example", "http://x.dev.example:81",
      "https://a.example.org:8443", "file://", "null", "capacitor://localhost", "ionic://localhost",
      "chrome-extension://abcdefghijklmnop", "Capacitor://LocalHost",
    ])
  func taken(_ origin: String) throws { #expect(try allows(origin)) }

  @Test(
    "Patterns take nothing else",
    arguments: [
      "", "https://example.com", "https://.example.com", "https://aexample.com", "http://a.example.com",
      "https://a.example.com:8443", "https://a.example.com.evil.example", "https://evil.example/.example.com",
      "https://evil.example#.example.com", "https://evil.example?.example.com", "https://evil@.example.com",
      "https://evil.example:1.example.com", "https://a\u{0}.example.com", "https://ä.example.com",
      "https://a.example.com.",
      "http://localhost:", "http://localhost:x", "http://localhost:80:80", "http://localhost.evil.example",
      "http://localhost@evil.example:1", "https://localhost", "https://localhost:3000", "http://dev.example:80",
      "https://a.example.org", "https://a.example.org:84430", "https://a.example.org:443", "file:///", "file://x",
      "nul",
      "nullx", "capacitor://localhost:1", "capacitor://localhostx", "chrome-extension://abcdefghijklmnox", "*",
      "https://\(String(repeating: "a", count: 600)).example.com",
    ])
  func notTaken(_ origin: String) throws { #expect(try !allows(origin)) }

  private func allows(_ origin: String) throws -> Bool {
    let list = Self.patterns.map { "\"\($0)\"" }.joined(separator: ", ")
    let route = try #require(try configuration(route("origins: [\(list)]")).routes.first)
    return CORSPolicy(try #require(route.cors), methods: []).allows(Array(origin.utf8).span)
  }

  @Test("The same over HTTP/2, for preflights, refusals and answers that pass")
  func multiplexed() throws {
    let bench = try CallBench(
      "routes: [{ path: /*, auth: public, cors: { origins: [https://app.example.com] }, upstream: app }]")
    let stream = try bench.client.ask(preflight(method: "PUT", Self.origin), end: true)
    let told = try #require(bench.client.streams[stream]?.head)
    #expect(told.first == "204" && told.contains("access-control-allow-origin: https://app.example.com"))
    #expect(told.contains("vary: \(Self.vary)"))
    let refused = try bench.client.ask(preflight(method: "PUT", "Origin: null"), end: true)
    #expect(bench.client.streams[refused]?.head.first == "403")
  }
}
