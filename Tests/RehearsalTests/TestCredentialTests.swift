// Tests of a file whose requests have an API key, a session or a client certificate, and none of them is there.

import Configuration
import Rehearsal
import Testing

@Suite("Credentials of a file's tests")
struct TestCredentialTests {
  /// - Parameter digit: of the digest of a key that nobody has.
  private static func entry(_ id: String, _ digit: Int, _ more: String = "") -> String {
    "{ id: \(id), hash: \"sha256:\(String(repeating: "\(digit)", count: 64))\"\(more) }"
  }

  private static let front = """
    api_keys:
      partners:
        keys:
          - \(entry("acme", 1, ", claims: { plan: gold }, scopes: [read]"))
          - \(entry("old", 2, ", expires: 2020-01-01"))
          - \(entry("new", 3, ", expires: 2020-01-01"))
          - \(entry("new", 4))
      queries: { keys: [\(entry("bot", 5))], from: ["query:key"] }
      named: { keys: [\(entry("svc", 6))], from: [basic] }
    sessions:
      web: { store: memory, exchange: { path: /session, issuers: [login] } }
    routes:
      - path: /keys
        auth: { api_keys: [partners, queries, named], scopes: [read] }
        identity: { headers: { X-User: sub, X-Plan: plan } }
        upstream: orders
      - path: /any
        auth: { api_keys: [partners, queries, named] }
        identity: { headers: { X-User: sub } }
        upstream: orders
      - path: /pages
        auth: { sessions: [web], claims: { role: editor } }
        identity: { headers: { X-User: sub } }
        upstream: orders
      - path: /tls
        auth: { issuers: [login] }
        identity: { headers: { X-User: sub } }
        upstream: orders
    tests:

    """

  private func check(_ tests: String) throws -> [String] { try findings(Self.front + tests) }

  @Test("The id of a key stands for the key, with its claims, its scopes and its end, wherever the set has its keys")
  func apiKeys() throws {
    let found = try check(
      """
        - request: GET http://x/keys
          api_key: { set: partners, id: acme }
          expect: { status: 200, upstream_headers: { X-User: acme, X-Plan: gold }, without_headers: [X-Api-Key] }
        - { request: "http://x/keys", api_key: { set: queries, id: bot }, expect: { status: 403, code: scope_missing } }
        - request: GET http://x/any?a=b
          api_key: { set: queries, id: bot }
          expect: { status: 200, path: "/any?a=b", upstream_headers: { X-User: bot } }
        - request: GET http://x/any
          api_key: { set: named, id: svc }
          expect: { status: 200, upstream_headers: { X-User: svc }, without_headers: [Authorization] }
        - { request: "http://x/any", api_key: { set: partners, id: old }, expect: { code: api_key_expired } }
        - { request: "http://x/any", api_key: { set: partners, id: new }, expect: { status: 200 } }
        - { request: "http://x/any", headers: { X-Api-Key: acme }, expect: { code: api_key_invalid } }
        - { request: "http://x/any", expect: { status: 401, code: api_key_missing } }

      """)
    #expect(found.isEmpty, "\(found)")
  }

  @Test("An id that the set does not have is a finding at its line, and the other tests go on")
  func unknownKey() throws {
    let found = try check(
      """
        - { request: "http://x/any", api_key: { set: partners, id: bot }, expect: { status: 200 } }
        - { request: "http://x/any", expect: { status: 200 } }

      """)
    #expect(found.count == 2)
    #expect(
      found.first?.hasSuffix(
        "the test of 'GET http://x/any' fails: the set of API keys 'partners' has no key with the id 'bot'") == true,
      "\(found)")
  }

  @Test("Claims stand for a session: its route's rules count, each test has its own, and the origin is looked at")
  func sessions() throws {
    let found = try check(
      """
        - request: GET http://x/pages
          headers: { Cookie: theme=dark }
          session: { name: web, claims: { sub: ada, role: editor } }
          expect: { status: 200, upstream_headers: { X-User: ada, Cookie: theme=dark } }
        - request: GET http://x/pages
          session: { name: web, issuer: login, claims: { sub: bob, role: reader } }
          expect: { status: 403, code: claim_mismatch }
        - request: POST http://x/pages
          headers: { Origin: "https://evil.example" }
          session: { name: web, claims: { sub: ada, role: editor } }
          expect: { status: 403, code: origin_not_allowed }
        - request: GET http://x/any
          session: { name: web, claims: { sub: ada } }
          expect: { code: api_key_missing }
        - request: GET http://x/pages
          headers: { Cookie: "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }
          expect: { status: 401, code: session_expired }
        - { request: "http://x/pages", expect: { status: 401, code: session_missing } }

      """)
    #expect(found.isEmpty, "\(found)")
  }

  @Test("The thumbprint of a certificate counts for a token that is bound to it, as if the client had shown one")
  func certificates() throws {
    let own = String(repeating: "A", count: 43)
    let other = String(repeating: "B", count: 42) + "A"
    let token = "token: { issuer: login, claims: { sub: ada, cnf: { \"x5t#S256\": \(own) } } }"
    let found = try check(
      """
        - request: GET https://x/tls
          \(token)
          certificate: { subject: "CN=ada,O=acme", san: "DNS:ada.example" }
          expect: { status: 200, upstream_headers: { X-User: ada } }
        - { request: "https://x/tls", \(token), certificate: { thumbprint: \(other) }, expect: { status: 401 } }
        - { request: "https://x/tls", \(token), expect: { status: 401 } }

      """)
    #expect(found.isEmpty, "\(found)")
  }
}
