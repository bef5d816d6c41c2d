// Opaque tokens, about which the issuer is asked: the question, what an answer means, and for how long.

import Testing
import Tokens

@testable import Proxy

@Suite("Introspection")
struct IntrospectionTests {
  private let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private func text(_ keys: String = "", route: String = "") -> String {
    let rules =
      "introspection: { endpoint: \"http://127.0.0.1:9/ask?a=b\", client_id: \"gate way\", client_secret: \"s:e\"\(keys) }"
    return "routes: [{ path: /*, auth: login, upstream: app, identity: { headers: { X-User: sub } }\(route) }]\n"
      + issuer.section.replacing("issuer: i,", with: "issuer: i, \(rules),")
  }

  private func bench(_ keys: String = "", route: String = "") throws -> Bench {
    Bench(Snapshot(try configuration(text(keys, route: route)), generation: 1), keySets: [try issuer.keySet()])
  }

  private func issuers(_ bench: Bench) -> [FakeSocket] { bench.servers.filter { $0.address == "127.0.0.1:9" } }
  private func app(_ bench: Bench) throws -> FakeSocket {
    try #require(bench.servers.last { $0.address == "10.0.0.1:9000" })
  }
  private func askedCount(_ bench: Bench) -> Int { issuers(bench).reduce(0) { $0 + $1.text.ranges(of: "POST ").count } }

  private static let now = Bench.unixMilliseconds / 1000

  private func active(_ more: String = "", seconds: Int64 = 3600) -> String {
    ok("{\"active\":true,\"aud\":\"a\",\"sub\":\"bob\",\"exp\":\(Self.now + seconds)\(more)}")
  }

  private func bearer(_ token: String = "opaque-1") -> String { "Authorization: Bearer \(token)" }

  /// Sends a request with a token, lets the issuer answer if it is asked, and returns what the client gets.
  private func ask(_ bench: Bench, _ answer: String, token: String = "opaque-1") throws -> String {
    let client = bench.connect()
    let before = askedCount(bench)
    client.send(get("/", bearer(token)))
    if askedCount(bench) > before { try #require(issuers(bench).last).send(answer) }
    if client.bytes.isEmpty { try app(bench).send(ok("served")) }
    defer { client.reset() }
    return client.take()
  }

  private func count(_ bench: Bench, _ result: IntrospectionResult) -> UInt64 {
    bench.worker.counters.copy().introspectionCounts.first { $0.result == result }?.count ?? 0
  }

  @Test("The issuer gets the token in a form and the client's secret, and its answer serves further requests")
  func question() throws {
    let bench = try bench()
    let token = "a/b+c=d"
    #expect(try body(of: ask(bench, active(), token: token)) == "served")
    let asked = try #require(issuers(bench).last).text
    #expect(asked.hasPrefix("POST /ask?a=b HTTP/1.1\r\nHost: 127.0.0.1:9\r\n"))
    // "gate%20way:s%3Ae"
    #expect(values("Authorization", in: asked) == ["Basic Z2F0ZSUyMHdheTpzJTNBZQ=="])
    #expect(body(of: asked) == "token=a%2Fb%2Bc%3Dd&token_type_hint=access_token")
    #expect(values("Content-Length", in: asked) == ["\(body(of: asked).utf8.count)"])
    #expect(values("X-User", in: try app(bench).text) == ["bob"])
    #expect(try body(of: ask(bench, "", token: token)) == "served" && askedCount(bench) == 1)
    #expect(count(bench, .active) == 1 && bench.logLines.allSatisfy { $0.contains("\"subject\":\"bob\"") })
    #expect(!bench.logLines.joined().contains(token))
    bench.wait(.seconds(60))
    #expect(try body(of: ask(bench, active(), token: token)) == "served" && askedCount(bench) == 2)
    // A JWT is checked here, and nobody is asked.
    let jwt = try issuer.token()
    #expect(try body(of: ask(bench, "", token: jwt)) == "served" && askedCount(bench) == 2)
    bench.expectNothingHeld()
  }

  @Test("T102 An answer never outlives the token: exp now or past, expires_in 0, or no number at all")
  func ends() throws {
    for (more, seconds) in [
      (",\"x\":1", 5), ("", -1), (",\"expires_in\":0", 3600), (",\"expires_in\":-1", 3600),
      (",\"expires_in\":\"x\"", 3600),
    ] as [(String, Int64)] {
      let bench = try bench(", cache: 60s")
      #expect(try body(of: ask(bench, active(more, seconds: seconds))) == "served")
      #expect(try body(of: ask(bench, active(more, seconds: seconds))) == "served")
      let isKept = seconds == 5
      #expect(askedCount(bench) == (isKept ? 1 : 2), "\(more)")
      bench.wait(.seconds(5))
      #expect(try body(of: ask(bench, active(more, seconds: 3600))) == "served")
      #expect(askedCount(bench) == (isKept ? 2 : 3), "\(more)")
      bench.expectNothingHeld()
    }
    let bench = try bench()
    #expect(try code(ask(bench, active(seconds: -3600))) == "token_expired")
    bench.expectNothingHeld()
  }

  @Test("What is not active is refused, remembered for a moment and not longer, and evicts nobody")
  func inactive() throws {
    let bench = try bench(", refusals: 5s")
    #expect(try body(of: ask(bench, active(), token: "good")) == "served")
    for number in 0..<2000 {
      #expect(try code(ask(bench, ok("{\"active\":false}"), token: "bad-\(number)")) == "token_inactive")
    }
    let before = askedCount(bench)
    #expect(try code(ask(bench, "", token: "bad-1999")) == "token_inactive")
    #expect(try body(of: ask(bench, "", token: "good")) == "served" && askedCount(bench) == before)
    bench.wait(.seconds(5))
    #expect(try body(of: ask(bench, active(), token: "bad-1999")) == "served" && askedCount(bench) == before + 1)
    #expect(count(bench, .inactive) == 2000)
    bench.expectNothingHeld()
  }

  @Test("The issuer's rules count for its answers: audience, issuer, times and required claims")
  func rules() throws {
    let bench = try bench(", cache: 0s")
    for (answer, expected) in [
      ("{\"active\":true,\"aud\":\"other\",\"exp\":\(Self.now + 60)}", "audience_mismatch"),
      ("{\"active\":true,\"aud\":\"a\",\"iss\":\"j\",\"exp\":\(Self.now + 60)}", "issuer_unknown"),
      ("{\"active\":true,\"aud\":\"a\",\"nbf\":\(Self.now + 600),\"exp\":\(Self.now + 900)}", "token_not_yet_valid"),
      ("{\"active\":true,\"aud\":\"a\"}", "claim_missing"),
      ("{\"active\":true,\"aud\":\"a\",\"exp\":\"soon\"}", "claim_invalid"),
    ] {
      #expect(try code(ask(bench, ok(answer))) == expected)
    }
    bench.expectNothingHeld()
    let scoped = try self.bench()
    let client = scoped.connect()
    client.send(get("/", bearer()))
    try #require(issuers(scoped).last).send(active(",\"scope\":\"read write\""))
    #expect(scoped.worker.tokenCache.count == 1)
    client.reset()
    scoped.expectNothingHeld()
  }

  private static let failures = [
    "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", ok("<html>active: true</html>"), ok("{}"),
    ok("[]"),
    ok("{\"active\":\"true\"}"), ok("{\"active\":true,\"active\":false}"), ok("{\"active\":1}"), "garbage\r\n\r\n",
  ]

  @Test(
    "T102 What is not an answer of RFC 7662 is 503 and never 401, and never lets a request pass", arguments: failures)
  func failure(_ answer: String) throws {
    let bench = try bench()
    let refused = try ask(bench, answer)
    #expect(status(refused) == 503 && code(refused) == "introspection_unavailable")
    #expect(values("Retry-After", in: refused) == ["1"] && count(bench, .unavailable) == 1)
    #expect(!bench.servers.contains { $0.address == "10.0.0.1:9000" })
    // Nothing of it is remembered.
    #expect(try body(of: ask(bench, active())) == "served")
    bench.expectNothingHeld()
  }

  @Test("T102 Silence ends at the timeout, an answer behind it is for nobody, and a dead issuer is tried once a second")
  func silence() throws {
    let bench = try bench(", timeout: 2s")
    let client = bench.connect()
    client.send(get("/", bearer()))
    bench.wait(.milliseconds(1800))
    #expect(client.bytes.isEmpty)
    bench.wait(.milliseconds(400))
    #expect(code(client.take()) == "introspection_unavailable")
    try #require(issuers(bench).last).send(active())
    #expect(client.bytes.isEmpty && bench.worker.sideRequests.isEmpty && bench.worker.questions.count == 0)
    bench.refusing = ["127.0.0.1:9"]
    for number in 0..<20 { #expect(try code(ask(bench, "", token: "t-\(number)")) == "introspection_unavailable") }
    #expect(issuers(bench).count == 5)
    #expect(bench.upstreamChanges.count == 1)
    bench.refusing = []
    bench.wait(.seconds(1))
    #expect(try body(of: ask(bench, active())) == "served")
    bench.expectNothingHeld()
  }

  @Test("T102 A storm of tokens is held to the bound, and a thousand requests with one token are one question")
  func storm() throws {
    let bench = try bench(", concurrency: 10")
    let clients = (0..<100).map { _ in bench.connect() }
    for (number, client) in clients.enumerated() { client.send(get("/", bearer("t-\(number)"))) }
    #expect(askedCount(bench) == 10 && bench.worker.sideRequests.count == 10)
    #expect(clients.count { code($0.text) == "introspection_unavailable" } == 90)
    for socket in issuers(bench) { socket.send(ok("{\"active\":false}")) }
    #expect(clients.count { code($0.text) == "token_inactive" } == 10)
    let many = (0..<1000).map { _ in bench.connect() }
    for client in many { client.send(get("/", bearer())) }
    #expect(askedCount(bench) == 11)
    for client in many[..<500] { client.reset() }
    try #require(issuers(bench).last { $0.text.contains("opaque-1") }).send(active())
    for server in bench.servers where server.address == "10.0.0.1:9000" { server.send(ok("served")) }
    #expect(many[500...].allSatisfy { body(of: $0.text) == "served" })
    bench.expectNothingHeld()
  }

  @Test("A question that meets a closed connection is asked again on another, and a reload lets those that wait go on")
  func resilience() throws {
    let bench = try bench(", cache: 0s")
    #expect(try body(of: ask(bench, active())) == "served")
    let client = bench.connect()
    client.send(get("/", bearer("second")))
    // The kept connection was closed just as the question was sent.
    try #require(issuers(bench).last).reset()
    #expect(issuers(bench).count == 2)
    #expect(try body(of: #require(issuers(bench).last).text).hasPrefix("token=second"))
    try bench.reload(text(", cache: 0s"), keySets: [issuer.keySet()])
    try #require(issuers(bench).last).send(active())
    try app(bench).send(ok("served"))
    #expect(body(of: client.take()) == "served")
    #expect(try body(of: ask(bench, active(), token: "third")) == "served")
    bench.expectNothingHeld()
  }
}
