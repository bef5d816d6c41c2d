// The algorithm is the issuer's and the key's to choose, never the token's: T01 to T06, T28, T65.

import Cryptography
import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct AlgorithmTests {
  @Test("T01 A token that says alg none, in any spelling, with any signature, is refused")
  func none() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let signature = base64URL(key.signature(of: "x"))
    let names: [JSONValue] = ["none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "HS256", "ES256K", "none\u{0}"]
    var tokens: [String] = []
    for name in names {
      let parts = TokenDoor.token(key, header: ["alg": name]).split(separator: ".")
      tokens.append("\(parts[0]).\(parts[1]).\(signature)")
    }
    #expect(try await door.verdicts(tokens) == names.map { _ in "algorithm_not_allowed" })
    // Without a signature there is nothing to look at, and an `alg` that is not a text makes the header invalid.
    let bare = TokenDoor.token(key, header: ["alg": "none"]).split(separator: ".").dropLast().joined(separator: ".")
    #expect(try await door.verdicts([bare + ".", bare]) == ["token_malformed", "token_malformed"])
    let odd: [JSONValue] = [nil, 1, true, ["ES256"], .absent]
    #expect(
      try await door.verdicts(odd.map { TokenDoor.token(key, header: ["alg": $0]) })
        == odd.map { _ in "token_malformed" })
    #expect(try await door.verdict(TokenDoor.token(key)) == "passed")
  }

  @Test("T02 A public key's PEM, DER or JWK is not a secret for HS256, whether or not the issuer allows HS256")
  func confusion() async throws {
    let key = try TestKey(.rs256)
    let secret = try TestKey(.hs256, id: "secret")
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(issuer: TokenDoor.issuer, jwks: "strict.json")
        + issuerConfiguration(
          name: "mixed", issuer: "mixed", jwks: "mixed.json", more: ["algorithms: [RS256, HS256]"]),
      auth: "{ issuers: [login, mixed] }",
      files: ["strict.json": keySetText(key), "mixed.json": keySetText(key, secret)])
    let der = rsaPublicKeyInfo(key)
    let pem = "-----BEGIN PUBLIC KEY-----\n" + pemLines(der) + "-----END PUBLIC KEY-----\n"
    let secrets: [[UInt8]] = [
      der, Array(pem.utf8), Array(pem.dropLast().utf8), Array((" " + pem).utf8),
      Array(pem.replacing("\n", with: "\r\n").utf8), Array(key.jwk().utf8), Array(("{" + key.numbers + "}").utf8),
      Array(keySetText(key).utf8),
    ]
    for secret in secrets {
      let forger = TestKey(.hs256, id: key.id, signing: try SigningKey(secret: secret))
      let nameless = TestKey(.hs256, id: nil, signing: forger.signing)
      #expect(
        try await door.verdicts([
          TokenDoor.token(forger), TokenDoor.token(nameless),
          makeToken(issuer: "mixed", key: forger), makeToken(issuer: "mixed", key: nameless),
        ]) == ["algorithm_not_allowed", "algorithm_not_allowed", "key_unknown", "signature_invalid"])
    }
    #expect(
      try await door.verdicts([makeToken(issuer: "mixed", key: secret), makeToken(issuer: "mixed", key: key)])
        == ["passed", "passed"])
  }

  @Test("T03 An RSA key without alg is not an empty secret for HS256")
  func emptySecret() async throws {
    let key = try TestKey(.rs256)
    let other = try TestKey(.hs256, id: "other")
    let door = try await TokenDoor.start(
      jwks: [key.jwk(), other.jwk()], rules: ["algorithms: [RS256, HS256]"])
    // RFC 2104 §2 fills a key up with zeros: these 32 are the empty one.
    let empty = try SigningKey(secret: [UInt8](repeating: 0, count: 32))
    let forged = TokenDoor.token(TestKey(.hs256, id: key.id, signing: empty))
    #expect(
      try await door.verdicts([forged, TokenDoor.token(key), forged]) == ["key_unknown", "passed", "key_unknown"])
  }

  @Test("T04 An algorithm that the issuer does not list is refused before anything is computed with a key")
  func allowList() async throws {
    let rsa = try TestKey(.rs256, id: "rsa")
    let door = try await TokenDoor.start(jwks: [rsa.jwk()], rules: ["algorithms: [RS256]"])
    let pss = TestKey(.ps256, id: "rsa", signing: rsa.signing)
    let longer = TestKey(.rs512, id: "rsa", signing: rsa.signing)
    let elliptic = try TestKey(.es256, id: "rsa")
    #expect(
      try await door.verdicts([TokenDoor.token(pss), TokenDoor.token(longer), TokenDoor.token(elliptic)])
        == ["algorithm_not_allowed", "algorithm_not_allowed", "algorithm_not_allowed"])
    #expect(try await door.gateway.metrics().sum("catraca_token_verify_seconds_count") == 0)
    #expect(try await door.verdict(TokenDoor.token(rsa)) == "passed")
    #expect(try await door.gateway.metrics().sum("catraca_token_verify_seconds_count", ["algorithm": "RS256"]) == 1)
  }

  @Test("T05 A JWS in one of the JSON forms, with its unprotected header, is not a token")
  func jsonForms() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let parts = TokenDoor.token(key).split(separator: ".").map(String.init)
    let flat =
      "{\"protected\":\"\(parts[0])\",\"header\":{\"alg\":\"none\"},\"payload\":\"\(parts[1])\",\"signature\":\"\(parts[2])\"}"
    let general =
      "{\"payload\":\"\(parts[1])\",\"signatures\":[{\"protected\":\"\(parts[0])\",\"signature\":\"\(parts[2])\"}]}"
    #expect(
      try await door.verdicts([flat, general, base64URL(flat), "\(base64URL(flat)).\(parts[1]).\(parts[2])"])
        == ["token_malformed", "token_malformed", "token_malformed", "token_malformed"])
  }

  @Test("T06 Keys that a token brings along, or points to, are never used and never fetched")
  func broughtKeys() async throws {
    let key = try TestKey(.es256)
    let forger = try TestKey(.es256)
    let elsewhere = try await TestIssuer.start(forger)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let url = JSONValue.string(elsewhere.url + "/keys")
    let headers: [[String: JSONValue]] = [
      ["jwk": .raw(forger.jwk())], ["jku": url], ["x5u": url], ["x5c": ["MIIB"]],
      ["jwk": .raw(forger.jwk()), "jku": url, "x5u": url, "x5t": "abc"],
    ]
    #expect(
      try await door.verdicts(headers.map { TokenDoor.token(forger, header: $0) })
        == headers.map { _ in "signature_invalid" })
    // They are not forbidden either: a good signature is good.
    #expect(try await door.verdict(TokenDoor.token(key, header: ["jku": url])) == "passed")
    #expect(elsewhere.server.targets.isEmpty)
  }

  @Test("T28 No token, good or bad, decides which algorithm a key is for")
  func firstToken() async throws {
    let key = try TestKey(.rs256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let pss = TestKey(.ps256, id: key.id, signing: key.signing)
    let forger = TestKey(.es256, id: key.id, signing: try TestKey(.es256).signing)
    let bad = TokenDoor.token(forger)
    #expect(
      try await door.verdicts([bad, TokenDoor.token(pss), TokenDoor.token(key), bad, TokenDoor.token(pss, ["n": 2])])
        == ["key_unknown", "passed", "passed", "key_unknown", "passed"])
  }

  @Test("T65 A signature of one kind does not pass under the name of another, though the key names no alg")
  func crossedNames() async throws {
    let elliptic = try TestKey(.es256, id: "ec")
    let edwards = try TestKey(.edDSA, id: "ed")
    let p384 = try TestKey(.es384, id: "p384")
    let door = try await TokenDoor.start(jwks: [elliptic.jwk(), edwards.jwk(), p384.jwk()])
    func crossed(_ key: TestKey, as name: JSONValue) -> String {
      let now = unixNow()
      let header = JSONValue.object([("alg", name), ("kid", .string(key.id ?? ""))]).text
      let payload = JSONValue.object([
        ("iss", .string(TokenDoor.issuer)), ("aud", "api"), ("exp", .integer(now + 60)),
      ]).text
      return key.sign(header: header, payload: payload)
    }
    #expect(
      try await door.verdicts([
        crossed(edwards, as: "ES256"), crossed(elliptic, as: "EdDSA"), crossed(elliptic, as: "Ed25519"),
        crossed(edwards, as: "Ed448"), crossed(p384, as: "ES256"), crossed(elliptic, as: "ES384"),
        crossed(edwards, as: "RS256"),
      ]) == Array(repeating: "key_unknown", count: 7))
    #expect(
      try await door.verdicts([
        crossed(edwards, as: "EdDSA"), crossed(edwards, as: "Ed25519"), crossed(elliptic, as: "ES256"),
      ]) == ["passed", "passed", "passed"])
  }
}

/// A SubjectPublicKeyInfo (RFC 5280 §4.1) of an RSA key.
private func rsaPublicKeyInfo(_ key: TestKey) -> [UInt8] {
  guard case .rsa(let modulus, let exponent) = key.signing.publicKey.components else { return [] }
  func item(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    switch content.count {
    case ..<128: [tag, UInt8(content.count)] + content
    case ..<256: [tag, 0x81, UInt8(content.count)] + content
    default: [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 255)] + content
    }
  }
  func number(_ bytes: [UInt8]) -> [UInt8] { item(2, (bytes.first ?? 0) > 127 ? [0] + bytes : bytes) }
  let name = item(0x30, item(6, [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1]) + [5, 0])
  return item(0x30, name + item(3, [0] + item(0x30, number(modulus) + number(exponent))))
}

private func pemLines(_ bytes: [UInt8]) -> String {
  var text = base64URL(bytes).replacing("-", with: "+").replacing("_", with: "/")
  while text.count % 4 != 0 { text += "=" }
  var lines = ""
  while !text.isEmpty {
    lines += text.prefix(64) + "\n"
    text.removeFirst(min(64, text.count))
  }
  return lines
}
