// A gateway with a limit in a store, and Redis as a script of the test's: both without a socket, on time that is a
// value.

import Testing

@testable import Proxy

struct StorePeer {
  let bench: Bench

  /// - Parameters:
  ///   - store: of the store, besides its server.
  ///   - limit: the limit itself, besides its store.
  init(store: String = "timeout: 200ms", limit: String = "requests: 100, per: 1s") throws {
    bench = try Bench(
      """
      redis: { main: { servers: [10.0.0.5:6379], \(store) } }
      rate_limits: { fleet: { \(limit), store: main } }
      routes: [{ name: r, path: /*, auth: public, rate_limit: fleet, respond: { status: 204 } }]
      """)
    bench.pump()
  }

  /// The connection to Redis.
  func redis() throws -> FakeSocket { try bench.server() }

  /// Answers the greeting.
  func greet() throws {
    let redis = try redis()
    #expect(redis.take().hasPrefix("*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"))
    redis.send("%1\r\n$5\r\nproto\r\n:3\r\n")
    #expect(redis.take() == "*1\r\n$4\r\nPING\r\n")
    redis.send("+PONG\r\n")
  }

  /// A request on a connection of its own, which waits.
  func request() -> FakeSocket {
    let client = bench.connect()
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    return client
  }

  /// The script's commands that Redis has received since it was asked last: how many requests each takes.
  func takenCounts() throws -> [Int] {
    let parts = try redis().take().split(separator: "\r\n", omittingEmptySubsequences: false)
    let begins = parts.indices.filter { parts[$0] == "EVALSHA" }
    // The name, its digest, the number of keys, the key, interval, capacity and then the count. Each with its length.
    return begins.compactMap { parts.indices.contains($0 + 12) ? Int(parts[$0 + 12]) : nil }
  }

  /// Redis answers one command of the script.
  /// - Parameter debt: milliseconds until the bucket is full.
  func reply(taken: Int, debt: Int = 0) throws { try redis().send("*2\r\n:\(taken)\r\n:\(debt * 8000)\r\n") }

  /// A request that waits for nobody.
  func status() -> Int { ProxyTests.status(request().take()) }
}
