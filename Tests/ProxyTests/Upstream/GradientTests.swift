// The adaptive limit: its arithmetic against a made-up service, and its place in the way of requests.

import Configuration
import Testing

@testable import Proxy

@Suite("Adaptive concurrency")
struct GradientTests {
  /// A service that answers so many requests at once in the usual time, and lets the others wait their turn.
  private func meanTime(_ requestCount: Double, capacity: Double) -> Double {
    10_000_000 * max(1, requestCount / capacity)
  }

  @Test("Against a service that takes 50 at once, the limit finds some room above that and stays there")
  func convergence() {
    var gradient = Gradient()
    let rules = AdaptiveLimit()
    // A minute within its means, then a flood.
    for _ in 0..<600 { gradient.close(meanNanoseconds: 10_000_000, isPressed: false, rules) }
    #expect(gradient.limit == Gradient.startLimit)
    var seen: [Double] = []
    for _ in 0..<300 {
      gradient.close(meanNanoseconds: meanTime(gradient.limit, capacity: 50), isPressed: true, rules)
      seen.append(gradient.limit)
    }
    #expect(seen.suffix(200).allSatisfy { (50...120).contains($0) }, "\(seen)")
    // The service gets slower: the limit follows.
    for _ in 0..<100 {
      gradient.close(meanNanoseconds: meanTime(gradient.limit, capacity: 15), isPressed: true, rules)
    }
    #expect((15...50).contains(gradient.limit), "\(gradient.limit)")
  }

  @Test("The limit stays within its bounds, and without pressure where it is")
  func bounds() {
    var rules = AdaptiveLimit()
    rules.minimum = 5
    rules.maximum = 40
    var gradient = Gradient()
    for _ in 0..<500 { gradient.close(meanNanoseconds: 1_000_000, isPressed: true, rules) }
    #expect(gradient.limit == 40)
    for _ in 0..<20 { gradient.close(meanNanoseconds: 1_000_000_000, isPressed: true, rules) }
    #expect(gradient.limit < 15 && gradient.limit >= 5)
    let limit = gradient.limit
    for _ in 0..<20 { gradient.close(meanNanoseconds: 1_000_000, isPressed: false, rules) }
    #expect(gradient.limit == limit)
    gradient.close(meanNanoseconds: 0, isPressed: true, rules)
    #expect(gradient.limit.isFinite)
  }

  @Test("Requests beyond the limit are refused, and the limit grows under load that is served well")
  func requests() throws {
    let bench = try Bench(openRoutes + "\nupstreams: { app: { servers: [10.0.0.1:1], adaptive: {} } }")
    func flood(_ count: Int) -> Int {
      let clients = (0..<count).map { _ in bench.connect() }
      for client in clients { client.send(get()) }
      let refusedCount = clients.count { code($0.text) == "upstream_overloaded" }
      bench.wait(.milliseconds(100))
      for server in bench.servers where server.isOpen && !server.bytes.isEmpty {
        _ = server.take()
        server.send(ok())
      }
      for client in clients { client.reset() }
      bench.forgetServers()
      return refusedCount
    }
    #expect(flood(30) == 10)
    for _ in 0..<40 { _ = flood(100) }
    let limit = try #require(bench.snapshot.sharing[0].upstream.requestsMax(bench.snapshot.configuration.upstreams[0]))
    #expect(limit > 40 && flood(limit + 7) == 7, "\(limit)")
    bench.expectNothingHeld()
  }
}
