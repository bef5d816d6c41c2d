// Segments of the path in header values and redirects.

import Testing

@testable import Proxy

@Suite("Templates")
struct TemplateTests {
  private static let routes = #"""
    routes:
      - path: "/orders/{id}/*"
        auth: public
        upstream: app
        request_headers: { set: { X-Order: "no. {id}", X-Rest: "{*}" }, add: { X-Raw: '{{id}} {"a":1}' } }
        response_headers: { set: { Link: "</o/{id}>; rel=self" }, add: { X-Id: "{id}" } }
      - path: "/fixed/{id}"
        auth: public
        respond: { status: 200 }
        response_headers: { set: { X-Id: "{id}" } }
      - { path: "/go/{id}", auth: public, redirect: { to: "https://{host}/there/{id}?from={id}" } }
      - { path: "/find/*", auth: public, redirect: { to: "/search?path={*}", status: 302 } }
    """#

  @Test("Header values take segments in their normal form, on the way in and out, on both protocols")
  func headers() throws {
    let over = try HTTP2Bench(Self.routes)
    let client = over.bench.connect()
    let multiplexed = try over.client()
    let request = get("/orders/a%20b;v=1/x/%7Ey?q", "X-Order: forged", "X-Raw: kept")
    client.send(request)
    let stream = try #require(multiplexed.ask(request))
    try over.settle()
    for server in over.bench.servers {
      #expect(values("x-order", in: server.text) == ["no. a%20b"])
      #expect(values("x-rest", in: server.text) == ["x/~y"])
      #expect(values("x-raw", in: server.text) == ["kept", "{id} {\"a\":1}"])
      server.send(ok("ok", "Link: theirs", "X-Id: theirs"))
    }
    try over.settle()
    #expect(values("link", in: client.text) == ["</o/a%20b>; rel=self"])
    #expect(values("x-id", in: client.text) == ["theirs", "a%20b"])
    #expect(multiplexed[stream].head.contains("link: </o/a%20b>; rel=self"))
    over.bench.expectNothingHeld()
  }

  @Test("Fixed answers and redirects take them, too. {*} is not appended a second time")
  func answers() throws {
    let bench = try Bench(Self.routes)
    let client = bench.connect()
    func ask(_ path: String, host: String = "API.example.com:8080") -> String {
      client.send("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      return client.take()
    }
    #expect(values("x-id", in: ask("/fixed/7")) == ["7"])
    #expect(values("location", in: ask("/go/7")) == ["https://API.example.com/there/7?from=7"])
    #expect(values("location", in: ask("/go/7?a=b")) == ["https://API.example.com/there/7?from=7&a=b"])
    #expect(values("location", in: ask("/go/7", host: "[::1]:80")) == ["https://[::1]/there/7?from=7"])
    #expect(values("location", in: ask("/find/a/b")) == ["/search?path=a/b"])
    let old = bench.connect()
    old.send("GET /go/7 HTTP/1.0\r\n\r\n")
    #expect(code(old.text) == "host_missing")
    bench.expectNothingHeld()
  }

  @Test("T67 Nothing in a path becomes a line of its own")
  func injection() throws {
    let bench = try Bench(Self.routes)
    let client = bench.connect()
    for path in ["/fixed/a%0d%0aX:%20y", "/fixed/a%0aX", "/fixed/%00"] {
      client.send(get(path))
      #expect(code(client.take()) == "path_encoded_control")
    }
    client.send(get("/fixed/\"%22%0"))
    #expect(status(client.take()) == 400)
    bench.expectNothingHeld()
  }
}
