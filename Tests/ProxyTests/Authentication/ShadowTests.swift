// Rules in shadow: what they would refuse is logged and counted, the request goes on as if nobody had looked, and no
// caller comes of it.

import Testing
import Tokens

@testable import Proxy

@Suite("Rules in shadow")
struct ShadowTests {
  let issuer: BenchIssuer
  let other: BenchIssuer

  init() throws {
    issuer = try BenchIssuer()
    other = try BenchIssuer(keyID: "key-2")
  }

  private func text(_ more: String = "", mode: String = "shadow") -> String {
    """
    routes:
    - path: /*
      auth: { issuers: [login], scopes: [a], mode: \(mode) }
      upstream: app
      identity: { headers: { X-User: sub }, payload: X-Payload }
      \(more)
    \(issuer.section)
    """
  }

  /// What goes up for a request. Nothing where the gateway itself answers.
  private func sent(_ bench: Bench, _ request: String) throws -> String {
    let client = bench.connect()
    let before = bench.servers.count
    client.send(request)
    defer { client.reset() }
    return bench.servers.count == before ? "" : try bench.server().text
  }

  private func counts(_ bench: Bench) -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for (_, _, outcome, count) in bench.worker.counters.copy().shadowCounts {
      result[outcome.label, default: 0] += count
    }
    return result
  }

  @Test("A route in shadow lets everything pass as it came, without identity, and says what it would have refused")
  func route() throws {
    let bench = try Bench(text(), keySets: [issuer.keySet()])
    let cases: [(fields: [String], reason: String?)] = [
      ([], "token_missing"),
      (["Authorization: Bearer x"], "token_malformed"),
      (["Authorization: Basic eDp5"], "scheme_not_bearer"),
      (["Authorization: Bearer \(try issuer.token(seconds: -60))"], "token_expired"),
      (["Authorization: Bearer \(try issuer.token())"], "scope_missing"),
      (["Authorization: Bearer \(try other.token(keyID: "key-1"))"], "signature_invalid"),
      (["Authorization: Bearer \(try issuer.token(",\"scope\":\"a\""))"], nil),
      // From memory.
      (["Authorization: Bearer \(try issuer.token(",\"scope\":\"a\""))"], nil),
    ]
    for (fields, reason) in cases {
      let logged = bench.logLines.count
      let up = try sent(
        bench, get("/", (fields + ["X-User: root", "X-Payload: e30", "x_user: root"]).joined(separator: "\r\n")))
      #expect(fields.allSatisfy { up.contains($0) }, "\(up)")
      #expect(!up.lowercased().contains("root") && !up.contains("alice") && !up.contains("X-Payload"))
      let line = try #require(bench.logLines.dropFirst(logged).first)
      #expect(line.contains("\"shadow_reason\":\"\(reason ?? "")\"") == (reason != nil), "\(line)")
    }
    var expected: [String: UInt64] = ["accepted": 2]
    for reason in cases.compactMap(\.reason) { expected[reason] = 1 }
    #expect(counts(bench) == expected)
    #expect(bench.worker.counters.copy().authenticationCounts.isEmpty)
    #expect(bench.refusalNotices.allSatisfy(\.isShadow) && bench.refusalNotices.count == 5)
    bench.expectNothingHeld()
  }

  @Test("The same rule refuses after a reload that turns it to enforce")
  func enforced() throws {
    let bench = try Bench(text(), keySets: [issuer.keySet()])
    let bad = get("/", "Authorization: Bearer x")
    #expect(try !sent(bench, bad).isEmpty)
    try bench.reload(text(mode: "enforce"), keySets: [issuer.keySet()])
    #expect(try sent(bench, bad).isEmpty)
    #expect(counts(bench) == ["token_malformed": 1])
    let good = get("/", "Authorization: Bearer \(try issuer.token(",\"scope\":\"a\""))")
    #expect(try sent(bench, good).contains("X-User: alice"))
    bench.expectNothingHeld()
  }

  @Test("Limits by claim count nobody in shadow, and limits by address count everybody")
  func limits() throws {
    let limits = "rate_limit: [{ requests: 1, per: 1m, by: claim:sub }, { requests: 3, per: 1m, by: client_ip }]"
    let bench = try Bench(text(limits), keySets: [issuer.keySet()])
    let good = get("/", "Authorization: Bearer \(try issuer.token(",\"scope\":\"a\""))")
    for _ in 0..<3 { #expect(try !sent(bench, good).isEmpty) }
    #expect(try sent(bench, good).isEmpty)
  }

  @Test("An unknown key is asked for, and the request goes on whatever comes of that")
  func keys() throws {
    for isAnswered in [true, false] {
      let bench = try Bench(text(), keySets: [issuer.keySet()])
      let client = bench.connect()
      let token = try other.token(",\"scope\":\"a\"")
      client.send(
        head("POST / HTTP/1.1", "Host: h", "Content-Length: 4", "Authorization: Bearer \(token)") + "data")
      #expect(bench.refreshedIssuers == [0] && bench.servers.isEmpty)
      if isAnswered { try bench.answer(.keys(haveChanged: false)) } else { bench.wait(.seconds(2)) }
      let up = try bench.server().text
      #expect(body(of: up) == "data" && up.contains(token))
      try bench.server().send(ok("done"))
      #expect(client.text.contains("done"))
      #expect(counts(bench) == ["key_unknown": 1])
      bench.expectNothingHeld()
    }
  }

  @Test(
    "A token of an issuer in shadow passes unknown and stays here, one of another issuer counts, and none is refused")
  func issuers() throws {
    let sections = issuer.section.dropLast(4) + ", mode: shadow }, trusted: { issuer: t, audiences: [a], jwks: "
    let keys = other.section.split(separator: "jwks: ")[1].dropLast(4)
    let text = """
      routes:
      - path: /*
        auth: { issuers: [login, trusted] }
        upstream: app
        identity: { headers: { X-User: sub }, forward_token: true }
      \(sections)\(keys) } }
      """
    let bench = try Bench(text, keySets: [issuer.keySet(), other.keySet()])
    for token in [try issuer.token(), try issuer.token(seconds: -60), try other.token(keyID: "key-1")] {
      let up = try sent(bench, get("/", "Authorization: Bearer \(token)"))
      #expect(!up.isEmpty && !up.contains("X-User") && !up.contains(token))
    }
    #expect(counts(bench) == ["accepted": 1, "token_expired": 1, "signature_invalid": 1])
    let token = try other.token(issuer: "t")
    #expect(try sent(bench, get("/", "Authorization: Bearer \(token)")).contains("X-User: alice"))
    for fields in ["X: y", "Authorization: Bearer x", "Authorization: Bearer \(try issuer.token(issuer: "u"))"] {
      #expect(try sent(bench, get("/", fields)).isEmpty)
    }
    bench.expectNothingHeld()
  }

  @Test("A session in shadow is looked for, and pages of other origins and people without one pass")
  func sessions() throws {
    let bench = try Bench(
      """
      sessions: { web: { store: memory, exchange: { path: /session, issuers: [login] } } }
      routes:
      - path: /*
        auth: { sessions: [web], mode: shadow }
        upstream: app
      \(issuer.section)
      """, keySets: [issuer.keySet()])
    let cookie = "Cookie: __Host-session=\(String(repeating: "aB3-", count: 10))xyz"
    let client = bench.connect()
    client.send(get("/", cookie))
    try bench.answer(.refused(.sessionExpired))
    #expect(try !bench.server().text.contains("__Host-session"))
    try bench.server().send(ok("page"))
    #expect(client.text.contains("page") && !client.text.contains("Set-Cookie"))
    client.reset()
    let foreign = head("POST / HTTP/1.1", "Host: h", "Content-Length: 0", cookie, "Origin: https://evil.example")
    for (request, method) in [(foreign, "POST"), (get("/", "Sec-Fetch-Mode: navigate", "Accept: text/html"), "GET")] {
      let client = bench.connect()
      let before = try bench.server().text.count
      client.send(request)
      #expect(try bench.server().text.dropFirst(before).hasPrefix(method))
      try bench.server().send(ok("page"))
      #expect(client.text.contains("page"))
      client.reset()
    }
    #expect(counts(bench) == ["session_expired": 1, "origin_not_allowed": 1, "session_missing": 1])
    bench.expectNothingHeld()
  }

  @Test("A token of an issuer in shadow begins no session unless it is good")
  func exchange() throws {
    let bench = try Bench(
      """
      sessions: { web: { store: memory, exchange: { path: /session, issuers: [login] } } }
      routes: [{ path: /*, auth: { sessions: [web] }, upstream: app }]
      \(issuer.section.replacing("audiences", with: "mode: shadow, audiences"))
      """, keySets: [issuer.keySet()])
    let client = bench.connect()
    client.send(
      head(
        "POST /session HTTP/1.1", "Host: h", "Content-Length: 0",
        "Authorization: Bearer \(try issuer.token(seconds: -60))"))
    #expect(code(client.text) == "token_expired" && bench.sessionChanges.isEmpty)
    client.reset()
    bench.expectNothingHeld()
  }

  @Test("A WebSocket of a route in shadow outlives its token and a reload, and ends when the route enforces")
  func tunnel() throws {
    let shadow = text("websocket: true")
    let bench = try Bench(shadow, keySets: [issuer.keySet()])
    let client = bench.connect()
    client.send(handshake("/", "Authorization: Bearer \(try issuer.token(",\"scope\":\"a\"", seconds: 60))"))
    try bench.server().send(switching())
    #expect(client.text.hasPrefix("HTTP/1.1 101"))
    bench.wait(.seconds(120))
    try bench.reload(shadow + "\n# again", keySets: [issuer.keySet()])
    #expect(!client.isGone)
    try bench.reload(text("websocket: true", mode: "enforce"), keySets: [issuer.keySet()])
    bench.wait(.seconds(30))
    #expect(client.isGone)
    bench.expectNothingHeld()
  }
}
