// What the servers of an upstream receive as Host, and where the client's goes then.

import Testing

@testable import Proxy

@Suite("Host of an upstream")
struct UpstreamHostTests {
  private static func bench(_ keys: String, servers: String = "10.0.0.1:8000", route: String = "") throws -> Bench {
    try Bench(
      "routes: [{ path: /*, auth: public, upstream: app\(route) }]\n"
        + "upstreams: { app: { servers: [\(servers)], \(keys) } }")
  }

  @Test(
    "Servers receive the client's Host, their own authority, or the name that the file has",
    arguments: [
      ("host: client", "10.0.0.1:8000", "api.example"), ("host: server", "10.0.0.1:8000", "10.0.0.1:8000"),
      ("host: server", "10.0.0.1:80", "10.0.0.1"), ("host: server, tls: {}", "10.0.0.1:443", "10.0.0.1"),
      ("host: server, tls: {}", "10.0.0.1:80", "10.0.0.1:80"), ("host: server", "\"[::1]:8080\"", "[::1]:8080"),
      ("host: server", "unix:/run/app.sock", "localhost"),
      ("host: App.internal:81", "10.0.0.1:8000", "app.internal:81"),
    ])
  func forms(_ keys: String, _ server: String, _ expected: String) throws {
    let bench = try Self.bench(keys, servers: server)
    let client = bench.connect()
    client.send(head("GET / HTTP/1.1", "Host: api.example", "X-Forwarded-Host: evil.example", "X-A: 1"))
    let text = try bench.server().text
    #expect(values("Host", in: text) == [expected])
    #expect(values("X-Forwarded-Host", in: text) == ["api.example"] && values("X-A", in: text) == ["1"])
    #expect(text.hasSuffix("\r\n\r\n"))
    bench.expectNothingHeld()
  }

  @Test("A request without Host receives the upstream's as well")
  func withoutHost() throws {
    for (keys, expected) in [("host: server", "10.0.0.1:8000"), ("host: app.internal", "app.internal")] {
      let bench = try Self.bench(keys)
      let client = bench.connect()
      client.send("GET / HTTP/1.0\r\n\r\n")
      #expect(try values("Host", in: bench.server().text) == [expected])
      #expect(try values("X-Forwarded-Host", in: bench.server().text).isEmpty)
      bench.expectNothingHeld()
    }
  }

  @Test("Each attempt has the authority of its own server, with what is left of the time")
  func attempts() throws {
    let bench = try Self.bench(
      "host: server, retry: { on: [response_timeout] }, response_timeout: 2s",
      servers: "10.0.0.1:1, 10.0.0.2:2", route: ", timeout: 5s, deadline_header: X-Left")
    let client = bench.connect()
    client.send(get())
    bench.wait(.seconds(2))
    #expect(bench.servers.map { values("Host", in: $0.text) } == [["10.0.0.1:1"], ["10.0.0.2:2"]])
    #expect(bench.servers.map { values("X-Left", in: $0.text) } == [["5000"], ["3000"]])
    bench.expectNothingHeld()
  }

  @Test("A reload between two attempts leaves one Host", arguments: [("client", "server"), ("server", "client")])
  func reload(_ before: String, _ after: String) throws {
    let keys = "retry: { on: [response_timeout] }, response_timeout: 2s"
    let bench = try Self.bench("host: \(before), \(keys)", servers: "10.0.0.1:1, 10.0.0.2:2")
    let client = bench.connect()
    client.send(get())
    let text =
      "routes: [{ path: /*, auth: public, upstream: app }]\n"
      + "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2], host: \(after), \(keys) } }"
    try bench.reload(text)
    bench.wait(.seconds(2))
    #expect(try values("Host", in: bench.server().text) == [before == "client" ? "h" : "10.0.0.2:2"])
    bench.expectNothingHeld()
  }

  @Test("Servers that speak HTTP/2 receive it as :authority", arguments: ["server", "app.internal"])
  func multiplexed(_ host: String) throws {
    let over = try HTTP2Bench(
      HTTP2Bench.route + "upstreams: { app: { servers: [10.0.0.1:1], protocol: http2, host: \(host) } }\n")
    let client = try over.client()
    _ = try #require(client.ask(get("/a", "X-A: 1")))
    try over.settle()
    let head = over.servers[0][1].head
    #expect(values("Host", in: head) == [host == "server" ? "10.0.0.1:1" : host])
    #expect(values("X-Forwarded-Host", in: head) == ["h"])
    over.bench.expectNothingHeld()
  }

  @Test(
    "A copy for a mirror has the Host that the mirror's upstream asks for",
    arguments: [
      ("client", "client", "h"), ("client", "server", "10.0.0.9:9"), ("client", "shadow.internal", "shadow.internal"),
      ("server", "client", "h"), ("app.internal", "client", "h"), ("server", "server", "10.0.0.9:9"),
    ])
  func mirror(_ app: String, _ shadow: String, _ expected: String) throws {
    let bench = try Bench(
      "routes: [{ path: /*, auth: public, upstream: app, mirror: { upstream: shadow } }]\n"
        + "upstreams: { app: { servers: [10.0.0.1:1], host: \(app) }, "
        + "shadow: { servers: [10.0.0.9:9], host: \(shadow) } }")
    let client = bench.connect()
    client.send(head("POST /a HTTP/1.1", "Host: h", "X-A: 1", "Content-Length: 2") + "hi")
    let copy = try #require(bench.servers.last { $0.address == "10.0.0.9:9" }).text
    let original = try #require(bench.servers.last { $0.address == "10.0.0.1:1" }).text
    #expect(values("Host", in: copy) == [expected] && body(of: copy) == "hi")
    #expect(lines(of: copy).filter { !$0.hasPrefix("Host:") } == lines(of: original).filter { !$0.hasPrefix("Host:") })
    bench.expectNothingHeld()
  }

  @Test("Checks of the gateway keep the Host of their own")
  func checks() throws {
    let bench = try Self.bench("host: app.internal, health_check: {}")
    bench.wait(.seconds(6))
    #expect(try values("Host", in: bench.server().text) == ["10.0.0.1:8000"])
    bench.expectNothingHeld()
  }
}
