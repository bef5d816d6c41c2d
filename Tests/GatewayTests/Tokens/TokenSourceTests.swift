// Where a token may be, and that it goes no further unless it should.

import TestSupport
import Testing
import Tokens

@Suite("Sources of tokens", .timeLimit(.minutes(10)))
struct TokenSourceTests {
  private static let sources =
    "tokens_from: [authorization, \"cookie:sid\", \"query:access_token\", \"header:X-Token\"]"

  private func start(_ key: TestKey, isForwarding: Bool = false, auth: String? = nil) async throws -> TokenDoor {
    try await TokenDoor.start(
      jwks: [key.jwk()], auth: auth ?? "{ issuers: [login], \(Self.sources) }",
      route: isForwarding
        ? ["identity: { headers: { X-User: sub }, forward_token: true }"] : ["identity: { headers: { X-User: sub } }"])
  }

  @Test("A token is found in Authorization, a cookie, the query or a header, and taken out of each")
  func everyPlace() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    let token = TokenDoor.token(key)
    let cases: [(path: String, fields: [String], target: String, cookies: [String])] = [
      ("/door?a=b", ["Authorization: Bearer \(token)"], "/door?a=b", []),
      ("/door", ["authorization: BEARER   \(token)"], "/door", []),
      ("/door", ["Cookie: sid=\(token)"], "/door", []),
      ("/door", ["Cookie: a=1; sid=\(token); b=2"], "/door", ["a=1; b=2"]),
      ("/door", ["Cookie: a=1; b=2; sid=\(token)"], "/door", ["a=1; b=2"]),
      ("/door", ["Cookie: sid=\"\(token)\"; a=1"], "/door", ["a=1"]),
      ("/door", ["Cookie: a=1", "Cookie: sid=\(token)", "Cookie: b=2"], "/door", ["a=1", "b=2"]),
      ("/door", ["Cookie: sid2=x; sid=\(token)"], "/door", ["sid2=x"]),
      ("/door?access_token=\(token)", [], "/door", []),
      ("/door?a=1&access_token=\(token)&b=2", [], "/door?a=1&b=2", []),
      ("/door?access_token=\(token)&a=%20", [], "/door?a=%20", []),
      ("/door?a&access_token=\(token)", [], "/door?a", []),
      // A server that decodes names would find the token under this one, too.
      ("/door?a=1&access%5Ftoken=\(token)", [], "/door?a=1", []),
      ("/door?%61ccess_toke%6E=\(token)&access=1", [], "/door?access=1", []),
      ("/door", ["X-Token: \(token)"], "/door", []), ("/door", ["x-token: \(token)"], "/door", []),
    ]
    for (path, fields, target, cookies) in cases {
      let response = try await door.gateway.get(path, fields)
      #expect(response.status == 200, "\(path) \(fields)")
      let request = try #require(door.upstream.requests.last)
      #expect(request.target == target, "\(path)")
      #expect(request.values(of: "Cookie") == cookies, "\(fields)")
      #expect(request["X-User"] == "alice")
      #expect(!latin1(request.head.bytes).contains(token.suffix(40)), "\(path) \(fields)")
      #expect(request.values(of: "Authorization").isEmpty && request.values(of: "X-Token").isEmpty)
    }
  }

  @Test("With forward_token it stays where it was")
  func forwarded() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, isForwarding: true)
    let token = TokenDoor.token(key)
    _ = try await door.gateway.get("/door", ["Authorization: Bearer \(token)"])
    #expect(door.upstream.requests.last?["Authorization"] == "Bearer \(token)")
    _ = try await door.gateway.get("/door", ["Cookie: a=1; sid=\(token); b=2"])
    #expect(door.upstream.requests.last?["Cookie"] == "a=1; sid=\(token); b=2")
    _ = try await door.gateway.get("/door?a=1&access_token=\(token)")
    #expect(door.upstream.requests.last?.target == "/door?a=1&access_token=\(token)")
    _ = try await door.gateway.get("/door", ["X-Token: \(token)"])
    #expect(door.upstream.requests.last?["X-Token"] == token)
  }

  @Test("A token in any of the sources counts, and what is empty or has another scheme in the others does not")
  func order() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    let token = TokenDoor.token(key)
    // Basic credentials are none of ours, so another source counts. They are the service's own.
    let basic = "Authorization: Basic YTpi"
    for others in [[basic], ["Cookie: sid=; a=1"], ["Cookie: sid=", basic]] {
      #expect(try await door.gateway.get("/door?access_token=", others + ["X-Token: \(token)"]).status == 200)
      let request = try #require(door.upstream.requests.last)
      #expect(request["X-User"] == "alice" && request.target == "/door")
      #expect(request["Authorization"] == (others.contains(basic) ? "Basic YTpi" : nil))
      #expect(request["Cookie"] == (others[0].contains("a=1") ? "a=1" : nil))
    }
  }

  @Test("Two tokens in one place are refused, and an empty one is none")
  func ambiguous() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    let token = TokenDoor.token(key)
    let twice: [(String, [String])] = [
      ("/door", ["Authorization: Bearer \(token)", "Authorization: Bearer \(token)"]),
      ("/door", ["Cookie: sid=\(token); sid=\(token)"]), ("/door", ["Cookie: sid=\(token)", "Cookie: sid=x"]),
      ("/door?access_token=\(token)&access_token=\(token)", []), ("/door", ["X-Token: \(token)", "X-Token: \(token)"]),
    ]
    for (path, fields) in twice {
      #expect(try await door.gateway.get(path, fields).code == "token_ambiguous", "\(path) \(fields)")
    }
    for value in ["a b", "\(token), x"] {
      #expect(try await door.gateway.get("/door", ["Authorization: Bearer \(value)"]).code == "token_malformed")
    }
    let none: [(String, [String])] = [
      ("/door", ["Authorization: Bearer"]), ("/door", ["Cookie: sid="]), ("/door?access_token=", []),
      ("/door", ["X-Token:"]), ("/door", ["Cookie: SID=\(token)"]), ("/door?Access_Token=\(token)", []), ("/door", []),
    ]
    for (path, fields) in none {
      #expect(try await door.gateway.get(path, fields).code == "token_missing", "\(path) \(fields)")
    }
  }

  @Test(
    "Several issuers serve one route, each with its own keys and audience. On optional routes a bad token is refused")
  func issuers() async throws {
    let first = try await TestIssuer.start(.es256)
    let second = try await TestIssuer.start(.rs256)
    let door = try await TokenDoor.start(
      issuers: first.configuration(name: "first")
        + issuerConfiguration(name: "second", issuer: second.url, audiences: "[other, more]"),
      auth: "{ issuers: [first, second], optional: true }", route: ["identity: { headers: { X-User: sub } }"])
    try await door.gateway.waitUntilReady()
    #expect(
      try await door.verdicts([
        first.token(), second.token(["aud": "more"]), second.token(), first.token(["aud": "other"]),
        first.token(key: second.key), second.token(["aud": "more"], key: first.key), "x",
      ]) == [
        "passed", "passed", "audience_mismatch", "audience_mismatch", "key_unknown", "key_unknown", "token_malformed",
      ])
    let metrics = try await door.gateway.metrics()
    #expect(metrics.sum("catraca_auth_total", ["issuer": "first", "result": "accepted", "route": "/door"]) == 1)
    #expect(metrics.sum("catraca_auth_total", ["issuer": "second", "result": "audience_mismatch"]) == 1)
    #expect(try await door.verdicts(fields: [[]]) == ["passed"])
    #expect(door.upstream.requests.last?.values(of: "X-User") == [])
  }
}
