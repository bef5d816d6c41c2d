// Signatures that others made: of the RFCs' appendices, and of another implementation for every algorithm.

import Bytes
import Cryptography
import Testing

@testable import Tokens

@Suite struct VectorTests {
  @Test("Vectors of the RFCs and of another implementation are valid, and not with any byte of theirs changed")
  func foreignSignatures() throws {
    let vectors = try Vector.load("rfc.json") + Vector.load("python.json")
    #expect(Set(vectors.map(\.algorithm)) == Set(SignatureAlgorithm.allCases))
    for vector in vectors {
      let key = try vector.verificationKey()
      let verifier = try #require(SignatureVerifier(key: key.publicKey, scheme: vector.algorithm.scheme))
      let dot = try #require(vector.token.lastIndex(of: UInt8(ascii: ".")))
      let signature = try #require(Base64URL.decode(Array(vector.token[(dot + 1)...])))
      let message = Array(vector.token[..<dot])
      #expect(verifier.isValid(signature, over: message), "\(vector.name)")
      for index in signature.indices {
        var changed = signature
        changed[index] ^= 1
        #expect(!verifier.isValid(changed, over: message), "\(vector.name), byte \(index)")
      }
      var changed = message
      changed[0] ^= 1
      #expect(!verifier.isValid(signature, over: changed))
      // The context is as good as new after failures.
      #expect(verifier.isValid(signature, over: message))
    }
  }

  @Test("Tokens of another implementation pass every check under each algorithm")
  func foreignTokens() throws {
    for vector in try Vector.load("python.json") {
      var policy = IssuerPolicy(issuer: "https://login.example.com/", audiences: ["orders-api"])
      policy.algorithms = [vector.algorithm]
      let keys = try KeySet.parse("{\"keys\":[\(vector.key)]}", algorithms: policy.algorithms)
      let verifier = TokenVerifier()
      let outcome = verifier.verify(
        vector.token, candidates: [0], issuers: [IssuerRules(policy)], keySets: [keys], now: testNow)
      #expect(describe(outcome) == "verified", "\(vector.name)")
    }
  }
}
