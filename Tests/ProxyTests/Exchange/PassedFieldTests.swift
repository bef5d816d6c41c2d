// What passes of the heads that are not the final one, and of trailers: no more than the final head may carry.

import Testing

@testable import Proxy

@Suite("Interim heads and trailers")
struct PassedFieldTests {
  static let ruled =
    "routes: [{ path: /*, auth: public, upstream: app, response_headers: { set: { Server: s }, remove: [X-Internal] } }]"

  @Test("T61 An interim head passes without a Content-Length, which would make the client wait for content")
  func interimLength() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get())
    try bench.server().send(head("HTTP/1.1 103 Early Hints", "Content-Length: 5", "Link: </a>"))
    #expect(client.take() == head("HTTP/1.1 103 Early Hints", "Link: </a>"))
    try bench.server().send(ok())
    #expect(body(of: client.text) == "ok" && !client.isGone)
    bench.expectNothingHeld()
  }

  @Test("What a route takes out of its responses does not pass in an interim head")
  func interimRules() throws {
    let bench = try Bench(Self.ruled)
    let client = bench.connect()
    client.send(get())
    try bench.server().send(head("HTTP/1.1 103 Early Hints", "X_Internal: 1", "Server: upstream/1", "Link: </a>"))
    #expect(client.take() == head("HTTP/1.1 103 Early Hints", "Link: </a>"))
    bench.expectNothingHeld()
  }

  @Test("A response's trailers pass without fields of one connection")
  func responseTrailers() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(get())
    try bench.server().send(
      head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
        + "0\r\nConnection: close\r\nKeep-Alive: timeout=1\r\nTE: x\r\nUpgrade: h2c\r\nX-Sum: 1\r\n\r\n")
    #expect(body(of: client.text) == "0\r\nX-Sum: 1\r\n\r\n" && !client.isGone)
    bench.expectNothingHeld()
  }
}
