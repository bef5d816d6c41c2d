// The list of sessions in a real Redis, asked over a connection of the test: what begins, ends, and is replaced.

import Cryptography
import NIOConcurrencyHelpers
import Proxy
import TestSupport
import Testing
import Tokens

@testable import ControlPlane

/// One command after the other.
private actor RedisLink {
  private let stream: ByteStream
  private(set) var commands: [String] = []
  /// Commands of this name fail.
  private var failing = ""

  init(_ redis: RedisServer) async throws { stream = try await ByteStream.connect(port: redis.port) }

  func fail(_ name: String) { failing = name }

  func ask(_ parts: [[UInt8]]) async -> StoreReply? {
    let name = String(decoding: parts[0], as: UTF8.self)
    commands.append(name)
    if name == failing { return nil }
    let lengths = parts.map { Array("$\($0.count)\r\n".utf8) + $0 + [13, 10] }
    do {
      try await stream.send(Array("*\(parts.count)\r\n".utf8) + lengths.joined())
      return try await reply()
    } catch {
      Issue.record("\(error)")
      return nil
    }
  }

  private func reply() async throws -> StoreReply {
    let line = latin1(try await stream.receive(through: "\r\n").dropLast(2))
    let count = Int(line.dropFirst()) ?? -1
    switch line.first {
    case ":": return .integer(Int64(count))
    case "+": return .bytes(Array(line.dropFirst().utf8))
    case "-": return .error(String(line))
    case "$" where count >= 0:
      let bytes = try await stream.receive(count)
      _ = try await stream.receive(2)
      return .bytes(bytes)
    case "*":
      var elements: [StoreReply] = []
      for _ in 0..<max(0, count) { elements.append(try await reply()) }
      return .list(elements)
    default: return .null
    }
  }
}

@Suite("Sessions in Redis", .needs("redis-server"), .timeLimit(.minutes(5)))
struct RedisSessionTests {
  private let redis: RedisServer
  private let link: RedisLink
  private let forgotten = NIOLockedValueBox<[[UInt8]]>([])

  init() async throws {
    redis = try await RedisServer.start()
    link = try await RedisLink(redis)
  }

  private func list(
    secrets: [String] = ["0123456789abcdef0123456789abcdef"], prefix: String = "c:", now: Int64 = 1_800_000_000
  ) throws -> RedisSessions {
    RedisSessions(
      prefix: Array(prefix.utf8),
      keys: try #require(SealingKeys(secrets: secrets.map { Array($0.utf8) }, purpose: "session")),
      issuers: ["login", "other"],
      environment: RedisSessions.Environment(
        ask: { [link] parts, place in
          if case .server(let index) = place, index > 0 { return .null }
          return await link.ask(parts)
        },
        forget: { [forgotten] digest in forgotten.withLockedValue { $0.append(digest) } }, now: { now }))
  }

  private func digest(_ number: Int) -> [UInt8] { (0..<32).map { $0 == 0 ? UInt8(number) : 7 } }

  private func record(_ subject: String = "ada", issuer: String = "login", tokens: String = "") -> SessionRecord {
    var record = SessionRecord(
      session: "web", issuer: issuer, subject: [], providerSession: [],
      claims: Array("{\"sub\":\"\(subject)\",\"sid\":\"at-\(subject)\"}".utf8), lifetimeSeconds: 3600, idleSeconds: 600)
    record.tokens = Array(tokens.utf8)
    return record
  }

  @Test("Sessions end by their digest, their subject, their issuer and by what it calls them, and leave nothing behind")
  func ends() async throws {
    let list = try list()
    for number in 0..<4 {
      let record = record(number == 3 ? "bob" : "ada", issuer: number == 2 ? "other" : "login")
      try await list.begin(record, digest: digest(number), replaced: nil)
    }
    let ada = SessionSelection.subject(Array("ada".utf8))
    #expect(try await list.list(ada).map(\.issuer) == ["login", "login", "other"])
    #expect(try await list.list(ada).first?.endsAt == 1_800_003_600)
    try await list.end(digest: digest(0))
    #expect(try await list.end(.owner(issuer: "login", subject: Array("ada".utf8))) == 1)
    #expect(try await list.end(.providerSession(issuer: "other", Array("at-bob".utf8))) == 0)
    #expect(try await list.end(.providerSession(issuer: "login", Array("at-bob".utf8))) == 1)
    #expect(try await list.end(ada) == 1)
    #expect(forgotten.withLockedValue { Set($0) } == Set((0..<4).map { digest($0) }))
    #expect(try await redis.ask("DBSIZE") == "0")
  }

  @Test("All sessions are listed, those of other prefixes and what is no session are not, and a thousand are shown")
  func all() async throws {
    let list = try list(prefix: "c*[a-z]:")
    #expect(try await list.list().isEmpty)
    for number in 0..<3 {
      try await list.begin(record(number == 1 ? "bob" : "ada"), digest: digest(number), replaced: nil)
    }
    try await self.list(prefix: "cx[a-z]:").begin(record("eve"), digest: digest(9), replaced: nil)
    try await redis.ask("SET", "c*[a-z]:session:rubbish", "x")
    #expect(try await list.list().map(\.subject) == ["ada", "ada", "bob"])
    for number in 0..<1100 {
      let digest = (0..<32).map { $0 == 0 ? UInt8(number % 256) : $0 == 1 ? UInt8(number / 256) : 9 }
      try await list.begin(record("u\(number)"), digest: digest, replaced: nil)
    }
    #expect(try await list.list().count == 1000)
    await link.fail("SCAN")
    await #expect(throws: SessionListUnavailable()) { _ = try await list.list() }
  }

  @Test("A new session ends the one that it takes the place of, of the same rules only")
  func replaced() async throws {
    let list = try list()
    try await list.begin(record(), digest: digest(1), replaced: digest(9))
    var app = record()
    app.session = "app"
    try await list.begin(app, digest: digest(2), replaced: digest(1))
    #expect(forgotten.withLockedValue { $0.isEmpty })
    try await list.begin(record(), digest: digest(3), replaced: digest(1))
    #expect(forgotten.withLockedValue { $0 } == [digest(1)])
  }

  @Test("T106 Tokens are sealed, for their session alone, and open with each of the secrets")
  func sealed() async throws {
    let old = "0123456789abcdef0123456789abcdef"
    let new = "fedcba9876543210fedcba9876543210"
    let list = try list()
    try await list.begin(record(tokens: "refresh-me"), digest: digest(1), replaced: nil)
    let kept = KeptTokens(bytes: Array("refresh-me".utf8), fence: 0)
    #expect(try await list.tokens(of: digest(1)) == kept)
    #expect(try await self.list(secrets: [new, old]).tokens(of: digest(1)) == kept)
    #expect(try await self.list(secrets: [new]).tokens(of: digest(1)) == nil)
    let names = try await redis.ask("KEYS", "c:session:*").split(separator: "\n").map(String.init)
    #expect(try await !redis.ask("GET", try #require(names.first)).contains("refresh-me"))
    // The box of one session in the place of another's.
    try await list.begin(record(), digest: digest(2), replaced: nil)
    let other = try #require(try await redis.ask("KEYS", "c:session:02*").split(separator: "\n").first.map(String.init))
    try await redis.ask("COPY", try #require(names.first), other, "REPLACE")
    #expect(try await list.tokens(of: digest(2)) == nil)
  }

  @Test("T105 Tokens are replaced by who has read the last ones. The moment of the last use and the end stay")
  func fenced() async throws {
    let list = try list()
    try await list.begin(record(tokens: "one"), digest: digest(1), replaced: nil)
    let name = String(decoding: SessionStoreKey.of(digest(1), prefix: Array("c:".utf8)), as: UTF8.self)
    try await redis.ask("PEXPIRE", name, "300000")
    try await redis.ask("SETRANGE", name, "1", "\u{7}")
    #expect(try await list.replaceTokens(of: digest(1), with: Array("two".utf8), fence: 0))
    #expect(try await !list.replaceTokens(of: digest(1), with: Array("late".utf8), fence: 0))
    #expect(try await list.tokens(of: digest(1)) == KeptTokens(bytes: Array("two".utf8), fence: 1))
    #expect(try await redis.ask("GETRANGE", name, "1", "1") == "\u{7}")
    #expect((200_000...300_000).contains(Int(try await redis.ask("PTTL", name)) ?? 0))
    try await list.end(digest: digest(1))
    #expect(try await !list.replaceTokens(of: digest(1), with: [1], fence: 1))
    #expect(try await list.tokens(of: digest(1)) == nil)
  }

  @Test(
    "T105 One holder at a time has the lock of a session, who may hold it for longer, and nobody else gives it back")
  func locks() async throws {
    let list = try list()
    #expect(try await list.lock(digest(1), holder: [1], seconds: 60))
    #expect(try await !list.lock(digest(1), holder: [2], seconds: 60))
    #expect(try await list.lock(digest(1), holder: [1], seconds: 600))
    let name = try await redis.ask("KEYS", "c:refresh:session:*")
    #expect((500_000...600_000).contains(Int(try await redis.ask("PTTL", name)) ?? 0))
    await list.unlock(digest(1), holder: [2])
    #expect(try await !list.lock(digest(1), holder: [2], seconds: 60))
    await list.unlock(digest(1), holder: [1])
    #expect(try await list.lock(digest(1), holder: [2], seconds: 60))
  }

  @Test("What fails on the way begins nothing, and a session is in its indices before it is there")
  func failing() async throws {
    let list = try list()
    await link.fail("SET")
    await #expect(throws: SessionListUnavailable.self) {
      try await list.begin(record(), digest: digest(1), replaced: nil)
    }
    #expect(await link.commands == ["EVAL", "EVAL", "SET"])
    await link.fail("DEL")
    await #expect(throws: SessionListUnavailable.self) { try await list.end(digest: digest(1)) }
    #expect(forgotten.withLockedValue { $0.isEmpty })
    await link.fail("")
    // What an index names and is not there is not counted, and ends no other session.
    #expect(try await list.end(.owner(issuer: "login", subject: Array("ada".utf8))) == 0)
    try await redis.ask("CONFIG", "SET", "maxmemory", "1")
    await #expect(throws: SessionListUnavailable.self) {
      try await list.begin(record(), digest: digest(2), replaced: nil)
    }
  }
}
