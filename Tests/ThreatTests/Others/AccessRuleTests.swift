// Rules that other gateways let requests walk around: T45 to T47.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct AccessRuleTests {
  @Test("T45 No User-Agent, path or header of a health check gets around the token")
  func healthChecks() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    for agent in ["GoogleHC/1.0", "kube-probe/1.31", "ELB-HealthChecker/2.0", "Consul Health Check", "catraca", ""] {
      #expect(try await door.gateway.get("/door", ["User-Agent: \(agent)"]).code == "token_missing", "\(agent)")
    }
    // The gateway's own pages are on the admin listener only.
    for path in ["/ping", "/healthz", "/readyz", "/metrics", "/status", "/reload", "/ready", "/oauth2/auth"] {
      #expect(try await door.gateway.get(path).code == "route_not_found", "\(path)")
    }
    #expect(door.upstream.requests.isEmpty)
  }

  @Test("T46 What no route takes is denied, and an unknown issuer's token is refused where tokens are optional")
  func closedByDefault() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], auth: "{ issuers: [login], optional: true }")
    let token = "Authorization: Bearer \(TokenDoor.token(key))"
    for path in ["/", "/doo", "/door/", "/door/x", "/Door", "/other"] {
      let response = try await door.gateway.get(path, [token])
      #expect(response.status == 404, "\(path)")
      #expect(response.code == "route_not_found", "\(path)")
    }
    let forger = try TestKey(.es256)
    #expect(
      try await door.verdicts([
        makeToken(issuer: "https://evil.example.com/", key: key), TokenDoor.token(forger), "garbage",
        TokenDoor.token(key, ["exp": .integer(unixNow() - 60)]), TokenDoor.token(key),
      ]) == ["issuer_unknown", "signature_invalid", "token_malformed", "token_expired", "passed"])
    // Without a token, or with credentials that are none of ours, one is anonymous.
    #expect(try await door.verdicts(fields: [[], ["Authorization: Basic YTpi"]]) == ["passed", "passed"])
    #expect(try await door.gateway.metrics().sum("catraca_auth_total", ["result": "anonymous"]) == 2)
    #expect(
      try await door.verdicts(fields: [
        ["Authorization: Bearer"], ["Authorization: bearer  "], ["Authorization: Bearer a", "Authorization: Bearer b"],
        ["Authorization: Basic a", "Authorization: Bearer b"],
      ]) == ["passed", "passed", "token_ambiguous", "token_ambiguous"])
    #expect(door.upstream.requests.allSatisfy { $0["Authorization"].map { $0.hasPrefix("Basic ") } ?? true })
  }

  @Test("T47 A public GET opens neither HEAD nor POST, and no header turns one method into another")
  func methods() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      more: """
          - { path: /split, methods: [GET], auth: public, upstream: echo }
          - { path: /split, auth: login, upstream: echo }
          - { path: /only, methods: [GET], auth: public, upstream: echo }
        """)
    let overrides = [
      "X-HTTP-Method-Override: GET", "X-Method-Override: GET", "X-HTTP-Method: GET", "X_HTTP_Method: GET",
    ]
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get", "GETS", "PROPFIND"] {
      let guarded = try await door.gateway.get("/split", method: method, overrides)
      #expect(guarded.status == 401, "\(method)")
      let only = try await door.gateway.get("/only?_method=GET", method: method, overrides)
      #expect(only.status == 405, "\(method)")
      #expect(only["Allow"] == "GET", "\(method)")
    }
    #expect(door.upstream.requests.isEmpty)
    let passed = try await door.gateway.get("/split", ["X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE"])
    #expect(passed.status == 200)
    #expect(!passed.text.lowercased().contains("x-http-method"))
  }
}
