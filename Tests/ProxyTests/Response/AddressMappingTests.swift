// Addresses in a server's answers as the client reaches them, and what the server is told of a prefix.

import Testing

@testable import Proxy

@Suite("Addresses in answers")
struct AddressMappingTests {
  private func bench(_ rewrite: String = "", upstream: String = "servers: [10.0.0.1:9000]", top: String = "") throws
    -> Bench
  {
    let rule = rewrite.isEmpty ? "" : ", rewrite: { \(rewrite) }"
    return try Bench(
      """
      \(top)
      upstreams: { app: { \(upstream) } }
      routes: [{ path: /app/*, auth: public, upstream: app\(rule) }]
      """)
  }

  /// What a client gets of an answer's fields.
  private func answer(
    _ bench: Bench, _ lines: String..., host: String = "shop.test", isSecure: Bool = false,
    status: String = "302 Found"
  ) throws -> String {
    let client = isSecure ? bench.connect(from: "127.0.0.1") : bench.connect()
    let secure = isSecure ? "X-Forwarded-Proto: https\r\n" : ""
    client.send("GET /app/x HTTP/1.1\r\nHost: \(host)\r\n\(secure)\r\n")
    let fields = (lines + ["Content-Length: 0"]).map { $0 + "\r\n" }.joined()
    try bench.server().send("HTTP/1.1 \(status)\r\n\(fields)\r\n")
    return client.text
  }

  private func location(
    _ bench: Bench, _ value: String, host: String = "shop.test", isSecure: Bool = false
  ) throws -> String? {
    values("location", in: try answer(bench, "location: \(value)", host: host, isSecure: isSecure)).first
  }

  private static let trust = "trusted_proxies: [127.0.0.1]"

  @Test(
    "Plain HTTP to the client's own authority becomes HTTPS where the client speaks TLS. All else stays",
    arguments: [
      ("shop.test:8443", "http://shop.test:8443/dir/", "https://shop.test:8443/dir/"),
      ("shop.test", "HTTP://Shop.Test/dir/?a=http://shop.test/", "https://shop.test/dir/?a=http://shop.test/"),
      ("shop.test", "http://shop.test:80/dir/", "https://shop.test/dir/"),
      ("shop.test:443", "http://shop.test", "https://shop.test:443"),
      ("shop.test", "http://10.0.0.1:9000/a#b", "https://shop.test/a#b"),
      ("[fd00::1]:8443", "http://[FD00::1]:8443/", "https://[fd00::1]:8443/"),
      ("shop.test:8443", "http://shop.test/dir/", nil), ("shop.test", "http://other.test/dir/", nil),
      ("shop.test", "https://shop.test/dir/", nil), ("shop.test", "/dir/", nil), ("shop.test", "dir/", nil),
      ("shop.test", "//shop.test/dir/", nil), ("shop.test", "https://10.0.0.1:9000/a", nil),
      ("shop.test", "http://me@shop.test/", nil), ("shop.test", "http://shop.test\\@evil.test/", nil),
      ("shop.test", "http://shop.test.evil.test/", nil), ("shop.test", "http:/shop.test/", nil),
      ("shop.test", "http://10.0.0.1:9000.evil.test/", nil), ("shop.test", "", nil), ("shop.test", "http://", nil),
    ])
  func secureClient(_ host: String, _ sent: String, _ expected: String?) throws {
    let bench = try bench(top: Self.trust)
    #expect(try location(bench, sent, host: host, isSecure: true) == expected ?? sent)
    bench.expectNothingHeld()
  }

  @Test(
    "For a client without TLS only the upstream's own address changes, and a redirect to HTTPS stays one",
    arguments: [
      ("http://10.0.0.1:9000/a?b", "http://shop.test/a?b"), ("https://shop.test/", nil), ("http://shop.test/", nil),
      ("https://10.0.0.1:9000/a", nil), ("http://10.0.0.1/a", nil), ("//10.0.0.1:9000/a", "//shop.test/a"),
    ])
  func plainClient(_ sent: String, _ expected: String?) throws {
    let bench = try bench()
    #expect(try location(bench, sent) == expected ?? sent)
    bench.expectNothingHeld()
  }

  @Test(
    "An upstream with a name of its own is its address",
    arguments: [
      ("http://internal.test/a", "https://shop.test/a"), ("http://internal.test:80/a", "https://shop.test/a"),
      ("http://10.0.0.1:9000/a", "https://shop.test/a"), ("https://internal.test/a", nil),
      ("http://shop.test/a", "https://shop.test/a"),
    ])
  func namedUpstream(_ sent: String, _ expected: String?) throws {
    let bench = try bench(upstream: "servers: [10.0.0.1:9000], host: \"internal.test:80\"", top: Self.trust)
    #expect(try location(bench, sent, isSecure: true) == expected ?? sent)
    bench.expectNothingHeld()
  }

  @Test("responses: false leaves all of it alone, and other fields than Location stay without true")
  func off() throws {
    let bench = try bench("responses: false")
    #expect(try location(bench, "http://10.0.0.1:9000/a") == "http://10.0.0.1:9000/a")
    bench.expectNothingHeld()
    let usual = try self.bench()
    let text = try answer(
      usual, "Content-Location: http://10.0.0.1:9000/a", "Set-Cookie: a=b; Path=/", "Refresh: 0; url=/a",
      "Location: /b")
    #expect(values("content-location", in: text) == ["http://10.0.0.1:9000/a"])
    #expect(values("set-cookie", in: text) == ["a=b; Path=/"] && values("refresh", in: text) == ["0; url=/a"])
    usual.expectNothingHeld()
  }

  @Test(
    "responses: true puts a stripped prefix back in front of paths",
    arguments: [
      ("/login/", "/app/login/"), ("/", "/app/"), ("/?a#b", "/app/?a#b"), ("?a", "?a"), ("login/", "login/"),
      ("http://shop.test/login/", "http://shop.test/app/login/"), ("http://shop.test", "http://shop.test/app"),
      ("http://shop.test?q", "http://shop.test/app?q"), ("https://shop.test/login/", "https://shop.test/app/login/"),
      ("http://10.0.0.1:9000/login/", "http://shop.test/app/login/"), ("//shop.test/a", "//shop.test/app/a"),
      ("http://shop.test:9000/login/", "http://shop.test/app/login/"),
      ("http://other.test/login/", "http://other.test/login/"), ("mailto:a@b", "mailto:a@b"),
    ])
  func stripped(_ sent: String, _ expected: String) throws {
    let bench = try bench("strip_prefix: /app, responses: true")
    #expect(try location(bench, sent) == expected)
    bench.expectNothingHeld()
  }

  @Test(
    "An added prefix is taken away, and what is not below it stays",
    arguments: [
      ("/v2/login", "/app/login"), ("/v2", "/app"), ("/v2?a", "/app?a"), ("/v2x", "/v2x"), ("/other", "/other"),
      ("http://10.0.0.1:9000/other", "http://shop.test/other"),
    ])
  func added(_ sent: String, _ expected: String) throws {
    let bench = try bench("strip_prefix: /app, add_prefix: /v2, responses: true")
    #expect(try location(bench, sent) == expected)
    bench.expectNothingHeld()
    let only = try self.bench("add_prefix: /v2, responses: true")
    let path = sent == "/v2" ? "/" : sent == "/v2?a" ? "/?a" : expected.replacing("/app", with: "")
    #expect(try location(only, sent) == path)
  }

  @Test(
    "No path becomes another host where a prefix is taken away",
    arguments: ["/v2//evil.test/", "/v2/\\evil.test/", "/v2/\t/evil.test/"])
  func otherHost(_ sent: String) throws {
    let bench = try bench("add_prefix: /v2, responses: true")
    #expect(try location(bench, sent) == sent)
    bench.expectNothingHeld()
    let stripped = try self.bench("strip_prefix: /app, add_prefix: /v2, responses: true")
    #expect(try location(stripped, sent) == sent.replacing("/v2", with: "/app"))
  }

  @Test(
    "The paths of cookies are those of the client",
    arguments: [
      ("", "a=b; Path=/", "a=b; Path=/app/"), ("", "a=b;path=/x;Secure", "a=b;path=/app/x;Secure"),
      ("/v2", "a=b; Path=/", "a=b; Path=/app/"), ("/v2", "a=b;path=/v2/;Secure", "a=b;path=/app/;Secure"),
      ("/v2", "a=b; Path=/v2/x; HttpOnly", "a=b; Path=/app/x; HttpOnly"),
      ("/v2", "a=b; Path=/; Path=/v2/z ", "a=b; Path=/app/; Path=/app/z"),
      ("/v2", "a=b; Path=/other", nil), ("/v2", "a=/v2; Domain=x", nil), ("/v2", "a=b; Path=", nil),
      ("/v2", "a=b; Path=v2", nil), ("/v2", "__Host-a=b; Path=/", nil), ("/v2", "Path=/; a", nil),
      ("/v2", "a=b; Path=\"/\"", nil), ("/v2", ";", nil),
    ])
  func cookies(_ added: String, _ sent: String, _ expected: String?) throws {
    let bench = try bench("strip_prefix: /app, responses: true\(added.isEmpty ? "" : ", add_prefix: \(added)")")
    let text = try answer(bench, "Set-Cookie: \(sent)", "X-Other: 1", "set-cookie: c=d", status: "200 OK")
    let first = expected ?? sent
    #expect(values("set-cookie", in: text) == [first, "c=d"])
    #expect(values("x-other", in: text) == ["1"])
    bench.expectNothingHeld()
  }

  @Test(
    "Refresh and Content-Location are addresses as well",
    arguments: [
      ("Refresh: 5; url=/a", "5; url=/app/a"), ("Refresh: 0;URL='/a?b'", "0;URL='/app/a?b'"),
      ("refresh: 0, \"http://10.0.0.1:9000/a\" x", "0, \"http://shop.test/app/a\" x"), ("Refresh: 5", "5"),
      ("Refresh: 5; url=a", "5; url=a"), ("Refresh: 5; url=\"/a", "5; url=\"/app/a"), ("Refresh: ;", ";"),
      ("Content-Location: /a.en", "/app/a.en"), ("content-location: http://other.test/", "http://other.test/"),
    ])
  func others(_ line: String, _ expected: String) throws {
    let bench = try bench("strip_prefix: /app, responses: true")
    let text = try answer(bench, line, status: "200 OK")
    #expect(values(String(line.prefix { $0 != ":" }), in: text) == [expected])
    bench.expectNothingHeld()
  }

  @Test("Over HTTP/2 addresses are mapped in the same way, and the route's rules come first")
  func multiplexed() throws {
    let calls = try CallBench(
      """
      routes:
        - path: /app/*
          auth: public
          upstream: app
          rewrite: { strip_prefix: /app, responses: true }
          response_headers: { remove: [Refresh] }
      """)
    let stream = try calls.call("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n")
    let server = try calls.server()
    try server.answer(1, 201, "location: http://h/x\r\nset-cookie: a=b; Path=/\r\nrefresh: 0; url=/\r\n", end: true)
    calls.client.exchange()
    let seen = try #require(calls.client.streams[stream])
    #expect(seen.head.contains("location: http://h/app/x") && seen.head.contains("set-cookie: a=b; Path=/app/"))
    #expect(!seen.head.contains { $0.hasPrefix("refresh") })
    calls.bench.expectNothingHeld()
  }

  @Test("An HTTP/1.0 client without a Host gets addresses as they came")
  func noHost() throws {
    let bench = try bench("strip_prefix: /app, responses: true")
    let client = bench.connect()
    client.send("GET /app/x HTTP/1.0\r\n\r\n")
    try bench.server().send("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1:9000/a\r\nContent-Length: 0\r\n\r\n")
    #expect(values("location", in: client.text) == ["http://10.0.0.1:9000/a"])
    bench.expectNothingHeld()
  }

  // MARK: The prefix

  @Test("The server learns of a stripped prefix, whatever the client says, and a trusted proxy's comes in front")
  func prefix() throws {
    let bench = try bench(
      "strip_prefix: /app", top: "trusted_proxies: { from: [127.0.0.1], fields: [X-Forwarded-Prefix] }")
    for (peer, expected) in [("192.0.2.7", "/app"), ("127.0.0.1", "/outer/app")] {
      let client = bench.connect(from: peer)
      client.send(get("/app/x", "X-Forwarded-Prefix: /outer/", "X_Forwarded_Prefix: /no"))
      let server = try bench.server()
      let text = server.take()
      #expect(values("x-forwarded-prefix", in: text) == [expected])
      #expect(values("x_forwarded_prefix", in: text).isEmpty)
      server.send(ok())
    }
    bench.expectNothingHeld()
  }

  @Test("Without strip_prefix there is no such field, and the file's own rule counts before it")
  func noPrefix() throws {
    for (rewrite, expected) in [("add_prefix: /v2", [String]()), ("strip_prefix: /app", ["/mine"])] {
      let rule = expected.isEmpty ? "" : ", request_headers: { set: { X-Forwarded-Prefix: /mine } }"
      let bench = try Bench("routes: [{ path: /app/*, auth: public, upstream: app, rewrite: { \(rewrite) }\(rule) }]")
      let client = bench.connect()
      client.send(get("/app/x"))
      #expect(try values("x-forwarded-prefix", in: bench.server().text) == expected)
      bench.expectNothingHeld()
    }
  }
}
