// What a token says: times, audiences, issuers, required claims, scopes and claims of a route.

import Bytes
import Testing

@testable import Tokens

@Suite struct ClaimsTests {
  private func payload(_ members: String) -> String {
    "{\"iss\":\"https://login.example.com/\",\"aud\":\"orders-api\"\(members.isEmpty ? "" : ",")\(members)}"
  }

  @Test("T15 Each wrong form of a time has one outcome")
  func timeForms() throws {
    let issuer = try TestIssuer()
    let wrong = [
      "\"1700000300\"", "null", "true", "-12345", "-1", "1e300", "1.7e9", "2e206", "-0.5", "[1700000300]", "{}",
      "1E400",
      "9223372036854775807", "-9223372036854775808", "9223372036854775808", "99999999999999999999999999",
      "253402300800",
      "253402300800.5", "1700000300000",
    ]
    for name in ["exp", "nbf", "iat"] {
      for form in wrong {
        let members = (name == "exp" ? "" : "\"exp\":\(testNow + 300),") + "\"\(name)\":\(form)"
        #expect(try issuer.outcome(issuer.token(payload(members))) == "claim_invalid", "\(name) \(form)")
      }
    }
    #expect(try issuer.outcome(issuer.token(payload(""))) == "claim_missing")
    #expect(try issuer.outcome(issuer.token(payload("\"exp\":253402300799"))) == "verified")
    #expect(try issuer.outcome(issuer.token(payload("\"exp\":\(testNow).5"))) == "verified")
    #expect(try issuer.outcome(issuer.token(payload("\"exp\":0"))) == "token_expired")
    #expect(try issuer.outcome(issuer.token(payload("\"exp\":-0"))) == "token_expired")
  }

  @Test("T63 A negative exp does not end never, and a great nbf is not a small one")
  func saturation() throws {
    let issuer = try TestIssuer()
    #expect(try issuer.outcome(issuer.token(payload("\"exp\":-12345"))) == "claim_invalid")
    #expect(try issuer.outcome(issuer.token(payload("\"exp\":\(testNow + 9),\"nbf\":2e206"))) == "claim_invalid")
    var patient = issuer
    patient.policy.leewaySeconds = .max
    patient.policy.maxAgeSeconds = .max
    #expect(try patient.outcome(patient.token(payload("\"exp\":5,\"iat\":5,\"nbf\":9")), now: .max - 1) == "verified")
  }

  @Test("T16 Leeway counts on both sides, to the second")
  func leeway() throws {
    let issuer = try TestIssuer()
    let token = try issuer.token(payload("\"exp\":1000,\"nbf\":500,\"iat\":500"))
    for (now, expected) in [
      (469, "token_not_yet_valid"), (470, "verified"), (1029, "verified"), (1030, "token_expired"),
    ] {
      #expect(try issuer.outcome(token, now: Int64(now)) == expected, "\(now)")
    }
    let fractions = try issuer.token(payload("\"exp\":1000.9,\"nbf\":500.1"))
    for (now, expected) in [
      (470, "token_not_yet_valid"), (471, "verified"), (1029, "verified"), (1030, "token_expired"),
    ] {
      #expect(try issuer.outcome(fractions, now: Int64(now)) == expected, "\(now)")
    }
    var exact = issuer
    exact.policy.leewaySeconds = 0
    for (now, expected) in [
      (499, "token_not_yet_valid"), (500, "verified"), (999, "verified"), (1000, "token_expired"),
    ] {
      #expect(try exact.outcome(token, now: Int64(now)) == expected, "\(now)")
    }
  }

  @Test("A token may be no older than max_age, and not from the future")
  func maxAge() throws {
    var issuer = try TestIssuer()
    issuer.policy.maxAgeSeconds = 60
    issuer.policy.leewaySeconds = 10
    let token = try issuer.token(payload("\"exp\":9000,\"iat\":1000"))
    for (now, expected) in [
      (989, "token_not_yet_valid"), (990, "verified"), (1070, "verified"), (1071, "token_too_old"),
    ] {
      #expect(try issuer.outcome(token, now: Int64(now)) == expected, "\(now)")
    }
    #expect(try issuer.verified(token, now: 1000).expiresAt == 1071)
    #expect(try issuer.verified(token, now: 1000).beginsAt == 990)
    #expect(try issuer.outcome(issuer.token(payload("\"exp\":9000")), now: 1000) == "claim_missing")
  }

  @Test("T17 aud must hold one of the issuer's audiences, iss must be equal in every byte")
  func audienceAndIssuer() throws {
    var issuer = try TestIssuer()
    func outcome(_ audience: String?) throws -> String {
      let member = audience.map { ",\"aud\":\($0)" } ?? ""
      return try issuer.outcome(
        issuer.token("{\"iss\":\"https://login.example.com/\",\"exp\":\(testNow + 300)\(member)}"))
    }
    for good in ["\"orders-api\"", "[\"orders-api\"]", "[\"a\",\"orders-api\"]", "\"\\u006frders-api\""] {
      #expect(try outcome(good) == "verified")
    }
    for bad in [nil, "\"orders-ap\"", "\"orders-api \"", "\"Orders-API\"", "\"\"", "[]", "[\"a\"]", "\"orders-api,b\""]
    {
      #expect(try outcome(bad) == "audience_mismatch", "\(bad ?? "absent")")
    }
    for bad in ["1", "null", "true", "{}", "[1]", "[\"orders-api\",1]", "[[\"orders-api\"]]"] {
      #expect(try outcome(bad) == "claim_invalid", "\(bad)")
    }
    issuer.policy.audiences = []
    #expect(try outcome(nil) == "verified")
    issuer.policy.audiences = ["x", "orders-api"]
    #expect(try outcome("\"orders-api\"") == "verified")
    let names = [
      "\"https://login.example.com\"", "\"https://LOGIN.example.com/\"", "\"https://login.example.com//\"", "\"\"",
      "\"https://login.example.com/\\u0000\"",
    ]
    for name in names {
      let token = try issuer.token("{\"iss\":\(name),\"exp\":\(testNow + 300),\"aud\":\"x\"}")
      #expect(try issuer.outcome(token) == "issuer_unknown", "\(name)")
    }
    #expect(try issuer.outcome(issuer.token("{\"exp\":\(testNow + 300)}")) == "issuer_unknown")
    #expect(try issuer.outcome(issuer.token("{\"iss\":[\"https://login.example.com/\"]}")) == "claim_invalid")
  }

  @Test("Required claims must be there and not null")
  func required() throws {
    var issuer = try TestIssuer()
    issuer.policy.requiredClaims = ["sub", "org.id"]
    #expect(try issuer.outcome(issuer.token(payload("\"sub\":\"a\",\"org\":{\"id\":1}"))) == "verified")
    #expect(try issuer.outcome(issuer.token(payload("\"sub\":\"a\",\"org\":{\"id\":null}"))) == "claim_missing")
    #expect(try issuer.outcome(issuer.token(payload("\"sub\":\"a\",\"org\":1"))) == "claim_missing")
    #expect(try issuer.outcome(issuer.token(payload("\"org\":{\"id\":1}"))) == "claim_missing")
    #expect(try issuer.outcome(issuer.token(payload("\"sub\":1"))) == "claim_invalid")
    // exp is not required here: a token without it has no end.
    #expect(try issuer.verified(issuer.token(payload("\"sub\":\"a\",\"org\":{\"id\":1}"))).expiresAt == .max)
  }

  @Test("T30 Scopes are whole words of scope or elements of scp")
  func scopes() throws {
    let issuer = try TestIssuer()
    func has(_ member: String, _ scopes: [String], isAny: Bool = false) throws -> Bool {
      let token = try issuer.verified(issuer.token(issuer.claims(",\(member)")))
      return AccessRules(scopes: ScopeRequirement(scopes, isAny: isAny), claims: []).refusal(of: token) == nil
    }
    #expect(try has("\"scope\":\"orders:read orders:write\"", ["orders:read", "orders:write"]))
    #expect(try has("\"scope\":\"  a  b \"", ["b", "a"]))
    #expect(try has("\"scope\":\"a\\u0020b\"", ["a", "b"]))
    #expect(try has("\"scp\":[\"a\",\"b\"]", ["a", "b"]))
    #expect(try has("\"scp\":\"a b\"", ["b"]))
    #expect(try has("\"scope\":\"a\",\"scp\":[\"b\"]", ["a", "b"]))
    #expect(try has("\"scope\":\"a\"", []))
    let wrong = [
      "\"scope\":\"orders:readonly\"", "\"scope\":\"xorders:read\"", "\"scope\":\"Orders:read\"", "\"scope\":\"\"",
      "\"scope\":\"orders:read\\t\"", "\"scp\":[\"a orders:read\"]", "\"scope\":null",
      "\"scope\":{\"orders:read\":true}",
      "\"scopes\":\"orders:read\"", "\"scp\":[[\"orders:read\"]]",
    ]
    for member in wrong { #expect(try !has(member, ["orders:read"]), "\(member)") }
    #expect(try !has("\"scope\":\"a\"", ["a", "b"]))
    #expect(try has("\"scope\":\"openid b\"", ["a", "b"], isAny: true))
    #expect(try has("\"scp\":[\"a\"]", ["a", "b"], isAny: true))
    #expect(try !has("\"scope\":\"openid ab\"", ["a", "b"], isAny: true))
  }

  @Test(
    "Scopes imply others only if each caller that has them has the others",
    arguments: [
      (["a"], false, [], false, true), (["a"], false, [], true, true), (["a", "b"], false, ["b"], false, true),
      (["a"], false, ["a", "b"], false, false), (["a"], false, ["a", "b"], true, true),
      (["c"], false, ["a", "b"], true, false), (["a", "b"], true, ["a"], false, false),
      (["a", "b"], true, ["a", "b"], true, true), (["a", "b"], true, ["a", "b", "c"], true, true),
      (["a", "b", "c"], true, ["a", "b"], true, false), (["a"], true, ["a"], false, true),
      ([], false, ["a"], false, false),
    ] as [([String], Bool, [String], Bool, Bool)])
  func implied(own: [String], isAny: Bool, others: [String], isAnyOther: Bool, expected: Bool) {
    let implies = ScopeRequirement(own, isAny: isAny).implies(ScopeRequirement(others, isAny: isAnyOther))
    #expect(implies == expected)
  }

  @Test("A pattern is compared with an end of the text, byte by byte, in lists too")
  func patterns() throws {
    let issuer = try TestIssuer()
    func holds(_ sub: String, _ value: ClaimRequirement.Value) throws -> Bool {
      let token = try issuer.verified(issuer.token(issuer.claims(",\"repo\":\(sub)")))
      let rules = AccessRules(
        scopes: ScopeRequirement(), claims: [ClaimRequirement(claim: ClaimPath("repo"), values: [value])])
      return rules.refusal(of: token) == nil
    }
    #expect(try holds("\"repo:acme/shop\"", .prefix("repo:acme/")))
    #expect(try holds("\"repo:acme/\"", .prefix("repo:acme/")))
    #expect(try holds("\"\\u0072epo:acme/shop\"", .prefix("repo:acme/")), "what is escaped is the same text")
    #expect(try holds("[\"x\",\"repo:acme/shop\"]", .prefix("repo:acme/")))
    #expect(try !holds("\"repo:acme-evil/shop\"", .prefix("repo:acme/")))
    #expect(try !holds("\"xrepo:acme/\"", .prefix("repo:acme/")))
    #expect(try !holds("\"repo\"", .prefix("repo:acme/")))
    #expect(try !holds("7", .prefix("7")))
    #expect(try holds("\"alice@example.com\"", .suffix("@example.com")))
    #expect(try !holds("\"alice@example.com.evil\"", .suffix("@example.com")))
    #expect(try !holds("\"\"", .suffix("@example.com")))
  }

  @Test("A route's claims hold by value and by type, in nested objects and in lists")
  func requirements() throws {
    let issuer = try TestIssuer()
    let token = try issuer.verified(
      issuer.token(
        issuer.claims(
          ",\"org\":{\"tier\":\"gold\",\"n\":5},\"org.id\":\"dotted\",\"https://x.example/roles\":[\"admin\",7,true],"
            + "\"verified\":true,\"a.b\":{\"c\":1},\"a\":{\"b\":{\"c\":2}},\"text\":\"g\\u006fld\",\"n\":null")))
    func holds(_ claim: String, _ values: ClaimRequirement.Value...) -> Bool {
      let rules = AccessRules(
        scopes: ScopeRequirement(), claims: [ClaimRequirement(claim: ClaimPath(claim), values: values)])
      return rules.refusal(of: token) == nil
    }
    #expect(holds("org.tier", .string("silver"), .string("gold")))
    #expect(holds("org.n", .integer(5)))
    #expect(holds("org.id", .string("dotted")))
    #expect(holds("https://x.example/roles", .string("admin")))
    #expect(holds("https://x.example/roles", .integer(7)))
    #expect(holds("https://x.example/roles", .boolean(true)))
    #expect(holds("verified", .boolean(true)))
    #expect(holds("text", .string("gold")))
    // The longest run of parts wins: a.b before a.
    #expect(holds("a.b.c", .integer(1)))
    #expect(!holds("a.b.c", .integer(2)))
    #expect(!holds("org.n", .string("5")))
    #expect(!holds("verified", .string("true"), .boolean(false), .integer(1)))
    #expect(!holds("org", .string("gold")))
    #expect(!holds("org.tier.x", .string("gold")))
    #expect(!holds("missing", .string("gold")))
    #expect(!holds("n", .string("null"), .integer(0), .boolean(false)))
    #expect(!holds("", .string("gold")))
    #expect(AccessRules(scopes: ScopeRequirement(["a"]), claims: []).refusal(of: token) == .scopeMissing)
    let rules = AccessRules(scopes: ScopeRequirement(), claims: [ClaimRequirement(claim: ClaimPath("x"), values: [])])
    #expect(rules.refusal(of: token) == .claimMismatch)
  }
}
