// Routes of some listeners only, redirects to HTTPS, and Strict-Transport-Security.

import Testing

@testable import Proxy

@Suite("Listener rules")
struct ListenerRulesTests {
  private static let listeners = """
    listeners:
      - { address: 127.0.0.1:8001, name: outside }
      - { address: 127.0.0.1:8002, name: inside }
      - { address: 127.0.0.1:8003 }
      - { address: 127.0.0.1:8004, name: plain, redirect: https }
      - address: 127.0.0.1:8443
        tls:
          certificates: [{ certificate: a.crt, key: a.key }]
          hsts: { max_age: 365d, include_subdomains: true, preload: true }
      - { address: 127.0.0.1:8006, redirect: "https:443" }

    """

  private func fixed(_ path: String, _ body: String, _ keys: String = "") -> String {
    "  - { path: \"\(path)\", auth: public, respond: { status: 200, body: \(body) }\(keys) }\n"
  }

  private func ask(_ bench: Bench, _ request: String, by listener: Int) -> String {
    let client = bench.connect(listener: listener)
    client.send(request)
    return client.take()
  }

  @Test("A route is found by its listeners only, and leaves its path to no other")
  func listenersOfRoutes() throws {
    let bench = try Bench(
      Self.listeners + "routes:\n" + fixed("/*", "rest") + fixed("/in/*", "in", ", listeners: [inside]")
        + fixed("/both", "inside", ", listeners: [inside, plain]") + fixed("/both", "outside", ", listeners: [outside]")
        + fixed("/split", "inside", ", listeners: [inside]") + fixed("/split", "any")
        + fixed("/get", "get", ", listeners: [inside], methods: [GET]") + fixed("/get", "put", ", methods: [PUT]")
        + fixed("/v", "v2", ", listeners: [inside], headers: { X-V: \"2\" }"))
    for (path, answers) in [
      ("/a", ["rest", "rest", "rest"]), ("/in/a", ["404", "in", "404"]), ("/both", ["outside", "inside", "404"]),
      ("/split", ["any", "inside", "any"]), ("/get", ["405", "get", "405"]), ("/v", ["rest", "rest", "rest"]),
    ] {
      for (listener, expected) in answers.enumerated() {
        let answer = ask(bench, get(path), by: listener)
        #expect(
          status(answer) == 200 ? body(of: answer) == expected : "\(status(answer))" == expected, "\(path) \(answer)")
      }
    }
    #expect(body(of: ask(bench, get("/v", "X-V: 2"), by: 1)) == "v2")
    #expect(code(ask(bench, get("/v", "X-V: 2"), by: 0)) == "route_not_found")
    // One that no configuration knows any more.
    #expect(status(ask(bench, get("/in/a"), by: 99)) == 404)
  }

  @Test("A listener's name follows it through a reload, for connections that are open")
  func reload() throws {
    let routes = "routes:\n" + fixed("/a", "a", ", listeners: [inside]")
    let bench = try Bench(Self.listeners + routes)
    let client = bench.connect(listener: 1)
    client.send(get("/a"))
    #expect(status(client.take()) == 200)
    try bench.reload(
      """
      listeners:
        - { address: 127.0.0.1:8003, name: inside }
        - { address: 127.0.0.1:8002, name: outside }

      """ + routes)
    client.send(get("/a"))
    #expect(status(client.take()) == 404)
    #expect(status(ask(bench, get("/a"), by: 2)) == 200)
  }

  @Test("A listener that redirects answers every request with the same place over HTTPS")
  func redirect() throws {
    let bench = try Bench(Self.listeners + "routes:\n" + fixed("/*", "here"))
    for (request, location) in [
      (get("/a/b?c=d"), "https://h:8443/a/b?c=d"), (get("/"), "https://h:8443/"),
      (
        "PUT /a//b%7e?x HTTP/1.1\r\nHost: API.example:8004\r\nContent-Length: 0\r\n\r\n",
        "https://API.example:8443/a//b%7e?x"
      ),
      ("GET http://[::1]:80?q HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "https://[::1]:8443/?q"),
      (get("//evil.example/"), "https://h:8443//evil.example/"),
      (get("/.well-known/acme-challenge/"), "https://h:8443/.well-known/acme-challenge/"),
    ] {
      let answer = ask(bench, request, by: 3)
      #expect(status(answer) == 308, "\(request)")
      #expect(values("location", in: answer) == [location])
    }
    #expect(values("location", in: ask(bench, get("/a"), by: 5)) == ["https://h/a"])
    #expect(code(ask(bench, get("/a%00"), by: 3)) == "path_encoded_control")
    #expect(code(ask(bench, "GET /a HTTP/1.0\r\n\r\n", by: 3)) == "host_missing")
    #expect(code(ask(bench, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", by: 3)) == "route_not_found")
    #expect(body(of: ask(bench, get("/.well-known/acme-challenge/x"), by: 3)) == "here")
    #expect(body(of: ask(bench, get("/a"), by: 0)) == "here")
    let none = try Bench(Self.listeners + "routes:\n" + fixed("/a", "a"))
    #expect(status(ask(none, get("/.well-known/acme-challenge/x"), by: 3)) == 308)
    bench.expectNothingHeld()
  }

  @Test("Behind a trusted proxy that speaks TLS nothing is redirected, and anyone else may say so in vain")
  func proxied() throws {
    let routes = "routes:\n" + fixed("/*", "here")
    let secure = get("/", "X-Forwarded-Proto: https")
    let bench = try Bench(Self.listeners + "trusted_proxies: [192.0.2.0/24]\n" + routes)
    #expect(status(ask(bench, secure, by: 3)) == 200)
    #expect(status(ask(bench, get("/", "X-Forwarded-Proto: http"), by: 3)) == 308)
    #expect(status(ask(try Bench(Self.listeners + routes), secure, by: 3)) == 308)
  }

  @Test("Every answer of a listener with hsts has the field once, and no answer of another")
  func strictTransport() throws {
    let bench = try Bench(
      Self.listeners + "routes:\n" + fixed("/fixed", "here") + "  - { path: /up/*, auth: public, upstream: app }\n")
    let expected = ["max-age=31536000; includeSubDomains; preload"]
    for request in [
      get("/fixed"), get("/none"), get("/fixed//"), get("/a%00"), "GET / HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n",
    ] {
      #expect(values("strict-transport-security", in: ask(bench, request, by: 4)) == expected, "\(request)")
      #expect(values("strict-transport-security", in: ask(bench, request, by: 0)).isEmpty, "\(request)")
    }
    for (listener, expected) in [(4, expected), (0, [])] {
      let client = bench.connect(listener: listener)
      client.send(get("/up/a"))
      try bench.server().send(ok("ok", "strict-Transport-security: max-age=1", "X-Kept: 1"))
      let answer = client.take()
      #expect(values("strict-transport-security", in: answer) == expected)
      #expect(values("x-kept", in: answer) == ["1"])
    }
  }
}
