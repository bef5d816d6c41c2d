// The checks of a token, each with the token that it is there for. Every test begins with a token that passes.

import Bytes
import Cryptography
import JSON
import Testing

@testable import Tokens

@Suite struct TokenVerifierTests {
  @Test("A good token is verified under every algorithm", arguments: SignatureAlgorithm.allCases)
  func good(algorithm: SignatureAlgorithm) throws {
    let issuer = try TestIssuer(algorithm)
    let token = try issuer.token()
    let verified = try issuer.verified(token)
    #expect(verified.token == token)
    #expect(verified.issuer == 0)
    #expect(verified.expiresAt == testNow + 330)
    #expect(verified.subject.flatMap { verified.claims.string(at: $0) } == "alice")
    let payload = try #require(verified.payloadPart)
    #expect(Base64URL.decode(Array(token[payload])) == Array(issuer.claims().utf8))
  }

  @Test("T01 No spelling of none is an algorithm, signed or not")
  func none() throws {
    let issuer = try TestIssuer()
    for name in ["none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "HS256", "ES256K", "A128KW"] {
      let header = "{\"alg\":\"\(name)\",\"kid\":\"key-1\"}"
      #expect(try issuer.outcome(issuer.token(rawHeader: header)) == "algorithm_not_allowed", "\(name)")
      let unsigned = Base64URL.encode(header) + [0x2E] + Base64URL.encode(issuer.claims()) + [0x2E]
      #expect(try issuer.outcome(unsigned) == "token_malformed")
    }
    for header in ["{\"kid\":\"key-1\"}", "{\"alg\":null}", "{\"alg\":256}", "{\"alg\":[\"ES256\"]}"] {
      #expect(try issuer.outcome(issuer.token(rawHeader: header)) == "token_malformed")
    }
  }

  @Test("T02 A public key in any spelling is not a secret for HS")
  func confusion() throws {
    var issuer = try TestIssuer(.rs256)
    issuer.policy.algorithms = [.rs256, .hs256]
    #expect(try issuer.outcome(issuer.token()) == "verified")
    let components = issuer.key.publicKey.components
    guard case .rsa(let modulus, _) = components else { throw TokenRefusal.tokenMalformed }
    let jwk = Array(Thumbprint.canonicalJSON(components).utf8)
    for secret in [
      modulus, jwk, [0x20] + jwk, jwk + [0x0A], KeySetWriter.encode([("key-1", issuer.key.publicKey, nil)]),
    ] {
      let forger = try SigningKey(secret: secret)
      for header in ["\"kid\":\"key-1\"", ""] {
        let token = try #require(
          encodeCompact(algorithm: .hs256, header: header, payload: issuer.claims(), key: forger))
        #expect(try issuer.outcome(token) == "key_unknown")
      }
    }
  }

  @Test("T04 The issuer's list is asked before any key is")
  func allowList() throws {
    var issuer = try TestIssuer(.es256)
    let token = try issuer.token()
    issuer.policy.algorithms = [.rs256]
    let verifier = TokenVerifier()
    // Without a single key: the algorithm alone decides.
    let outcome = verifier.verify(
      token, candidates: [0], issuers: [IssuerRules(issuer.policy)], keySets: [nil], now: testNow)
    #expect(describe(outcome) == "algorithm_not_allowed")
  }

  @Test("T05 A JWS in JSON serialization is not a token")
  func jsonSerialization() throws {
    let issuer = try TestIssuer()
    let parts = try issuer.token().split(separator: 0x2E).map { String(decoding: $0, as: UTF8.self) }
    let flattened = "{\"payload\":\"\(parts[1])\",\"protected\":\"\(parts[0])\",\"signature\":\"\(parts[2])\"}"
    #expect(try issuer.outcome(Array(flattened.utf8)) == "token_malformed")
  }

  @Test("T06 Keys and addresses of keys in the header are never used")
  func headerKeys() throws {
    let issuer = try TestIssuer()
    let forger = try TestIssuer()
    let jwk = Thumbprint.canonicalJSON(forger.key.publicKey.components)
    for member in [
      "\"jwk\":\(jwk)", "\"jku\":\"http://127.0.0.1/\"", "\"x5u\":\"http://127.0.0.1/\"", "\"x5c\":[\"MIIB\"]",
    ] {
      let header = "\"kid\":\"key-1\",\(member)"
      #expect(try issuer.outcome(forger.token(header: header)) == "signature_invalid")
      #expect(try issuer.outcome(issuer.token(header: header)) == "verified")
    }
  }

  @Test("T11 Extensions that must be understood are not")
  func critical() throws {
    let issuer = try TestIssuer()
    let headers: [(String, String)] = [
      ("\"crit\":[\"exp\"],\"exp\":1", "critical_header_unknown"),
      ("\"crit\":[\"b64\"],\"b64\":false", "critical_header_unknown"),
      ("\"crit\":[\"b64\"],\"b64\":true", "critical_header_unknown"), ("\"crit\":[]", "critical_header_unknown"),
      ("\"crit\":null", "critical_header_unknown"), ("\"\\u0063rit\":[\"x\"]", "critical_header_unknown"),
      ("\"b64\":false", "token_malformed"), ("\"b64\":true", "token_malformed"),
    ]
    for (member, expected) in headers {
      #expect(try issuer.outcome(issuer.token(header: "\"kid\":\"key-1\",\(member)")) == expected, "\(member)")
    }
  }

  @Test("T12 What two readers of JSON could read in two ways is not a token")
  func ambiguousJSON() throws {
    let issuer = try TestIssuer()
    let deep = String(repeating: "[", count: 17) + String(repeating: "]", count: 17)
    let payloads = [
      issuer.claims(",\"sub\":\"bob\""), issuer.claims(",\"s\\u0075b\":\"bob\""),
      issuer.claims(",\"a\":{\"b\":1,\"b\":2}"),
      issuer.claims() + "x", issuer.claims() + "{}", "\u{FEFF}" + issuer.claims(), issuer.claims(",\"a\":\(deep)"),
      issuer.claims(",\"a\":\"\\ud800\""), "[]", "\"text\"", "null", "",
    ]
    for payload in payloads {
      #expect(try issuer.outcome(issuer.token(payload)) == "token_malformed", "\(payload)")
    }
    let header = "{\"alg\":\"ES256\",\"kid\":\"key-1\""
    for text in [
      "\(header),\"alg\":\"ES256\"}", "\(header)}}", "\(header)} x", "\u{FEFF}\(header)}", "\(header),\"a\":\(deep)}",
    ] {
      #expect(try issuer.outcome(issuer.token(rawHeader: text)) == "token_malformed", "\(text)")
    }
    let invalid = Array("{\"iss\":\"".utf8) + [0xC0, 0xAF] + Array("\"}".utf8)
    let token = try #require(
      encodeCompact(header: Array("\(header)}".utf8), payload: invalid, key: issuer.key, scheme: .ecdsa(.sha256)))
    #expect(try issuer.outcome(token) == "token_malformed")
  }

  @Test("T13 A token has one spelling")
  func spelling() throws {
    let issuer = try TestIssuer()
    let token = String(decoding: try issuer.token(), as: UTF8.self)
    for changed in [token + "=", token + "==", " " + token, token + " ", token + "\n", "\t" + token] {
      #expect(try issuer.outcome(Array(changed.utf8)) == "token_malformed", "\(changed)")
    }
    let parts = token.split(separator: ".").map(String.init)
    #expect(try issuer.outcome(Array("\(parts[0])=.\(parts[1]).\(parts[2])".utf8)) == "token_malformed")
    #expect(try issuer.outcome(Array("\(parts[0]).\(parts[1])=.\(parts[2])".utf8)) == "token_malformed")
    // 64 bytes leave four spare bits in the last digit: only 0 is right.
    let last = try #require(parts[2].last)
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    let value = try #require(alphabet.firstIndex(of: last))
    for spare in 1..<16 {
      let changed = parts[0] + "." + parts[1] + "." + String(parts[2].dropLast()) + String(alphabet[value + spare])
      #expect(try issuer.outcome(Array(changed.utf8)) == "token_malformed")
    }
  }

  @Test("T14 A token has three parts, none of them empty")
  func parts() throws {
    let issuer = try TestIssuer()
    let parts = try issuer.token().split(separator: 0x2E).map { String(decoding: $0, as: UTF8.self) }
    let (header, payload, signature) = (parts[0], parts[1], parts[2])
    let broken = [
      "", ".", "..", "...", header, "\(header).\(payload)", "\(header).\(payload).", ".\(payload).\(signature)",
      "\(header)..\(signature)", "\(header).\(payload).\(signature).", ".\(header).\(payload).\(signature)",
      "\(header).\(payload).\(signature).\(signature)", "\(header).\(payload).\(signature).\(signature).\(signature)",
    ]
    for token in broken { #expect(try issuer.outcome(Array(token.utf8)) == "token_malformed", "\(token)") }
  }

  @Test("A token of the longest length passes, one byte more does not")
  func size() throws {
    let issuer = try TestIssuer()
    let token = try issuer.token()
    for (bound, expected) in [(token.count, "verified"), (token.count - 1, "token_too_large")] {
      let outcome = TokenVerifier(tokenByteCountMax: bound).verify(
        token, candidates: [0], issuers: [IssuerRules(issuer.policy)], keySets: [try issuer.keySet()], now: testNow
      )
      #expect(describe(outcome) == expected)
    }
  }

  @Test("T18 A token of another type is not an access token")
  func types() throws {
    var issuer = try TestIssuer()
    func outcome(_ type: String) throws -> String {
      try issuer.outcome(issuer.token(header: "\"kid\":\"key-1\",\"typ\":\(type)"))
    }
    for type in [
      "logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "Application/DPoP+jwt", "secevent+jwt", "id_token+jwt",
    ] {
      #expect(try outcome("\"\(type)\"") == "type_not_allowed", "\(type)")
    }
    for type in ["JWT", "jwt", "at+jwt", "application/at+jwt", "JOSE"] {
      #expect(try outcome("\"\(type)\"") == "verified")
    }
    for type in ["1", "null", "[\"JWT\"]"] { #expect(try outcome(type) == "token_malformed") }
    issuer.policy.tokenTypes = ["at+jwt"]
    #expect(try outcome("\"AT+JWT\"") == "verified")
    #expect(try outcome("\"application/at+jwt\"") == "verified")
    #expect(try outcome("\"JWT\"") == "type_not_allowed")
    #expect(try outcome("\"at+jwt\\u0000\"") == "type_not_allowed")
    #expect(try issuer.outcome(issuer.token()) == "type_not_allowed")
  }

  @Test("T19 A kid is opaque: paths, SQL, NUL and long ones are looked up like any other")
  func keyIDs() throws {
    var issuer = try TestIssuer()
    let good = try issuer.token()
    #expect(try issuer.outcome(good) == "verified")
    for keyID in [
      "../../etc/passwd", "' OR 1=1 --", "key-1\\u0000", "\\u0000", "", "KEY-1", String(repeating: "k", count: 9000),
    ] {
      #expect(try issuer.outcome(issuer.token(header: "\"kid\":\"\(keyID)\"")) == "keyUnknown", "\(keyID.prefix(20))")
    }
    #expect(try issuer.outcome(issuer.token(header: "\"kid\":\"k\\u0065y-1\"")) == "verified")
    for keyID in ["1", "null", "[]", "{}"] {
      #expect(try issuer.outcome(issuer.token(header: "\"kid\":\(keyID)")) == "token_malformed")
    }
    issuer.keyID = "../a b\u{0}\u{10FFFF}"
    #expect(try issuer.outcome(issuer.token(header: "\"kid\":\"../a b\\u0000\\udbff\\udfff\"")) == "verified")
  }

  @Test("T20 The same kid with two issuers is two keys")
  func twoIssuers() throws {
    let first = try TestIssuer()
    var second = try TestIssuer()
    second.policy.issuer = "partner"
    let issuers = [IssuerRules(first.policy), IssuerRules(second.policy)]
    let sets = [try first.keySet(), try second.keySet()]
    let verifier = TokenVerifier()
    func outcome(_ token: [UInt8], _ candidates: [Int]) -> String {
      let outcome = verifier.verify(token, candidates: candidates, issuers: issuers, keySets: sets, now: testNow)
      if case .caller(let token) = outcome { return "verified \(token.issuer ?? -1)" }
      return describe(outcome)
    }
    #expect(outcome(try first.token(), [0, 1]) == "verified 0")
    #expect(outcome(try second.token(), [0, 1]) == "verified 1")
    #expect(outcome(try second.token(), [0]) == "issuer_unknown")
    // Each signs what the other says.
    #expect(outcome(try first.token(second.claims()), [0, 1]) == "signature_invalid")
    #expect(outcome(try second.token(first.claims()), [0]) == "signature_invalid")
    #expect(outcome(try first.token(), []) == "issuer_unknown")
    #expect(outcome(try first.token(), [-1, 7]) == "issuer_unknown")
  }

  /// What a token without `kid` comes to with a key set of these members besides those of each key.
  private func outcomeWithoutKeyID(
    _ issuer: TestIssuer, _ header: String, _ members: [String], signedBy position: Int?
  ) throws -> String {
    var jwks: [String] = []
    for (number, member) in members.enumerated() {
      let key = number == position ? issuer.key.publicKey : try TestIssuer(issuer.algorithm).key.publicKey
      jwks.append("{\(member)\(Thumbprint.canonicalJSON(key.components).dropFirst())")
    }
    let set = try KeySet.parse(
      "{\"keys\":[\(jwks.joined(separator: ","))]}", algorithms: issuer.policy.algorithms)
    let outcome = TokenVerifier().verify(
      try issuer.token(header: header), candidates: [0], issuers: [IssuerRules(issuer.policy)], keySets: [set],
      now: testNow)
    return describe(outcome)
  }

  @Test("T22 A token without a kid is tried on up to four keys that fit, and never asks for a newer set")
  func withoutKeyID() throws {
    let issuer = try TestIssuer()
    let names = (0..<5).map { "\"kid\":\"k\($0)\"," }
    for count in 1...4 {
      for position in 0..<count {
        #expect(try outcomeWithoutKeyID(issuer, "", Array(names[..<count]), signedBy: position) == "verified")
      }
    }
    #expect(try outcomeWithoutKeyID(issuer, "", Array(names[..<4]), signedBy: nil) == "signature_invalid")
    #expect(try outcomeWithoutKeyID(issuer, "", names, signedBy: 0) == "key_unknown")
  }

  @Test("A token without a kid gets the key of its certificate", arguments: ["x5t", "x5t#S256"])
  func certificateDigest(name: String) throws {
    let issuer = try TestIssuer()
    let names = (0..<6).map { "\"kid\":\"k\($0)\",\"\(name)\":\"t\($0)\"," }
    func outcome(_ digest: String, signedBy position: Int) throws -> String {
      try outcomeWithoutKeyID(issuer, "\"\(name)\":\(digest)", names, signedBy: position)
    }
    #expect(try outcome("\"t5\"", signedBy: 5) == "verified")
    #expect(try outcome("\"t5\"", signedBy: 4) == "signature_invalid")
    #expect(try outcome("\"t6\"", signedBy: 4) == "keyUnknown", "the set may be older than the key")
    #expect(try outcome("7", signedBy: 5) == "token_malformed")
    let unnamed = ["\"kid\":\"a\",", "\"kid\":\"b\","]
    let digest = "\"\(name)\":\"t\""
    #expect(try outcomeWithoutKeyID(issuer, digest, unnamed, signedBy: 1) == "verified", "the set has no digests")
    #expect(
      try outcomeWithoutKeyID(issuer, "\"kid\":\"a\",\(digest)", unnamed, signedBy: 1) == "signature_invalid")
  }

  @Test("Without keys the answer is that there are none")
  func noKeys() throws {
    let issuer = try TestIssuer()
    let token = try issuer.token()
    let verifier = TokenVerifier()
    for sets: [KeySet?] in [[nil], []] {
      let outcome = verifier.verify(
        token, candidates: [0], issuers: [IssuerRules(issuer.policy)], keySets: sets, now: testNow)
      #expect(describe(outcome) == "keys_unavailable")
    }
  }

  @Test("T28 The first token does not choose what a key may verify")
  func firstToken() throws {
    let issuer = try TestIssuer(.rs256)
    let verifier = TokenVerifier()
    let rules = [IssuerRules(issuer.policy)]
    let sets = [try issuer.keySet()]
    func outcome(_ token: [UInt8]) -> String {
      describe(verifier.verify(token, candidates: [0], issuers: rules, keySets: sets, now: testNow))
    }
    var forged = try issuer.token(algorithm: .ps512)
    forged[forged.count - 20] ^= 2
    #expect(outcome(forged) != "verified")
    for algorithm in [SignatureAlgorithm.rs256, .ps256, .rs384, .ps384, .rs512, .ps512, .rs256] {
      #expect(outcome(try issuer.token(algorithm: algorithm)) == "verified")
    }
    // Each signature under another name of the same key.
    let parts = try issuer.token(algorithm: .rs256).split(separator: 0x2E)
    let header = Base64URL.encode("{\"alg\":\"PS256\",\"kid\":\"key-1\"}")
    #expect(outcome(header + [0x2E] + Array(parts[1]) + [0x2E] + Array(parts[2])) == "signature_invalid")
  }

  @Test("T65 A signature counts only under an algorithm of its key's type and curve")
  func curves() throws {
    for algorithm in [SignatureAlgorithm.es256, .es384, .es512, .ed25519, .ed448] {
      let issuer = try TestIssuer(algorithm)
      for name in SignatureAlgorithm.asymmetric {
        let token = try issuer.token(rawHeader: "{\"alg\":\"\(name.rawValue)\",\"kid\":\"key-1\"}")
        let isItsOwn = name == algorithm || name == .edDSA && (algorithm == .ed25519 || algorithm == .ed448)
        #expect(try issuer.outcome(token) == (isItsOwn ? "verified" : "key_unknown"), "\(algorithm) as \(name)")
      }
    }
  }

  @Test("Bad signatures of every length are refused")
  func signatureLengths() throws {
    let issuer = try TestIssuer()
    let parts = try issuer.token().split(separator: 0x2E)
    let front = Array(parts[0]) + [0x2E] + Array(parts[1]) + [0x2E]
    let signature = try #require(Base64URL.decode(Array(parts[2])))
    for count in 1...200 where count != 64 {
      let changed = Array((signature + [UInt8](repeating: 1, count: 140)).prefix(count))
      #expect(try issuer.outcome(front + Base64URL.encode(changed)) == "signature_invalid")
    }
    #expect(try issuer.outcome(front + Base64URL.encode([UInt8](repeating: 0, count: 64))) == "signature_invalid")
  }

  @Test("More keys than a worker keeps prepared are all served, again and again")
  func manyKeys() throws {
    let keys = try (0..<300).map { _ in try SigningKey.generate(.edwards(.ed25519)) }
    let policy = IssuerPolicy(issuer: "https://login.example.com/", audiences: [])
    let set = try KeySet.parse(
      KeySetWriter.encode(keys.enumerated().map { (id: "k\($0)", key: $1.publicKey, algorithm: nil) }),
      algorithms: policy.algorithms)
    let rules = [IssuerRules(policy)]
    let verifier = TokenVerifier()
    for _ in 0..<2 {
      for (number, key) in keys.enumerated() {
        let token = try #require(
          encodeCompact(
            algorithm: .edDSA, header: "\"kid\":\"k\(number)\"",
            payload: "{\"iss\":\"https://login.example.com/\",\"exp\":\(testNow + 9)}", key: key))
        let outcome = verifier.verify(token, candidates: [0], issuers: rules, keySets: [set], now: testNow)
        #expect(describe(outcome) == "verified")
      }
    }
  }
}
