// A session for a token, what a page may read of it, and its end.

import Configuration
import Cryptography
import Testing
import Tokens

@testable import Proxy

@Suite("Sessions for tokens")
struct SessionExchangeTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private static let old = String(repeating: "o", count: 43)

  private func bench(_ keys: String = "me: [sub, org.id, none]") throws -> Bench {
    try Bench(
      """
      sessions:
        web: { store: memory, lifetime: 1h, exchange: { path: /session, issuers: [login] }, \(keys) }
      routes:
      - { path: /*, auth: { sessions: [web] }, upstream: app }
      - { path: /*, host: shop.example, auth: { sessions: [web] }, upstream: app }
      - { path: /*, host: other.example, auth: public, upstream: app }
      \(issuer.section)
      """, keySets: [issuer.keySet()])
  }

  private func post(_ lines: String..., host: String = "h", method: String = "POST") -> String {
    (["\(method) /session HTTP/1.1", "Host: \(host)", "Content-Length: 0"] + lines).map { $0 + "\r\n" }.joined()
      + "\r\n"
  }

  private func bearer() throws -> String {
    "Authorization: Bearer \(try issuer.token(",\"org\":{\"id\":7},\"sid\":\"s-1\""))"
  }

  @Test("T106: A token gets a new cookie of 256 random bits, and what the browser sent before ends")
  func begun() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(post(try bearer(), "Cookie: __Host-session=\(Self.old)"))
    #expect(client.bytes.isEmpty)
    let asked = try #require(bench.sessionChanges.last)
    guard case .begin(let record, let digest, let replaced) = asked.change else {
      Issue.record("\(asked.change)")
      return
    }
    #expect(record.session == "web")
    #expect(record.issuer == "login")
    #expect(record.subject == Array("alice".utf8))
    #expect(record.providerSession == Array("s-1".utf8))
    #expect(record.lifetimeSeconds == 3600)
    #expect(record.idleSeconds == 1800)
    #expect(String(decoding: record.claims, as: UTF8.self).contains("\"org\":{\"id\":7}"))
    #expect(replaced == SHA256.digest(Array(Self.old.utf8).span))
    bench.act { $0.sessionChanged(asked.id, isDone: true, at: bench.now) }
    let text = client.take()
    #expect(status(text) == 200)
    #expect(body(of: text) == "{\"sub\":\"alice\",\"org.id\":7}\n")
    #expect(values("Cache-Control", in: text) == ["no-store"])
    let cookie = try #require(values("Set-Cookie", in: text).first)
    #expect(cookie.hasPrefix("__Host-session="))
    #expect(cookie.hasSuffix("; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"))
    let value = cookie.dropFirst("__Host-session=".count).prefix { $0 != ";" }
    #expect(value.utf8.count == 43)
    #expect(value != Self.old)
    #expect(digest == SHA256.digest(Array(value.utf8).span))
    #expect(bench.logLines.allSatisfy { !$0.contains(value) })
    #expect(bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  @Test("A store that does not begin a session is 503, and so is one that is silent or asked too much")
  func refused() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(post(try bearer()))
    let id = try #require(bench.sessionChanges.last).id
    bench.act { $0.sessionChanged(id, isDone: false, at: bench.now) }
    let full = client.take()
    #expect(status(full) == 503)
    #expect(code(full) == "session_store_unavailable")
    #expect(values("Set-Cookie", in: full).isEmpty)
    client.send(post(try bearer()))
    bench.wait(.seconds(1))
    #expect(code(client.take()) == "session_store_unavailable")
    // Too late: it is for nobody.
    let late = try #require(bench.sessionChanges.last).id
    bench.act { $0.sessionChanged(late, isDone: true, at: bench.now) }
    #expect(client.bytes.isEmpty)
    let gone = bench.connect()
    gone.send(post(try bearer()))
    let left = try #require(bench.sessionChanges.last).id
    gone.reset()
    bench.act { $0.sessionChanged(left, isDone: true, at: bench.now) }
    bench.expectNothingHeld()
  }

  @Test("Without a token of the listed issuers there is no session")
  func tokens() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(post())
    #expect(code(client.take()) == "token_missing")
    client.send(post("Authorization: Bearer \(try issuer.token(seconds: -3600))"))
    #expect(code(client.take()) == "token_expired")
    #expect(bench.sessionChanges.isEmpty)
  }

  @Test("A page reads its session and ends it, with the cookie and from this host only")
  func shownAndEnded() throws {
    let bench = try bench()
    let client = bench.connect()
    let cookie = "Cookie: __Host-session=\(Self.old)"
    client.send(get("/session", cookie))
    try bench.answer(
      .session(
        SessionStatement(
          issuer: "login", claims: Array("{\"iss\":\"i\",\"sub\":\"bob \\u00e9\"}".utf8),
          endsAt: Bench.unixMilliseconds / 1000 + 60)))
    let shown = client.take()
    #expect(status(shown) == 200)
    #expect(body(of: shown) == "{\"sub\":\"bob \\u00e9\"}\n")
    client.send(post(cookie, method: "DELETE"))
    #expect(code(client.take()) == "origin_not_allowed")
    client.send(post(cookie, "Origin: http://h", method: "DELETE"))
    let asked = try #require(bench.sessionChanges.last)
    guard case .end(let digest, "web") = asked.change else {
      Issue.record("\(asked.change)")
      return
    }
    #expect(digest == SHA256.digest(Array(Self.old.utf8).span))
    bench.act { $0.sessionChanged(asked.id, isDone: true, at: bench.now) }
    let ended = client.take()
    #expect(status(ended) == 204)
    #expect(values("Set-Cookie", in: ended).first?.hasPrefix("__Host-session=; Max-Age=0;") == true)
    client.send(get("/session"))
    #expect(code(client.take()) == "session_missing")
  }

  @Test("The path is there on each host that takes the session, for its own methods, and nowhere else")
  func hosts() throws {
    let bench = try bench()
    for host in ["h", "shop.example"] {
      let client = bench.connect()
      client.send(post(host: host))
      #expect(code(client.take()) == "token_missing", "\(host)")
    }
    let put = bench.connect()
    put.send(post(method: "PUT"))
    #expect(status(put.take()) == 405)
    bench.connect().send(post(host: "other.example"))
    #expect(try bench.server().text.hasPrefix("POST /session"))
  }

  @Test("Pages of other origins get a session where exchange has cors")
  func cors() throws {
    let open = try Bench(
      """
      sessions:
        web:
          store: memory
          cookie: { name: __Host-app, same_site: none }
          exchange:
            path: /session
            issuers: [login]
            cors: { origins: [capacitor://localhost], headers: [Authorization], credentials: true }
      routes: [{ path: /*, auth: { sessions: [web] }, upstream: app }]
      \(issuer.section)
      """, keySets: [issuer.keySet()])
    let client = open.connect()
    client.send(
      "OPTIONS /session HTTP/1.1\r\nHost: h\r\nOrigin: capacitor://localhost\r\n"
        + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n")
    let preflight = client.take()
    #expect(status(preflight) == 204)
    #expect(values("Access-Control-Allow-Methods", in: preflight) == ["GET, HEAD, POST, DELETE"])
    client.send(post(try bearer(), "Origin: capacitor://localhost"))
    let id = try #require(open.sessionChanges.last).id
    open.act { $0.sessionChanged(id, isDone: true, at: open.now) }
    let text = client.take()
    #expect(values("Access-Control-Allow-Origin", in: text) == ["capacitor://localhost"])
    #expect(values("Set-Cookie", in: text).first?.hasSuffix("SameSite=None") == true)
  }
}
