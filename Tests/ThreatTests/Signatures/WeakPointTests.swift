// Keys that anybody can sign for: T85.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct WeakPointTests {
  /// Encoded points of small order and ones that are not written in the one right form, in hexadecimal, without the
  /// sign bit. Those of Ed25519 are the list of libsodium's `ge25519_has_small_order`. Table 6 of "Taming the many
  /// EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020) has the same with their orders. The others follow from the curves'
  /// primes (RFC 8032 §5).
  private static let ed25519 =
    [
      line("00", 0x00, 30, "00"), line("01", 0x00, 30, "00"),
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] + (0xEC...0xFF).map { line(String($0, radix: 16), 0xFF, 30, "7f") }
  private static let ed448 =
    [line("00", 0x00, 55, "00"), line("01", 0x00, 55, "00")]
    + ["fe", "ff"].map { $0 + String(repeating: "ff", count: 27) + "fe" + String(repeating: "ff", count: 27) + "00" }
    + [String(repeating: "ff", count: 56) + "00", line("02", 0x00, 55, "01"), line("02", 0x00, 55, "40")]

  private static func line(_ first: String, _ middle: Int, _ count: Int, _ last: String) -> String {
    first + String(repeating: middle == 0 ? "00" : "ff", count: count) + last
  }

  private static func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
  }

  /// A signature that holds for every message under the neutral point, and for some under its neighbours: R is the
  /// neutral point, S is 0. No private key is in it.
  private static func forged(_ curve: String, keyID: String) -> String {
    let text =
      base64URL("{\"alg\":\"EdDSA\",\"kid\":\"\(keyID)\"}") + "."
      + base64URL("{\"iss\":\"\(TokenDoor.issuer)\",\"aud\":\"api\",\"sub\":\"admin\",\"exp\":\(unixNow() + 300)}")
    let count = curve == "Ed25519" ? 64 : 114
    return text + "." + base64URL([1] + [UInt8](repeating: 0, count: count - 1))
  }

  @Test(
    "T85: Points of small order and odd spellings of points are left out of the set, and good keys beside them serve")
  func points() async throws {
    let good = [try TestKey(.ed25519, id: "good"), try TestKey(.ed448, id: "good-448"), try TestKey(.rs256, id: "rsa")]
    var weak: [(id: String, curve: String, jwk: String)] = []
    for (curve, points) in [("Ed25519", Self.ed25519), ("Ed448", Self.ed448)] {
      for point in points {
        for sign: UInt8 in [0, 0x80] {
          var x = Self.bytes(point)
          x[x.count - 1] |= sign
          let id = "weak-\(weak.count)"
          weak.append(
            (id, curve, "{\"kty\":\"OKP\",\"crv\":\"\(curve)\",\"kid\":\"\(id)\",\"x\":\"\(base64URL(x))\"}"))
        }
      }
    }
    let door = try await TokenDoor.start(jwks: weak.map(\.jwk) + good.map { $0.jwk() })
    #expect(try await door.verdicts(good.map { TokenDoor.token($0) }) == ["passed", "passed", "passed"])
    let verdicts = try await door.verdicts(weak.map { Self.forged($0.curve, keyID: $0.id) })
    for (key, verdict) in zip(weak, verdicts) { #expect(verdict == "key_unknown", "\(key)") }
    #expect(try await door.gateway.admin("/status").text.contains("\"dropped_keys\" : \(weak.count),"))
  }

  @Test("T85: An RSA modulus with a small factor is left out of the set")
  func moduli() async throws {
    let good = try TestKey(.rs256, id: "good")
    // 3, 5, 17, 257, … divide it. Its other factors do not matter then.
    let modulus = base64URL([UInt8](repeating: 0xFF, count: 256))
    let door = try await TokenDoor.start(
      jwks: ["{\"kty\":\"RSA\",\"kid\":\"bad\",\"n\":\"\(modulus)\",\"e\":\"AQAB\"}", good.jwk()])
    #expect(
      try await door.verdicts([TokenDoor.token(good), TokenDoor.token(good, header: ["kid": "bad"])])
        == ["passed", "key_unknown"])
  }

  @Test("Each key that is left out of a fetched set is logged, once and with its reason")
  func told() async throws {
    let key = try TestKey(.es256, id: "good")
    let issuer = try await TestIssuer.start(key)
    let one = base64URL(Self.bytes(Self.ed25519[1]))
    let weak = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"weak\",\"x\":\"\(one)\"}"
    issuer.publish([weak, key.jwk()])
    let door = try await TokenDoor.start(issuers: issuer.configuration(more: ["refresh: 1s"]))
    try await door.gateway.waitUntilReady()
    let isTold: @Sendable (String) -> Bool = { $0.contains("keys are left out") && $0.contains("weak ") }
    let line = try await door.gateway.waitForLog("the key that is left out", isTold)
    #expect(line.contains("issuer=login") && line.contains("anybody can sign for"))
    // Another set with the same key in it: only what is new is reported.
    issuer.publish([weak, key.jwk(), "{\"kty\":\"RSA\",\"kid\":\"short\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"])
    _ = try await door.gateway.waitForLog("the second one") { $0.contains("short is too short") }
    #expect(door.gateway.standardError.count(where: isTold) == 1)
  }
}
