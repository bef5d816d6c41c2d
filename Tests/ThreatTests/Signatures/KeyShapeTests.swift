// Keys that must not be used, in sets that otherwise may: T09, T10.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct KeyShapeTests {
  @Test("T09 A weak or broken key is dropped alone, and the good one beside it serves")
  func brokenKeys() async throws {
    let good = try TestKey(.es256, id: "good")
    let rsa = try TestKey(.rs256, id: "rsa")
    let modulus = base64URL([UInt8](repeating: 0xC1, count: 256))
    let short = base64URL([UInt8](repeating: 0xC1, count: 128))
    let even = base64URL([UInt8](repeating: 0xC2, count: 256))
    let other = try TestKey(.es384, id: "other")
    let broken = [
      "{\"kid\":\"short\",\"kty\":\"RSA\",\"n\":\"\(short)\",\"e\":\"AQAB\"}",
      "{\"kid\":\"one\",\"kty\":\"RSA\",\"n\":\"\(modulus)\",\"e\":\"AQ\"}",
      "{\"kid\":\"zero\",\"kty\":\"RSA\",\"n\":\"\(modulus)\",\"e\":\"\"}",
      "{\"kid\":\"even\",\"kty\":\"RSA\",\"n\":\"\(modulus)\",\"e\":\"AQAC\"}",
      "{\"kid\":\"even-n\",\"kty\":\"RSA\",\"n\":\"\(even)\",\"e\":\"AQAB\"}",
      "{\"kid\":\"long-e\",\"kty\":\"RSA\",\"n\":\"\(modulus)\",\"e\":\"\(modulus)\"}",
      "{\"kid\":\"off\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(zeros(32))\",\"y\":\"\(zeros(32))\"}",
      "{\"kid\":\"flat\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(zeros(31))\",\"y\":\"\(zeros(32))\"}",
      "{\"kid\":\"curve\"," + other.numbers.replacing("P-384", with: "P-256") + "}",
      "{\"kid\":\"k1\"," + good.numbers.replacing("P-256", with: "secp256k1") + "}",
      "{\"kid\":\"x25519\",\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"\(zeros(32))\"}",
      "{\"kid\":\"kty\",\"kty\":\"DSA\",\"n\":\"\(modulus)\",\"e\":\"AQAB\"}",
      "{\"kid\":\"none\"}", "{\"kty\":null}", "null", "7", "[]", "\"key\"",
      "{\"kid\":7," + good.numbers + "}",
    ]
    let issuer = try await TestIssuer.start(good)
    issuer.publish([broken[0]] + [good.jwk()] + broken.dropFirst() + [rsa.jwk()])
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdicts([issuer.token(), issuer.token(key: rsa)]) == ["passed", "passed"])
    let names = ["short", "one", "zero", "even", "even-n", "long-e", "kty", "none"]
    let forged = names.map { issuer.token(header: ["kid": .string($0)], key: rsa) }
    // The first one asks the issuer again, and all of them learn that there is no such key.
    #expect(try await door.verdicts(forged) == names.map { _ in "key_unknown" })
    let elliptic = ["off", "flat", "curve", "k1", "x25519"]
    #expect(
      try await door.verdicts(elliptic.map { issuer.token(header: ["kid": .string($0)]) })
        == elliptic.map { _ in "key_unknown" })
    let status = try await door.gateway.admin("/status").text
    #expect(status.contains("\"keys\" : 2,"))
    #expect(status.contains("\"dropped_keys\" : \(broken.count),"))
    #expect(try await door.gateway.metrics().sum("catraca_jwks_keys", ["issuer": "login"]) == 2)
  }

  @Test("T10 A key for encryption, or one that holds its private half, is not used")
  func otherUses() async throws {
    let good = try TestKey(.es256, id: "good")
    let bad = try TestKey(.es256, id: "bad")
    let members = [
      "\"use\":\"enc\",", "\"use\":\"\",", "\"use\":7,", "\"key_ops\":[\"sign\"],", "\"key_ops\":[],",
      "\"key_ops\":\"verify\",", "\"d\":\"\(zeros(32))\",", "\"d\":null,", "\"alg\":\"ES384\",", "\"alg\":\"HS256\",",
      "\"alg\":\"none\",", "\"alg\":\"RSA-OAEP\",",
    ]
    let issuer = try await TestIssuer.start(good)
    issuer.publish(members.map { bad.jwk($0) } + [good.jwk("\"use\":\"sig\",\"key_ops\":[\"verify\"],")])
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdicts([issuer.token(key: bad), issuer.token()]) == ["key_unknown", "passed"])
    #expect(try await door.gateway.admin("/status").text.contains("\"dropped_keys\" : \(members.count),"))
  }

  @Test("T10 Of two keys with one kid, the first whose type and curve fit the algorithm counts")
  func duplicateKeyIDs() async throws {
    let first = try TestKey(.es256, id: "same")
    let second = try TestKey(.es256, id: "same")
    let rsa = try TestKey(.rs256, id: "same")
    let door = try await TokenDoor.start(jwks: [first.jwk(), second.jwk(), rsa.jwk()])
    #expect(
      try await door.verdicts([TokenDoor.token(first), TokenDoor.token(second), TokenDoor.token(rsa)])
        == ["passed", "signature_invalid", "passed"])
  }

  @Test("T10 Ten thousand keys, ten megabytes, or members that appear twice change nothing, and are counted")
  func oversized() async throws {
    let tiny = "{\"kty\":\"oct\",\"k\":\"AA\"}"
    let answers: [(name: String, answer: @Sendable (TestKey) -> String, result: String)] = [
      ("many", { _ in keySetText(Array(repeating: tiny, count: 10_000)) }, "key_set_invalid"),
      (
        "large", { keySetText([$0.jwk("\"x-pad\":\"\(String(repeating: "a", count: 10 << 20))\",")]) }, "too_large"
      ),
      ("twice", { "{\"keys\":[],\"keys\":[\($0.jwk())]}" }, "not_json"),
      ("within", { "{\"keys\":[\($0.jwk("\"kty\":\"EC\","))]}" }, "not_json"),
    ]
    var idps: [TestIssuer] = []
    for _ in answers { idps.append(try await TestIssuer.start(.es256)) }
    let entries = zip(answers, idps).map { $1.configuration(name: $0.name, more: ["refresh: 1s"]) }
    let door = try await TokenDoor.start(
      issuers: entries.joined(), auth: "{ issuers: [\(answers.map(\.name).joined(separator: ", "))] }")
    try await door.gateway.waitUntilReady()
    for (item, idp) in zip(answers, idps) { idp.server.put("/keys", .json(item.answer(idp.key))) }
    try await door.gateway.waitForMetrics("each of them to be counted") { metrics in
      answers.allSatisfy {
        metrics.sum("catraca_jwks_refresh_total", ["issuer": $0.name, "result": $0.result]) > 0
      }
    }
    #expect(try await door.verdicts(idps.map { $0.token() }) == idps.map { _ in "passed" })
    #expect(try await door.gateway.metrics().sum("catraca_jwks_keys") == Double(answers.count))
  }

  private func zeros(_ count: Int) -> String { base64URL([UInt8](repeating: 0, count: count)) }
}
