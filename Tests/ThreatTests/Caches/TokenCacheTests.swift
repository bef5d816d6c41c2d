// What a remembered token is good for: T29 to T31.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct TokenCacheTests {
  @Test("T29 A token remembered on one route does not open a route of another issuer or with other rules")
  func otherIssuer() async throws {
    let key = try TestKey(.es256)
    // The same keys for two issuers of different rules: a token belongs to the one that its `iss` names.
    let issuers =
      issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json")
      + issuerConfiguration(name: "partner", issuer: "partner", audiences: "[other]", jwks: "keys.json")
    let door = try await TokenDoor.start(
      issuers: issuers,
      more: """
          - { path: /partner, auth: partner, upstream: echo }
          - { path: /both, auth: { issuers: [login, partner] }, upstream: echo }
        """, files: ["keys.json": keySetText(key)])
    let ours = TokenDoor.token(key)
    let theirs = makeToken(issuer: "partner", ["aud": "other"], key: key)
    #expect(try await door.verdicts([ours, ours, theirs]) == ["passed", "passed", "issuer_unknown"])
    #expect(
      try await door.verdicts([theirs, theirs, ours], path: "/partner") == ["passed", "passed", "issuer_unknown"])
    #expect(try await door.verdicts([theirs, ours], path: "/both") == ["passed", "passed"])
    #expect(try await door.verdicts([theirs, ours]) == ["issuer_unknown", "passed"])
  }

  @Test("T29 A reload with stricter rules counts for tokens that were remembered before")
  func stricterRules() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let token = TokenDoor.token(key)
    #expect(try await door.verdicts([token, token]) == ["passed", "passed"])
    for (rule, verdict) in [
      ("required_claims: [exp, tenant]", "claim_missing"), ("token_types: [at+jwt]", "type_not_allowed"),
      ("algorithms: [ES256, ES384]", "passed"), ("max_age: 1h", "passed"),
    ] {
      let issuers = issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json", more: [rule])
      try door.gateway.write(configuration: TokenDoor.configuration(issuers: issuers, upstream: door.upstream))
      #expect(try await door.gateway.reload().status == 200)
      #expect(try await door.verdicts([token, token]) == [verdict, verdict], "\(rule)")
    }
  }

  @Test("T30 Scopes and claims are checked on every request, also of a remembered token")
  func scopes() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      more: """
          - { path: /write, auth: { issuers: [login], scopes: [orders:write] }, upstream: echo }
          - { path: /gold, auth: { issuers: [login], claims: { org.tier: [gold] } }, upstream: echo }
        """)
    let token = TokenDoor.token(key, ["scope": "orders:read", "org": ["tier": "silver"]])
    let better = TokenDoor.token(key, ["scope": "orders:read orders:write", "org": ["tier": "gold"]])
    for _ in 0..<2 {
      #expect(try await door.verdicts([token, better]) == ["passed", "passed"])
      #expect(try await door.verdicts([token, better], path: "/write") == ["scope_missing", "passed"])
      #expect(try await door.verdicts([token, better], path: "/gold") == ["claim_mismatch", "passed"])
    }
    #expect(try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "miss"]) == 2)
    #expect(try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "hit"]) == 10)
  }

  @Test("T31 A flood of bad tokens pushes no good one out, and none of them is remembered")
  func flood() async throws {
    let key = try TestKey(.hs256)
    let forger = try TestKey(.hs256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], rules: ["algorithms: [HS256]"])
    let good = TokenDoor.token(key)
    #expect(try await door.verdict(good) == "passed")
    let client = try await door.gateway.connect()
    // Each some 15 KB: 45 MB of tokens in all, more than the cache may hold.
    let signed = TokenDoor.token(forger, ["pad": .string(String(repeating: "a", count: 11_000))])
    let parts = signed.split(separator: ".").map(String.init)
    for batch in 0..<30 {
      let requests = (0..<100).map { number in
        let signature = base64URL("\(batch) \(number)" + String(repeating: "s", count: 24))
        return "GET /door HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer \(parts[0]).\(parts[1]).\(signature)\r\n\r\n"
      }
      client.startSending(Array(requests.joined().utf8))
      for _ in requests { #expect(try await client.receiveResponse().code == "signature_invalid") }
    }
    let before = try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "hit"])
    #expect(before == 0)
    #expect(try await door.verdict(good) == "passed")
    #expect(try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "hit"]) == 1)
    let expired = TokenDoor.token(key, ["exp": .integer(unixNow() - 31)])
    #expect(try await door.verdicts([expired, expired]) == ["token_expired", "token_expired"])
    #expect(try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "hit"]) == 1)
  }
}
