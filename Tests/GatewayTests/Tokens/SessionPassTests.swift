// The short pass of a session through the running gateway: an API elsewhere, here another gateway, takes it.

import Cryptography
import Foundation
import TestSupport
import Testing

@Suite("Passes of sessions", .timeLimit(.minutes(10)))
struct SessionPassTests {
  @Test(
    "A page gets a pass for its session, and another gateway takes it by the keys of the first, for its own name only")
  func elsewhere() async throws {
    let key = try TestKey()
    let pem = String(decoding: try #require(try TestKey().signing.pem()), as: UTF8.self)
    let upstream = try await TestUpstream.echo()
    let shop = try await GatewayProcess.start(
      """
      issuers: { login: { issuer: "https://login.example.com/", audiences: [shop], jwks: keys.json } }
      upstreams: { echo: { servers: ["\(upstream.address)"] } }
      assertions: { passes: { issuer: "https://shop.example.com", keys: pass.key, claims: [sub, scope] } }
      sessions:
        web:
          store: memory
          exchange: { path: /session, issuers: [login], token: true, assertion: passes, audience: stock }
      routes:
        - { path: /keys, auth: public, respond: { key_set: passes } }
        - { path: /*, auth: { sessions: [web] }, upstream: echo }
      """, files: ["keys.json": keySetText(key), "pass.key": pem])
    let stock = try await GatewayProcess.start(
      """
      issuers:
        shop: { issuer: "https://shop.example.com", audiences: [stock], jwks: "http://127.0.0.1:\(shop.port)/keys" }
        other: { issuer: "https://shop.example.com", audiences: [other], jwks: "http://127.0.0.1:\(shop.port)/keys" }
      upstreams: { echo: { servers: ["\(upstream.address)"] } }
      routes:
        - path: /stock
          auth: { issuers: [shop], scopes: [read] }
          identity: { headers: { X-User: sub } }
          upstream: echo
        - { path: /other, auth: other, upstream: echo }
      """)
    try await stock.waitUntilReady()
    func post(_ path: String, _ fields: [String]) async throws -> RawResponse {
      let head = ["POST \(path) HTTP/1.1", "Host: shop.example.com", "Content-Length: 0"] + fields
      return try await shop.exchange(head.map { $0 + "\r\n" }.joined() + "\r\n")
    }
    let token = makeToken(
      issuer: "https://login.example.com/", ["aud": "shop", "sub": "ada", "scope": "read"], key: key)
    let begun = try await post("/session", ["Authorization: Bearer \(token)"])
    let cookie = "Cookie: \(try #require(begun["Set-Cookie"]).prefix { $0 != ";" })"
    #expect(try await post("/session/token", [cookie, "Origin: https://evil.example"]).code == "origin_not_allowed")
    #expect(try await post("/session/token", ["Origin: https://shop.example.com"]).code == "session_missing")
    let answer = try await post("/session/token", [cookie, "Origin: http://shop.example.com"])
    #expect(answer.status == 200 && answer["Cache-Control"] == "no-store")
    let pass = try #require(answer.text.firstMatch(of: #/"access_token":"([^"]+)"/#)).1
    #expect(answer.text.hasSuffix("\"token_type\":\"Bearer\",\"expires_in\":60}\n"))
    let bearer = "Authorization: Bearer \(pass)"
    let taken = try await stock.get("/stock", [bearer])
    #expect(taken.status == 200 && taken.text.contains("X-User: ada\r\n"), "\(stock.standardError)")
    #expect(try await stock.get("/other", [bearer]).code == "audience_mismatch")
    // It is no token of the shop's own.
    #expect(try await post("/session", [bearer]).code == "issuer_unknown")
    for line in shop.accessLog + shop.standardError + stock.accessLog { #expect(!line.contains(pass)) }
  }
}
