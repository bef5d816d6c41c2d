// API keys: which credential counts, where a key may be, what goes on to the upstream, and what happens when keys
// change under what is under way.

import Bytes
import Cryptography
import Testing
import Tokens

@testable import Configuration
@testable import Proxy

@Suite("API keys")
struct APIKeyTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private static func hash(_ key: String) -> String {
    "sha256:" + String(decoding: Base64URL.encode(SHA256.digest(Array(key.utf8).span).span), as: UTF8.self)
  }

  private func text(
    _ auth: String = "{ api_keys: [partners] }", from: String = "[header:X-Api-Key]", entries: String? = nil,
    _ more: String = ""
  ) -> String {
    let keys =
      entries
        ?? """
        { id: acme, hash: "\(Self.hash("good"))", claims: { plan: gold, level: 3 }, scopes: [a, b] },
              { id: old, hash: "\(Self.hash("over"))", expires: 2023-11-14T22:13:20Z }
        """
    return """
      api_keys:
        partners:
          from: \(from)
          keys: [\(keys)]
        others: { keys: [{ id: bob, hash: "\(Self.hash("other"))" }] }
      sessions: { web: { store: memory, exchange: { path: /session, issuers: [login] } } }
      routes:
      - path: /*
        auth: \(auth)
        upstream: app
        identity: { headers: { X-User: sub, X-Plan: plan }, forward_token: true }
        \(more)
      - { path: /others, auth: { api_keys: [others], sessions: [web], issuers: [login] }, upstream: app }
      \(issuer.section)
      """
  }

  /// What goes up for a request, or the code with which it was refused.
  private func outcome(_ bench: Bench, _ request: String) throws -> String {
    let client = bench.connect()
    let before = bench.servers.count
    client.send(request)
    defer { client.reset() }
    return bench.servers.count == before ? code(client.text) : try bench.server().text
  }

  @Test("A key's caller has its claims and scopes, and the key itself goes nowhere")
  func passes() throws {
    let bench = try Bench(text("{ api_keys: [partners], scopes: [a], claims: { level: 3 } }"))
    // The second time from memory.
    for _ in 0..<2 {
      let up = try outcome(bench, get("/x?a=1", "X-Api-Key: good"))
      #expect(up.contains("X-User: acme\r\n") && up.contains("X-Plan: gold\r\n"))
      #expect(!up.lowercased().contains("api"))
    }
    #expect(bench.worker.tokenCache.count == 1)
    #expect(
      bench.logLines.allSatisfy { $0.contains("\"auth_kind\":\"api_key\"") && $0.contains("\"subject\":\"acme\"") })
    #expect(!bench.logLines.contains { $0.contains("good") })
    bench.expectNothingHeld()
  }

  @Test("Each refusal of a key has its code and its challenge, and nothing of the key is told")
  func refusals() throws {
    let bench = try Bench(text("{ api_keys: [partners], scopes: [c] }"))
    let cases: [(String, Int, String)] = [
      (get("/"), 401, "api_key_missing"), (get("/", "X-Api-Key:"), 401, "api_key_missing"),
      (get("/", "X-Api-Key: nonsense"), 401, "api_key_invalid"), (get("/", "X-Api-Key: Good"), 401, "api_key_invalid"),
      (get("/", "X-Api-Key: other"), 401, "api_key_invalid"),
      (get("/", "X-Api-Key: \(String(repeating: "k", count: 600))"), 401, "api_key_invalid"),
      (get("/", "X-Api-Key: over"), 401, "api_key_expired"),
      (get("/", "X-Api-Key: good", "X-Api-Key: good"), 401, "token_ambiguous"),
      (get("/", "X-Api-Key: good"), 403, "scope_missing"),
    ]
    for (request, wantedStatus, wantedCode) in cases {
      let client = bench.connect()
      client.send(request)
      #expect(status(client.text) == wantedStatus && code(client.text) == wantedCode, "\(client.text)")
      #expect(values("WWW-Authenticate", in: client.text).first?.hasPrefix("ApiKey realm=\"catraca\"") == true)
      #expect(!client.text.contains("nonsense"))
    }
    #expect(bench.servers.isEmpty && !bench.logLines.contains { $0.contains("nonsense") })
    #expect(!bench.refusalNotices.contains { "\($0)".contains("nonsense") })
    bench.expectNothingHeld()
  }

  @Test("The first kind of credential that a request has decides: a token, then a key, then a session")
  func order() throws {
    let bench = try Bench(
      text("{ issuers: [login], api_keys: [partners], sessions: [web] }"), keySets: [issuer.keySet()])
    let token = "Authorization: Bearer \(try issuer.token())"
    let cookie = "Cookie: __Host-session=\(String(repeating: "aB3-", count: 10))xyz"
    #expect(try outcome(bench, get("/", token, "X-Api-Key: nonsense")).contains("X-User: alice"))
    #expect(try !outcome(bench, get("/", token, "X-Api-Key: good")).contains("good"))
    #expect(try !outcome(bench, get("/", token, "x_api_key: good")).contains("good"))
    #expect(try outcome(bench, get("/", "Authorization: Bearer x", "X-Api-Key: good")) == "token_malformed")
    #expect(try outcome(bench, get("/", "X-Api-Key: good", cookie)).contains("X-User: acme"))
    #expect(try outcome(bench, get("/", "X-Api-Key: nonsense", cookie)) == "api_key_invalid")
    #expect(bench.asked.isEmpty)
    #expect(try outcome(bench, get("/", "X: y")) == "session_missing")
    bench.expectNothingHeld()
  }

  @Test("A key in the query is taken out of it and of Referer, and one of Basic has its id as the name")
  func places() throws {
    let bench = try Bench(text(from: "[\"query:key\", basic]"))
    let up = try outcome(bench, get("/x?a=1&key=good&b=2", "Referer: http://h/x?key=good&c=3"))
    #expect(up.hasPrefix("GET /x?a=1&b=2 HTTP/1.1") && !up.contains("good") && up.contains("c=3"))
    // acme:good, bob:good, acme:nonsense, and no colon.
    #expect(try outcome(bench, get("/", "Authorization: Basic YWNtZTpnb29k")).contains("X-User: acme"))
    #expect(try !outcome(bench, get("/", "Authorization: Basic YWNtZTpnb29k")).contains("Authorization"))
    #expect(try outcome(bench, get("/", "Authorization: Basic Ym9iOmdvb2Q=")) == "api_key_invalid")
    #expect(try outcome(bench, get("/", "Authorization: Basic YWNtZTpub25zZW5zZQ==")) == "api_key_invalid")
    #expect(try outcome(bench, get("/", "Authorization: Basic YWNtZQ==")) == "api_key_invalid")
    #expect(try outcome(bench, get("/?key=good", "Authorization: Basic YWNtZTpnb29k")) == "token_ambiguous")
    let client = bench.connect()
    client.send(get("/"))
    #expect(values("WWW-Authenticate", in: client.text).contains("Basic realm=\"catraca\", charset=\"UTF-8\""))
    client.reset()
    bench.expectNothingHeld()
  }

  @Test("A key counts where its set is named, and is not touched elsewhere")
  func sets() throws {
    let bench = try Bench(text(), keySets: [issuer.keySet()])
    #expect(try outcome(bench, get("/others", "X-Api-Key: other")).hasPrefix("GET /others"))
    #expect(try outcome(bench, get("/others", "X-Api-Key: good")) == "api_key_invalid")
    #expect(try outcome(bench, get("/", "X-Api-Key: good")).contains("acme"))
    #expect(try outcome(bench, get("/others", "X-Api-Key: good")) == "api_key_invalid")
    bench.expectNothingHeld()
  }

  @Test("What two sets call the same claim are two callers for a rate limit")
  func limits() throws {
    let limit = "rate_limit: { requests: 1, per: 1m, by: claim:sub }"
    let bench = try Bench(
      """
      api_keys:
        one: { keys: [{ id: acme, hash: "\(Self.hash("1"))" }] }
        two: { keys: [{ id: acme, hash: "\(Self.hash("2"))" }] }
      routes: [{ path: /*, auth: { api_keys: [one, two] }, upstream: app, \(limit) }]
      """)
    #expect(try outcome(bench, get("/", "X-Api-Key: 1")).hasPrefix("GET"))
    #expect(try outcome(bench, get("/", "X-Api-Key: 2")).hasPrefix("GET"))
    #expect(try outcome(bench, get("/", "X-Api-Key: 1")) == "rate_limited")
    bench.expectNothingHeld()
  }

  /// The same file with other keys, as when the set's own file has changed.
  private func change(_ bench: Bench, to entries: String) throws {
    let fresh = Snapshot(bench.snapshot, resolved: try configuration(text(entries: entries, "websocket: true")))
    bench.act { $0.installParts(of: fresh) }
  }

  @Test("A key that is taken away counts for nothing from then on, and its WebSockets and streams end")
  func removed() throws {
    let bench = try Bench(text("{ api_keys: [partners] }", "websocket: true"))
    let kept = "{ id: acme, hash: \"\(Self.hash("good"))\", claims: { plan: gold, level: 3 }, scopes: [a, b] }"
    let tunnel = bench.connect()
    tunnel.send(handshake("/", "X-Api-Key: good"))
    try bench.server().send(switching())
    let stream = bench.connect()
    stream.send(get("/", "X-Api-Key: good"))
    try bench.server().send(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
    #expect(tunnel.text.hasPrefix("HTTP/1.1 101") && stream.text.hasPrefix("HTTP/1.1 200"))
    try change(bench, to: "\(kept), { id: new, hash: \"\(Self.hash("new"))\" }")
    #expect(!tunnel.isGone && !stream.isGone)
    #expect(try outcome(bench, get("/", "X-Api-Key: new")).contains("X-User: new"))
    try change(bench, to: "{ id: new, hash: \"\(Self.hash("new"))\" }")
    bench.wait(.seconds(10))
    #expect(stream.isGone && tunnel.isGone)
    #expect(try outcome(bench, get("/", "X-Api-Key: good")) == "api_key_invalid")
    bench.expectNothingHeld()
  }
}
