// Keys of which the control plane is told when they change.

import Synchronization
import Testing

@testable import Proxy

@Suite("Keys that are watched")
struct StoreWatchTests {
  private final class Calls: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func note() { value.withLock { $0 += 1 } }
  }

  private static let key = "catraca:revoked:login"

  private func bench() throws -> Bench {
    try Bench(
      """
      redis: { main: { servers: ["127.0.0.1:6379"] } }
      issuers:
        login: { issuer: "https://a/", audiences: [api], revocation: { denylist: { redis: main } } }
      routes: [{ path: /, auth: login, respond: { status: 204 } }]
      """)
  }

  private func ask(_ bench: Bench, _ calls: Calls) {
    bench.act { worker in
      worker.ask(
        "main", [Array("XLEN".utf8), Array(Self.key.utf8)], at: .key(Array(Self.key.utf8)), bench.now,
        changed: { calls.note() }, { _ in })
    }
  }

  @Test("A change is told once to who has asked for the key, as are a flush and a lost connection")
  func told() throws {
    for change in ["push", "flush", "link", "other"] {
      let bench = try bench()
      let redis = try RedisPeer(bench)
      redis.greet()
      let calls = Calls()
      ask(bench, calls)
      #expect(redis.commands() == [["CLIENT", "CACHING", "YES"], ["XLEN", Self.key]])
      redis.send("+OK\r\n:0\r\n")
      #expect(calls.count == 0)
      switch change {
      case "push": redis.invalidate([Self.key])
      case "flush": redis.invalidate(nil)
      case "link": redis.socket.reset()
      default: redis.invalidate([Self.key + "x"])
      }
      #expect(calls.count == (change == "other" ? 0 : 1), "\(change)")
      if change == "push" {
        redis.invalidate([Self.key])
        #expect(calls.count == 1)
        ask(bench, calls)
        redis.invalidate([Self.key])
        #expect(calls.count == 2)
      }
    }
  }
}
