// Sessions that Redis is asked about with each request (`cache: 0s`): what was read from a value is taken over while
// it is the very same, and nothing of it otherwise.

import Testing
import Tokens

@testable import Proxy

extension SessionStoreTests {
  /// What is asked when a change of the session is reported already.
  private static let again = [["GET", key]]

  private func value(
    _ subject: String = "bob", lifetime: Int64 = 43_200, usedAgo seconds: Int64 = 0
  ) throws -> [UInt8] {
    var record = record("{\"iss\":\"https://i\",\"sub\":\"\(subject)\"}")
    record.lifetimeSeconds = lifetime
    return try #require(SessionValue(record, sealedTokens: [], now: Self.now - seconds).encoded)
  }

  /// A request whose session is asked for, and the name that its service hears.
  private func ask(
    _ bench: Bench, _ client: FakeSocket, _ redis: RedisPeer, _ commands: [[String]], _ value: [UInt8],
    _ place: SourceLocation = #_sourceLocation
  ) throws -> String? {
    client.send(get("/", Self.cookie))
    let asked = redis.commands()
    #expect(asked == commands, sourceLocation: place)
    if asked.count == 2 { redis.send("+OK\r\n") }
    redis.send(bulk: value)
    let server = try #require(bench.servers.last { $0.text.contains("X-User: ") }, sourceLocation: place)
    let name = values("X-User", in: server.take()).first
    server.send(ok())
    #expect(status(client.take()) == 200, sourceLocation: place)
    return name
  }

  private func open(_ rules: String = "cache: 0s") throws -> (Bench, FakeSocket, RedisPeer) {
    let bench = try bench(rules)
    let redis = try RedisPeer(bench)
    redis.greet()
    return (bench, bench.connect(), redis)
  }

  @Test("cache: 0s asks for each request. The same value is the same caller, for whom one command is enough")
  func same() throws {
    let (bench, client, redis) = try open()
    #expect(try ask(bench, client, redis, Self.lookUp, try value()) == "bob")
    for _ in 0..<3 { #expect(try ask(bench, client, redis, Self.again, try value()) == "bob") }
    #expect(bench.asked.isEmpty)
  }

  @Test("T110 A value that has changed counts with the next request, whether Redis reports it or not")
  func changed() throws {
    for isReported in [true, false] {
      let (bench, client, redis) = try open()
      #expect(try ask(bench, client, redis, Self.lookUp, try value()) == "bob")
      if isReported { redis.invalidate([Self.key]) }
      let commands = isReported ? Self.lookUp : Self.again
      #expect(try ask(bench, client, redis, commands, try value("eve")) == "eve")
      // The old one is no longer known, should it come back.
      let next = isReported ? Self.again : Self.lookUp
      #expect(try ask(bench, client, redis, next, try value("bob")) == "bob")
    }
  }

  @Test("T110 A session that Redis no longer has is refused, and nothing is left of it")
  func gone() throws {
    for answer in ["_\r\n", "$0\r\n\r\n", ":1\r\n", "-WRONGTYPE Operation\r\n"] {
      let (bench, client, redis) = try open()
      #expect(try ask(bench, client, redis, Self.lookUp, try value()) == "bob")
      client.send(get("/", Self.cookie))
      #expect(redis.commands() == Self.again)
      redis.send(answer)
      #expect(code(client.take()) == "session_expired")
      client.send(get("/", Self.cookie))
      #expect(redis.commands() == Self.lookUp)
    }
  }

  @Test("T110 A report that overtakes the reply leaves nothing to compare with, and the next change is reported again")
  func overtakenAgain() throws {
    let (bench, client, redis) = try open()
    #expect(try ask(bench, client, redis, Self.lookUp, try value()) == "bob")
    client.send(get("/", Self.cookie))
    #expect(redis.commands() == Self.again)
    redis.invalidate([Self.key])
    redis.send(bulk: try value())
    try pass(bench, client)
    #expect(try ask(bench, client, redis, Self.lookUp, try value()) == "bob")
    #expect(try ask(bench, client, redis, Self.again, try value()) == "bob")
  }

  @Test("The same value ends with the session, and a use is noted in time")
  func aged() throws {
    let (bench, client, redis) = try open()
    let short = try value(lifetime: 60)
    #expect(try ask(bench, client, redis, Self.lookUp, short) == "bob")
    redis.wait(bench, .seconds(59))
    let late = bench.connect()
    #expect(try ask(bench, late, redis, Self.again, short) == "bob")
    redis.wait(bench, .seconds(1))
    late.send(get("/", Self.cookie))
    answer(redis, short)
    #expect(code(late.take()) == "session_expired")
    // A tenth of the idle time is 180 seconds.
    let (other, reader, store) = try open()
    let long = try value(usedAgo: 100)
    #expect(try ask(other, reader, store, Self.lookUp, long) == "bob")
    store.wait(other, .seconds(80))
    let next = other.connect()
    #expect(try ask(other, next, store, Self.lookUp, long) == "bob")
    #expect(store.commands().map(\.first) == ["EVAL"])
  }

  @Test("A reload, and a lost connection, leave nothing to compare with")
  func forgotten() throws {
    let (bench, client, redis) = try open()
    #expect(try ask(bench, client, redis, Self.lookUp, try value()) == "bob")
    redis.socket.reset()
    let back = try RedisPeer(bench)
    back.greet()
    #expect(try ask(bench, client, back, Self.lookUp, try value()) == "bob")
    bench.reload(bench.worker.snapshot.configuration, keySets: [try issuer.keySet()])
    let fresh = bench.connect()
    #expect(try ask(bench, fresh, back, Self.lookUp, try value()) == "bob")
  }
}
