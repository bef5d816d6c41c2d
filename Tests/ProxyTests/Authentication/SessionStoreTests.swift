// Sessions whose list is in Redis: what a worker asks, what it remembers, and what the server's reports do to that. The
// test is the server, so that each order of replies and reports can be tried.

import Bytes
import Configuration
import Cryptography
import Testing
import Tokens

@testable import Proxy

@Suite("Sessions in a store")
struct SessionStoreTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  static let value = String(repeating: "aB3-", count: 10) + "xyz"
  static let cookie = "Cookie: __Host-session=\(value)"
  private static let digest = SHA256.digest(Array(value.utf8).span)
  static let key = String(decoding: SessionStoreKey.of(digest, prefix: Array("catraca:".utf8)), as: UTF8.self)
  static let now = Bench.unixMilliseconds / 1000
  static let lookUp = [["CLIENT", "CACHING", "YES"], ["GET", key]]

  func bench(_ rules: String = "", store: String = "servers: [\"127.0.0.1:6379\"]", route: String = "") throws
    -> Bench
  {
    try Bench(
      """
      secrets: [0123456789abcdef0123456789abcdef]
      redis: { main: { \(store) } }
      sessions: { web: { store: main, exchange: { path: /session, issuers: [login] }, \(rules) } }
      routes:
      - { path: /free, auth: public, respond: { status: 204 } }
      - path: /*
        auth: { sessions: [web] }
        upstream: app
        identity: { headers: { X-User: sub } }
        \(route)
      \(issuer.section.replacing("issuer: i,", with: "issuer: \"https://i\","))
      """, keySets: [issuer.keySet()])
  }

  func record(_ claims: String = "{\"iss\":\"https://i\",\"sub\":\"bob\"}") -> SessionRecord {
    SessionRecord(
      session: "web", issuer: "login", subject: [], providerSession: [], claims: Array(claims.utf8),
      lifetimeSeconds: 43_200, idleSeconds: 1800)
  }

  func stored(usedAgo seconds: Int64 = 0, tokens: [UInt8] = []) throws -> [UInt8] {
    try #require(SessionValue(record(), sealedTokens: tokens, now: Self.now - seconds).encoded)
  }

  /// Answers a look-up that has to be under way.
  func answer(_ redis: RedisPeer, _ bytes: [UInt8]) {
    #expect(redis.commands() == Self.lookUp)
    redis.send("+OK\r\n")
    redis.send(bulk: bytes)
  }

  func pass(_ bench: Bench, _ client: FakeSocket, _ place: SourceLocation = #_sourceLocation) throws {
    try bench.server().send(ok())
    #expect(status(client.take()) == 200, sourceLocation: place)
  }

  @Test("A session is one command to Redis, and remembered then. The control plane is not asked")
  func remembered() throws {
    let bench = try bench()
    let redis = try RedisPeer(bench)
    redis.greet()
    let client = bench.connect()
    client.send(get("/", Self.cookie))
    let other = bench.connect()
    other.send(get("/", Self.cookie))
    answer(redis, try stored())
    #expect(bench.servers.filter { $0.text.contains("X-User: bob\r\n") }.count == 2)
    for server in bench.servers where server !== redis.socket { server.send(ok()) }
    #expect(status(client.take()) == 200)
    #expect(status(other.take()) == 200)
    client.send(get("/", Self.cookie))
    try pass(bench, client)
    #expect(redis.commands().isEmpty)
    #expect(bench.asked.isEmpty)
    redis.wait(bench, .seconds(31))
    client.send(get("/", Self.cookie))
    #expect(redis.commands() == Self.lookUp)
  }

  @Test("What Redis reports as changed is asked for again, and so is all of it when it was flushed or the link is lost")
  func reported() throws {
    for change in ["push", "others", "flush", "link"] {
      let bench = try bench()
      var redis = try RedisPeer(bench)
      redis.greet()
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      answer(redis, try stored())
      try pass(bench, client)
      switch change {
      case "push": redis.invalidate(["catraca:limit:x", Self.key])
      case "others":
        redis.invalidate(["catraca:session:00", String(Self.key.dropLast()) + "g", String(Self.key.dropFirst())])
      case "flush": redis.invalidate(nil)
      default:
        redis.socket.reset()
        redis = try RedisPeer(bench)
        redis.greet()
      }
      client.send(get("/", Self.cookie))
      if change == "others" {
        #expect(redis.commands().isEmpty)
      } else {
        #expect(redis.commands() == Self.lookUp, "\(change)")
        redis.send("+OK\r\n_\r\n")
        let text = client.take()
        #expect(code(text) == "session_expired", "\(change)")
        #expect(values("Set-Cookie", in: text).first?.contains("Max-Age=0") == true)
      }
    }
  }

  @Test("T110 A report that comes before the reply leaves nothing remembered that may be old")
  func overtaken() throws {
    for isFlush in [false, true] {
      let bench = try bench()
      let redis = try RedisPeer(bench)
      redis.greet()
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      #expect(redis.commands() == Self.lookUp)
      redis.invalidate(isFlush ? nil : [Self.key])
      redis.send("+OK\r\n")
      redis.send(bulk: try stored())
      try pass(bench, client)
      client.send(get("/", Self.cookie))
      #expect(redis.commands() == Self.lookUp)
    }
  }

  @Test("Redis without reports is asked as often as cache says")
  func caching() throws {
    let plain = try bench("cache: 7s")
    let old = try RedisPeer(plain)
    old.greet(tracking: "-NOPERM this user has no permissions to run the 'client|tracking' command\r\n")
    #expect(plain.storeReports.count { if case .untracked = $0.change { true } else { false } } == 1)
    let reader = plain.connect()
    for _ in 0..<2 {
      reader.send(get("/", Self.cookie))
      #expect(old.commands() == [["GET", Self.key]])
      old.send(bulk: try stored())
      try pass(plain, reader)
      old.wait(plain, .seconds(6))
      reader.send(get("/", Self.cookie))
      try pass(plain, reader)
      old.wait(plain, .seconds(1))
    }
  }

  @Test("The idle end moves on once in a tenth of idle_timeout, and a use is noted no later than that")
  func idle() throws {
    let bench = try bench("cache: 1h, idle_timeout: 30m")
    let redis = try RedisPeer(bench)
    redis.greet()
    let client = bench.connect()
    client.send(get("/", Self.cookie))
    answer(redis, try stored(usedAgo: 100))
    try pass(bench, client)
    #expect(redis.commands().isEmpty)
    // A tenth is 180 seconds.
    redis.wait(bench, .seconds(79))
    let second = bench.connect()
    second.send(get("/", Self.cookie))
    try pass(bench, second)
    #expect(redis.commands().isEmpty)
    redis.wait(bench, .seconds(1))
    second.send(get("/", Self.cookie))
    answer(redis, try stored(usedAgo: 100))
    let noted = redis.commands()
    #expect(noted.map(\.first) == ["EVAL"])
    #expect(noted.first?[3] == Self.key)
    #expect(noted.first?.last == "1800000")
    try pass(bench, second)
    redis.send(":1\r\n")
    redis.invalidate([Self.key])
    second.send(get("/", Self.cookie))
    #expect(redis.commands() == Self.lookUp)
  }

  @Test("What no gateway has written counts as no session, whatever it is, and is reported", arguments: 0..<5)
  func garbage(_ kind: Int) throws {
    let bench = try bench()
    let redis = try RedisPeer(bench)
    redis.greet()
    let client = bench.connect()
    client.send(get("/", Self.cookie))
    #expect(redis.commands() == Self.lookUp)
    redis.send("+OK\r\n")
    switch kind {
    case 0: redis.send(bulk: [])
    case 1: redis.send(bulk: Array(try stored().dropLast()))
    case 2: redis.send("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
    case 3: redis.send(":7\r\n")
    default: redis.send("*1\r\n$1\r\nx\r\n")
    }
    #expect(code(client.take()) == "session_expired")
    #expect(bench.storeReports.contains { $0.change == .unreadable })
    client.send(get("/free"))
    #expect(status(client.take()) == 204)
  }

  @Test("Tokens that no secret opens leave the session as it is where nobody gets them, and end it elsewhere")
  func foreignTokens() throws {
    for (keys, passes) in [("", true), (", forward: access_token", false)] {
      let bench = try bench("login: { issuer: login, client_id: a\(keys) }")
      let redis = try RedisPeer(bench)
      redis.greet()
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      answer(redis, try stored(tokens: [1, 2, 3]))
      if passes { try pass(bench, client) } else { #expect(code(client.take()) == "session_expired") }
      #expect(bench.storeReports.contains { $0.change == .unreadable } != passes)
    }
  }

  @Test("A session of other rules, of an issuer that is gone, and with claims that are no object counts as none")
  func foreign() throws {
    for (session, name, claims) in [
      ("app", "login", "{\"iss\":\"https://i\"}"), ("web", "gone", "{\"iss\":\"https://i\"}"), ("web", "login", "[]"),
    ] {
      let bench = try bench()
      let redis = try RedisPeer(bench)
      redis.greet()
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      var record = record(claims)
      (record.session, record.issuer) = (session, name)
      answer(redis, try #require(SessionValue(record, sealedTokens: [], now: Self.now).encoded))
      #expect(code(client.take()) == "session_expired")
    }
  }

  @Test("T109 A store that is down is 503 at once, one that refuses or is silent is 503, and the cookie stays")
  func down() throws {
    let bench = try bench()
    let redis = try RedisPeer(bench)
    redis.greet()
    let client = bench.connect()
    client.send(get("/", Self.cookie))
    #expect(redis.commands() == Self.lookUp)
    redis.send("+OK\r\n-LOADING Redis is loading the dataset in memory\r\n")
    let refused = client.take()
    #expect(status(refused) == 503)
    #expect(code(refused) == "session_store_unavailable")
    #expect(values("Set-Cookie", in: refused).isEmpty)
    client.send(get("/", Self.cookie))
    bench.wait(.milliseconds(500))
    #expect(code(client.take()) == "session_store_unavailable")
    bench.refusing.insert("127.0.0.1:6379")
    redis.socket.reset()
    client.send(get("/", Self.cookie))
    #expect(code(client.take()) == "session_store_unavailable")
    client.send(get("/free"))
    #expect(status(client.take()) == 204)
    bench.expectNothingHeld()
  }

  @Test("A WebSocket goes on when its session has changed, is told of the end behind that, and ends then")
  func streams() throws {
    let bench = try bench(route: "websocket: true")
    let redis = try RedisPeer(bench)
    redis.greet()
    let talker = bench.connect()
    talker.send(handshake("/", Self.cookie))
    answer(redis, try stored())
    try bench.server().send(switching())
    #expect(status(talker.take()) == 101)
    redis.invalidate([Self.key])
    bench.wait(.milliseconds(100))
    answer(redis, try stored())
    bench.wait(.milliseconds(200))
    #expect(talker.bytes.isEmpty)
    #expect(redis.commands().isEmpty)
    redis.invalidate([Self.key])
    bench.wait(.milliseconds(100))
    #expect(redis.commands() == Self.lookUp)
    redis.send("+OK\r\n_\r\n")
    #expect(closeCode(talker.bytes) == 4401)
  }

  @Test("A WebSocket outlives a store that is down, and is looked for when the store is back")
  func streamsOfLostStore() throws {
    let bench = try bench(route: "websocket: true")
    let redis = try RedisPeer(bench)
    redis.greet()
    let talker = bench.connect()
    talker.send(handshake("/", Self.cookie))
    answer(redis, try stored())
    try bench.server().send(switching())
    #expect(status(talker.take()) == 101)
    bench.refusing.insert("127.0.0.1:6379")
    redis.socket.reset()
    bench.wait(.seconds(3))
    #expect(talker.bytes.isEmpty)
    bench.refusing = []
    bench.wait(.seconds(1))
    let back = try RedisPeer(bench)
    back.greet()
    var asked: [[String]] = []
    for _ in 0..<12 where asked.isEmpty {
      bench.wait(.milliseconds(100))
      asked = back.commands()
    }
    #expect(asked == Self.lookUp)
    back.send("+OK\r\n_\r\n")
    #expect(closeCode(talker.bytes) == 4401)
  }

  @Test("What a server of a cluster answers while the slot moves is not remembered, for no change is reported there")
  func moving() throws {
    let bench = try bench(store: "servers: [\"127.0.0.1:6379\"], cluster: true")
    let redis = try RedisPeer(bench)
    redis.greet()
    let client = bench.connect()
    #expect(redis.commands() == [["CLUSTER", "SLOTS"]])
    redis.send("*0\r\n")
    client.send(get("/", Self.cookie))
    #expect(redis.commands() == Self.lookUp)
    redis.send("+OK\r\n-ASK 1 127.0.0.1:6380\r\n")
    let other = try RedisPeer(bench, at: "127.0.0.1:6380")
    other.greet()
    #expect(other.commands() == [["ASKING"], ["GET", Self.key]])
    other.send("+OK\r\n")
    other.send(bulk: try stored())
    try #require(bench.servers.last { $0.text.contains("X-User") }).send(ok())
    #expect(status(client.take()) == 200)
    client.send(get("/", Self.cookie))
    #expect(redis.commands().suffix(2) == Self.lookUp)
  }
}
