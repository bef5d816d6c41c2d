// Names that a server folds into one are one name to the gateway (T76), and clients may not set what only proxies may
// (T96).

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct FieldSpellingTests {
  /// All bytes of a token that are no letters and no digits (RFC 9110 §5.6.2).
  private static let marks = Array("!#$%&'*+-.^_`|~").map(String.init)
  private static let route = [
    "identity: { headers: { X-User-Id: sub }, strip: [X-Auth-*, X-Internal-Name], payload: X-Jwt-Payload }"
  ]
  private static let more = """
      - { path: /public, auth: public, upstream: echo }
      - path: /header
        auth: { issuers: [login], optional: true, tokens_from: ["header:X-My-Token"] }
        request_headers: { set: { X-Ruled-Name: ours }, remove: [X-Removed-Name] }
        upstream: echo
      - { path: /ruled, headers: { X-Rule-Me: "1" }, auth: login, upstream: echo }
      - { path: /ruled, auth: public, upstream: echo }
    """

  private func spellings(of names: [String]) -> [String] {
    names.flatMap { name in Self.marks.map { name.replacing("-", with: $0) } + [name.lowercased(), name.uppercased()] }
  }

  /// The names that the upstream got, folded, without those that the gateway writes on every request.
  private func received(_ response: RawResponse) -> [String] {
    let own = [
      "host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "traceparent", "via",
    ]
    let lines = response.text.replacing("\r\n", with: "\n").split(separator: "\n").dropFirst()
    let names = lines.map { line in
      String(line.prefix { $0 != ":" }.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" })
    }
    for name in own where names.count(where: { $0 == name }) > 1 { return [name] }
    return names.filter { !own.contains($0) }
  }

  private func rest(_ door: TokenDoor, _ path: String, _ names: [String], _ fields: [String] = []) async throws
    -> [String]
  {
    var rest: Set<String> = []
    var left = spellings(of: names).map { "\($0): forged" }[...]
    while !left.isEmpty {
      let response = try await door.gateway.get(path, fields + left.prefix(60))
      #expect(response.status == 200)
      rest.formUnion(received(response))
      left = left.dropFirst(60)
    }
    return rest.sorted()
  }

  @Test("T76 No spelling of an identity, stripped, token, ruled or forwarding field reaches an upstream")
  func spellings() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], route: Self.route, more: Self.more)
    let identity = ["X-User-Id", "X-Auth-Level", "X-Internal-Name", "X-Jwt-Payload"]
    let forwarding = [
      "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-User", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL",
      "X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method",
    ]
    let connection = ["Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "HTTP2-Settings"]
    let own = ["X-Request-Id"]
    for path in ["/public", "/ruled"] {
      #expect(try await rest(door, path, identity + forwarding + connection + own) == [], "\(path)")
    }
    let token = "Authorization: Bearer \(TokenDoor.token(key))"
    #expect(try await rest(door, "/door", identity + forwarding, [token]) == ["x-jwt-payload", "x-user-id"])
    #expect(try await rest(door, "/header", ["X-Removed-Name", "X-Ruled-Name"]) == ["x-ruled-name"])
    // A neighbour is nobody's.
    let near = ["X--User--Id", "XX-User-Id", "X-User-Idd", "X-Auth"]
    #expect(try await rest(door, "/public", near) == near.map { $0.lowercased() }.sorted())
  }

  @Test("T76 A token's field is the token in any spelling: verified, never passed by, and gone behind the gateway")
  func tokenField() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], route: Self.route, more: Self.more)
    for name in spellings(of: ["X-My-Token"]) {
      #expect(try await door.gateway.get("/header", ["\(name): a.b.c"]).status == 401, "\(name)")
      let passed = try await door.gateway.get("/header", ["\(name): \(TokenDoor.token(key))"])
      #expect(passed.status == 200 && received(passed) == ["x-ruled-name"], "\(name)")
      let two = try await door.gateway.get("/header", ["X-My-Token: a.b.c", "\(name): a.b.c"])
      #expect(two.code == "token_ambiguous", "\(name)")
    }
  }

  @Test("T76 A rule that waits for a field waits for every spelling of it")
  func ruleByField() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], route: Self.route, more: Self.more)
    for name in spellings(of: ["X-Rule-Me"]) {
      #expect(try await door.gateway.get("/ruled", ["\(name): 1"]).code == "token_missing", "\(name)")
    }
  }

  @Test("T76 Trailers carry no spelling of what a head may not carry")
  func trailers() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], route: Self.route, more: Self.more)
    let names = ["X-User-Id", "X-Auth-Level", "X-Real-IP", "X-Forwarded-For", "X-Request-Id", "Keep-Alive", "Proxy"]
    for start in stride(from: 0, to: spellings(of: names).count, by: 60) {
      let lines = spellings(of: names).dropFirst(start).prefix(60).map { "\($0): forged\r\n" }.joined()
      let response = try await door.gateway.exchange(
        "POST /public HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\(lines)X-Sum: 1\r\n\r\n")
      #expect(response.status == 200)
      #expect(door.upstream.requests.last?.trailers.map(\.name) == ["X-Sum"])
    }
  }

  @Test("T96 What proxies say of clients is removed where an untrusted peer says it, Proxy from everybody")
  func proxyFields() async throws {
    let key = try TestKey(.es256)
    let names = [
      "Proxy", "Client-IP", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "CF-Connecting-IP", "Client-Cert",
      "Client-Cert-Chain", "X-SSL-Client-Verify", "X-SSL-Client-S-DN", "X-SSL-Client-Cert", "X-Forwarded",
      "X-Forwarded-Client-Cert", "X-Client-Cert", "Fastly-Client-IP",
    ]
    let door = try await TokenDoor.start(jwks: [key.jwk()], route: Self.route, more: Self.more)
    #expect(try await rest(door, "/public", names) == [])
    for name in spellings(of: names) {
      _ = try await door.gateway.exchange(
        "POST /public HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\(name): forged\r\n\r\n")
      #expect(door.upstream.requests.last?.trailers == [], "\(name)")
    }
    let trusting = try await TokenDoor.start(
      jwks: [key.jwk()], route: Self.route, more: Self.more, top: "trusted_proxies: [127.0.0.0/8]")
    #expect(try await rest(trusting, "/public", ["Proxy"]) == [])
  }
}
