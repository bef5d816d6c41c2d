// `tests:` of a file: what passes, what does not, and what the finding says.

import Configuration
import Rehearsal
import Testing

@Suite("Tests of a file")
struct FileTestTests {
  static let routes = """
    routes:
      - path: /orders/{id}
        name: orders
        host: api.example.com
        auth: { issuers: [login], scopes: [orders:read] }
        identity: { headers: { X-User-Id: sub } }
        rewrite: { strip_prefix: /orders, add_prefix: /v2 }
        request_headers: { set: { X-Env: "${PLACE}" }, remove: [Cookie] }
        response_headers: { set: { X-Frame-Options: DENY } }
        upstream: orders
      - { path: /old/*, auth: public, redirect: { to: /new } }
      - { path: /inside, auth: public, clients: [10.0.0.0/8], respond: { status: 200 } }
      - { path: /slow, auth: public, rate_limit: { requests: 1, per: 1h }, respond: { status: 204 } }
    tests:

    """

  private func check(_ tests: String) throws -> [String] {
    try findings(Self.routes + tests, environment: ["PLACE": "prod"])
  }

  @Test("A request that becomes what is expected is no finding: route, path, headers added and taken away")
  func good() throws {
    let found = try check(
      """
        - request: GET https://api.example.com/orders/1?a=b
          headers: { Cookie: a=1, X-User-Id: forged }
          token: { issuer: login, claims: { sub: ada, scope: orders:read other } }
          expect:
            status: 200
            route: orders
            upstream: orders
            path: /v2/1?a=b
            upstream_headers: { X-User-Id: ada, X-Env: prod, X-Forwarded-For: 192.0.2.1 }
            without_headers: [Cookie, Authorization]
            headers: { X-Frame-Options: DENY }
        - { request: "http://x/old/a", expect: { status: 308, location: /new/a } }
        - { request: "http://x/inside", from: 10.1.2.3, expect: { status: 200 } }
        - { request: "http://x/inside", expect: { status: 403, code: client_not_allowed } }
        - { request: DELETE http://x/nowhere, expect: { status: 404, code: route_not_found } }

      """)
    #expect(found.isEmpty, "\(found)")
  }

  @Test("A field may be expected whatever it says, as what the gateway signs, and no key is required for that")
  func presence() throws {
    func check(_ expected: String) throws -> [String] {
      try findings(
        """
        assertions: { internal: { issuer: gateway, keys: nowhere, algorithm: RS256 } }
        routes:
          - path: /*
            auth: { issuers: [login], optional: true }
            identity: { assertion: { name: internal, audience: orders } }
            upstream: orders
        tests:
          - { request: "http://x/", token: { issuer: login }, expect: { with_headers: \(expected) } }
          - { request: "http://x/", headers: { X-Assertion: forged }, expect: { without_headers: [X-Assertion] } }

        """)
    }
    #expect(try check("[x-assertion, Host]").isEmpty)
    let found = try check("[X-Other]")
    #expect(found.count == 1)
    #expect(found.first?.hasSuffix("the test of 'GET http://x/' fails: the upstream does not get X-Other") == true)
  }

  @Test("Claims replace those of a usual token, and one without a value takes a claim away")
  func claims() throws {
    let url = "GET https://api.example.com/orders/1"
    let cases = [
      ("{ scope: orders:read }", "200"), ("{ scope: [orders:read] }", "200"),
      ("{ sub: ada }", "403, code: scope_missing"),
      ("{ exp: 0 }", "401, code: token_expired"), ("{ exp: ~ }", "401, code: claim_missing"),
      ("{ exp: \"1\" }", "401, code: claim_invalid"), ("{ aud: other }", "401, code: audience_mismatch"),
      ("{ iss: https://evil.example.com }", "401, code: issuer_unknown"),
      ("{ nbf: 1800009999 }", "401, code: token_not_yet_valid"),
    ]
    let tests = cases.map { claims, expected in
      "  - { request: \(url), token: { issuer: login, claims: \(claims) }, expect: { status: \(expected) } }\n"
    }
    let found = try check(tests.joined())
    #expect(found.isEmpty, "\(found)")
  }

  @Test("A finding is at the place of what was expected, and says what came instead and why")
  func bad() throws {
    let found = try check(
      """
        - request: GET https://api.example.com/orders/1
          token: { issuer: login, claims: { sub: ada } }
          expect:
            status: 200
            code: token_missing
            route: other
            upstream: orders
      """)
    let place = "gateway.conf:"
    #expect(
      found == [
        "\(place)23:15: the test of 'GET https://api.example.com/orders/1' fails: expected status 200, got 403, "
          + "scope_missing (expected orders:read, got none)",
        "\(place)24:13: the test of 'GET https://api.example.com/orders/1' fails: expected code token_missing, "
          + "got scope_missing",
        "\(place)25:14: the test of 'GET https://api.example.com/orders/1' fails: expected route other, got orders",
        "\(place)26:17: the test of 'GET https://api.example.com/orders/1' fails: expected upstream orders, got none",
      ])
  }

  @Test("T59: What a rule or a variable of the file writes is in no finding")
  func secrets() throws {
    let found = try findings(
      Self.routes + """
          - request: GET https://api.example.com/orders/1
            token: { issuer: login, claims: { scope: orders:read } }
            expect: { upstream_headers: { X-Env: "${OTHER}", X-User-Id: ada }, path: "/${OTHER}" }

        """, environment: ["PLACE": "s3cret-place", "OTHER": "s3cret-other"])
    #expect(found.count == 3)
    #expect(!found.contains { $0.contains("s3cret") }, "\(found)")
    #expect(found.contains { $0.hasSuffix("got another X-Env:, which a rule of the file writes") }, "\(found)")
    #expect(found.contains { $0.hasSuffix("got no X-User-Id:") }, "\(found)")
  }

  @Test("Tests do not count for each other's rate limits")
  func limits() throws {
    let one = "  - { request: http://x/slow, expect: { status: 204 } }\n"
    let found = try check(one + one + one)
    #expect(found.isEmpty, "\(found)")
  }

  @Test(
    "The algorithms and types that an issuer requires are those of the token", arguments: ["RS256", "EdDSA", "HS256"])
  func algorithms(_ algorithm: String) throws {
    let text = """
      listeners: [{ address: "127.0.0.1:8080" }]
      issuers:
        login:
          issuer: https://login.example.com
          audiences: [api]
          algorithms: [\(algorithm)]
          token_types: [at+jwt]
          required_claims: [exp, sub]
          jwks: { keys: [{ kty: oct, kid: a, k: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA }] }
      routes: [{ path: /, auth: login, respond: { status: 200 } }]
      tests: [{ request: "http://x/", token: { issuer: login, claims: { sub: ada } }, expect: { status: 200 } }]
      """
    let read = ConfigurationReader.read(
      text: algorithm == "HS256"
        ? text : text.split(separator: "\n").filter { !$0.contains("jwks") }.joined(separator: "\n"),
      file: "gateway.conf", folder: "", environment: [:], readFile: { _ in [] })
    let found = FileTests.findings(
      of: try read.get().configuration, files: ["gateway.conf"], unixSeconds: now)
    #expect(found.isEmpty, "\(found)")
  }
}
