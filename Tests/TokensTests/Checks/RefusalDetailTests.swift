// Both values of a refusal: what was expected and what the token says, in words that are safe in any log.

import Testing

@testable import Tokens

@Suite("Details of refusals")
struct RefusalDetailTests {
  private func detail(
    _ token: [UInt8], _ issuer: TestIssuer, byteCountMax: Int = 16_384
  ) throws -> (refusal: TokenRefusal?, detail: RefusalDetail) {
    // The issuer's key is there whatever its rules say of algorithms.
    var publisher = issuer
    publisher.policy.algorithms = [.es256]
    let keySet = try publisher.keySet()
    let verifier = TokenVerifier(tokenByteCountMax: byteCountMax)
    let rules = [IssuerRules(issuer.policy)]
    let keySets = [keySet]
    let refusal: TokenRefusal
    let known: Int?
    switch verifier.verify(token, candidates: [0], issuers: rules, keySets: keySets, now: testNow) {
    case .caller, .confirm: return (nil, RefusalDetail())
    case .refused(let reason, let index, _): (refusal, known) = (reason, index)
    case .ask(let source): (refusal, known) = (source.refusalOfSilence, source.issuer)
    }
    let circumstances = RefusalCircumstances(
      candidates: [0], issuer: known, issuers: rules, keySets: keySets, now: testNow)
    return (refusal, verifier.detail(of: refusal, token.span, circumstances))
  }

  private func claims(iss: String = "https://login.example.com/", aud: String = "\"orders-api\"", exp: Int64 = 300)
    -> String
  {
    "{\"iss\":\"\(iss)\",\"aud\":\(aud),\"sub\":\"alice\",\"exp\":\(testNow + exp)}"
  }

  private func expect(
    _ token: [UInt8], _ issuer: TestIssuer, _ refusal: TokenRefusal, _ expected: String, _ got: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let found = try detail(token, issuer)
    #expect(found.refusal == refusal, sourceLocation: sourceLocation)
    #expect(found.detail == RefusalDetail(expected: expected, got: got), sourceLocation: sourceLocation)
  }

  @Test("What the issuer's rules say stands beside what the token says")
  func policy() throws {
    var issuer = try TestIssuer()
    try expect(
      issuer.token(claims(iss: "https://login.example.com")), issuer, .issuerUnknown, "https://login.example.com/",
      "https://login.example.com")
    try expect(
      issuer.token(claims(aud: "[\"account\",\"b\"]")), issuer, .audienceMismatch, "orders-api", "account, b")
    try expect(
      issuer.token(header: "\"kid\":\"key-1\",\"typ\":\"logout+jwt\""), issuer, .typeNotAllowed,
      "any type but those of other tokens", "logout+jwt")
    var many = issuer
    many.policy.issuer = "https://l/{tid}"
    many.policy.tenants = TenantPolicy(prefix: "https://l/", suffix: "", claim: "tid", names: ["one"])
    try expect(
      issuer.token(claims(iss: "https://l/one")), many, .issuerUnknown,
      "https://l/{tid} with a listed tenant, which the claim in { } repeats", "https://l/one")
    issuer.policy.algorithms = [.rs256, .edDSA]
    try expect(issuer.token(), issuer, .algorithmNotAllowed, "RS256, EdDSA", "ES256")
    issuer.policy.algorithms = [.es256]
    issuer.policy.requiredClaims = ["exp", "org.id"]
    try expect(issuer.token(), issuer, .claimMissing, "org.id", "a token without")
  }

  @Test("Keys are named by their ids, and times by how far away they are")
  func keysAndTimes() throws {
    let issuer = try TestIssuer()
    try expect(issuer.token(header: "\"kid\":\"old\""), issuer, .keyUnknown, "kid key-1", "kid old, alg ES256")
    var forged = try issuer.token()
    // Another letter of base64url: other bytes make another fault.
    let place = forged.count - 10
    forged[place] = forged[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
    try expect(
      forged, issuer, .signatureInvalid, "a signature by a key of the issuer", "kid key-1, alg ES256")
    try expect(issuer.token(claims(exp: -60)), issuer, .tokenExpired, "exp ahead, leeway 30s", "exp 60s ago")
    try expect(
      issuer.token(issuer.claims(",\"nbf\":\(testNow + 90)")), issuer, .tokenNotYetValid,
      "nbf and iat in the past, leeway 30s", "nbf 90s ahead")
  }

  @Test("What is no JWT is named by its parts, and never shown")
  func forms() throws {
    let issuer = try TestIssuer()
    let expected = "a JWT of three parts with dots between them"
    try expect(Array("s3cret".utf8), issuer, .tokenMalformed, expected, "1 part, an opaque token perhaps")
    try expect(Array("a.b".utf8), issuer, .tokenMalformed, expected, "2 parts")
    try expect(Array("a.b.c.d.e".utf8), issuer, .tokenMalformed, expected, "five parts, an encrypted token (JWE)")
    try expect(
      Array("a.b.c".utf8), issuer, .tokenMalformed, expected, "three parts that are not JSON objects in base64url")
    let long = try detail(Array(repeating: 0x61, count: 101), issuer, byteCountMax: 100)
    #expect(long.detail == RefusalDetail(expected: "at most 100 bytes", got: "101 bytes"))
  }

  @Test("T59 A stranger's text is encoded and cut, and long lists end")
  func hostile() throws {
    let issuer = try TestIssuer()
    let got = try detail(issuer.token(claims(iss: "a\\n\\u001b[2J b%\u{E9}")), issuer).detail.got
    #expect(got == "a%0A%1B[2J%20b%25%C3%A9")
    let long = try detail(issuer.token(claims(iss: String(repeating: "x", count: 5000))), issuer).detail.got
    #expect(long == String(repeating: "x", count: 96) + "…")
    let many = "[" + (0..<100).map { "\"a\($0)\"" }.joined(separator: ",") + "]"
    let list = try detail(issuer.token(claims(aud: many)), issuer).detail.got
    #expect(list == "a0, a1, a2, a3, a4, a5, a6, a7 and more")
    let object = try detail(issuer.token(claims(aud: "{}")), issuer)
    #expect(object.refusal == .claimInvalid && object.detail == RefusalDetail())
  }

  @Test("Times at the ends of what a number holds do no harm")
  func extremes() throws {
    let issuer = try TestIssuer()
    for exp in ["0", "1", "-1", "1e300", "9223372036854775807", "-9223372036854775808", "true"] {
      _ = try detail(
        issuer.token("{\"iss\":\"https://login.example.com/\",\"aud\":\"orders-api\",\"exp\":\(exp),\"iat\":\(exp)}"),
        issuer)
    }
  }
}
