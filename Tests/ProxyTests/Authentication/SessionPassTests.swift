// The short pass that a page gets for its session: for whom, and for which pages.

import Cryptography
import Testing
import Tokens

@testable import Proxy

@Suite("Passes for sessions")
struct SessionPassTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private static let cookie = "Cookie: __Host-session=\(String(repeating: "s", count: 43))"

  private func bench(isSigned: Bool = true) throws -> Bench {
    let text = """
      assertions: { internal: { issuer: gw, keys: keys, claims: [sub, scope], lifetime: 2m } }
      sessions:
        web:
          store: memory
          exchange: { path: /session, issuers: [login], token: true, assertion: internal, audience: "https://api.example" }
      routes: [{ path: /*, auth: { sessions: [web] }, upstream: app }]
      \(issuer.section)
      """
    let signer = AssertionSigner(
      [AssertionSigner.Key(try .generate(.ellipticCurve(.p256)))], algorithm: .es256, type: "JWT")
    return Bench(
      Snapshot(try configuration(text), generation: 1, signers: isSigned ? [signer] : []),
      keySets: [try issuer.keySet()])
  }

  private func post(_ fields: String...) -> String {
    (["POST /session/token HTTP/1.1", "Host: h", "Content-Length: 0"] + fields).map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private func bob(lasting seconds: Int64 = 3600) -> Answer {
    let claims = "{\"iss\":\"i\",\"sub\":\"bob\",\"scope\":\"a b\",\"email\":\"bob@example.com\"}"
    return .session(
      SessionStatement(issuer: "login", claims: Array(claims.utf8), endsAt: Bench.unixMilliseconds / 1000 + seconds))
  }

  private func decoded(_ part: Substring) -> String {
    let bytes = Array(part.utf8)
    return Base64URL.decode(bytes.span).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  @Test("A page of the host gets one for its session, with the claims that are listed, and nobody may keep it")
  func given() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(post(Self.cookie, "Origin: http://h"))
    try bench.answer(bob())
    let text = client.take()
    #expect(values("Content-Type", in: text) == ["application/json"])
    #expect(values("Cache-Control", in: text) == ["no-store"])
    let body = body(of: text)
    #expect(body.hasPrefix("{\"access_token\":\"ey"))
    #expect(body.hasSuffix("\",\"token_type\":\"Bearer\",\"expires_in\":120}\n"))
    let claims = decoded(try #require(body.split(separator: ".").dropFirst().first))
    #expect(claims.contains("\"iss\":\"gw\",\"aud\":\"https://api.example\""))
    #expect(claims.hasSuffix("\"sub\":\"bob\",\"scope\":\"a b\"}"))
    // The same one for half of its life, with what is left of that.
    bench.wait(.seconds(20))
    client.send(post(Self.cookie, "Origin: http://h"))
    #expect(client.take().hasSuffix(body.replacing(":120}", with: ":100}")))
    #expect(bench.servers.isEmpty)
  }

  @Test("It ends with the session")
  func short() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(post(Self.cookie, "Origin: http://h"))
    try bench.answer(bob(lasting: 50))
    #expect(client.take().hasSuffix("\"expires_in\":50}\n"))
  }

  @Test(
    "Another site's page, a page of nowhere, nobody's session and a token get none",
    arguments: [
      ([Self.cookie, "Origin: https://evil.example"], "origin_not_allowed"), ([Self.cookie], "origin_not_allowed"),
      (["Origin: http://h"], "session_missing"),
      (["Origin: http://h", "Authorization: Bearer a.b.c"], "session_missing"),
    ])
  func refused(_ fields: [String], _ reason: String) throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(
      (["POST /session/token HTTP/1.1", "Host: h", "Content-Length: 0"] + fields).map { $0 + "\r\n" }.joined() + "\r\n")
    #expect(code(client.text) == reason, "\(client.text)")
    #expect(bench.asked.isEmpty && bench.servers.isEmpty)
  }

  @Test("Without keys there is none")
  func unavailable() throws {
    let bench = try bench(isSigned: false)
    let client = bench.connect()
    client.send(post(Self.cookie, "Origin: http://h"))
    try bench.answer(bob())
    #expect(code(client.take()) == "assertion_unavailable")
    #expect(bench.servers.isEmpty)
  }
}
