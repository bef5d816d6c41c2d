// Sessions: which credential counts, what is asked of their store, what is remembered and for how long, and what a page
// may do with the cookie. The test answers in the place of the store.

import Bytes
import Configuration
import Cryptography
import Testing
import Tokens

@testable import Proxy

@Suite("Sessions")
struct SessionTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  /// Any value that a session's cookie may have.
  private static let value = String(repeating: "aB3-", count: 10) + "xyz"
  private static let cookie = "Cookie: __Host-session=\(value)"

  private static let rules =
    "sessions: { web: { store: memory, exchange: { path: /session, issuers: [login] }, me: [sub, org.id] } }\n"

  private func bench(
    auth: String = "{ issuers: [login], sessions: [web] }", route: String = "", rules: String = Self.rules
  ) throws -> Bench {
    try Bench(
      """
      \(rules)
      routes:
      - path: /*
        auth: \(auth)
        upstream: app
        identity: { headers: { X-User: sub } }
        \(route)
      \(issuer.section)
      """, keySets: [issuer.keySet()])
  }

  private func bob(lasting seconds: Int64 = 3600) -> Answer {
    let claims = "{\"iss\":\"i\",\"sub\":\"bob\",\"org\":{\"id\":7},\"scope\":\"a b\",\"exp\":1}"
    return .session(
      SessionStatement(
        issuer: "login", claims: Array(claims.utf8), endsAt: Bench.unixMilliseconds / 1000 + seconds))
  }

  private func digest(_ value: String) -> [UInt8] { SHA256.digest(Array(value.utf8).span) }

  // MARK: The credential

  @Test("A session's cookie is asked about by its digest, and its caller is served as one with a token is")
  func answered() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", "Cookie: a=1; __Host-session=\(Self.value); b=2"))
    let asked = try #require(bench.asked.last)
    #expect(asked.question.source == .session(0))
    #expect(asked.question.digest == digest(Self.value))
    #expect(asked.credential == Array("web".utf8))
    #expect(!"\(bench.asked)".contains(Self.value))
    #expect(bench.servers.isEmpty)
    try bench.answer(bob())
    let text = try bench.server().text
    #expect(values("X-User", in: text) == ["bob"])
    #expect(values("Cookie", in: text) == ["a=1; b=2"])
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    #expect(bench.logLines.last?.contains("\"auth_kind\":\"session\"") == true)
    #expect(bench.logLines.last?.contains("\"subject\":\"bob\"") == true)
    #expect(bench.logLines.last?.contains("\"issuer\":\"login\"") == true)
    #expect(bench.logLines.allSatisfy { !$0.contains(Self.value) })
    let results = bench.worker.counters.copy().authenticationCounts.map(\.result)
    #expect(results == [.accepted(.session)])
    bench.expectNothingHeld()
  }

  @Test("A session is remembered for as long as cache says, and requests that ask the same wait together")
  func remembered() throws {
    let bench = try bench()
    let first = bench.connect()
    let second = bench.connect()
    first.send(get("/", Self.cookie))
    second.send(get("/", Self.cookie))
    #expect(bench.asked.count == 1)
    try bench.answer(bob())
    for server in bench.servers { server.send(ok()) }
    #expect(status(first.take()) == 200)
    #expect(status(second.take()) == 200)
    bench.wait(.seconds(29))
    first.send(get("/", Self.cookie))
    try bench.server().send(ok())
    #expect(status(first.take()) == 200)
    #expect(bench.asked.count == 1)
    bench.wait(.seconds(2))
    first.send(get("/", Self.cookie))
    #expect(bench.asked.count == 2)
    bench.expectNothingHeld()
  }

  @Test("cache is at most a tenth of idle_timeout, and 0s asks for each request")
  func caching() throws {
    for (keys, seconds) in [("idle_timeout: 50s", 5), ("cache: 0s", 0), ("cache: 7s", 7)] {
      let bench = try bench(rules: Self.rules.replacing("store: memory", with: "store: memory, \(keys)"))
      let client = bench.connect()
      client.send(get("/", Self.cookie))
      try bench.answer(bob())
      try bench.server().send(ok())
      #expect(status(client.take()) == 200)
      if seconds > 0 {
        bench.wait(.seconds(seconds - 1))
        client.send(get("/", Self.cookie))
        try bench.server().send(ok())
        #expect(status(client.take()) == 200)
        #expect(bench.asked.count == 1, "\(keys)")
      }
      bench.wait(.seconds(1))
      client.send(get("/", Self.cookie))
      #expect(bench.asked.count == 2, "\(keys)")
    }
  }

  @Test("Without a cookie, with one of a session that is over, and with a silent store the codes differ")
  func refusals() throws {
    let bench = try bench(auth: "{ sessions: [web] }")
    let client = bench.connect()
    client.send(get("/"))
    let missing = client.take()
    #expect(status(missing) == 401)
    #expect(code(missing) == "session_missing")
    #expect(values("WWW-Authenticate", in: missing) == ["Cookie realm=\"catraca\""])
    #expect(values("Set-Cookie", in: missing).isEmpty)
    client.send(get("/", Self.cookie))
    try bench.answer(.refused(.sessionExpired))
    let over = client.take()
    #expect(status(over) == 401)
    #expect(code(over) == "session_expired")
    #expect(
      values("Set-Cookie", in: over) == ["__Host-session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"])
    client.send(get("/", Self.cookie))
    bench.wait(.seconds(1))
    let silent = client.take()
    #expect(status(silent) == 503)
    #expect(code(silent) == "session_store_unavailable")
    #expect(values("Retry-After", in: silent) == ["1"])
    #expect(values("Set-Cookie", in: silent).isEmpty)
    bench.expectNothingHeld()
  }

  @Test("A value that no session's cookie has is not asked about, and a cookie that is there twice is refused")
  func cookieValues() throws {
    let bench = try bench()
    let client = bench.connect()
    for value in ["x", String(repeating: "a", count: 42), String(repeating: "a", count: 44)] {
      client.send(get("/", "Cookie: __Host-session=\(value)"))
      #expect(code(client.take()) == "session_expired", "\(value)")
    }
    client.send(get("/", "Cookie: __Host-session=\(Self.value); __Host-session=\(Self.value)"))
    #expect(code(client.take()) == "token_ambiguous")
    client.send(get("/", Self.cookie, Self.cookie))
    #expect(code(client.take()) == "token_ambiguous")
    #expect(bench.asked.isEmpty)
  }

  @Test("A token counts before the cookie, a bad one never falls through to it, and an empty one is none")
  func order() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", Self.cookie, "Authorization: Bearer \(try issuer.token())"))
    let text = try bench.server().text
    #expect(values("X-User", in: text) == ["alice"])
    #expect(values("Cookie", in: text).isEmpty)
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    client.send(get("/", Self.cookie, "Authorization: Bearer a.b.c"))
    #expect(code(client.take()) == "token_malformed")
    #expect(bench.asked.isEmpty)
    client.send(get("/", Self.cookie, "Authorization: Basic YTpi"))
    #expect(bench.asked.count == 1)
  }

  @Test("Scopes of the route count for sessions, and on an optional route a bad cookie is refused all the same")
  func routeRules() throws {
    let strict = try bench(auth: "{ sessions: [web], scopes: [c] }")
    let client = strict.connect()
    client.send(get("/", Self.cookie))
    try strict.answer(bob())
    #expect(code(client.take()) == "scope_missing")
    let open = try bench(auth: "{ sessions: [web], optional: true }")
    let visitor = open.connect()
    visitor.send(get("/"))
    try open.server().send(ok())
    #expect(status(visitor.take()) == 200)
    visitor.send(get("/", Self.cookie))
    try open.answer(.refused(.sessionExpired))
    #expect(code(visitor.take()) == "session_expired")
  }

  @Test("T106: The cookie goes to no service, on public routes as well, whatever a service could take for it")
  func stripped() throws {
    let open = try Bench(
      """
      \(Self.rules)
      routes:
      - { path: /open, auth: public, upstream: app }
      - { path: /*, auth: { sessions: [web] }, upstream: app }
      \(issuer.section)
      """, keySets: [issuer.keySet()])
    open.connect().send(get("/open", "Cookie: x=1; __Host-session=\(Self.value); __host_session=2"))
    let text = try open.server().text
    #expect(values("Cookie", in: text) == ["x=1"])
  }

  // MARK: Pages of others

  private static let origins: [(fields: [String], passes: Bool)] = [
    ([], false), (["Origin: http://h"], true), (["Origin: https://h"], true), (["Origin: https://evil.example"], false),
    (["Origin: null"], false), (["Origin: http://h.evil.example"], false),
    (["Origin: http://h", "Origin: http://h"], false),
    (["Sec-Fetch-Site: same-origin"], true), (["Sec-Fetch-Site: none"], true), (["Sec-Fetch-Site: same-site"], false),
    (["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"], false),
  ]

  @Test("T106: What may change something needs a page of this host, and reading needs none", arguments: origins.indices)
  func foreignPages(_ index: Int) throws {
    let (fields, passes) = Self.origins[index]
    let bench = try bench()
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
      let asked = bench.asked.count
      let client = bench.connect()
      client.send(head([("\(method) / HTTP/1.1"), "Host: h", "Content-Length: 0", Self.cookie] + fields))
      if passes {
        #expect(bench.asked.count == asked + 1, "\(method) \(fields)")
        try bench.answer(.refused(.sessionExpired))
      } else {
        #expect(code(client.take()) == "origin_not_allowed", "\(method) \(fields)")
        #expect(bench.asked.count == asked)
      }
    }
    let reader = bench.connect()
    reader.send(head(["GET / HTTP/1.1", "Host: h", Self.cookie] + fields))
    #expect(bench.asked.last?.question.source == .session(0))
    let other = bench.connect()
    other.send(
      head(
        ["POST / HTTP/1.1", "Host: h", "Content-Length: 0", "Authorization: Bearer \(try issuer.token())"] + fields))
    #expect(try bench.server().text.hasPrefix("POST"))
  }

  private func head(_ lines: [String]) -> String { lines.map { $0 + "\r\n" }.joined() + "\r\n" }

  @Test("Pages of other origins may use a session where cors lets them call with cookies, and only there")
  func foreignOrigins() throws {
    for (credentials, passes) in [(true, true), (false, false)] {
      let bench = try bench(
        route: "cors: { origins: [https://app.example.com], headers: [X-A], credentials: \(credentials) }")
      let client = bench.connect()
      client.send(
        head(["POST / HTTP/1.1", "Host: h", "Content-Length: 0", Self.cookie, "Origin: https://app.example.com"]))
      #expect(bench.asked.isEmpty != passes)
      if !passes { #expect(code(client.take()) == "origin_not_allowed") }
    }
  }

  @Test("T108: A call without a session is answered 401 and never redirected")
  func calls() throws {
    let bench = try bench()
    for fields in [["Sec-Fetch-Mode: cors"], ["X-Requested-With: XMLHttpRequest"], ["Accept: application/json"], []] {
      let client = bench.connect()
      client.send(head(["GET / HTTP/1.1", "Host: h"] + fields))
      let text = client.take()
      #expect(status(text) == 401)
      #expect(values("Location", in: text).isEmpty)
    }
  }

  // MARK: The end

  @Test("A session that ends is forgotten at once, and a stream and a WebSocket of it end")
  func forgotten() throws {
    let bench = try bench(route: "websocket: true")
    let reader = bench.connect()
    reader.send(get("/", Self.cookie))
    try bench.answer(bob())
    try bench.server().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
    let talker = bench.connect()
    talker.send(handshake("/", Self.cookie))
    try bench.server().send(switching())
    #expect(status(talker.take()) == 101)
    let other = bench.connect()
    let value = Self.value.replacing("xyz", with: "abc")
    other.send(handshake("/", "Cookie: __Host-session=\(value)"))
    try bench.answer(bob())
    try bench.server().send(switching())
    #expect(status(other.take()) == 101)
    let asked = bench.asked.count
    bench.act { $0.forgetSession(digest(Self.value), isOver: true, at: bench.now) }
    #expect(reader.isGone)
    #expect(closeCode(talker.bytes) == 4401)
    #expect(other.bytes.isEmpty)
    #expect(bench.logLines.count { $0.contains("\"reason\":\"session_expired\"") } == 2)
    bench.connect().send(get("/", Self.cookie))
    #expect(bench.asked.count == asked + 1)
    bench.expectNothingHeld()
  }

  @Test("A reload keeps a WebSocket while the route takes its session, and ends it with 1001 otherwise")
  func reloaded() throws {
    let bench = try bench(route: "websocket: true")
    let talker = bench.connect()
    talker.send(handshake("/", Self.cookie))
    try bench.answer(bob())
    try bench.server().send(switching())
    #expect(status(talker.take()) == 101)
    let text = { (auth: String) in
      """
      \(Self.rules)
      routes:
      - { path: /other, auth: { sessions: [web] }, upstream: app }
      - { path: /*, auth: \(auth), upstream: app, websocket: true }
      \(self.issuer.section)
      """
    }
    try bench.reload(text("{ sessions: [web] }"), keySets: [issuer.keySet()])
    #expect(talker.bytes.isEmpty)
    let asked = bench.asked.count
    bench.connect().send(get("/", Self.cookie))
    #expect(bench.asked.count == asked + 1)
    try bench.reload(text("login"), keySets: [issuer.keySet()])
    #expect(closeCode(talker.bytes) == 1001)
  }

  @Test("A WebSocket ends with the session's lifetime, and the token that the session came from does not count")
  func lifetime() throws {
    let bench = try bench(route: "websocket: true")
    let talker = bench.connect()
    talker.send(handshake("/", Self.cookie))
    try bench.answer(bob(lasting: 5))
    try bench.server().send(switching())
    #expect(status(talker.take()) == 101)
    bench.wait(.seconds(4))
    #expect(talker.bytes.isEmpty)
    bench.wait(.seconds(2))
    #expect(closeCode(talker.bytes) == 4401)
    #expect(bench.logLines.last?.contains("\"reason\":\"session_expired\"") == true)
  }
}
