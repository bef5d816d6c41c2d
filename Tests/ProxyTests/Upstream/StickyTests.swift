// Callers that are kept together: by hash, by the gateway's cookie, and on one side of a split.

import Testing

@testable import Proxy

@Suite("Callers kept together")
struct StickyTests {
  private static let servers = "servers: [10.0.0.1:1, 10.0.0.2:1, 10.0.0.3:1, 10.0.0.4:1]"

  private func bench(_ keys: String, route: String = openRoutes) throws -> Bench {
    try Bench(route + "\nupstreams: { app: { \(Self.servers), idle_connections: 0, \(keys) } }")
  }

  /// The addresses that requests go to, each on a connection of its own.
  private func places(_ bench: Bench, _ requests: [String], from client: String = "192.0.2.7") -> [String] {
    let first = bench.servers.count
    for request in requests {
      bench.connect(from: client).send(request)
      bench.servers.last?.send(ok())
    }
    return bench.servers[first...].map(\.address)
  }

  @Test(
    "One caller goes to one server, identified by a cookie, a header or the address. Many go to all of them",
    arguments: ["cookie:id", "header:X-Tenant", "client_ip"])
  func hash(key: String) throws {
    let bench = try bench("balance: hash, hash_on: \(key)")
    func request(_ caller: Int) -> String {
      get("/", "Cookie: a=b; id=\(caller); c=d", "x-tenant: \(caller)", "X-Forwarded-For: 192.0.2.\(caller)")
    }
    var all: Set<String> = []
    for caller in 1...40 {
      let found = Set(places(bench, [request(caller), request(caller)], from: "198.51.100.\(caller)"))
      #expect(found.count == 1, "caller \(caller)")
      all.formUnion(found)
    }
    #expect(all.count == 4)
    bench.expectNothingHeld()
  }

  @Test("A claim identifies the caller, nested and of any kind. Requests without it go in turn")
  func claim() throws {
    let issuer = try BenchIssuer()
    let route = issuer.section + "\nroutes: [{ path: /*, auth: { issuers: [login], optional: true }, upstream: app }]"
    let bench = Bench(
      Snapshot(
        try configuration(
          route + "\nupstreams: { app: { \(Self.servers), idle_connections: 0, balance: hash, hash_on: claim:org.id } }"
        ),
        generation: 1), keySets: [try issuer.keySet()])
    var all: Set<String> = []
    for value in [
      "\"a\"", "\"b\"", "1", "true", "[1,2]", "{\"x\":1}", "\"\\u0041\"", "\"c\"", "\"d\"", "\"e\"", "\"f\"",
    ] {
      let token = try issuer.token(",\"org\":{\"id\":\(value)}")
      let found = Set(places(bench, [1, 2, 3].map { _ in get("/", "Authorization: Bearer \(token)") }))
      #expect(found.count == 1, "\(value)")
      all.formUnion(found)
    }
    #expect(all.count >= 3)
    for more in ["", ",\"org\":{\"id\":null}", ",\"org\":1"] {
      let token = try issuer.token(more)
      #expect(Set(places(bench, [1, 2, 3, 4].map { _ in get("/", "Authorization: Bearer \(token)") })).count == 4)
    }
    #expect(Set(places(bench, [1, 2, 3, 4].map { _ in get() })).count == 4)
    bench.expectNothingHeld()
  }

  // MARK: The gateway's cookie

  private func answer(_ bench: Bench, _ client: FakeSocket) throws -> (cookie: String?, message: String) {
    try bench.server().send(ok("x", "Cache-Control: max-age=60"))
    let message = client.take()
    let line = values("Set-Cookie", in: message).first
    return (line.map { String($0.prefix { $0 != ";" }) }, message)
  }

  @Test("The first answer names the server in a cookie, and requests with it go there. The server does not see it")
  func cookie() throws {
    let bench = try bench("sticky: { cookie: S, max_age: 8h }")
    var byServer: [String: String] = [:]
    for _ in 1...4 {
      let client = bench.connect()
      client.send(get())
      let (cookie, message) = try answer(bench, client)
      let line = try #require(values("Set-Cookie", in: message).first)
      #expect(
        line.hasSuffix("; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax") && line.prefix { $0 != ";" }.count == 18)
      #expect(values("Cache-Control", in: message) == ["max-age=60", "private"])
      byServer[try bench.server().address] = cookie
    }
    #expect(Set(byServer.values).count == 4)
    for (address, cookie) in byServer {
      for _ in 1...3 {
        let client = bench.connect()
        client.send(get("/", "Cookie: a=b; \(cookie); c=d"))
        #expect(try bench.server().address == address)
        #expect(values("Cookie", in: try bench.server().text) == ["a=b; c=d"])
        let (fresh, message) = try answer(bench, client)
        #expect(fresh == nil && values("Cache-Control", in: message) == ["max-age=60"])
      }
    }
    bench.expectNothingHeld()
    // Another gateway with the same servers says the same of them. With a secret, something else.
    let other = try self.bench("balance: random_two, sticky: { cookie: S }").worker.pools[0]
    #expect(
      other.servers.allSatisfy {
        String(decoding: $0.bindingLines, as: UTF8.self).contains(byServer[$0.text, default: "?"])
      })
    let secret = try self.bench("sticky: { cookie: S, secret: 0123456789abcdef }").worker.pools[0]
    #expect(
      !secret.servers.contains {
        String(decoding: $0.bindingLines, as: UTF8.self).contains(byServer[$0.text, default: "?"])
      })
  }

  @Test(
    "A cookie that names no server is as none, and does not go on",
    arguments: ["S=", "S=0123456789abcdef", "S=zzzzzzzzzzzzzzzz", "S=10.0.0.1:1", "S=\"\"", "S", "S=a; S=b", "s=1"])
  func strangeCookie(cookie: String) throws {
    let bench = try bench("sticky: { cookie: S }")
    let client = bench.connect()
    client.send(get("/", "Cookie: \(cookie)"))
    #expect(values("Cookie", in: try bench.server().text) == (cookie == "s=1" ? ["s=1"] : []))
    #expect(try answer(bench, client).cookie != nil)
    bench.expectNothingHeld()
  }

  @Test("When the cookie's server is out, or fails the request, another one answers and is named")
  func rebound() throws {
    let bench = try bench("sticky: { cookie: S }")
    let pool = bench.worker.pools[0]
    let client = bench.connect()
    client.send(get())
    let cookie = try #require(try answer(bench, client).cookie)
    let first = try bench.server().address
    bench.refusing = [first]
    client.send(get("/", "Cookie: \(cookie)"))
    #expect(try bench.server().address != first)
    #expect(try answer(bench, client).cookie != cookie)
    bench.refusing = []
    let count = bench.servers.count
    pool.rotate(to: pool.servers.filter { $0.text != first })
    client.send(get("/", "Cookie: \(cookie)"))
    let second = try bench.server().address
    #expect(second != first && bench.servers.count == count + 1)
    let fresh = try #require(try answer(bench, client).cookie)
    pool.rotate(to: pool.servers)
    client.send(get("/", "Cookie: \(fresh)"))
    #expect(try bench.server().address == second)
    bench.expectNothingHeld()
  }

  @Test("HTTP/2 clients get the cookie, too")
  func http2() throws {
    let over = try HTTP2Bench(openRoutes + "\nupstreams: { app: { \(Self.servers), sticky: { cookie: S } } }")
    let client = try over.client()
    let stream = try #require(client.ask(get()))
    try over.settle()
    try over.bench.server().send(ok())
    try over.settle()
    let line = try #require(values("set-cookie", in: client[stream].head).first)
    let first = try over.bench.server().address
    #expect(line.hasSuffix("; Path=/; HttpOnly; SameSite=Lax"))
    #expect(values("cache-control", in: client[stream].head) == ["private"])
    let next = try #require(client.ask(get("/", "Cookie: \(line.prefix { $0 != ";" })")))
    try over.settle()
    let server = try #require(over.bench.servers.last { $0.address == first })
    #expect(over.bench.servers.allSatisfy { $0.address == first })
    server.send(ok())
    try over.settle()
    #expect(!client[next].head.isEmpty && values("set-cookie", in: client[next].head).isEmpty)
  }

  // MARK: Splits

  private static let canary = """
    upstreams: { app: { servers: [10.0.0.1:1], idle_connections: 0 }, canary: { servers: [10.0.0.2:1], idle_connections: 0 } }
    """

  private func split(_ weights: (Int, Int), _ keys: String = "") throws -> Bench {
    try Bench(
      "routes: [{ path: /*, auth: public, upstreams: [{ name: app, weight: \(weights.0) }, "
        + "{ name: canary, weight: \(weights.1) }]\(keys) }]\n" + Self.canary)
  }

  @Test("A split gives each upstream its part of the requests, and none to a weight of 0")
  func splitByChance() throws {
    for (weights, share) in [((95, 5), 100), ((1, 1), 1000), ((1000, 0), 0), ((0, 1), 2000)] {
      let bench = try split(weights)
      let client = bench.connect()
      for _ in 0..<2000 {
        client.send(get())
        try bench.server().send(ok())
        bench.forgetServers()
      }
      let count = bench.worker.counters.copy().upstreamDurations.histogram(id: 1)?.buckets.reduce(0, +) ?? 0
      #expect(abs(Int(count) - share) <= (share == 0 || share == 2000 ? 0 : 110), "\(weights): \(count)")
      bench.expectNothingHeld()
    }
  }

  @Test("A caller stays on its side, and on it when the share grows. Without the value chance decides")
  func splitByCaller() throws {
    func canaries(_ weights: (Int, Int)) throws -> Set<Int> {
      let bench = try split(weights, ", split_on: header:X-User")
      var result: Set<Int> = []
      for caller in 0..<400 {
        let found = Set(places(bench, [get("/", "X-User: \(caller)"), get("/", "X-User: \(caller)")]))
        #expect(found.count == 1)
        if found == ["10.0.0.2:1"] { result.insert(caller) }
      }
      #expect(Set(places(bench, (0..<100).map { _ in get() })).count == 2)
      return result
    }
    let few = try canaries((90, 10))
    let more = try canaries((70, 30))
    #expect(abs(few.count - 40) < 25 && abs(more.count - 120) < 40 && more.isSuperset(of: few))
  }
}

extension UpstreamServer {
  fileprivate var text: String { String(decoding: addressText, as: UTF8.self) }
}
