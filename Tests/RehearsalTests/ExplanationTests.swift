// `catraca explain` looks at what the data plane does. Its steps and the verdict of the data plane are of one check.

import Configuration
import Cryptography
import JSON
import Rehearsal
import Testing
import Tokens

@Suite("Explanations")
struct ExplanationTests {
  private let key: SigningKey
  private let keys: KeySet

  init() throws {
    key = try .generate(.ellipticCurve(.p256))
    keys = try KeySet.parse(
      KeySetWriter.encode([(id: "one", key: key.publicKey, algorithm: nil)]).span, algorithms: [.es256])
  }

  private func token(_ claims: String, header: String = "\"kid\":\"one\"", key: SigningKey? = nil) throws -> String {
    let bytes = try #require(encodeCompact(algorithm: .es256, header: header, payload: claims, key: key ?? self.key))
    return String(decoding: bytes, as: UTF8.self)
  }

  private func explain(_ routes: String, _ text: String, token: String? = nil, keys: KeySet? = nil) throws
    -> Explanation
  {
    Explanation(
      RehearsedRequest(try request(text)), token: token, in: try configuration(routes), keySets: [keys ?? self.keys],
      unixSeconds: now)
  }

  private static let routes = """
    routes:
      - path: /orders/{id}
        auth: { issuers: [login], scopes: [read], claims: { team: red } }
        identity: { headers: { X-User-Id: sub } }
        request_headers: { set: { X-Key: secret-of-the-file } }
        rate_limit: { requests: 10, per: 1s }
        upstream: orders
      - { path: /orders/*, methods: [DELETE], auth: public, upstream: orders, unprotected: allowed }
      - { path: /orders/1, host: other.example.com, auth: public, upstream: orders, unprotected: allowed }
      - { path: /orders/1, headers: { X-Beta: "1" }, auth: public, upstream: orders, unprotected: allowed }
      - { path: /*, auth: public, upstream: orders, unprotected: allowed }
      - { path: /nothing, auth: public, respond: { status: 200 } }

    """

  private static let claims = """
    "iss":"https://login.example.com","aud":"api","sub":"ada","exp":1800000300,"scope":"read","team":"red"
    """

  @Test("Which issuers would be asked about a token is said, and nobody is asked")
  func questions() throws {
    var file = try configuration("routes: [{ path: /*, auth: login, upstream: orders }]")
    file.issuers[0].introspection = Introspection(endpoint: "https://login.example.com/ask", clientID: "gateway")
    file.issuers[0].policy.isAskedForOpaqueTokens = true
    file.issuers[0].policy.jwtQuestion = .confirmation
    func explain(_ token: String) throws -> Explanation {
      Explanation(
        RehearsedRequest(try request("GET https://api.example.com/orders/1")), token: token, in: file, keySets: [keys],
        unixSeconds: now)
    }
    let opaque = try explain("opaque")
    #expect(opaque.outcome.code == "introspection_unavailable" && opaque.steps.isEmpty)
    #expect(opaque.requirements == ["introspection: login would be asked whose the token is"])
    let signed = try explain(token("{\(Self.claims)}"))
    #expect(signed.outcome.status == 200 && signed.steps.last?.isPassed == true)
    #expect(signed.requirements == ["introspection: login would be asked about a token that names it"])
  }

  @Test("What a rule in shadow would refuse is said, and what the upstream gets all the same")
  func shadow() throws {
    let routes =
      "routes: [{ path: /*, auth: { issuers: [login], mode: shadow }, upstream: orders, "
      + "identity: { headers: { X-User-Id: sub } } }]"
    let found = try explain(
      routes, "GET https://api.example.com/orders/1",
      token: try token("{\(Self.claims.replacing("1800000300", with: "1700000000"))}"))
    #expect(found.outcome.code == nil && found.outcome.shadowCode == "token_expired")
    #expect(found.outcome.upstreamRequest != nil && !found.sentFields.contains { $0.name == "X-User-Id" })
    let text = found.text()
    #expect(text.contains("token_expired if the rule counted"))
    #expect(found.json.contains("\"shadow_code\":\"token_expired\""))
  }

  @Test("A request that passes: each check, the limits, and what the upstream gets with where it comes from")
  func good() throws {
    let found = try explain(
      Self.routes, "GET https://api.example.com/orders/1", token: try token("{\(Self.claims)}"))
    #expect(found.outcome.route == "/orders/{id}")
    // The issuer has no lists.
    #expect(found.steps.map(\.step) == TokenStep.allCases.filter { $0 != .revocation })
    let arePassed = found.steps.allSatisfy { $0.isPassed }
    #expect(arePassed)
    #expect(found.requirements == ["scope: read", "claim team: red"])
    #expect(found.limits.count == 1 && found.limits[0].contains("10 in 1s"))
    #expect(found.outcome.upstreamRequest?.target == "/orders/1")
    let origins = Dictionary(uniqueKeysWithValues: found.sentFields.map { ($0.name, ($0.origin, $0.value)) })
    #expect(origins["Host"]?.0 == .client && origins["Host"]?.1 == "api.example.com")
    #expect(origins["X-User-Id"]?.0 == .identity && origins["X-User-Id"]?.1 == "ada")
    #expect(origins["X-Key"]?.0 == .rule && origins["X-Key"]?.1 == nil)
    #expect(origins["X-Forwarded-For"]?.0 == .gateway)
    #expect(!found.text().contains("secret-of-the-file") && !found.json.contains("secret-of-the-file"))
    let json = try JSONDocument(Array(found.json.utf8.dropLast()))
    #expect(json.member("upstream", of: json.root) != nil)
  }

  @Test("A route that asks a service shows what that would be asked, without credentials, and is taken to pass")
  func service() throws {
    let text = """
      services: { policy: { upstream: orders, path: /check, headers: [Cookie], answer_headers: [X-Tenant] } }
      routes:
        - path: /orders/*
          auth: login
          identity: { headers: { X-User-Id: sub } }
          authorize: { service: policy }
          upstream: orders

      """
    let request = RehearsedRequest(
      try request("POST https://api.example.com/orders/1?a=b"), fields: [TestField(name: "Cookie", value: "c=secret")])
    let found = Explanation(
      request, token: try token("{\(Self.claims)}"), in: try configuration(text), keySets: [keys], unixSeconds: now)
    #expect(found.service == "policy" && found.outcome.serviceRequest?.target == "/check")
    let asked = Dictionary(uniqueKeysWithValues: found.askedFields.map { ($0.name, $0.value) })
    #expect(asked["X-Forwarded-Method"] == "POST" && asked["X-Forwarded-Uri"] == "/orders/1?a=b")
    #expect(asked["X-User-Id"] == "ada" && asked["Host"] == "orders.internal:9000" && asked["Cookie"] == .some(nil))
    #expect(found.outcome.upstreamRequest?.target == "/orders/1?a=b" && found.outcome.status == 200)
    #expect(found.text().contains("service policy") && found.text().contains("not asked here"))
    #expect(!found.text().contains("secret") && !found.json.contains("secret"))
    let json = try JSONDocument(Array(found.json.utf8.dropLast()))
    #expect(json.member("service", of: json.root) != nil)
    // Who has no right to pass is not asked about.
    let refused = Explanation(request, token: nil, in: try configuration(text), keySets: [keys], unixSeconds: now)
    #expect(refused.service == nil && refused.outcome.code == "token_missing")
  }

  @Test("What the gateway would sign is shown as its claims, without a signature that somebody could use")
  func assertion() throws {
    let found = try explain(
      """
      assertions: { internal: { issuer: gateway, keys: nowhere, claims: [sub, team] } }
      routes:
        - { path: /*, auth: login, identity: { assertion: { name: internal, audience: orders } }, upstream: orders }

      """, "http://x/", token: try token("{\(Self.claims)}"))
    let field = try #require(found.sentFields.first { $0.name == "X-Assertion" })
    #expect(field.origin == .assertion)
    #expect(field.value?.hasPrefix("{\"iss\":\"gateway\",\"aud\":\"orders\",\"iat\":\(now),") == true)
    #expect(field.value?.hasSuffix("\"sub\":\"ada\",\"team\":\"red\"}") == true)
    #expect(found.text().contains("signed by the gateway") && !found.json.contains("eyJ"))
  }

  @Test("Each route that takes the path and not the request is there with what it requires")
  func routes() throws {
    let found = try explain(Self.routes, "GET https://api.example.com/orders/1", token: nil)
    #expect(
      found.otherRoutes.map { "\($0.route): \($0.reason)" } == [
        "/orders/*: requires methods DELETE", "/orders/1: requires host other.example.com",
        "/orders/1: requires headers x-beta", "/*: takes it as well, and the other one is more specific",
      ])
    #expect(found.withOtherPath == 1)
    #expect(found.outcome.code == "token_missing")
  }

  @Test("For each reason for which a token is refused, the last check is the one that failed, with both sides of it")
  func refusals() throws {
    func with(_ old: String, _ new: String) throws -> String { try token("{\(Self.claims.replacing(old, with: new))}") }
    let stranger = try SigningKey.generate(.ellipticCurve(.p256))
    let good = try token("{\(Self.claims)}")
    let cases: [(TokenRefusal, TokenStep?, String)] = [
      (.tokenMalformed, .form, "a.b.c"), (.tokenMalformed, .form, "opaque"),
      (.criticalHeaderUnknown, .form, try token("{\(Self.claims)}", header: "\"crit\":[\"b\"]")),
      (.issuerUnknown, .issuer, try with("login.", "other.")),
      (.typeNotAllowed, .type, try token("{\(Self.claims)}", header: "\"typ\":\"logout+jwt\"")),
      (.keyUnknown, .key, try token("{\(Self.claims)}", header: "\"kid\":\"two\"")),
      (.signatureInvalid, .signature, try token("{\(Self.claims)}", key: stranger)),
      (.tokenExpired, .times, try with("1800000300", "1799999960")),
      (.claimInvalid, .times, try with("1800000300", "\"never\"")),
      (.audienceMismatch, .audience, try with("\"api\"", "\"other\"")),
      (.claimInvalid, .subject, try with("\"ada\"", "1")),
      (.claimMissing, .requiredClaims, try with("\"exp\":1800000300,", "")),
      (.scopeMissing, nil, try with("\"read\"", "\"write\"")), (.claimMismatch, nil, try with("\"red\"", "\"blue\"")),
    ]
    for (refusal, step, token) in cases {
      let found = try explain(Self.routes, "GET https://api.example.com/orders/1", token: token)
      #expect(found.outcome.code == refusal.rawValue, "\(refusal)")
      let last = try #require(found.steps.last)
      #expect(last.isPassed == (step == nil), "\(refusal)")
      if let step { #expect(last.step == step, "\(refusal)") }
      let areRestPassed = found.steps.dropLast().allSatisfy { $0.isPassed }
      #expect(areRestPassed, "\(refusal)")
      #expect(!last.got.isEmpty)
      #expect(!found.text().contains(token) || token.utf8.count < 10, "\(refusal)")
    }
    let unsigned = good.split(separator: ".").prefix(2).joined(separator: ".") + "."
    let none = try explain(Self.routes, "GET https://api.example.com/orders/1", token: unsigned)
    #expect(none.steps.last?.isPassed == false)
  }

  @Test("T59: Of several routes with one name, it is the one that took the request whose values are not shown")
  func namesakes() throws {
    let routes = """
      routes:
        - { path: /a, host: one.example.com, auth: public, upstream: orders }
        - path: /a
          host: two.example.com
          auth: public
          request_headers: { set: { X-Key: secret-of-the-file } }
          upstream: orders
      tests:
        - { request: "http://two.example.com/a", expect: { upstream_headers: { X-Key: other } } }

      """
    let found = try explain(routes, "http://two.example.com/a")
    let hasSecret = found.text().contains("secret-of-the-file") || found.json.contains("secret-of-the-file")
    #expect(!hasSecret)
    #expect(found.otherRoutes.map(\.reason) == ["requires host one.example.com"])
    let words = try findings(routes)
    #expect(words.count == 1)
    #expect(words.contains { !$0.contains("secret") && $0.hasSuffix("which a rule of the file writes") })
  }

  @Test("Without keys of the issuer the check of the keys is the one that fails")
  func withoutKeys() throws {
    let found = Explanation(
      RehearsedRequest(try request("GET https://api.example.com/orders/1")), token: try token("{\(Self.claims)}"),
      in: try configuration(Self.routes), keySets: [nil], unixSeconds: now)
    #expect(found.outcome.code == "keys_unavailable" && found.outcome.status == 503)
    #expect(found.steps.last?.step == .keys && found.steps.last?.isPassed == false)
  }

  @Test("Times say which leeway would have let the token pass, where a file may have it")
  func leeway() throws {
    func last(_ old: String, _ new: String) throws -> TokenStepReport? {
      let token = try token("{\(Self.claims.replacing(old, with: new))}")
      return try explain(Self.routes, "GET https://api.example.com/orders/1", token: token).steps.last
    }
    #expect((try last("1800000300", "1799999960")?.remedy) == "a leeway of 41s would let it pass")
    #expect((try last("1800000300", "1700000000")?.remedy) == "no leeway that a file may have would let it pass")
    #expect((try last("\"exp\":", "\"nbf\":1800000100,\"exp\":")?.remedy) == "a leeway of 100s would let it pass")
  }

  @Test("Methods, redirects and answers of the gateway are explained as well")
  func others() throws {
    let routes = """
      routes:
        - { path: /a, methods: [POST], auth: public, respond: { status: 200 } }
        - { path: /b, auth: public, redirect: { to: https://example.com/c } }

      """
    #expect((try explain(routes, "GET http://x/a")).outcome.code == "method_not_allowed")
    #expect((try explain(routes, "http://x/b")).text().contains("to https://example.com/c"))
    #expect((try explain(routes, "http://x//b")).outcome.status == 308)
    #expect((try explain(routes, "CONNECT http://x/a")).outcome.code != nil)
  }

  @Test(
    "A request that cannot be sent is no request",
    arguments: [
      "", "GET", "GET /a", "GET ftp://x/", "GET http:///a", "GET http://a@b/", "GET http://x/ y", "G(T http://x/",
      "http://x/é",
    ])
  func notRequests(_ text: String) {
    #expect(throws: TestRequest.Problem.self) { try TestRequest.parse(text).get() }
  }

  @Test("A line that is not a header field is none", arguments: ["", "a", ": b", "a b: c", "a: b\r\nc: d"])
  func notFields(_ line: String) { #expect(TestField(line: line) == nil) }

  @Test("A document of GraphQL is explained by the rules of its route, its operation and the verdict")
  func documents() throws {
    let routes = """
      routes:
        - path: /graphql
          auth: { issuers: [login], optional: true }
          upstream: orders
          graphql:
            max_depth: 2
            introspection: { scopes: [schema] }
            operations:
              - { type: mutation, root_fields: [buy, sell], scopes: [write], claims: { team: red } }

      """
    func explain(_ document: String) throws -> Explanation {
      Explanation(
        RehearsedRequest(
          try request("POST https://api.example.com/graphql"), body: "{\"query\":\"\(document)\"}"),
        token: nil, in: try configuration(routes), keySets: [keys], unixSeconds: now)
    }
    let refused = try explain("mutation Buy { x: buy { id } }")
    #expect(refused.outcome.code == "token_missing" && refused.outcome.operation == "Buy")
    #expect(refused.documentRules.contains("mutation with buy or sell: scope write, claim team: red"))
    #expect(refused.text().contains("operation       Buy"))
    #expect(refused.json.contains("\"operation\":\"Buy\""))
    #expect(try explain("{ a { b { c } } }").outcome.code == "graphql_too_deep")
    let good = try explain("{ a { b } }")
    #expect(good.outcome.code == nil && good.outcome.upstreamRequest?.target == "/graphql")
  }
}
