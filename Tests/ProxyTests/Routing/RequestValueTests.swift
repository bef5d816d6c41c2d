// Values of a request in headers, paths and redirects, and the one rule for a value that is there twice.

import Testing

@testable import Proxy

@Suite("Values of a request")
struct RequestValueTests {
  private static let headers = """
    routes:
      - path: "/{id}"
        auth: public
        upstream: app
        request_headers:
          set:
            X-Real-IP: "{client_ip}"
            X-Tenant: "t-{header:X-Org}"
            X-Session: "{cookie:session}"
            X-Page: "{query:page}"
            X-Both: "{path:id}/{cookie:session}"
            X-Text: "{{claim:sub}} {\\"a\\":1} {color:red}"
        response_headers: { set: { X-Seen: "{header:X-Org}" } }
    """

  private func ask(_ request: String) throws -> (sent: String, answer: String) {
    let bench = try Bench(Self.headers)
    let client = bench.connect()
    client.send(request)
    let server = try bench.server()
    let sent = server.text
    server.send(ok())
    let answer = client.take()
    bench.expectNothingHeld()
    return (sent, answer)
  }

  @Test("A header takes the client's address, headers, cookies, query parameters and segments")
  func taken() throws {
    let (sent, answer) = try ask(get("/7?page=2&x", "X-Org: acme", "Cookie: a=b; session=s1"))
    #expect(values("x-real-ip", in: sent) == ["192.0.2.7"])
    #expect(values("x-tenant", in: sent) == ["t-acme"])
    #expect(values("x-session", in: sent) == ["s1"])
    #expect(values("x-page", in: sent) == ["2"])
    #expect(values("x-both", in: sent) == ["7/s1"])
    #expect(values("x-text", in: sent) == ["{claim:sub} {\"a\":1} {color:red}"])
    #expect(values("x-seen", in: answer) == ["acme"])
  }

  @Test(
    "A header whose value is missing, empty or there twice is left out, and the client's own with it",
    arguments: [
      get("/7", "X-Tenant: forged", "X-Session: forged", "X-Page: forged", "X-Both: forged"),
      get("/7?page=", "X-Org:", "Cookie: session=", "X-Tenant: forged", "X-Session: forged"),
      get("/7?page=1&p%61ge=2", "X-Org: a", "X-Org: b", "Cookie: session=1; session=2"),
      get("/7?page=1;page=1", "X-Org: a", "x-org: a", "Cookie: session=1", "Cookie: session=1"),
    ])
  func absent(_ request: String) throws {
    let (sent, answer) = try ask(request)
    for name in ["x-tenant", "x-session", "x-page", "x-both"] {
      #expect(values(name, in: sent).isEmpty, "\(name)")
    }
    #expect(values("x-real-ip", in: sent) == ["192.0.2.7"])
    #expect(values("x-seen", in: answer).isEmpty)
  }

  @Test("Whatever bytes a client sends, a header's value has none that a header cannot carry")
  func bytes() throws {
    let (clean, _) = try ask(get("/7?page=%0d%0aX-Evil:%201", "X-Org: é %41, x"))
    #expect(values("x-tenant", in: clean) == ["t-%C3%A9 %2541, x"])
    #expect(values("x-page", in: clean) == ["%250d%250aX-Evil:%25201"])
    #expect(values("x-evil", in: clean).isEmpty)
  }

  @Test("A value of more than 4 KiB is none")
  func long() throws {
    let bound = String(repeating: "a", count: 4096)
    let (sent, _) = try ask(get("/7", "X-Org: \(bound)", "Cookie: session=\(bound)a"))
    #expect(values("x-tenant", in: sent) == ["t-" + bound])
    #expect(values("x-session", in: sent).isEmpty)
  }

  @Test("A claim is written as identity headers have it, encoded, and one that is missing leaves the header out")
  func claims() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      issuer.section + """

        routes:
          - path: /*
            auth: login
            upstream: app
            request_headers:
              set: { X-Sub: "{claim:sub}", X-Org: "{claim:org.name}", X-None: "a{claim:none}" }
              add: { X-Roles: "{claim:roles}" }
        """, keySets: [try issuer.keySet()])
    let client = bench.connect()
    let token = try issuer.token(#","org":{"name":"a\r\nX-Evil: 1"},"roles":["x","y,z"],"none":null"#)
    client.send(get("/", "Authorization: Bearer \(token)", "X-None: forged"))
    let sent = try bench.server().text
    #expect(values("x-sub", in: sent) == ["alice"])
    #expect(values("x-org", in: sent) == ["a%0D%0AX-Evil: 1"])
    #expect(values("x-roles", in: sent) == ["x,y%2Cz"])
    #expect(values("x-none", in: sent).isEmpty)
    #expect(values("x-evil", in: sent).isEmpty)
    bench.expectNothingHeld()
  }

  private static let urls = """
    routes:
      - path: /app/*
        auth: public
        upstream: app
        rewrite: { path: "/tenants/{header:X-Org}/{*}" }
      - { path: /go, auth: public, redirect: { to: "https://login.example.com/{cookie:realm}?from={client_ip}" } }
    """

  @Test("A path and a redirect take values, percent-encoded as one segment")
  func places() throws {
    let bench = try Bench(Self.urls)
    let client = bench.connect()
    client.send(get("/app/x?q=1", "X-Org: a b?é#&c"))
    let server = try bench.server()
    #expect(server.text.hasPrefix("GET /tenants/a%20b%3F%C3%A9%23%26c/x?q=1 HTTP/1.1\r\n"))
    server.send(ok())
    _ = client.take()
    client.send(get("/go", "Cookie: realm=main"))
    #expect(values("location", in: client.take()) == ["https://login.example.com/main?from=192.0.2.7"])
    bench.expectNothingHeld()
  }

  @Test(
    "A path is not made from a value that is missing or could be read as more than one segment",
    arguments: [
      "X-None: 1", "X-Org:", "X-Org: .", "X-Org: ..", "X-Org: a/b", "X-Org: a\\b", "X-Org: %2e%2e",
      "X-Org: a\r\nX-Org: b",
      "X-Org: \u{FF}/",
    ])
  func refusedPath(_ line: String) throws {
    let bench = try Bench(Self.urls)
    let client = bench.connect()
    client.send(get("/app/x", line))
    #expect(status(client.text) == 400 && code(client.text) == "path_not_normal")
    #expect(bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  @Test(
    "A redirect is not made from such a value either", arguments: ["a=b", "realm=..", "realm=a/b", "realm=a; realm=b"])
  func refusedRedirect(_ cookie: String) throws {
    let bench = try Bench(Self.urls)
    let client = bench.connect()
    client.send(get("/go", "Cookie: \(cookie)"))
    #expect(status(client.text) == 400 && code(client.text) == "path_not_normal")
    bench.expectNothingHeld()
  }

  @Test("Two cookies or headers of one name are no value to hash: such requests go round as those without it")
  func hash() throws {
    let upstreams = "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:1], balance: hash, hash_on: "
    for (key, one, two) in [
      ("\"cookie:c\"", "Cookie: c=1", "Cookie: c=1; c=2"), ("\"header:x\"", "X: 1", "X: 1\r\nX: 1"),
    ] {
      let bench = try Bench(upstreams + key + " } }\n" + openRoutes)
      func servers(_ line: String) throws -> Set<String> {
        var seen: Set<String> = []
        for _ in 0..<4 {
          let client = bench.connect()
          client.send(get("/", line))
          let server = try bench.server()
          seen.insert(server.address)
          server.send(ok("ok", "Connection: close"))
        }
        return seen
      }
      #expect(try servers(one).count == 1, "\(key)")
      #expect(try servers(two).count == 2, "\(key)")
      bench.expectNothingHeld()
    }
  }

  @Test("A query parameter can be what is limited and hashed")
  func query() throws {
    let bench = try Bench(
      "routes: [{ path: /*, auth: public, upstream: app, rate_limit: { requests: 1, per: 1m, by: \"query:k\" } }]")
    func ask(_ path: String) throws -> Int {
      let client = bench.connect()
      client.send(get(path))
      if client.text.isEmpty { try bench.server().send(ok("ok", "Connection: close")) }
      return status(client.text)
    }
    #expect(try ask("/?k=a") == 200)
    #expect(try ask("/?k=b") == 200)
    #expect(try ask("/?k=a") == 429)
    // There twice, it counts for the address.
    #expect(try ask("/?k=c&k=d") == 200)
    #expect(try ask("/") == 429)
    bench.expectNothingHeld()
  }
}
