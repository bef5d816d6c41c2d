// For whom a token is, from whom, what it is, and which key it names: T17 to T20.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct ClaimTests {
  @Test("T17 An audience counts only when it is listed, as text or in a list")
  func audience() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let cases: [(JSONValue, String)] = [
      ("api", "passed"), (["api"], "passed"), (["other", "api"], "passed"), (["other"], "audience_mismatch"),
      ([], "audience_mismatch"), ("", "audience_mismatch"), ("API", "audience_mismatch"), ("api ", "audience_mismatch"),
      ("api,other", "audience_mismatch"), ("ap", "audience_mismatch"), ("apis", "audience_mismatch"),
      ("api\u{0}", "audience_mismatch"), ("*", "audience_mismatch"), (.absent, "audience_mismatch"),
      (7, "claim_invalid"), (nil, "claim_invalid"), (true, "claim_invalid"), (["api": true], "claim_invalid"),
      ([["api"]], "claim_invalid"), (["api", 7], "claim_invalid"), (["api", nil], "claim_invalid"),
      (.raw("\"\\u0061pi\""), "passed"),
    ]
    let verdicts = try await door.verdicts(cases.map { TokenDoor.token(key, ["aud": $0.0]) })
    for (item, verdict) in zip(cases, verdicts) { #expect(verdict == item.1, "aud \(item.0.text)") }
  }

  @Test("T17 iss must be the issuer's, byte by byte")
  func issuer() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let wrong: [JSONValue] = [
      "https://login.example.com", "https://login.example.com//", "https://LOGIN.example.com/",
      "http://login.example.com/", "https://login.example.com/ ", "https://login.example.com/\u{0}",
      "https://login.example.com:443/", "https://login.example.com/?", "login", "", .absent,
      "https://login.example.com/.evil.example/",
    ]
    let verdicts = try await door.verdicts(wrong.map { TokenDoor.token(key, ["iss": $0]) })
    for (value, verdict) in zip(wrong, verdicts) { #expect(verdict == "issuer_unknown", "iss \(value.text)") }
    let odd: [JSONValue] = [nil, 7, ["https://login.example.com/"], ["iss": "https://login.example.com/"]]
    #expect(
      try await door.verdicts(odd.map { TokenDoor.token(key, ["iss": $0]) }) == odd.map { _ in "claim_invalid" })
    #expect(
      try await door.verdict(TokenDoor.token(key, ["iss": .raw("\"https:\\/\\/login.example.com/\"")])) == "passed")
  }

  @Test("T18 A logout token, an ID token or a proof is not an access token, however well it is signed")
  func type() async throws {
    let key = try TestKey(.es256)
    let open = try await TokenDoor.start(jwks: [key.jwk()])
    let others: [JSONValue] = [
      "logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "dpop+jwt", "secevent+jwt", "id_token+jwt",
      "Application/Token-Introspection+JWT", "kb+jwt", "refresh+jwt",
    ]
    #expect(
      try await open.verdicts(others.map { TokenDoor.token(key, header: ["typ": $0]) })
        == others.map { _ in "type_not_allowed" })
    #expect(
      try await open.verdicts([
        TokenDoor.token(key), TokenDoor.token(key, header: ["typ": "JWT"]),
        TokenDoor.token(key, header: ["typ": "at+jwt"]), TokenDoor.token(key, header: ["typ": 7]),
      ]) == ["passed", "passed", "passed", "token_malformed"])
    let strict = try await TokenDoor.start(jwks: [key.jwk()], rules: ["token_types: [at+jwt]"])
    let types: [(JSONValue, String)] = [
      ("at+jwt", "passed"), ("AT+JWT", "passed"), ("application/at+jwt", "passed"), ("JWT", "type_not_allowed"),
      (.absent, "type_not_allowed"), ("", "type_not_allowed"), ("at+jwt ", "type_not_allowed"),
    ]
    let verdicts = try await strict.verdicts(types.map { TokenDoor.token(key, header: ["typ": $0.0]) })
    for (item, verdict) in zip(types, verdicts) { #expect(verdict == item.1, "typ \(item.0.text)") }
  }

  @Test("T19 A kid is opaque: a path, SQL, NUL and ten kilobytes are looked up and not found, or found")
  func keyID() async throws {
    let key = try TestKey(.es256, id: "../../../../dev/null")
    let nul = try TestKey(.es256, id: "a\u{0}b")
    let door = try await TokenDoor.start(jwks: [key.jwk(), nul.jwk()])
    let ids: [JSONValue] = [
      "/etc/passwd", "../../dev/null", "' OR '1'='1", "key-1\u{0}", "a", "a\u{0}", "a\u{0}c", "", "%00", "$(reboot)",
      .string(String(repeating: "k", count: 10_000)), "http://127.0.0.1:1/keys", "\u{1F511}", "\r\nX-Admin: 1",
    ]
    let verdicts = try await door.verdicts(ids.map { TokenDoor.token(key, header: ["kid": $0]) })
    for (id, verdict) in zip(ids, verdicts) { #expect(verdict == "key_unknown", "kid \(id.text.prefix(40))") }
    let odd: [JSONValue] = [7, nil, ["a"], true]
    #expect(
      try await door.verdicts(odd.map { TokenDoor.token(key, header: ["kid": $0]) })
        == odd.map { _ in "token_malformed" })
    #expect(try await door.verdicts([TokenDoor.token(key), TokenDoor.token(nul)]) == ["passed", "passed"])
  }

  @Test("T20 The key is chosen by issuer and kid, so a kid of two issuers opens neither door to the other")
  func sharedKeyID() async throws {
    let key = try TestKey(.es256, id: "same")
    let partner = try TestKey(.es256, id: "same")
    let both =
      issuerConfiguration(issuer: TokenDoor.issuer, jwks: "login.json")
      + issuerConfiguration(name: "partner", issuer: "partner", jwks: "partner.json")
    let door = try await TokenDoor.start(
      issuers: both, auth: "{ issuers: [login, partner] }",
      more: "  - { path: /single, auth: login, upstream: echo }",
      files: ["login.json": keySetText(key), "partner.json": keySetText(partner)])
    let ours = TokenDoor.token(key)
    let theirs = makeToken(issuer: "partner", key: partner)
    #expect(
      try await door.verdicts([ours, theirs, TokenDoor.token(partner), makeToken(issuer: "partner", key: key)])
        == ["passed", "passed", "signature_invalid", "signature_invalid"])
    // Where one issuer only is taken, `iss` counts all the same.
    #expect(
      try await door.verdicts([ours, theirs, makeToken(issuer: "partner", key: key)], path: "/single")
        == ["passed", "issuer_unknown", "issuer_unknown"])
  }
}
