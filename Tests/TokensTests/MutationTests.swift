// Good tokens with something changed: never verified unless they are the same, and never the end of the process.

import Cryptography
import JSON
import TestBasics
import Testing

@testable import Tokens

@Suite struct MutationTests {
  @Test("A token with any bit changed, any byte left out or any front or back alone is refused")
  func everyBit() throws {
    let issuer = try TestIssuer()
    let token = try issuer.token()
    let verifier = TokenVerifier()
    let rules = [IssuerRules(issuer.policy)]
    let sets = [try issuer.keySet()]
    func isVerified(_ token: [UInt8]) -> Bool {
      describe(verifier.verify(token, candidates: [0], issuers: rules, keySets: sets, now: testNow)) == "verified"
    }
    #expect(isVerified(token))
    for index in token.indices {
      for bit in 0..<8 {
        var changed = token
        changed[index] ^= 1 << UInt8(bit)
        #expect(!isVerified(changed), "byte \(index), bit \(bit)")
      }
      var shorter = token
      shorter.remove(at: index)
      #expect(!isVerified(shorter), "without byte \(index)")
      #expect(!isVerified(Array(token[..<index])))
      if index > 0 { #expect(!isVerified(Array(token[index...]))) }
    }
    #expect(isVerified(token))
  }

  @Test("Random changes to headers and payloads, signed or not, end in one of the known outcomes")
  func randomTexts() throws {
    let issuer = try TestIssuer(.hs256)
    let verifier = TokenVerifier()
    let rules = [IssuerRules(issuer.policy)]
    let sets = [try issuer.keySet()]
    var generator = SeededGenerator(seed: 7)
    let header = Array("{\"alg\":\"HS256\",\"kid\":\"key-1\",\"typ\":\"at+jwt\",\"crit\":[],\"b64\":true}".utf8)
    let payload = Array(
      issuer.claims(",\"nbf\":1.5,\"iat\":1e9,\"scope\":\"a \\ud83d\\ude00\",\"a\":[[{}],-0.1E+5]").utf8)
    let spice = Array("{}[]\",:\\u0eE+-.1truefalsn \u{FF}".utf8)
    func changed(_ bytes: [UInt8]) -> [UInt8] {
      var bytes = bytes
      for _ in 0...Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        case 2: bytes.insert(spice[Int.random(in: 0..<spice.count, using: &generator)], at: index)
        default: bytes[index] = spice[Int.random(in: 0..<spice.count, using: &generator)]
        }
      }
      return bytes
    }
    var outcomes: [String: Int] = [:]
    for _ in 0..<20_000 {
      let token = try #require(
        encodeCompact(header: changed(header), payload: changed(payload), key: issuer.key, scheme: .hmac(.sha256)))
      let outcome = verifier.verify(token, candidates: [0], issuers: rules, keySets: sets, now: testNow)
      outcomes[describe(outcome), default: 0] += 1
    }
    // The run is of use only if it reaches more than the first check.
    #expect(outcomes["token_malformed", default: 0] > 1000)
    #expect(outcomes["critical_header_unknown", default: 0] > 100)
    let plain = Array("{\"alg\":\"HS256\",\"kid\":\"key-1\"}".utf8)
    for _ in 0..<20_000 {
      let token = try #require(
        encodeCompact(
          header: plain, payload: changed(Array(issuer.claims().utf8)), key: issuer.key, scheme: .hmac(.sha256)))
      let outcome = verifier.verify(token, candidates: [0], issuers: rules, keySets: sets, now: testNow)
      outcomes[describe(outcome), default: 0] += 1
      // What passes had its claims right however they were changed.
      if case .caller(let token) = outcome {
        #expect(token.claim(ClaimPath("iss")).flatMap { token.claims.string(at: $0) } == "https://login.example.com/")
        #expect(token.expiresAt > testNow)
      }
    }
    for expected in [
      "verified", "claim_invalid", "token_expired", "issuer_unknown", "audience_mismatch", "claim_missing",
    ] {
      #expect(outcomes[expected, default: 0] > 0, "\(expected)")
    }
  }
}
