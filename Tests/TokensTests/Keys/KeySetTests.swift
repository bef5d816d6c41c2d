// Key sets as issuers serve them, and as they should not.

import Bytes
import Cryptography
import Testing

@testable import Tokens

@Suite struct KeySetTests {
  private static let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
  private static let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
  private static let ec = "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(x)\",\"y\":\"\(y)\""

  private func parse(
    _ keys: [String], _ algorithms: Set<SignatureAlgorithm> = SignatureAlgorithm.asymmetric
  ) throws(KeySetError) -> KeySet {
    let good = "{\(Self.ec),\"kid\":\"good\"}"
    return try KeySet.parse("{\"keys\":[\((keys + [good]).joined(separator: ","))]}", algorithms: algorithms)
  }

  /// The reason for which a key is dropped beside a good one, which stays.
  private func problem(
    _ members: String, _ algorithms: Set<SignatureAlgorithm> = SignatureAlgorithm.asymmetric
  ) throws -> JWK.Problem? {
    let set = try parse(["{\(members),\"kid\":\"bad\"}"], algorithms)
    #expect(set.keys.last?.keyID == Array("good".utf8))
    if let dropped = set.dropped.first { #expect(dropped.keyID == "bad") }
    return set.dropped.first?.reason
  }

  private func rsa(_ modulusByteCount: Int, last: UInt8 = 0xFF, exponent: [UInt8] = [1, 0, 1]) -> String {
    // With 0xFF at the end it has no small factor, in either length that passes.
    let n = [UInt8](repeating: 0xC1, count: modulusByteCount - 2) + [0x0F, last]
    let (modulus, e) = (Base64URL.encode(n), Base64URL.encode(exponent))
    return "\"kty\":\"RSA\",\"n\":\"\(String(decoding: modulus, as: UTF8.self))\","
      + "\"e\":\"\(String(decoding: e, as: UTF8.self))\""
  }

  @Test("A shared secret may be written as it is, as 'secret', of as many bytes as the algorithm requires")
  func secretText() throws {
    func key(_ members: String) -> String { "\"kty\":\"oct\",\(members)" }
    let text = "super-secret-jwt-token-with-at-least-32-characters-long"
    let set = try parse(["{\(key("\"secret\":\"\(text)\""))}"], [.hs256, .hs512, .es256])
    guard case .secret(let bytes) = set.keys.first?.publicKey.components else {
      Issue.record("no secret")
      return
    }
    #expect(bytes == Array(text.utf8))
    #expect(set.keys[0].algorithms == [.hs256], "55 bytes are too few for HS512")
    #expect(try problem(key("\"secret\":\"\(text.prefix(31))\""), [.hs256, .es256]) == .tooWeak)
    #expect(try problem(key("\"secret\":\"\(text.prefix(32))\""), [.hs256, .es256]) == nil)
    #expect(try problem(key("\"secret\":\"\""), [.hs256, .es256]) == .tooWeak)
    #expect(try problem(key("\"secret\":7"), [.hs256, .es256]) == .malformed)
    #expect(try problem(key("\"secret\":\"\(text)\",\"k\":\"AAAA\""), [.hs256, .es256]) == .secretAmbiguous)
    #expect(try problem(key("\"secret\":\"\(text)\"")) == .algorithmNotAllowed)
    let long = String(repeating: "a", count: 4097)
    #expect(try problem(key("\"secret\":\"\(long)\""), [.hs256, .es256]) == .tooLarge)
    #expect(try problem(key("\"k\":\"a text with spaces, of 32 characters\""), [.hs256, .es256]) == .secretNotEncoded)
  }

  @Test("T09 Weak and broken keys are dropped, and the set is kept")
  func weakKeys() throws {
    #expect(try problem(rsa(256)) == nil)
    #expect(try problem(rsa(1024)) == nil)
    #expect(try problem(rsa(255)) == .tooWeak)
    #expect(try problem(rsa(128)) == .tooWeak)
    #expect(try problem(rsa(1025)) == .tooWeak)
    #expect(try problem(rsa(256, last: 0xFE)) == .tooWeak)
    #expect(try problem(rsa(256, last: 0x09)) == .tooWeak, "379 divides it")
    for exponent: [UInt8] in [[1], [0], [2], [4], [1, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1]] {
      #expect(try problem(rsa(256, exponent: exponent)) == .tooWeak, "\(exponent)")
    }
    #expect(try problem(rsa(256, exponent: [3])) == nil)
    #expect(try problem(rsa(256, exponent: [0, 1, 0, 1])) == nil)
    let offCurve = Self.ec.replacing(Self.y, with: "y_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
    #expect(try problem(offCurve) == .pointInvalid)
    #expect(try problem(Self.ec.replacing("P-256", with: "P-384")) == .pointInvalid)
    #expect(try problem(Self.ec.replacing("P-256", with: "secp256k1")) == .typeUnknown)
    #expect(try problem(Self.ec.replacing(Self.x, with: "AAAA")) == .pointInvalid)
    let zero = String(repeating: "A", count: 43)
    #expect(try problem(Self.ec.replacing(Self.x, with: zero).replacing(Self.y, with: zero)) == .pointInvalid)
    #expect(try problem("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"") == .pointInvalid)
    #expect(try problem("\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"\(zero)\"") == .typeUnknown)
  }

  @Test("T10 use, key_ops, alg and private members decide whether a key is taken")
  func purposes() throws {
    #expect(try problem("\(Self.ec),\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],\"alg\":\"ES256\"") == nil)
    #expect(try problem("\(Self.ec),\"use\":\"enc\"") == .useOther)
    #expect(try problem("\(Self.ec),\"key_ops\":[\"sign\"]") == .useOther)
    #expect(try problem("\(Self.ec),\"key_ops\":[]") == .useOther)
    #expect(try problem("\(Self.ec),\"use\":1") == .malformed)
    #expect(try problem("\(Self.ec),\"key_ops\":\"verify\"") == .malformed)
    #expect(try problem("\(Self.ec),\"alg\":\"ES384\"") == .algorithmUnfit)
    #expect(try problem("\(Self.ec),\"alg\":\"ECDH-ES\"") == .algorithmUnfit)
    #expect(try problem("\(Self.ec),\"alg\":\"none\"") == .algorithmUnfit)
    #expect(try problem("\(Self.ec),\"d\":\"AAAA\"") == .privateKey)
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
      #expect(try problem(rsa(256) + ",\"\(member)\":\"AAAA\"") == .privateKey, "\(member)")
    }
    #expect(try problem("\"kty\":\"EC\"") == .malformed)
    #expect(try problem("\"kty\":7") == .malformed)
    #expect(try problem("\"kty\":\"ec\"") == .typeUnknown)
    #expect(try problem("\"crv\":\"P-256\"") == .malformed)
    #expect(try problem(Self.ec.replacing(Self.x, with: Self.x + "=")) == .malformed)
    #expect(try problem(rsa(256).replacing("AQAB", with: String(repeating: "A", count: 4100))) == .tooLarge)
    for element in ["1", "null", "\"text\"", "[]"] { #expect(try parse([element]).dropped.first?.reason == .notObject) }
  }

  @Test("T03 A secret is taken only when the issuer's list names HS, and nothing else is used as one")
  func secrets() throws {
    let secret = "\"kty\":\"oct\",\"k\":\"\(String(repeating: "A", count: 86))\""
    #expect(try problem(secret) == .algorithmNotAllowed)
    #expect(try problem(secret, [.hs256, .es256]) == nil)
    #expect(try problem("\"kty\":\"oct\",\"k\":\"\"", [.hs256, .es256]) == .malformed)
    #expect(try problem("\"kty\":\"oct\",\"k\":\"AAAA\"", [.hs256, .es256]) == .tooWeak)
    #expect(
      try problem("\"kty\":\"oct\",\"k\":\"\(String(repeating: "A", count: 43))\"", [.hs512, .es256])
        == .algorithmNotAllowed)
    let set = try parse(["{\(rsa(256)),\"kid\":\"r\"}"], [.hs256, .es256, .rs256])
    #expect(set.key(id: "r", for: .hs256) == nil)
    #expect(set.key(id: "r", for: .rs256) != nil)
    #expect(set.keys(for: .hs256).isEmpty)
  }

  @Test("T28 Type, curve, the key's own alg and the issuer's list decide what a key may verify")
  func algorithms() throws {
    func algorithms(
      _ members: String, _ allowed: Set<SignatureAlgorithm> = SignatureAlgorithm.asymmetric
    ) throws -> Set<SignatureAlgorithm> {
      try #require(try parse(["{\(members)}"], allowed).keys.first).algorithms
    }
    #expect(try algorithms(rsa(256)) == [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512])
    #expect(try algorithms(rsa(256) + ",\"alg\":\"PS384\"") == [.ps384])
    #expect(try algorithms(rsa(256), [.rs256, .es256]) == [.rs256])
    #expect(try algorithms(Self.ec) == [.es256])
    let ed = "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
    #expect(try algorithms(ed) == [.edDSA, .ed25519])
    #expect(try algorithms("\(ed),\"alg\":\"Ed25519\"") == [.edDSA, .ed25519])
    #expect(try problem("\(ed),\"alg\":\"Ed448\"") == .algorithmUnfit)
  }

  @Test("T10 Sets that are too large, or no sets, change nothing")
  func bounds() {
    func error(_ text: String) -> KeySetError? {
      do throws(KeySetError) {
        _ = try KeySet.parse(text, algorithms: SignatureAlgorithm.asymmetric)
        return nil
      } catch {
        return error
      }
    }
    let key = "{\(Self.ec)}"
    func set(_ count: Int) -> String {
      "{\"keys\":[\([String](repeating: key, count: count).joined(separator: ","))]}"
    }
    #expect(error(set(1)) == nil)
    #expect(error(set(1000)) == nil)
    #expect(error(set(1001)) == .tooManyKeys)
    #expect(error(set(10_000)) == .tooLarge)
    let empty = "{\"keys\":[]}"
    #expect(error(empty + String(repeating: " ", count: 1 << 20 - empty.utf8.count)) == .noUsableKey([]))
    #expect(error(empty + String(repeating: " ", count: 1 << 20)) == .tooLarge)
    // T23
    for text in ["<html></html>", "", String(set(2).dropLast(5)), "{\"keys\":[],\"keys\":[]}", "{\"keys\":[]} x"] {
      #expect(error(text) == .notJSON, "\(text.prefix(20))")
    }
    for text in ["[]", "{}", "{\"keys\":{}}", "{\"keys\":null}", "{\"error\":\"x\"}", key, "1"] {
      #expect(error(text) == .notKeySet, "\(text)")
    }
    #expect(error("{\"keys\":[1]}") == .noUsableKey([DroppedKey(keyID: nil, reason: .notObject)]))
  }

  @Test("A key set cut anywhere is not a key set, and one with any byte changed never traps")
  func mutations() throws {
    let text = Array("{\"keys\":[{\(Self.ec),\"kid\":\"a\",\"use\":\"sig\"},{\(rsa(256))}]}".utf8)
    var errorCount = 0
    for index in text.indices {
      #expect(throws: KeySetError.self) {
        try KeySet.parse(Array(text[..<index]), algorithms: SignatureAlgorithm.asymmetric)
      }
      for change: UInt8 in [1, 0x20, 0x80] {
        var changed = text
        changed[index] ^= change
        do {
          let set = try KeySet.parse(changed, algorithms: SignatureAlgorithm.asymmetric)
          #expect(set.keys.count + set.dropped.count == 2)
        } catch {
          errorCount += 1
        }
      }
    }
    #expect(errorCount > 100)
  }

  @Test("A coordinate that lacks its leading zeros, or has one too many, is the same number")
  func coordinateLengths() throws {
    var components = try SigningKey.generate(.ellipticCurve(.p256)).publicKey.components
    // One key in 128 has such a coordinate.
    for _ in 0..<5000 {
      if case .ellipticCurve(_, let x, let y) = components, x[0] == 0, y[0] != 0 { break }
      components = try SigningKey.generate(.ellipticCurve(.p256)).publicKey.components
    }
    guard case .ellipticCurve(_, let x, let y) = components else { throw KeyError.lengthWrong }
    try #require(x[0] == 0)
    func jwk(_ x: [UInt8], _ y: [UInt8]) -> String {
      let (x, y) = (
        String(decoding: Base64URL.encode(x), as: UTF8.self), String(decoding: Base64URL.encode(y), as: UTF8.self)
      )
      return "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(x)\",\"y\":\"\(y)\"}"
    }
    for (x, y) in [(x, y), (Array(x[1...]), y), ([0] + x, [0, 0] + y)] {
      let key = try #require(try parse([jwk(x, y)]).keys.first)
      #expect(key.publicKey.components == components)
    }
    #expect(try parse([jwk(x, y), jwk([1] + x, y)]).dropped.map(\.reason) == [.pointInvalid])
    #expect(try parse([jwk(x, y), jwk(x, Array(y[1...]))]).dropped.map(\.reason) == [.pointInvalid])
  }

  @Test("A kid that appears twice is the first key whose type and curve fit")
  func duplicateKeyIDs() throws {
    let first = try SigningKey.generate(.ellipticCurve(.p256)).publicKey
    let second = try SigningKey.generate(.ellipticCurve(.p256)).publicKey
    let edwards = try SigningKey.generate(.edwards(.ed25519)).publicKey
    let set = try KeySet.parse(
      KeySetWriter.encode([("a", edwards, nil), ("a", first, nil), ("a", second, nil), ("b", second, nil)]),
      algorithms: SignatureAlgorithm.asymmetric)
    #expect(set.key(id: "a", for: .es256)?.publicKey.components == first.components)
    #expect(set.key(id: "a", for: .edDSA)?.publicKey.components == edwards.components)
    #expect(set.key(id: "b", for: .es256)?.publicKey.components == second.components)
    #expect(set.key(id: "a", for: .es384) == nil)
    #expect(set.key(id: "c", for: .es256) == nil)
    #expect(set.keys(for: .es256).count == 3)
    #expect(set.keys(for: .ed25519).count == 1)
    #expect(set.hasKey(id: "a") && !set.hasKey(id: ""))
  }

  @Test("Thumbprints are those of RFC 7638, leading zeros or not")
  func thumbprint() throws {
    let text =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
      + "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1"
      + "n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    let set = try parse(["{\"kty\":\"RSA\",\"n\":\"\(text)\",\"e\":\"AQAB\"}"])
    let key = try #require(set.keys.first)
    #expect(
      String(decoding: Base64URL.encode(key.thumbprint), as: UTF8.self)
        == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    let padded = Base64URL.encode(([0] + (try #require(Base64URL.decode(text)))))
    let same = try parse(["{\"kty\":\"RSA\",\"n\":\"\(String(decoding: padded, as: UTF8.self))\",\"e\":\"AAEAAQ\"}"])
    #expect(same.contains(sameKeyAs: key))
  }

  @Test("T27 A set knows a key of an older set by its numbers, its kid and what it may verify")
  func sameKeys() throws {
    let set = try parse([])
    let key = try #require(set.keys.first)
    #expect(try parse([]).contains(sameKeyAs: key))
    for changed in ["{\(Self.ec),\"kid\":\"other\"}", "{\(Self.ec)}", "{\(rsa(256)),\"kid\":\"good\"}"] {
      let other = try KeySet.parse("{\"keys\":[\(changed)]}", algorithms: SignatureAlgorithm.asymmetric)
      #expect(!other.contains(sameKeyAs: key))
    }
  }
}
