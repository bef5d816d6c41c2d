// A new configuration between any two events: what runs ends as it began, what comes next obeys the new one.

import Testing

@testable import Proxy

@Suite("Reload")
struct ReloadTests {
  static let other = """
    routes: [{ path: /*, auth: public, upstream: app, rewrite: { add_prefix: /v2 } }]
    upstreams: { app: { servers: [10.0.0.9:9] } }
    """

  @Test("A reload at any byte of a request and its answer drops nothing, and the next request obeys the new file")
  func anywhere() throws {
    let request = Array((head("POST /a HTTP/1.1", "Host: h", "Content-Length: 4") + "data").utf8)
    let answer = Array(ok("hello").utf8)
    let headCount = request.count - 4
    let old = try Snapshot(configuration(openRoutes), generation: 1)
    let new = try configuration(Self.other)
    for place in 0...(request.count + answer.count) {
      let bench = Bench(old)
      let client = bench.connect()
      client.send(Array(request[..<min(place, request.count)]))
      if place > request.count { try bench.server().send(Array(answer[..<(place - request.count)])) }
      bench.reload(new)
      if place < request.count { client.send(Array(request[place...])) }
      let server = try bench.server()
      server.send(Array(answer[max(0, place - request.count)...]))
      #expect(body(of: client.take()) == "hello", "reload at \(place)")
      // A head that was not complete is a request of the new configuration.
      #expect(lines(of: server.text)[0] == (place < headCount ? "POST /v2/a HTTP/1.1" : "POST /a HTTP/1.1"))
      #expect(server.address == (place < headCount ? "10.0.0.9:9" : "10.0.0.1:9000"))
      #expect(server.isAborted == (place >= headCount), "connections of an upstream that changed are not kept")
      client.send(get("/b"))
      #expect(try lines(of: bench.server().text.suffixFromLastGet())[0] == "GET /v2/b HTTP/1.1")
      #expect(try bench.server().address == "10.0.0.9:9")
      try bench.server().send(ok())
      #expect(status(client.text) == 200 && !client.isGone)
      bench.expectNothingHeld()
    }
  }

  @Test("Connections of an upstream that did not change are kept over a reload")
  func keptPool() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get())
    try bench.server().send(ok())
    try bench.reload("routes: [{ path: /*, auth: public, upstream: app, rewrite: { add_prefix: /v2 } }]")
    client.send(get("/x"))
    #expect(bench.servers.count == 1)
    #expect(try bench.server().text.contains("GET /v2/x"))
    bench.expectNothingHeld()
  }

  @Test("A removed listener's idle connections are closed, and the others after their exchange")
  func retiredListener() throws {
    let bench = try Bench(openRoutes)
    let idle = bench.connect()
    let busy = bench.connect()
    busy.send(get())
    bench.act { $0.retireListener(0) }
    #expect(idle.isClosed && !busy.isGone)
    try bench.server().send(ok())
    #expect(busy.isClosed && values("Connection", in: busy.text) == ["close"])
    bench.expectNothingHeld()
  }
}

extension String {
  /// The last request of several.
  fileprivate func suffixFromLastGet() -> String {
    let bytes = Array(utf8)
    for index in bytes.indices.reversed() where bytes[index...].starts(with: "GET /".utf8) {
      return String(decoding: bytes[index...], as: UTF8.self)
    }
    return self
  }
}
