// Scopes, claims and identity headers as a route writes them.

import TestSupport
import Testing
import Tokens

@Suite("Scopes, claims and identity", .timeLimit(.minutes(10)))
struct ClaimRuleTests {
  @Test("All scopes of the route must be in scope or scp, as whole words")
  func scopes() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], auth: "{ issuers: [login], scopes: [\"orders:read\", \"orders:write\"] }")
    let cases: [([String: JSONValue], String)] = [
      (["scope": "orders:read orders:write"], "passed"), (["scope": "x orders:write y orders:read"], "passed"),
      (["scp": ["orders:read", "orders:write"]], "passed"), (["scp": "orders:write orders:read"], "passed"),
      (["scope": "orders:read", "scp": ["orders:write"]], "passed"),
      (["scope": ["orders:read", "orders:write"]], "passed"),
      (["scope": "orders:read"], "scope_missing"), (["scope": "orders:readorders:write"], "scope_missing"),
      (["scope": "orders:read,orders:write"], "scope_missing"),
      (["scope": "Orders:Read orders:write"], "scope_missing"),
      (["scope": ["orders:read orders:write"]], "scope_missing"), (["scope": nil], "scope_missing"),
      ([:], "scope_missing"),
      (["scope": "orders:rea orders:writer"], "scope_missing"), (["scope": ["orders:read", 7]], "scope_missing"),
      (["scope": "orders:read\torders:write"], "scope_missing"), (["scope": ["orders:read": true]], "scope_missing"),
    ]
    let verdicts = try await door.verdicts(cases.map { TokenDoor.token(key, $0.0) })
    for (item, verdict) in zip(cases, verdicts) { #expect(verdict == item.1, "\(item.0)") }
    let response = try await door.gateway.get("/door", ["Authorization: Bearer \(TokenDoor.token(key))"])
    #expect(
      response["WWW-Authenticate"]
        == "Bearer realm=\"catraca\", error=\"insufficient_scope\", scope=\"orders:read orders:write\"")
  }

  @Test("Claims of a route hold by value and type, nested ones too, and lists hold when one element does")
  func claims() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      auth:
        "{ issuers: [login], claims: { org.tier: [gold, silver], level: 3, active: true, \"https://x.example/role\": admin } }"
    )
    let good: [String: JSONValue] = [
      "org": ["tier": "gold"], "level": 3, "active": true, "https://x.example/role": "admin",
    ]
    let changes: [([String: JSONValue], String)] = [
      ([:], "passed"), (["org": ["tier": "silver", "x": 1]], "passed"), (["org": ["tier": ["x", "gold"]]], "passed"),
      (["org": .absent, "org.tier": "gold"], "passed"), (["level": [1, 3]], "passed"),
      (["org": ["tier": "bronze"]], "claim_mismatch"), (["org": ["tier": "Gold"]], "claim_mismatch"),
      (["org": ["tier": []]], "claim_mismatch"), (["org": "gold"], "claim_mismatch"),
      (["org": .absent], "claim_mismatch"),
      (["level": "3"], "claim_mismatch"), (["level": .raw("3.5")], "claim_mismatch"),
      (["active": "true"], "claim_mismatch"),
      (["active": 1], "claim_mismatch"), (["active": nil], "claim_mismatch"),
      (["https://x.example/role": "user"], "claim_mismatch"), (["org": ["tier": ["gold": true]]], "claim_mismatch"),
    ]
    let verdicts = try await door.verdicts(changes.map { TokenDoor.token(key, good.merging($0.0) { $1 }) })
    for (change, verdict) in zip(changes, verdicts) { #expect(verdict == change.1, "\(change.0)") }
  }

  @Test("Required claims must be there and not be null, each audience rule is the issuer's own")
  func required() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(
        issuer: TokenDoor.issuer, audiences: "[]", jwks: "keys.json", more: ["required_claims: [exp, sub, org.id]"]),
      files: ["keys.json": keySetText(key)])
    #expect(
      try await door.verdicts([
        TokenDoor.token(key, ["org": ["id": 7]]), TokenDoor.token(key, ["org": ["id": 7], "aud": .absent]),
        TokenDoor.token(key, ["org": ["id": 7], "aud": "anyone"]), TokenDoor.token(key),
        TokenDoor.token(key, ["org": ["id": nil]]),
        TokenDoor.token(key, ["org": ["id": 7], "sub": .absent]), TokenDoor.token(key, ["org": ["id": 7], "sub": 7]),
      ]) == ["passed", "passed", "passed", "claim_missing", "claim_missing", "claim_missing", "claim_invalid"])
  }

  @Test("Identity headers carry text, numbers, lists, objects and nested claims. The payload goes along in base64url")
  func identity() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      route: [
        "identity: { headers: { X-Id: sub, X-Org: org.id, X-Deep: a.b.c, X-Roles: roles, X-Level: level, X-All: org, X-None: no.such }, payload: X-Payload }"
      ])
    let token = TokenDoor.token(
      key,
      [
        "sub": "J\u{F6}rg", "org": ["id": "acme", "n": 1], "a": ["b": ["c": true]], "roles": ["admin", "a,b", "x y"],
        "level": 3,
      ])
    let response = try await door.gateway.get("/door", ["Authorization: Bearer \(token)"])
    #expect(response.status == 200)
    let request = try #require(door.upstream.requests.last)
    #expect(request["X-Id"] == "J%C3%B6rg")
    #expect(request["X-Org"] == "acme")
    #expect(request["X-Deep"] == "true")
    #expect(request["X-Roles"] == "admin,a%2Cb,x y")
    #expect(request["X-Level"] == "3")
    #expect(request["X-All"] == "{\"id\":\"acme\",\"n\":1}")
    #expect(request.values(of: "X-None") == [])
    #expect(request["X-Payload"] == token.split(separator: ".").map(String.init)[1])
    let line = try await door.gateway.waitForAccessLog(containing: "\"issuer\":\"login\"")
    #expect(line.contains("\"subject\":\"J\u{F6}rg\""))
  }
}
