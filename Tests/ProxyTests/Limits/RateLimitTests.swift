// Rate limits in the request path: whom they count, in which order, and how the caller is answered.

import Testing
import Tokens

@testable import Proxy

@Suite("Rate limits on the way")
struct RateLimitTests {
  private func routes(_ limit: String, auth: String = "public", more: String = "") -> String {
    "\(more)\nroutes: [{ name: r, path: /*, auth: \(auth), rate_limit: \(limit), upstream: app }]"
  }

  /// The answer to one request, on a connection of its own. What goes up is answered 200.
  private func ask(_ bench: Bench, from address: String = "192.0.2.7", _ lines: String...) throws -> String {
    let client = bench.connect(from: address)
    client.send((["GET / HTTP/1.1", "Host: h", "Connection: close"] + lines).map { $0 + "\r\n" }.joined() + "\r\n")
    if let server = bench.servers.last, !server.take().isEmpty { server.send(ok()) }
    return client.text
  }

  @Test("Past the limit 429 with a code, Retry-After and the draft's fields, which passing answers carry too")
  func fields() throws {
    let bench = try Bench(routes("{ requests: 2, per: 1m }"))
    let first = try ask(bench)
    #expect(status(first) == 200)
    #expect(values("RateLimit-Policy", in: first) == ["\"default\";q=2;w=60"])
    #expect(values("RateLimit", in: first) == ["\"default\";r=1;t=30"])
    #expect(values("RateLimit", in: try ask(bench)) == ["\"default\";r=0;t=30"])
    bench.wait(.milliseconds(500))
    let refused = try ask(bench)
    #expect(status(refused) == 429 && code(refused) == "rate_limited")
    #expect(lines(of: refused)[0] == "HTTP/1.1 429 Too Many Requests")
    // 29.5 s are left, rounded up to a whole second.
    #expect(values("Retry-After", in: refused) == ["30"])
    #expect(values("RateLimit", in: refused) == ["\"default\";r=0;t=30"])
    #expect(values("RateLimit-Policy", in: refused) == ["\"default\";q=2;w=60"])
    bench.wait(.milliseconds(29_400))
    #expect(values("Retry-After", in: try ask(bench)) == ["1"])
    bench.wait(.milliseconds(100))
    #expect(status(try ask(bench)) == 200)
    let counts = bench.worker.counters.copy()
    #expect(counts.rateLimited(route: 0, isDryRun: false) == 2)
    #expect(bench.logLines.count { $0.contains("\"reason\":\"rate_limited\"") } == 2)
    bench.expectNothingHeld()
  }

  @Test("fields: false shows nothing, and refuses all the same")
  func untold() throws {
    let bench = try Bench(routes("{ requests: 1, per: 1m, fields: false }"))
    let answers = [try ask(bench), try ask(bench)]
    #expect(answers.map(status) == [200, 429])
    for answer in answers { #expect(values("RateLimit", in: answer).isEmpty) }
    #expect(values("Retry-After", in: answers[1]) == ["60"])
  }

  @Test("dry_run counts, shows nothing and refuses nothing")
  func dryRun() throws {
    let bench = try Bench(routes("{ requests: 1, per: 1m, dry_run: true }"))
    for _ in 0..<3 {
      let answer = try ask(bench)
      #expect(status(answer) == 200 && values("RateLimit", in: answer).isEmpty)
    }
    let counts = bench.worker.counters.copy()
    #expect(counts.rateLimited(route: 0, isDryRun: true) == 2 && counts.rateLimited(route: 0, isDryRun: false) == 0)
  }

  @Test("A client is an IPv4 address, or the first 64 bits of an IPv6 one unless the file says otherwise")
  func addresses() throws {
    let bench = try Bench(routes("{ requests: 1, per: 1m }"))
    #expect(status(try ask(bench, from: "192.0.2.7")) == 200)
    #expect(status(try ask(bench, from: "192.0.2.8")) == 200)
    #expect(status(try ask(bench, from: "192.0.2.7")) == 429)
    #expect(status(try ask(bench, from: "2001:db8:1:2::1")) == 200)
    #expect(status(try ask(bench, from: "2001:db8:1:2:ffff::2")) == 429)
    #expect(status(try ask(bench, from: "2001:db8:1:3::1")) == 200)
    let wide = try Bench(routes("{ requests: 1, per: 1m }", more: "limits: { ipv6_prefix: 48 }"))
    #expect(status(try ask(wide, from: "2001:db8:1:2::1")) == 200)
    #expect(status(try ask(wide, from: "2001:db8:1:3::1")) == 429)
    let narrow = try Bench(routes("{ requests: 1, per: 1m }", more: "limits: { ipv6_prefix: 128 }"))
    #expect(status(try ask(narrow, from: "2001:db8::1")) == 200)
    #expect(status(try ask(narrow, from: "2001:db8::2")) == 200)
  }

  @Test("X-Forwarded-For makes a client where a trusted proxy sends it, and from nobody else (T38)")
  func forwarded() throws {
    let bench = try Bench(routes("{ requests: 1, per: 1m }", more: "trusted_proxies: [10.0.0.0/8]"))
    #expect(status(try ask(bench, from: "10.0.0.1", "X-Forwarded-For: 198.51.100.1")) == 200)
    #expect(status(try ask(bench, from: "10.0.0.2", "X-Forwarded-For: 1.2.3.4, 198.51.100.1")) == 429)
    #expect(status(try ask(bench, from: "10.0.0.1", "X-Forwarded-For: 198.51.100.2")) == 200)
    #expect(status(try ask(bench, from: "192.0.2.7", "X-Forwarded-For: 198.51.100.3")) == 200)
    #expect(status(try ask(bench, from: "192.0.2.7", "X-Forwarded-For: 198.51.100.4")) == 429)
  }

  @Test("By header and by cookie: each value has its own bucket. None, two or an empty one counts for the address")
  func headers() throws {
    let cases = [("\"header:X-Key\"", "X-Key: "), ("\"cookie:key\"", "Cookie: a=b; key=")]
    for (by, field) in cases {
      let bench = try Bench(routes("{ requests: 1, per: 1m, by: \(by) }"))
      #expect(status(try ask(bench, "\(field)one")) == 200)
      #expect(status(try ask(bench, "\(field)two")) == 200)
      #expect(status(try ask(bench, from: "192.0.2.99", "\(field)one")) == 429)
      #expect(status(try ask(bench)) == 200)
      #expect(status(try ask(bench, field)) == 429)
      #expect(status(try ask(bench, "\(field)three", "\(field)four")) == 429)
      #expect(status(try ask(bench, "\(field)three")) == 200)
    }
  }

  @Test("By route: one bucket for all of its callers")
  func wholeRoute() throws {
    let bench = try Bench(routes("{ requests: 2, per: 1m, by: route }"))
    #expect(status(try ask(bench, from: "192.0.2.1")) == 200)
    #expect(status(try ask(bench, from: "192.0.2.2")) == 200)
    #expect(status(try ask(bench, from: "192.0.2.3")) == 429)
  }

  @Test("By claim: each subject has a bucket of its own, wherever it comes from. Nested claims and numbers count")
  func claims() throws {
    let issuer = try BenchIssuer()
    func bench(_ by: String, auth: String = "login") throws -> Bench {
      try Bench(
        routes("{ requests: 1, per: 1m, by: \"claim:\(by)\" }", auth: auth, more: issuer.section),
        keySets: [try issuer.keySet()])
    }
    func field(_ more: String) throws -> String { "Authorization: Bearer \(try issuer.token(more))" }
    let nested = try bench("org.id")
    #expect(status(try ask(nested, try field(",\"org\":{\"id\":1}"))) == 200)
    #expect(status(try ask(nested, from: "192.0.2.8", try field(",\"org\":{\"id\":1},\"x\":1"))) == 429)
    #expect(status(try ask(nested, try field(",\"org\":{\"id\":2}"))) == 200)
    // An escaped text is the same text.
    #expect(status(try ask(nested, try field(",\"org\":{\"id\":\"ab\"}"))) == 200)
    #expect(status(try ask(nested, try field(",\"org\":{\"id\":\"\\u0061b\"}"))) == 429)
    // No such claim, and claims that are no single value: the address.
    #expect(status(try ask(nested, try field(",\"org\":{\"id\":[1]}"))) == 200)
    for other in [",\"org\":{\"id\":null}", ",\"org\":{\"id\":{}}", ",\"org\":{\"id\":[2]}", ""] {
      #expect(status(try ask(nested, try field(other))) == 429)
    }
    let optional = try bench("sub", auth: "{ issuers: [login], optional: true }")
    #expect(status(try ask(optional)) == 200)
    #expect(status(try ask(optional)) == 429)
    #expect(status(try ask(optional, try field(""))) == 200)
    #expect(status(try ask(optional, from: "192.0.2.8", try field(",\"x\":2"))) == 429)
  }

  @Test("Two issuers that both have a caller of one name do not share a bucket (T20)")
  func issuers() throws {
    let (one, two) = (try BenchIssuer(keyID: "key-1"), try BenchIssuer(keyID: "key-2"))
    let sections =
      one.section.dropLast(2) + ", "
      + two.section.dropFirst("issuers: { ".count)
      .replacing("login:", with: "other:").replacing("issuer: i", with: "issuer: j")
    let bench = try Bench(
      "\(sections)\nroutes: [{ path: /*, auth: { issuers: [login, other] }, upstream: app, "
        + "rate_limit: { requests: 1, per: 1m, by: claim:sub } }]",
      keySets: [try one.keySet(), try two.keySet()])
    let first = try one.token()
    let payload = "{\"iss\":\"j\",\"aud\":\"a\",\"sub\":\"alice\",\"exp\":\(Bench.unixMilliseconds / 1000 + 60)}"
    let second = String(
      decoding: try #require(
        encodeCompact(algorithm: .edDSA, header: "\"kid\":\"key-2\"", payload: payload, key: two.key)), as: UTF8.self)
    #expect(status(try ask(bench, "Authorization: Bearer \(first)")) == 200)
    #expect(status(try ask(bench, "Authorization: Bearer \(second)")) == 200)
    #expect(status(try ask(bench, "Authorization: Bearer \(second)")) == 429)
  }

  @Test("Two tenants of an issuer that both have a caller of one name do not share a bucket")
  func tenants() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      routes(
        "{ requests: 1, per: 1m, by: claim:sub }", auth: "login", more: issuer.section(tenants: "[one, two]")),
      keySets: [try issuer.keySet()])
    func field(_ tenant: String, _ more: String = "") throws -> String {
      "Authorization: Bearer \(try issuer.token(",\"org\":\"\(tenant)\"\(more)", issuer: tenant))"
    }
    #expect(status(try ask(bench, try field("one"))) == 200)
    #expect(status(try ask(bench, try field("two"))) == 200)
    #expect(status(try ask(bench, try field("one", ",\"x\":1"))) == 429)
    #expect(status(try ask(bench, try field("two", ",\"x\":1"))) == 429)
  }

  @Test("A flood of bad tokens is held by the address before any is looked at. A limit by claim never counts them")
  func order() throws {
    let issuer = try BenchIssuer()
    let bench = try Bench(
      routes(
        "[{ requests: 1, per: 1m, by: claim:sub }, { requests: 3, per: 1m }]", auth: "login", more: issuer.section),
      keySets: [try issuer.keySet()])
    let good = "Authorization: Bearer \(try issuer.token())"
    #expect(status(try ask(bench, "Authorization: Bearer x.y.z")) == 401)
    let passed = try ask(bench, good)
    #expect(status(passed) == 200)
    #expect(values("RateLimit", in: passed) == ["\"default-2\";r=1;t=20", "\"default\";r=0;t=60"])
    let byClaim = try ask(bench, good)
    #expect(status(byClaim) == 429 && values("Retry-After", in: byClaim) == ["60"])
    let looksBefore = bench.worker.counters.copy().authenticationCounts.reduce(0) { $0 + $1.count }
    let flooded = try ask(bench, "Authorization: Bearer x.y.z")
    #expect(status(flooded) == 429 && values("RateLimit", in: flooded) == ["\"default-2\";r=0;t=20"])
    #expect(bench.worker.counters.copy().authenticationCounts.reduce(0) { $0 + $1.count } == looksBefore)
  }

  @Test("A limit that two routes name is one. Those on routes are each route's own")
  func shared() throws {
    let bench = try Bench(
      """
      rate_limits: { both: { requests: 2, per: 1m } }
      routes:
        - { path: /a, auth: public, rate_limit: both, respond: { status: 200 } }
        - { path: /b, auth: public, rate_limit: [both, { requests: 9, per: 1h }], respond: { status: 204 } }
        - { path: /c, auth: public, rate_limit: { requests: 1, per: 1m }, respond: { status: 200 } }
        - { path: /d, auth: public, rate_limit: { requests: 1, per: 1m }, respond: { status: 200 } }
      """)
    let client = bench.connect()
    func ask(_ path: String) -> String {
      client.send(get(path))
      return client.take()
    }
    #expect(status(ask("/a")) == 200)
    let both = ask("/b")
    #expect(status(both) == 204 && values("RateLimit", in: both) == ["\"both\";r=0;t=30", "\"default-2\";r=8;t=400"])
    #expect(status(ask("/a")) == 429 && status(ask("/b")) == 429)
    #expect(status(ask("/c")) == 200 && status(ask("/d")) == 200 && status(ask("/c")) == 429)
  }

  @Test(
    "Buckets outlive a reload that leaves the limit as it is, also where it becomes a dry run. A changed one is new")
  func reload() throws {
    let bench = try Bench(routes("{ requests: 1, per: 1m }"))
    #expect(status(try ask(bench)) == 200)
    try bench.reload("limits: { headers: 50 }\n" + routes("{ requests: 1, per: 1m, fields: false }"))
    #expect(status(try ask(bench)) == 429)
    try bench.reload(routes("{ requests: 1, per: 1m, dry_run: true }"))
    #expect(status(try ask(bench)) == 200)
    try bench.reload(routes("{ requests: 1, per: 1m }"))
    #expect(status(try ask(bench)) == 429)
    try bench.reload(routes("{ requests: 1, per: 1m, by: route }"))
    #expect(status(try ask(bench)) == 200)
    #expect(status(try ask(bench)) == 429)
    let kept = bench.snapshot.routes[0].earlyRateLimits[0].limiter
    // Not even a route of another name in front takes them away.
    try bench.reload(
      """
      routes:
        - { path: /new, auth: public, rate_limit: { requests: 1, per: 1m, by: route }, upstream: app }
        - { path: /*, auth: public, rate_limit: { requests: 1, per: 1m, by: route }, upstream: app }
      """)
    #expect(bench.snapshot.routes[1].earlyRateLimits[0].limiter === kept)
    #expect(bench.snapshot.routes[0].earlyRateLimits[0].limiter !== kept)
  }

  @Test("Over HTTP/2 the same fields. A call of gRPC gets RESOURCE_EXHAUSTED, with Retry-After")
  func multiplexed() throws {
    let issuer = try BenchIssuer()
    let bench = try CallBench(
      "\(issuer.section)\nroutes: [{ path: /*, auth: public, upstream: app, rate_limit: { requests: 1, per: 1m } }]",
      issuer: issuer)
    _ = try bench.call()
    let refused = try bench.call()
    try bench.expectRefusal(refused, 8, "rate_limited")
  }
}
