// An issuer with its key, its rules and the tokens it signs: what the tests of this target share. Time is a value.

import Bytes
import Cryptography
import Foundation
import JSON
import Testing

@testable import Tokens

/// The moment at which all tests take place.
let testNow: Int64 = 1_700_000_000

struct TestIssuer {
  let key: SigningKey
  let algorithm: SignatureAlgorithm
  var policy = IssuerPolicy(issuer: "https://login.example.com/", audiences: ["orders-api"])
  var keyID = "key-1"

  init(_ algorithm: SignatureAlgorithm = .es256) throws {
    self.algorithm = algorithm
    key = try SigningKey.generate(Self.kind(algorithm))
    if algorithm.isSymmetric { policy.algorithms = [algorithm] }
  }

  static func kind(_ algorithm: SignatureAlgorithm) -> SigningKey.Kind {
    switch algorithm {
    case .es256: .ellipticCurve(.p256)
    case .es384: .ellipticCurve(.p384)
    case .es512: .ellipticCurve(.p521)
    case .edDSA, .ed25519: .edwards(.ed25519)
    case .ed448: .edwards(.ed448)
    case .hs256, .hs384, .hs512: .secret(byteCount: 64)
    default: .rsa(bitCount: 2048)
    }
  }

  func keySet() throws -> KeySet {
    try KeySet.parse(
      KeySetWriter.encode([(id: keyID, key: key.publicKey, algorithm: nil)]), algorithms: policy.algorithms)
  }

  /// Claims that pass, with `more` (members with a comma in front) behind them.
  func claims(_ more: String = "") -> String {
    "{\"iss\":\"\(policy.issuer)\",\"aud\":\"orders-api\",\"sub\":\"alice\",\"exp\":\(testNow + 300)\(more)}"
  }

  func token(
    _ payload: String? = nil, header: String? = nil, algorithm: SignatureAlgorithm? = nil
  ) throws -> [UInt8] {
    try #require(
      encodeCompact(
        algorithm: algorithm ?? self.algorithm, header: header ?? "\"kid\":\"\(keyID)\"", payload: payload ?? claims(),
        key: key))
  }

  /// A token with exactly these texts, signed as `algorithm` requires.
  func token(rawHeader: String, payload: String? = nil) throws -> [UInt8] {
    try #require(
      encodeCompact(
        header: Array(rawHeader.utf8), payload: Array((payload ?? claims()).utf8), key: key, scheme: algorithm.scheme))
  }

  func outcome(_ token: [UInt8], now: Int64 = testNow) throws -> String {
    let verifier = TokenVerifier()
    return describe(
      verifier.verify(token, candidates: [0], issuers: [IssuerRules(policy)], keySets: [try keySet()], now: now))
  }

  func verified(_ token: [UInt8], now: Int64 = testNow) throws -> Caller {
    let verifier = TokenVerifier()
    let outcome = verifier.verify(
      token, candidates: [0], issuers: [IssuerRules(policy)], keySets: [try keySet()], now: now)
    guard case .caller(let verified) = outcome else {
      Issue.record("not verified: \(describe(outcome))")
      throw TokenRefusal.tokenMalformed
    }
    return verified
  }
}

/// The outcome in one word: `verified`, the code of the refusal, or `keyUnknown`.
func describe(_ outcome: Verdict) -> String {
  switch outcome {
  case .caller: "verified"
  case .confirm: "confirm"
  case .refused(let refusal, _, _): refusal.rawValue
  case .ask: "keyUnknown"
  }
}

/// One entry of the files in Vectors.
struct Vector: CustomTestStringConvertible {
  let name: String
  let algorithm: SignatureAlgorithm
  /// The JWK as JSON.
  let key: String
  let token: [UInt8]

  var testDescription: String { name }

  static func load(_ file: String) throws -> [Vector] {
    let path = String(#filePath.dropLast("Support/TestIssuer.swift".count)) + "Vectors/" + file
    let data = try #require(FileManager.default.contents(atPath: path))
    let document = try JSONDocument([UInt8](data))
    return try document.elements(of: document.root).map { entry in
      func text(_ name: String) throws -> String {
        try #require(document.member(name, of: entry).flatMap { document.string(at: $0) })
      }
      let key = try #require(document.member("key", of: entry))
      return Vector(
        name: try text("name"), algorithm: try #require(SignatureAlgorithm(rawValue: try text("algorithm"))),
        key: String(decoding: document.bytes[document.rawRange(of: key)], as: UTF8.self),
        token: Array(try text("token").utf8))
    }
  }

  /// The verification key, through a key set.
  func verificationKey() throws -> VerificationKey {
    let set = try KeySet.parse("{\"keys\":[\(key)]}", algorithms: [algorithm])
    return try #require(set.keys.first)
  }
}
