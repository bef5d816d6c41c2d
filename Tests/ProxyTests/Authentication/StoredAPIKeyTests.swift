// API keys that are in Redis: what a worker asks, what it remembers, and what the server's reports do to that. The test
// is the server.

import Bytes
import Configuration
import Cryptography
import Testing
import Tokens

@testable import Proxy

@Suite("API keys in a store")
struct StoredAPIKeyTests {
  private static let ownHash =
    "sha256:" + String(decoding: Base64URL.encode(SHA256.digest(Array("mine".utf8).span).span), as: UTF8.self)

  private static func name(_ key: String, set: String = "partners") -> String {
    let digest = SHA256.digest(Array(key.utf8).span)
    return String(decoding: APIKeyStoreKey.of(digest, set: set, prefix: Array("catraca:".utf8)), as: UTF8.self)
  }

  private static func look(_ key: String = "good") -> [[String]] {
    [["CLIENT", "CACHING", "YES"], ["GET", name(key)]]
  }

  private static let entry =
    "{\"id\":\"acme\",\"claims\":{\"plan\":\"gold\"},\"scopes\":[\"a\",\"b\"],\"expires\":4102444800}"

  private func bench(_ set: String = "", auth: String = "api_keys: [partners]", route: String = "") throws -> Bench {
    try Bench(
      """
      redis: { main: { servers: ["127.0.0.1:6379"] } }
      api_keys:
        partners: { redis: main\(set) }
        own: { keys: [{ id: own, hash: "\(Self.ownHash)" }] }
      routes:
      - path: /*
        auth: { \(auth) }
        upstream: app
        identity: { headers: { X-User: sub, X-Plan: plan } }
        \(route)
      """)
  }

  private func get(_ key: String = "good") -> String { ProxyTests.get("/", "X-Api-Key: \(key)") }

  private func server(_ bench: Bench) throws -> RedisPeer {
    let redis = try RedisPeer(bench)
    redis.greet()
    return redis
  }

  private func answer(_ redis: RedisPeer, _ text: String?, key: String = "good") {
    #expect(redis.commands() == Self.look(key))
    redis.send("+OK\r\n")
    if let text { redis.send(bulk: Array(text.utf8)) } else { redis.send("_\r\n") }
  }

  private func pass(_ bench: Bench, _ client: FakeSocket) throws {
    try #require(bench.servers.last { $0.address == "10.0.0.1:9000" }).send(ok())
    #expect(status(client.take()) == 200)
  }

  @Test("A key is one command to Redis, by its digest, and remembered then with what its entry says")
  func remembered() throws {
    let bench = try bench(auth: "api_keys: [own, partners], scopes: [b]")
    let redis = try server(bench)
    let client = bench.connect()
    let other = bench.connect()
    client.send(get())
    other.send(get())
    answer(redis, Self.entry)
    let servers = bench.servers.filter { $0.address == "10.0.0.1:9000" }
    #expect(servers.count == 2 && servers.allSatisfy { $0.text.contains("X-User: acme\r\nX-Plan: gold\r\n") })
    for server in servers { server.send(ok()) }
    #expect(status(client.take()) == 200 && status(other.take()) == 200)
    client.send(get())
    try pass(bench, client)
    // A key of the file is not looked for.
    client.send(get("mine"))
    #expect(code(client.take()) == "scope_missing")
    #expect(redis.commands().isEmpty && bench.worker.tokenCache.count == 2)
    #expect(bench.logLines.allSatisfy { $0.contains("\"auth_kind\":\"api_key\"") && !$0.contains("good") })
    redis.wait(bench, .seconds(31))
    client.send(get())
    #expect(redis.commands() == Self.look())
  }

  @Test("What Redis reports as changed is asked for again, and all of it when it was flushed or the link is lost")
  func reported() throws {
    for change in ["push", "others", "flush", "link"] {
      let bench = try bench()
      var redis = try server(bench)
      let client = bench.connect()
      client.send(get())
      answer(redis, Self.entry)
      try pass(bench, client)
      switch change {
      case "push": redis.invalidate(["catraca:limit:x", Self.name("good")])
      case "others":
        redis.invalidate([
          "catraca:api_key:partners:00", String(Self.name("good").dropLast()) + "g",
          String(Self.name("good").dropFirst()),
        ])
      case "flush": redis.invalidate(nil)
      default:
        redis.socket.reset()
        redis = try server(bench)
      }
      client.send(get())
      if change == "others" {
        try pass(bench, client)
      } else {
        answer(redis, nil)
        #expect(code(client.take()) == "api_key_invalid", "\(change)")
      }
      #expect(redis.commands().isEmpty)
    }
  }

  @Test("T110 A report about a key that comes before the reply leaves nothing remembered that may be old")
  func overtaken() throws {
    let bench = try bench()
    let redis = try server(bench)
    let client = bench.connect()
    client.send(get())
    #expect(redis.commands() == Self.look())
    redis.invalidate([Self.name("good")])
    redis.send("+OK\r\n")
    redis.send(bulk: Array(Self.entry.utf8))
    try pass(bench, client)
    client.send(get())
    #expect(redis.commands() == Self.look())
  }

  @Test("T104 A key that is not there is remembered as such for five seconds, in bounds, until it comes")
  func unknown() throws {
    for change in ["push", "flush", "time", "reload"] {
      let bench = try bench()
      let redis = try server(bench)
      let client = bench.connect()
      client.send(get())
      answer(redis, nil)
      #expect(code(client.take()) == "api_key_invalid")
      client.send(get())
      #expect(code(client.take()) == "api_key_invalid" && redis.commands().isEmpty)
      switch change {
      case "push": redis.invalidate([Self.name("good")])
      case "flush": redis.invalidate(nil)
      case "time": redis.wait(bench, .seconds(5))
      default: bench.reload(bench.snapshot.configuration, keySets: [])
      }
      client.send(get())
      answer(redis, Self.entry)
      try pass(bench, client)
    }
    // Where each look is to be a question, so is this one, and one that is overtaken by a report is not remembered.
    for (set, isReported) in [(", cache: 0s", false), ("", true)] {
      let bench = try bench(set)
      let redis = try server(bench)
      let client = bench.connect()
      client.send(get())
      if isReported { redis.invalidate([Self.name("good")]) }
      answer(redis, nil)
      _ = client.take()
      client.send(get())
      #expect(redis.commands() == Self.look())
    }
    let bench = try bench()
    let redis = try server(bench)
    for number in 0..<2000 {
      let client = bench.connect()
      client.send(get("made-up-\(number)"))
      answer(redis, nil, key: "made-up-\(number)")
      client.reset()
    }
    #expect(bench.worker.apiKeys.unknown.count <= RememberedRefusals.countMax)
  }

  @Test("What is no entry counts as no key, and one that is over as expired")
  func entries() throws {
    for (text, expected) in [
      ("", "api_key_invalid"), ("{}", "api_key_invalid"), ("[]", "api_key_invalid"),
      ("{\"id\":\"\"}", "api_key_invalid"),
      ("{\"id\":7}", "api_key_invalid"), ("{\"id\":\"a\",\"expires\":\"soon\"}", "api_key_invalid"),
      ("{\"id\":\"a\",\"expires\":-1}", "api_key_invalid"), ("{\"id\":\"a\",\"claims\":[]}", "api_key_invalid"),
      ("{\"id\":\"a\",\"claims\":{\"sub\":7}}", "api_key_invalid"),
      ("{\"id\":\"a\",\"scopes\":\"x\"}", "api_key_invalid"),
      ("{\"id\":\"a\",\"scopes\":[\"x y\"]}", "api_key_invalid"),
      ("{\"id\":\"a\",\"scopes\":[\"\"]}", "api_key_invalid"),
      ("{\"id\":\"a\",\"scopes\":[\"x\"],\"claims\":{\"scope\":\"y\"}}", "api_key_invalid"),
      ("{\"id\":\"a\"", "api_key_invalid"), ("{\"id\":\"a\",\"expires\":1}", "api_key_expired"),
      ("{\"id\":\"\(String(repeating: "x", count: 40_000))\"}", "api_key_invalid"),
    ] {
      let bench = try bench()
      let redis = try server(bench)
      let client = bench.connect()
      client.send(get())
      answer(redis, text)
      #expect(code(client.take()) == expected, "\(text.prefix(80))")
      #expect(bench.worker.tokenCache.count == 0)
    }
    let bench = try bench()
    let redis = try server(bench)
    let client = bench.connect()
    client.send(get())
    answer(redis, "{\"id\":\"a\",\"claims\":{\"s\\u0075b\":\"b\\\"c\",\"n\":{\"x\":[1]}},\"more\":1}")
    #expect(try #require(bench.servers.last { $0.address == "10.0.0.1:9000" }).text.contains("X-User: b\"c\r\n"))
  }

  @Test("T104 With basic the name must be the entry's id, also of a key that is remembered")
  func basic() throws {
    let bench = try bench(", from: [basic]")
    let redis = try server(bench)
    func send(_ pair: String) -> FakeSocket {
      let client = bench.connect()
      let text = String(decoding: Base64URL.encode(Array(pair.utf8).span), as: UTF8.self)
      client.send(ProxyTests.get("/", "Authorization: Basic \(text)"))
      return client
    }
    let (good, bad) = (send("acme:good"), send("other:good"))
    #expect(redis.commands() == Self.look() + Self.look())
    for _ in 0..<2 {
      redis.send("+OK\r\n")
      redis.send(bulk: Array(Self.entry.utf8))
    }
    try pass(bench, good)
    #expect(code(bad.take()) == "api_key_invalid")
    try pass(bench, send("acme:good"))
    for name in ["other", "acm", "acme2"] { #expect(code(send("\(name):good").take()) == "api_key_invalid") }
    #expect(redis.commands().isEmpty)
    redis.invalidate([Self.name("good")])
    let again = send("acme:good")
    answer(redis, Self.entry)
    try pass(bench, again)
  }

  @Test("T109 A store that is down or silent is 503 and never 401, and made-up keys are looked for in bounds")
  func bounds() throws {
    let bench = try bench()
    let redis = try server(bench)
    let clients = (0..<300).map { _ in bench.connect() }
    for (number, client) in clients.enumerated() { client.send(get("made-up-\(number)")) }
    #expect(redis.commands().count == 2 * WorkerAPIKeys.lookCountMax)
    let refused = clients.filter { !$0.bytes.isEmpty }
    #expect(refused.count == 300 - WorkerAPIKeys.lookCountMax)
    #expect(refused.allSatisfy { code($0.text) == "api_key_store_unavailable" })
    #expect(values("Retry-After", in: refused[0].text) == ["1"])
    for _ in 0..<WorkerAPIKeys.lookCountMax { redis.send("+OK\r\n_\r\n") }
    #expect(clients.count { code($0.text) == "api_key_invalid" } == WorkerAPIKeys.lookCountMax)
    for client in clients { client.reset() }
    let client = bench.connect()
    client.send(get())
    bench.wait(.seconds(1))
    #expect(code(client.take()) == "api_key_store_unavailable")
    redis.socket.reset()
    bench.refusing = ["127.0.0.1:6379"]
    client.send(get())
    bench.wait(.seconds(1))
    #expect(status(client.take()) == 503)
  }

  @Test("T87 A WebSocket of a key that is taken out of Redis ends, and one of a key that has changed goes on")
  func tunnels() throws {
    for isGone in [false, true] {
      let bench = try bench(route: "websocket: true")
      let redis = try server(bench)
      let client = bench.connect()
      client.send(
        head(
          "GET / HTTP/1.1", "Host: h", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X-Api-Key: good"))
      answer(redis, Self.entry)
      try #require(bench.servers.last { $0.address == "10.0.0.1:9000" }).send(
        head(
          "HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket",
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
      #expect(status(client.take()) == 101)
      redis.invalidate([Self.name("good")])
      bench.wait(.milliseconds(200))
      answer(redis, isGone ? nil : Self.entry)
      #expect(client.bytes.isEmpty != isGone)
    }
  }
}
