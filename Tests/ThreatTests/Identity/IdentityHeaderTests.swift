// Headers that say who the caller is come from the token or not at all: T32 to T35.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct IdentityHeaderTests {
  private static let identity = [
    "identity:",
    "  headers: { X-User-Id: sub, X-User-Email: email, X-Org: org.id, X-Roles: roles, X-Any: any }",
    "  strip: [X-Auth-*, X-Internal]", "  payload: X-Jwt-Payload",
  ]
  private static let others = """
      - { path: /public, auth: public, upstream: echo }
      - { path: /maybe, auth: { issuers: [login], optional: true }, upstream: echo }
      - { path: /plain, auth: login, upstream: echo }
    """

  private func start(_ key: TestKey) async throws -> TokenDoor {
    try await TokenDoor.start(jwks: [key.jwk()], route: Self.identity, more: Self.others)
  }

  /// The fields that the upstream got, in lower case, but for those that every request has.
  private func received(_ response: RawResponse) -> [String] {
    let usual = ["host", "x-forwarded-", "x-request-id", "traceparent", "via"]
    let lines = response.text.replacing("\r\n", with: "\n").split(separator: "\n").dropFirst().map(String.init)
    return lines.map { $0.lowercased() }.filter { line in !usual.contains { line.hasPrefix($0) } }
  }

  @Test(
    "T32 A header whose claim is missing is absent, though the client sent one, and only the token's own value is there"
  )
  func missingClaim() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    let token = TokenDoor.token(key, ["email": "a@example.com"])
    let forged = ["X-User-Id: root", "X-User-Email: root@example.com", "X-Org: 1", "X-Roles: admin", "X-Any: yes"]
    let response = try await door.gateway.get("/door", ["Authorization: Bearer \(token)"] + forged)
    let payload = String(token.split(separator: ".")[1]).lowercased()
    #expect(received(response) == ["x-user-id: alice", "x-user-email: a@example.com", "x-jwt-payload: \(payload)"])
    // A claim that is null, or an empty list, says as little.
    let empty = TokenDoor.token(key, ["sub": .absent, "org": nil, "roles": [], "any": nil])
    let second = try await door.gateway.get("/door", ["Authorization: Bearer \(empty)"] + forged)
    #expect(received(second).map { $0.prefix { $0 != ":" } } == ["x-jwt-payload"])
  }

  @Test("T33 Identity headers in any case, with _ or . for -, doubled, or on public routes never reach an upstream")
  func aliases() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    let names = [
      "X-User-Id", "x-user-id", "X-USER-ID", "X_User_Id", "X.User.Id", "x-user_id", "X-User.ID", "X-Org", "X_Org",
      "X-Roles",
      "X-Any", "X-Jwt-Payload", "X_JWT_PAYLOAD", "X-Auth-Level", "X_Auth_Level", "X.Auth.Level", "X-Auth-",
      "X-Internal",
      "X_Internal", "X-User-Email", "X_user_email",
    ]
    let fields = names.flatMap { ["\($0): root", "\($0):root "] }
    for path in ["/public", "/maybe"] {
      #expect(received(try await door.gateway.get(path, fields)) == [], "\(path)")
    }
    let token = "Authorization: Bearer \(TokenDoor.token(key))"
    #expect(received(try await door.gateway.get("/plain", [token] + fields)) == [])
    let guarded = received(try await door.gateway.get("/door", [token] + fields))
    #expect(guarded.map { $0.prefix { $0 != ":" } } == ["x-user-id", "x-jwt-payload"])
    #expect(guarded.first == "x-user-id: alice")
    // Neighbours of those names are nobody's business.
    let near = ["X-User: 1", "X-User-Ids: 1", "XX-User-Id: 1", "X-Authority: 1", "X-Internals: 1"]
    #expect(received(try await door.gateway.get("/public", near)) == near.map { $0.lowercased() })
  }

  @Test("T33 A space behind an identity header's name is refused, not forwarded")
  func trailingSpace() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    for line in ["X-User-Id : root", "X-User-Id\t: root", " X-User-Id: root"] {
      #expect(try await door.gateway.get("/public", ["A: b", line]).status == 400, "\(line)")
    }
    #expect(door.upstream.requests.isEmpty)
  }

  @Test("T34 Connection cannot name an identity header away, nor those that say who the client is")
  func connectionOptions() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    let token = "Authorization: Bearer \(TokenDoor.token(key, ["email": "a@example.com"]))"
    for names in [
      "X-User-Id, X-User-Email, X-Jwt-Payload", "x_user_id", "close, X-User-Id, x-forwarded-for, via, X-Request-Id",
    ] {
      let response = try await door.gateway.get(
        "/door", [token, "Connection: \(names)", "X-User-Id: root", "X-Custom: kept"])
      let fields = received(response)
      #expect(fields.contains("x-user-id: alice"), "\(names)")
      #expect(fields.contains("x-user-email: a@example.com"), "\(names)")
      #expect(fields.contains { $0.hasPrefix("x-jwt-payload: ") }, "\(names)")
      #expect(fields.contains("x-custom: kept"))
      #expect(response.text.contains("X-Forwarded-For: 127.0.0.1"))
      #expect(!response.text.lowercased().contains("root"))
    }
    // What it may name goes, and cannot come back under the token's name.
    let named = try await door.gateway.get("/door", [token, "Connection: X-Custom", "X-Custom: gone"])
    #expect(!received(named).contains { $0.hasPrefix("x-custom") })
    // Authorization as a hop-by-hop field is a token all the same, or none: never a way around the check.
    let hidden = try await door.gateway.get("/door", ["Connection: Authorization"])
    #expect(hidden.code == "token_missing")
  }

  @Test("T35 Claims with line breaks, NUL, other scripts or 8 KB are encoded or refused, and split no request")
  func hostileClaims() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key)
    let cases: [(JSONValue, String)] = [
      ("a\r\nX-Admin: true", "a%0d%0ax-admin: true"), ("a\nb", "a%0ab"), ("a\u{0}b", "a%00b"), ("a\u{7F}b", "a%7fb"),
      ("zo\u{EB}", "zo%c3%ab"), ("\u{1F511}", "%f0%9f%94%91"), ("100%", "100%25"), (" a ", "%20a%20"), ("a b", "a b"),
      ("\t", "%09"), ("a, b", "a%2c b"), ("\r\n\r\nGET /admin HTTP/1.1", "%0d%0a%0d%0aget /admin http/1.1"),
      ("\u{2028}", "%e2%80%a8"), (.string(String(repeating: "x", count: 8000)), String(repeating: "x", count: 8000)),
      (["a", "b,c", "d\r\ne"], "a,b%2cc,d%0d%0ae"), (["a": "b\r\nc"], "{\"a\":\"b\\u000d\\u000ac\"}"), (7, "7"),
      (true, "true"),
      (.raw("1.50e2"), "1.50e2"), ([1, [2], nil], "1,[2],null"),
    ]
    for (claim, value) in cases {
      let token = TokenDoor.token(key, ["any": claim])
      let response = try await door.gateway.get("/door", ["Authorization: Bearer \(token)"])
      #expect(response.status == 200)
      let fields = received(response)
      #expect(fields.filter { $0.hasPrefix("x-any") } == ["x-any: \(value)"], "\(claim.text.prefix(60))")
      #expect(!fields.contains { $0.hasPrefix("x-admin") })
    }
    #expect(door.upstream.requests.allSatisfy { $0.target == "/door" })
    #expect(door.upstream.failures.isEmpty)
  }

  @Test("T35 A claim of 64 KB is refused with its token, and the next request is answered")
  func hugeClaim() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], route: Self.identity, top: "limits: { header_size: 256KiB }")
    let token = TokenDoor.token(key, ["any": .string(String(repeating: "x", count: 64 * 1024))])
    #expect(try await door.verdicts([token, TokenDoor.token(key)]) == ["token_too_large", "passed"])
    #expect(door.upstream.requests.count == 1)
  }
}
