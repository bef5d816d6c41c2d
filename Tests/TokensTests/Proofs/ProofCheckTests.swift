// What a proof has to say, and what becomes of one that says something else. Time is a value.

import Cryptography
import Foundation
import JSON
import Testing

@testable import Tokens

/// A caller whose token is bound, and the client that has the key.
private struct Scene {
  let algorithm: SignatureAlgorithm
  let key: SigningKey
  let caller: Caller
  var policy = IssuerPolicy(issuer: "i", audiences: [])

  init(_ algorithm: SignatureAlgorithm = .es256) throws {
    self.algorithm = algorithm
    key = try SigningKey.generate(TestIssuer.kind(algorithm))
    caller = try Self.caller(Self.base64URL(Thumbprint.make(key.publicKey.components)))
  }

  static func base64URL(_ bytes: [UInt8]) -> String { String(decoding: Base64URL.encode(bytes), as: UTF8.self) }

  static func caller(_ thumbprint: String, token: String = "opaque") throws -> Caller {
    let claims = try JSONDocument(Array("{\"cnf\":{\"jkt\":\"\(thumbprint)\"}}".utf8))
    var policy = IssuerPolicy(issuer: "i", audiences: [])
    policy.requiredClaims = []
    let verdict = Statement(claims: claims, freshUntil: .max)
      .verdict(on: token.utf8.span, from: .introspection(issuer: 0), issuers: [IssuerRules(policy)], now: 0)
    guard case .caller(let caller) = verdict else { throw TokenRefusal.tokenMalformed }
    return caller
  }

  var jwk: String { Thumbprint.canonicalJSON(key.publicKey.components) }

  var members: [(name: String, value: String)] {
    [
      ("jti", "\"j\""), ("htm", "\"GET\""), ("htu", "\"https://a.example/x\""), ("iat", "\(testNow)"),
      ("ath", "\"\(Self.base64URL(SHA256.digest("opaque".utf8.span)))\""),
    ]
  }

  var header: [(name: String, value: String)] {
    [("typ", "\"dpop+jwt\""), ("alg", "\"\(algorithm.rawValue)\""), ("jwk", jwk)]
  }

  /// - Parameter changes: members of the payload. An empty value leaves one out.
  func payload(_ changes: [String: String] = [:]) -> String { Self.object(members, changes) }

  static func object(_ members: [(name: String, value: String)], _ changes: [String: String]) -> String {
    var all = members.map { (name: $0.name, value: changes[$0.name] ?? $0.value) }
    for (name, value) in changes where !members.contains(where: { $0.name == name }) { all.append((name, value)) }
    return "{" + all.filter { !$0.value.isEmpty }.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",") + "}"
  }

  func proof(_ changes: [String: String] = [:], header: [String: String] = [:], by other: SigningKey? = nil) throws
    -> [UInt8]
  {
    try #require(
      encodeCompact(
        header: Array(Self.object(self.header, header).utf8), payload: Array(payload(changes).utf8), key: other ?? key,
        scheme: algorithm.scheme))
  }

  /// `good`, or the check that failed.
  func outcome(_ proof: [UInt8], method: String = "GET", now: Int64 = testNow) -> String {
    do throws(ProofStep) {
      _ = try ProofCheck.check(
        proof.span, of: caller, method: method.utf8.span, rules: IssuerRules(policy), now: now)
      return "good"
    } catch {
      return error.rawValue
    }
  }
}

@Suite struct ProofCheckTests {
  @Test("The example of RFC 9449 is a good proof, and no byte of it can be another")
  func example() throws {
    let path = String(#filePath.dropLast("Proofs/ProofCheckTests.swift".count)) + "Vectors/dpop.json"
    let file = try JSONDocument([UInt8](try #require(FileManager.default.contents(atPath: path))))
    let entry = try #require(file.elements(of: file.root).first { _ in true })
    func text(_ name: String) throws -> String {
      try #require(file.member(name, of: entry).flatMap { file.string(at: $0) })
    }
    let now = try #require(file.member("time", of: entry).flatMap { file.integer(at: $0) })
    let (thumbprint, token, method) = (try text("thumbprint"), try text("token"), try text("method"))
    let proof = Array(try text("proof").utf8)
    let rules = IssuerRules(IssuerPolicy(issuer: "i", audiences: []))
    let caller = try Scene.caller(thumbprint, token: token)
    let checked = try ProofCheck.check(proof.span, of: caller, method: method.utf8.span, rules: rules, now: now)
    #expect(String(decoding: checked.target, as: UTF8.self) == (try text("target")))
    #expect(checked.endsAt == now + 60 + 30 + 1 && checked.nonce == nil && checked.algorithm == .es256)
    for index in proof.indices {
      var changed = proof
      changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      // With the key that is kept, and without.
      for caller in [caller, try Scene.caller(thumbprint, token: token)] {
        #expect(throws: ProofStep.self, "byte \(index)") {
          try ProofCheck.check(changed.span, of: caller, method: method.utf8.span, rules: rules, now: now)
        }
      }
    }
    // The token and the key of somebody else.
    for other in [
      try Scene.caller(thumbprint, token: token + "x"),
      try Scene.caller(Scene.base64URL(Array(repeating: 0, count: 32))),
    ] {
      #expect(throws: ProofStep.self) {
        try ProofCheck.check(proof.span, of: other, method: method.utf8.span, rules: rules, now: now)
      }
    }
  }

  @Test("Each asymmetric algorithm makes proofs", arguments: SignatureAlgorithm.allCases.filter { !$0.isSymmetric })
  func algorithms(_ algorithm: SignatureAlgorithm) throws {
    let scene = try Scene(algorithm)
    #expect(scene.outcome(try scene.proof()) == "good")
    // The second time the key is there.
    #expect(scene.outcome(try scene.proof(["jti": "\"k\""])) == "good")
    #expect(scene.caller.proofKeyByteCount > 0)
  }

  @Test("T101: Each member of a proof counts")
  func members() throws {
    let scene = try Scene()
    let day = "\(testNow + 86_400)"
    let cases: [(name: String, values: [String], step: String)] = [
      ("htm", ["", "\"get\"", "\"POST\"", "\"GET \"", "7", "[\"GET\"]", "null"], "method"),
      ("htu", ["", "7", "null", "[]"], "target"),
      ("iat", ["", "\"\(testNow)\"", "null", "-1", "1e300", day, "0", "\(testNow).5x"], "time"),
      ("jti", ["", "\"\"", "7", "null", "\"\(String(repeating: "j", count: 513))\""], "identifier"),
      ("ath", ["", "\"\"", "7", "\"\(String(repeating: "A", count: 43))\"", "\"AAAA\""], "token"),
      ("nonce", ["7", "null"], "nonce"),
    ]
    for (name, values, step) in cases {
      for value in values {
        let expected = value.hasSuffix("x") ? "form" : step
        #expect(scene.outcome(try scene.proof([name: value])) == expected, "\(name): \(value)")
      }
    }
    #expect(scene.outcome(try scene.proof(), method: "POST") == "method")
  }

  @Test("T101: The header of a proof has a public key of a known algorithm, and nothing that changes its meaning")
  func headers() throws {
    let scene = try Scene()
    let other = try Scene()
    let jwk = scene.jwk.dropLast()
    let cases: [(name: String, values: [String], step: String)] = [
      ("typ", ["", "\"JWT\"", "\"DPoP+JWT\"", "\"application/dpop+jwt\"", "7"], "type"),
      ("alg", ["", "\"none\"", "\"HS256\"", "\"es256\"", "7"], "algorithm"),
      ("alg", ["\"ES384\"", "\"RS256\""], "key"),
      (
        "jwk",
        [
          "", "7", "{}", "[]", "\"x\"", "\(jwk),\"d\":\"AAAA\"}", "\(jwk),\"k\":\"AAAA\"}", "\(jwk),\"p\":\"AAAA\"}",
          "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "\(jwk),\"use\":\"enc\"}",
          "\(jwk),\"alg\":\"ES384\"}", "\(jwk),\"key_ops\":[\"sign\"]}",
        ], "key"
      ),
      ("jwk", [other.jwk], "thumbprint"), ("crit", ["[\"exp\"]"], "form"), ("b64", ["false"], "form"),
    ]
    for (name, values, step) in cases {
      for value in values {
        #expect(scene.outcome(try scene.proof(header: [name: value])) == step, "\(name): \(value)")
      }
    }
    // Signed by somebody else, with the right key in it.
    #expect(scene.outcome(try scene.proof(by: other.key)) == "signature")
    #expect(scene.outcome(try scene.proof()) == "good")
    #expect(scene.outcome(try scene.proof(by: other.key)) == "signature")
  }

  @Test("T101: What is no compact JWS of two objects, or too long, is no proof")
  func forms() throws {
    let scene = try Scene()
    let good = try scene.proof()
    let text = String(decoding: good, as: UTF8.self)
    let parts = text.split(separator: ".").map(String.init)
    for bad in [
      "", ".", "..", "a.b", "a.b.c", "\(parts[0]).\(parts[1])", "\(parts[0]).\(parts[1]).", text + "=", text + ".",
      text + ", " + text, "\(parts[0])..\(parts[2])", " " + text,
      try String(decoding: scene.proof(["x": "\"\(String(repeating: "x", count: 9000))\""]), as: UTF8.self),
    ] {
      #expect(scene.outcome(Array(bad.utf8)) != "good", "\(bad.prefix(40))")
    }
    // A member twice could be read in two ways.
    #expect(scene.outcome(try scene.proof(["htm\":\"GET\",\"htm": "\"GET\""])) == "form")
  }

  @Test("T101: A proof is good from leeway before iat to window and leeway behind it, to the second")
  func times() throws {
    var scene = try Scene()
    for (window, leeway) in [(60, 30), (1, 0), (600, 300)] as [(Int64, Int64)] {
      scene.policy.proofWindowSeconds = window
      scene.policy.leewaySeconds = leeway
      let proof = try scene.proof()
      for (now, expected) in [
        (testNow - leeway - 1, "time"), (testNow - leeway, "good"), (testNow + window + leeway, "good"),
        (testNow + window + leeway + 1, "time"),
      ] {
        #expect(scene.outcome(proof, now: now) == expected, "\(window) \(leeway) \(now - testNow)")
      }
    }
  }

  @Test("Two clients may have the same jti, and one has another identity with another jti")
  func identities() throws {
    let (scene, other) = (try Scene(), try Scene())
    func identity(_ scene: Scene, _ jti: String) throws -> [UInt8] {
      let proof = try scene.proof(["jti": "\"\(jti)\""])
      return try ProofCheck.check(
        proof.span, of: scene.caller, method: "GET".utf8.span, rules: IssuerRules(scene.policy), now: testNow
      ).identity
    }
    let identities = [try identity(scene, "a"), try identity(scene, "b"), try identity(other, "a")]
    #expect(Set(identities).count == 3 && identities.allSatisfy { $0.count == 32 })
    #expect(try identity(scene, "a") == identities[0])
  }

  @Test(
    "T101: cnf says to whom a token is bound, and what is not understood binds it to nobody",
    arguments: [
      ("", "none"), ("\"cnf\":null", "unknown"), ("\"cnf\":7", "unknown"), ("\"cnf\":{}", "unknown"),
      ("\"cnf\":{\"kid\":\"a\"}", "unknown"), ("\"cnf\":{\"jkt\":\"A\"}", "unknown"), ("\"cnf\":[]", "unknown"),
      ("\"cnf\":{\"jkt\":\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"}", "key"),
      ("\"cnf\":{\"jkt\":\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"}", "unknown"),
      ("\"cnf\":{\"x5t#S256\":\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"}", "certificate"),
      (
        "\"cnf\":{\"jkt\":\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\",\"x5t#S256\":\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"}",
        "key certificate"
      ),
      ("\"cnf\":{\"jkt\":\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\",\"jwe\":\"a\"}", "unknown"),
    ])
  func bindings(member: String, expected: String) throws {
    guard let binding = SenderBinding(try JSONDocument(Array("{\(member)}".utf8))) else {
      #expect(expected == "none")
      return
    }
    let words = (binding.key.isEmpty ? [] : ["key"]) + (binding.certificate.isEmpty ? [] : ["certificate"])
    #expect((binding.isUnderstood ? words.joined(separator: " ") : "unknown") == expected)
  }
}
