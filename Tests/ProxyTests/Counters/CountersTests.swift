// What was counted is what is read, in every worker, and across a reload.

import Configuration
import HTTPWire
import Testing
import Tokens

@testable import Proxy

@Suite("Counters")
struct CountersTests {
  @Test("Requests are counted by route, method and status")
  func requests() {
    let counters = Counters()
    for _ in 0..<3 { counters.countRequest(route: 0, method: .get, status: 200, nanoseconds: 1) }
    counters.countRequest(route: 0, method: .post, status: 200, nanoseconds: 1)
    counters.countRequest(route: 0, method: .get, status: 404, nanoseconds: 1)
    counters.countRequest(route: nil, method: .other, status: 404, nanoseconds: 1)
    counters.countRequest(route: 70_000, method: .head, status: 599, nanoseconds: 1)
    let counts = counters.copy().requestCounts.map { "\($0.route ?? -1) \($0.method) \($0.status) \($0.count)" }
    #expect(counts == ["-1 other 404 1", "0 get 200 3", "0 get 404 1", "0 post 200 1", "70000 head 599 1"])
  }

  @Test("A status outside 100 to 999 makes no label of its own", arguments: [-1, 0, 99, 1000, Int.max, Int.min])
  func oddStatus(_ status: Int) {
    let counters = Counters()
    counters.countRequest(route: 1, method: .get, status: status, nanoseconds: 1)
    #expect(counters.copy().requestCounts.map(\.status) == [0])
  }

  @Test("A duration falls into the first bucket that is not below it")
  func histogram() throws {
    let counters = Counters()
    for nanoseconds: UInt64 in [0, 500_000, 500_001, 1_000_000, 10_000_000_000, 10_000_000_001] {
      counters.countRequest(route: 2, method: .get, status: 200, nanoseconds: nanoseconds)
    }
    let durations = counters.copy().requestDurations
    let (buckets, sum) = try #require(durations.histogram(id: 2))
    #expect(buckets == [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    #expect(sum == 20_001_500_002 + 500_000)
    #expect(durations.histogram(id: 1) == nil)
    #expect(durations.histogram(id: 3) == nil)
    #expect(durations.histogram(id: 300) == nil)
    #expect(durations.histogram(id: -1) == nil)
  }

  @Test("Every result of a token check is distinguished, with and without issuer")
  func authentications() {
    let counters = Counters()
    let results =
      [AuthenticationResult.anonymous, .otherOrigin] + CredentialKind.allCases.map { .accepted($0) }
      + TokenRefusal.allCases.map { .refused($0) }
    for (index, result) in results.enumerated() {
      for _ in 0...index { counters.countAuthentication(route: 5, issuer: index % 2 == 0 ? nil : 3, result) }
    }
    let counts = counters.copy().authenticationCounts
    #expect(counts.count == results.count)
    for (index, result) in results.enumerated() {
      let own = counts.filter { $0.result == result }
      #expect(own.map(\.count) == [UInt64(index + 1)])
      #expect(own.map(\.issuer) == [index % 2 == 0 ? nil : 3])
      #expect(own.map(\.route) == [5])
    }
    #expect(AuthenticationResult.refused(.tokenExpired).label == "token_expired")
    #expect(Set(results.map { "\($0.label) \($0.kindLabel)" }).count == results.count)
    #expect(Set(results.map(\.number)) == Set(0..<AuthenticationResult.count))
  }

  @Test("Verifications are timed by algorithm")
  func verifications() {
    let counters = Counters()
    for (index, algorithm) in SignatureAlgorithm.allCases.enumerated() {
      for _ in 0...index { counters.countVerification(algorithm, nanoseconds: 30_000) }
    }
    let verifications = counters.copy().verifications
    for index in SignatureAlgorithm.allCases.indices {
      #expect(verifications.histogram(id: index)?.buckets.reduce(0, +) == UInt64(index + 1))
      #expect(verifications.histogram(id: index)?.buckets[2] == UInt64(index + 1))
    }
  }

  @Test("Connections are counted under one state each and are gone when closed")
  func connections() {
    let counters = Counters()
    counters.moveConnection(listener: 1, from: nil, to: .active)
    counters.moveConnection(listener: 1, from: nil, to: .active)
    counters.moveConnection(listener: 1, from: .active, to: .idle)
    counters.moveConnection(upstream: 0, from: nil, to: .idle)
    #expect(counters.openDownstreamConnections == 2)
    var copy = counters.copy()
    #expect([copy.connections(listener: 1, .active), copy.connections(listener: 1, .idle)] == [1, 1])
    #expect([copy.connections(listener: 0, .active), copy.connections(listener: 7, .idle)] == [0, 0])
    #expect([copy.connections(upstream: 0, .active), copy.connections(upstream: 0, .idle)] == [0, 1])
    counters.moveConnection(listener: 1, from: .idle, to: nil)
    counters.moveConnection(listener: 1, from: .active, to: nil)
    #expect(counters.openDownstreamConnections == 0)
    copy = counters.copy()
    #expect([copy.connections(listener: 1, .active), copy.connections(listener: 1, .idle)] == [0, 0])
  }

  @Test("A copy stays as it was while counting goes on")
  func copies() {
    let counters = Counters()
    counters.countRequest(route: 0, method: .get, status: 200, nanoseconds: 5)
    let copy = counters.copy()
    counters.countRequest(route: 0, method: .get, status: 200, nanoseconds: 5)
    counters.countError(.gateway(.upstreamClosed))
    #expect(copy.requestCounts.map(\.count) == [1])
    #expect(copy.errors.isEmpty)
    #expect(counters.copy().requestCounts.map(\.count) == [2])
  }

  @Test("Workers' numbers add up, whatever each of them has seen")
  func merging() {
    let (one, two) = (Counters(), Counters())
    for counters in [one, two, two] {
      counters.countRequest(route: 0, method: .get, status: 200, nanoseconds: 2_000_000)
      counters.countTokenCache(isHit: true)
      counters.countTokenCache(isHit: false)
      counters.countError(.gateway(.clientClosed))
      counters.countRetry(upstream: 1)
      counters.countUpstream(2, nanoseconds: 1)
      counters.moveConnection(listener: 0, from: nil, to: .active)
      counters.countVerification(.rs256, nanoseconds: 1)
    }
    two.countRequest(route: 9, method: .put, status: 201, nanoseconds: 1)
    two.countError(.gateway(.upstreamTimeout))
    two.moveConnection(upstream: 3, from: nil, to: .idle)
    one.countAuthentication(route: 0, issuer: 0, .accepted(.jwt))
    var sum = CountersSnapshot()
    sum.merge(one.copy())
    sum.merge(two.copy())
    var reverse = two.copy()
    reverse.merge(one.copy())
    #expect(sum.requestCounts.map(\.count) == [3, 1])
    #expect(sum.requestCounts.elementsEqual(reverse.requestCounts) { $0 == $1 })
    #expect(sum.requestDurations.histogram(id: 0)?.sum == 6_000_000)
    #expect(reverse.requestDurations.histogram(id: 0)?.sum == 6_000_000)
    #expect(sum.requestDurations.histogram(id: 9)?.sum == 1)
    #expect(reverse.requestDurations.histogram(id: 9)?.sum == 1)
    #expect([sum.tokenCacheHits, sum.tokenCacheMisses] == [3, 3])
    #expect(sum.errors == ["client_closed": 3, "upstream_timeout": 1])
    #expect([sum.retries(upstream: 0), sum.retries(upstream: 1), sum.retries(upstream: 2)] == [0, 3, 0])
    #expect(sum.upstreamDurations.histogram(id: 2)?.buckets.first == 3)
    #expect(sum.verifications.histogram(id: 0)?.buckets.first == 3)
    #expect([sum.connections(listener: 0, .active), sum.connections(upstream: 3, .idle)] == [3, 1])
    #expect(sum.authenticationCounts.map(\.count) == [1])
  }

  @Test("Thousands of combinations are all kept apart")
  func growth() {
    let counters = Counters()
    for round in 1...2 {
      for route in 0..<2_000 {
        for status in [200, 404, 502] {
          counters.countRequest(route: route, method: .get, status: status, nanoseconds: UInt64(route))
        }
      }
      let counts = counters.copy().requestCounts
      #expect(counts.count == 6_000)
      #expect(counts.allSatisfy { $0.count == UInt64(round) })
    }
    #expect(counters.copy().requestDurations.histogram(id: 1_999)?.sum == 6 * 1_999)
  }
}

@Suite("Names of counters")
struct CounterNamesTests {
  private func configuration(routes: [String], issuers: [String] = []) -> GatewayConfiguration {
    var configuration = GatewayConfiguration()
    configuration.routes = routes.map { makeRoute("/", name: $0) }
    configuration.issuers = issuers.map {
      Issuer(name: $0, policy: IssuerPolicy(issuer: $0, audiences: []), keys: .inline([]))
    }
    configuration.listeners = [Listener(address: Address(host: "::1", port: 80))]
    configuration.upstreams = [Upstream(name: "up", servers: [])]
    return configuration
  }

  @Test("A name keeps its id over reloads, also when it was gone for a while")
  func reloads() {
    let first = CounterNames(configuration(routes: ["a", "b", "c"], issuers: ["x", "y"]))
    let second = CounterNames(configuration(routes: ["c", "new"], issuers: ["y"]), after: first)
    let third = CounterNames(configuration(routes: ["new", "b", "a"], issuers: ["y", "x"]), after: second)
    #expect(first.routes == ["a", "b", "c"])
    #expect(third.routes == ["a", "b", "c", "new"])
    #expect([0, 1, 2].map(first.routeID) == [0, 1, 2])
    #expect([0, 1].map(second.routeID) == [2, 3])
    #expect([0, 1, 2].map(third.routeID) == [3, 1, 0])
    #expect(second.issuerID(0) == 1)
    #expect(third.issuers == ["x", "y"])
    #expect([third.upstreamID(0), third.listenerID(0)] == [0, 0])
    #expect(third.listeners == ["[::1]:80"])
  }

  @Test("Routes of one name share a series")
  func sharedName() {
    let names = CounterNames(configuration(routes: ["a", "b", "a"]))
    #expect([0, 1, 2].map(names.routeID) == [0, 1, 0])
    #expect(names.routes == ["a", "b"])
  }
}
