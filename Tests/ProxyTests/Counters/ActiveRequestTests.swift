// Requests under way are counted without a gauge: by looking at the connections.

import Testing

@testable import Proxy

@Suite("Requests under way")
struct ActiveRequestTests {
  private func count(_ over: HTTP2Bench) -> Int { over.bench.worker.countersCopy.activeRequests(listener: 0) }

  @Test("Each stream of an HTTP/2 connection is a request under way, until its answer has ended")
  func streams() throws {
    let over = try HTTP2Bench(Mix.clientOnly.text)
    let client = try over.client()
    #expect(count(over) == 0)
    client.ask(get("/a"))
    client.ask(get("/b"))
    try over.settle()
    #expect(count(over) == 2)
    for server in over.bench.servers { server.send(ok()) }
    try over.settle()
    #expect(count(over) == 0)
    over.bench.expectNothingHeld()
  }

  @Test("What several workers have is added up, by listener")
  func sums() {
    var (one, two) = (CountersSnapshot(), CountersSnapshot())
    one.addActiveRequests(2, listener: 1)
    two.addActiveRequests(3, listener: 1)
    two.addActiveRequests(1, listener: 4)
    one.merge(two)
    #expect([0, 1, 2, 4, 5].map { one.activeRequests(listener: $0) } == [0, 5, 0, 1, 0])
  }

  @Test("Bytes of bodies are counted by route, those of no route apart, and added up")
  func bodies() {
    let (one, two) = (Counters(), Counters())
    one.countBodies(route: nil, request: 0, response: 90)
    one.countBodies(route: 2, request: 5, response: 6)
    two.countBodies(route: 2, request: 1, response: 0)
    two.countBodies(route: 0, request: 0, response: 0)
    var sum = one.copy()
    sum.merge(two.copy())
    #expect(sum.bodyByteCounts.map { "\($0.route ?? -1) \($0.request) \($0.response)" } == ["-1 0 90", "2 6 6"])
  }
}
