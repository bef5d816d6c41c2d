// Where a token may be, what its absence means, and what is refused with which words.

import Testing
import Tokens

@testable import Proxy

@Suite("Authentication")
struct AuthenticateTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private func bench(_ route: String) throws -> Bench {
    try Bench("routes: [{ path: /*, upstream: app, \(route) }]\n" + issuer.section, keySets: [issuer.keySet()])
  }

  /// The refusal's code, or the request that went up.
  private func outcome(_ bench: Bench, _ request: String) throws -> String {
    let client = bench.connect()
    let before = bench.servers.count
    client.send(request)
    if bench.servers.count == before { return code(client.text) }
    defer { client.reset() }
    return try bench.server().text
  }

  @Test("Each refusal of a token has its status, code and challenge (RFC 6750)")
  func challenges() throws {
    let bench = try bench("auth: { issuers: [login], scopes: [a, b], claims: { tier: gold } }")
    let token = try issuer.token()
    let cases: [(String, Int, String, String)] = [
      (get(), 401, "token_missing", "Bearer realm=\"catraca\""),
      (get("/", "Authorization: Basic eDp5"), 401, "scheme_not_bearer", "Bearer realm=\"catraca\""),
      (get("/", "Authorization: \(token)"), 401, "scheme_not_bearer", "Bearer realm=\"catraca\""),
      (get("/", "Authorization: Token \(token)"), 401, "scheme_not_bearer", "Bearer realm=\"catraca\""),
      (get("/", "Authorization:"), 401, "token_missing", "Bearer realm=\"catraca\""),
      (get("/", "Authorization: Bearer"), 401, "token_missing", "Bearer realm=\"catraca\""),
      (
        get("/", "Authorization: Bearer x"), 401, "token_malformed", "Bearer realm=\"catraca\", error=\"invalid_token\""
      ),
      (
        get("/", "Authorization: Bearer \(token)", "Authorization: Bearer \(token)"), 401, "token_ambiguous",
        "Bearer realm=\"catraca\", error=\"invalid_token\""
      ),
      (
        get("/", "Authorization: Bearer \(try issuer.token(seconds: -60))"), 401, "token_expired",
        "Bearer realm=\"catraca\", error=\"invalid_token\""
      ),
      (
        get("/", "Authorization: Bearer \(token.dropLast(4))AAAA"), 401, "signature_invalid",
        "Bearer realm=\"catraca\", error=\"invalid_token\""
      ),
      (
        get("/", "Authorization: bearer   \(token)"), 403, "scope_missing",
        "Bearer realm=\"catraca\", error=\"insufficient_scope\", scope=\"a b\""
      ),
      (
        get("/", "Authorization: Bearer \(try issuer.token(",\"scope\":\"b a\""))"), 403, "claim_mismatch",
        "Bearer realm=\"catraca\", error=\"insufficient_scope\""
      ),
    ]
    for (request, wantedStatus, wantedCode, challenge) in cases {
      let client = bench.connect()
      client.send(request)
      #expect(status(client.text) == wantedStatus && code(client.text) == wantedCode, "\(client.text)")
      #expect(values("WWW-Authenticate", in: client.text) == [challenge])
      #expect(values("Content-Type", in: client.text) == ["application/problem+json"] && !client.isGone)
      #expect(!client.text.contains(token))
    }
    #expect(bench.servers.isEmpty)
    #expect(bench.logLines.count == cases.count && !bench.logLines.contains { $0.contains(token.prefix(40)) }, "T59")
    bench.expectNothingHeld()
  }

  @Test("T30 Scopes are checked on a remembered token as on a fresh one")
  func scopesOnHit() throws {
    let bench = try Bench(
      "routes:\n- { path: /open, upstream: app, auth: login }\n- { path: /admin, upstream: app, auth: { issuers: [login], scopes: [admin] } }\n"
        + issuer.section, keySets: [issuer.keySet()])
    let field = "Authorization: Bearer \(try issuer.token())"
    #expect(try outcome(bench, get("/open", field)).hasPrefix("GET /open"))
    #expect(try outcome(bench, get("/admin", field)) == "scope_missing")
    #expect(try outcome(bench, get("/open", field)).hasPrefix("GET /open"))
    #expect(bench.worker.counters.copy().tokenCacheHits == 2)
  }

  @Test("The bound of the configuration holds, and a reload brings its own")
  func cacheBound() throws {
    let text = "routes: [{ path: /*, upstream: app, auth: login }]\n" + issuer.section
    let bench = try Bench(text + "\nlimits: { token_cache: 0B }", keySets: [issuer.keySet()])
    let field = "Authorization: Bearer \(try issuer.token())"
    for _ in 0..<2 { #expect(try outcome(bench, get("/", field)).hasPrefix("GET")) }
    #expect(bench.worker.tokenCache.count == 0 && bench.worker.counters.copy().tokenCacheHits == 0)
    try bench.reload(text + "\nlimits: { token_cache: 1MiB }", keySets: [issuer.keySet()])
    for _ in 0..<2 { #expect(try outcome(bench, get("/", field)).hasPrefix("GET")) }
    #expect(bench.worker.tokenCache.byteCountMax == 1 << 20 && bench.worker.counters.copy().tokenCacheHits == 1)
    try bench.reload(text, keySets: [issuer.keySet()])
    #expect(bench.worker.tokenCache.count == 0 && bench.worker.tokenCache.byteCountMax == 64 << 20)
  }

  @Test("T16 T27 A remembered token dies with its time and with its key")
  func rememberedDies() throws {
    let bench = try bench("auth: login")
    let field = "Authorization: Bearer \(try issuer.token(seconds: 5))"
    #expect(try outcome(bench, get("/", field)).hasPrefix("GET"))
    bench.wait(.seconds(34))
    #expect(try outcome(bench, get("/", field)).hasPrefix("GET"))
    bench.wait(.seconds(2))
    #expect(try outcome(bench, get("/", field)) == "token_expired")
    let fresh = "Authorization: Bearer \(try issuer.token())"
    #expect(try outcome(bench, get("/", fresh)).hasPrefix("GET"))
    let other = try BenchIssuer().keySet()
    bench.act { $0.install(other, issuer: 0) }
    #expect(try outcome(bench, get("/", fresh)) == "signature_invalid")
  }

  @Test("An optional token may be missing. A bad one is refused all the same")
  func optional() throws {
    let bench = try bench("auth: { issuers: [login], optional: true }, identity: { headers: { X-User: sub } }")
    let anonymous = try outcome(bench, get("/", "X-User: root"))
    #expect(anonymous.hasPrefix("GET / ") && values("X-User", in: anonymous).isEmpty)
    #expect(try outcome(bench, get("/", "Authorization: Bearer x.y.z")) == "token_malformed")
    let known = try outcome(bench, get("/", "X-User: root", "Authorization: Bearer \(try issuer.token())"))
    #expect(values("X-User", in: known) == ["alice"])
  }

  @Test("A token is taken from each place and does not go on, from whichever place it came")
  func places() throws {
    let bench = try bench(
      "auth: { issuers: [login], tokens_from: [authorization, 'cookie:session', 'query:t', 'header:X-Token'] }")
    let token = try issuer.token()
    let requests = [
      get("/a?x=1", "Authorization: Bearer \(token)"), get("/a?x=1", "Cookie: a=b; session=\(token); c=d"),
      get("/a?x=1", "Cookie: session=\"\(token)\""), get("/a?t=\(token)&x=1"), get("/a?x=1&t=\(token)"),
      get("/a?t=\(token)"),
      get("/a?x=1", "x-token: \(token)"),
    ]
    for request in requests {
      let sent = try outcome(bench, request)
      #expect(sent.hasPrefix("GET /a"), "\(sent)")
      #expect(!sent.contains(token.suffix(20)), "\(sent)")
      #expect(values("Cookie", in: sent) == (request.contains("a=b") ? ["a=b; c=d"] : []))
    }
    #expect(try lines(of: outcome(bench, get("/a?t=\(token)&x=1")))[0] == "GET /a?x=1 HTTP/1.1")
    #expect(try lines(of: outcome(bench, get("/a?t=\(token)")))[0] == "GET /a HTTP/1.1")
    for request in [
      get("/?t=\(token)&t=\(token)"), get("/", "Cookie: session=a; session=\(token)"),
      get("/", "Cookie: session=a", "Cookie: session=b"),
      get("/", "X-Token: \(token)", "X-Token: \(token)"),
    ] { #expect(try outcome(bench, request) == "token_ambiguous") }
  }

  @Test("T80: A token in a second place is refused, and what is under names like the places' does not go on")
  func otherPlaces() throws {
    let bench = try bench(
      "auth: { issuers: [login], tokens_from: [authorization, 'cookie:session', 'query:t', 'header:X-Token'] }")
    let bearer = "Authorization: Bearer \(try issuer.token())"
    for request in [
      get("/a?t=forged", bearer), get("/a", bearer, "Cookie: session=forged"), get("/a", bearer, "X-Token: forged"),
      get("/a", bearer, "X_Token: forged"),
    ] { #expect(try outcome(bench, request) == "token_ambiguous") }
    let sent = try outcome(
      bench, get("/a?T=forged&x=1", "Cookie: SESSION=forged; a=b,session=forged; a=b", "X-Token:", bearer))
    #expect(lines(of: sent).first == "GET /a?x=1 HTTP/1.1")
    #expect(!sent.contains("forged"), "\(sent)")
  }

  @Test("A token is forwarded where the route says so")
  func forwarded() throws {
    let bench = try bench(
      "auth: { issuers: [login], tokens_from: [authorization, 'cookie:s', 'query:t', 'header:X-Token'] }, identity: { forward_token: true }"
    )
    let token = try issuer.token()
    for request in [
      get("/a", "Authorization: Bearer \(token)"), get("/a", "Cookie: s=\(token)"), get("/a?t=\(token)"),
      get("/a", "X-Token: \(token)"),
    ] { #expect(try outcome(bench, request).contains(token)) }
  }
}
