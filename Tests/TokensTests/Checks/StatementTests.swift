// What a source says of a credential obeys the rules of its issuer.

import JSON
import Testing

@testable import Tokens

@Suite struct StatementTests {
  private func outcome(
    _ claims: String, now: Int64 = testNow, issuers: Int = 1, tenants: TenantPolicy? = nil
  ) throws -> String {
    var issuer = try TestIssuer()
    issuer.policy.tenants = tenants
    let statement = Statement(claims: try JSONDocument(Array(claims.utf8)), freshUntil: .max)
    return describe(
      statement.verdict(
        on: "opaque".utf8.span, from: .introspection(issuer: 0),
        issuers: Array(repeating: IssuerRules(issuer.policy), count: issuers), now: now))
  }

  @Test("A statement is good when its claims are, and need not name the issuer that made it")
  func good() throws {
    #expect(try outcome("{\"aud\":\"orders-api\",\"exp\":\(testNow + 1)}") == "verified")
    #expect(
      try outcome("{\"iss\":\"https://login.example.com/\",\"aud\":\"orders-api\",\"exp\":\(testNow + 1)}")
        == "verified")
  }

  @Test(
    "Claims that a token would be refused for are refused in a statement",
    arguments: [
      ("\"aud\":\"orders-api\"", "claim_missing"), ("\"aud\":\"x\",\"exp\":2000000000", "audience_mismatch"),
      ("\"exp\":2000000000", "audience_mismatch"), ("\"aud\":\"orders-api\",\"exp\":1000", "token_expired"),
      ("\"aud\":\"orders-api\",\"exp\":\"2000000000\"", "claim_invalid"),
      ("\"aud\":\"orders-api\",\"exp\":2000000000,\"nbf\":1900000000", "token_not_yet_valid"),
      ("\"aud\":\"orders-api\",\"exp\":2000000000,\"sub\":7", "claim_invalid"),
      ("\"aud\":\"orders-api\",\"exp\":2000000000,\"iss\":\"https://other.example/\"", "issuer_unknown"),
      ("\"aud\":\"orders-api\",\"exp\":2000000000,\"iss\":7", "claim_invalid"),
    ])
  func bad(members: String, code: String) throws {
    #expect(try outcome("{\(members)}") == code)
  }

  @Test("Where an issuer has tenants, a statement must say whose it is")
  func tenants() throws {
    let tenants = TenantPolicy(prefix: "https://l/", suffix: "/v2.0", claim: "tid", names: ["one"])
    func outcome(_ more: String) throws -> String {
      try self.outcome("{\"aud\":\"orders-api\",\"exp\":\(testNow + 1)\(more)}", tenants: tenants)
    }
    #expect(try outcome(",\"iss\":\"https://l/one/v2.0\",\"tid\":\"one\"") == "verified")
    #expect(try outcome(",\"tid\":\"one\"") == "issuer_unknown")
    #expect(try outcome(",\"iss\":\"https://l/one/v2.0\"") == "issuer_unknown")
    #expect(try outcome(",\"iss\":\"https://login.example.com/\",\"tid\":\"one\"") == "issuer_unknown")
  }

  @Test("A statement that is no object, or of an issuer that is not there, makes no caller")
  func misfits() throws {
    #expect(try outcome("[]") == "claim_invalid")
    #expect(try outcome("{}", issuers: 0) == "issuer_unknown")
  }
}
