// One issuer of many tenants: whose tokens pass.

import Testing

@testable import Tokens

@Suite struct TenantTests {
  private func outcome(
    iss: String, _ more: String, claim: String = "tid", names: [String] = ["one", "two"], prefix: String = "https://l/",
    suffix: String = "/v2.0"
  ) throws -> String {
    var issuer = try TestIssuer()
    issuer.policy.tenants = TenantPolicy(prefix: prefix, suffix: suffix, claim: claim, names: names)
    issuer.policy.issuer = prefix + "{\(claim)}" + suffix
    let payload = "{\"iss\":\(iss),\"aud\":\"orders-api\",\"exp\":\(testNow + 300)\(more)}"
    return try issuer.outcome(issuer.token(payload))
  }

  @Test("A token passes when its issuer names a tenant that is listed, and its claim names the same")
  func listed() throws {
    #expect(try outcome(iss: "\"https://l/one/v2.0\"", ",\"tid\":\"one\"") == "verified")
    #expect(try outcome(iss: "\"https://l/two/v2.0\"", ",\"tid\":\"two\"") == "verified")
    #expect(try outcome(iss: "\"https:\\/\\/l\\/two\\/v2.0\"", ",\"tid\":\"t\\u0077o\"") == "verified")
    #expect(
      try outcome(iss: "\"two\"", ",\"org\":{\"id\":\"two\"}", claim: "org.id", prefix: "", suffix: "") == "verified")
    #expect(try outcome(iss: "\"https://l/one\"", ",\"tid\":\"one\"", suffix: "") == "verified")
  }

  @Test(
    "Another tenant, another claim, and what only looks like the issuer are issuer_unknown",
    arguments: [
      ("\"https://l/three/v2.0\"", ",\"tid\":\"three\""), ("\"https://l/one/v2.0\"", ",\"tid\":\"two\""),
      ("\"https://l/one/v2.0\"", ""), ("\"https://l/one/v2.0\"", ",\"tid\":[\"one\"]"),
      ("\"https://l/one/v2.0\"", ",\"tid\":null"), ("\"https://l//v2.0\"", ",\"tid\":\"\""),
      ("\"https://l/v2.0\"", ",\"tid\":\"\""), ("\"https://l/{tid}/v2.0\"", ",\"tid\":\"{tid}\""),
      ("\"https://l/one/v2.0/\"", ",\"tid\":\"one\""), ("\"https://evil/one/v2.0\"", ",\"tid\":\"one\""),
      ("\"https://l/x/one/v2.0\"", ",\"tid\":\"one\""), ("\"https://l/ONE/v2.0\"", ",\"tid\":\"ONE\""), ("\"\"", ""),
    ])
  func others(iss: String, more: String) throws {
    #expect(try outcome(iss: iss, more) == "issuer_unknown")
  }

  @Test("An issuer that is no text is claim_invalid, as ever")
  func noText() throws {
    #expect(try outcome(iss: "7", ",\"tid\":\"one\"") == "claim_invalid")
  }
}
