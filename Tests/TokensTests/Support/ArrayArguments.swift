// The same functions for arrays and strings: `#expect` cannot hold a span.

import Cryptography

@testable import Tokens

extension SignatureVerifier {
  func isValid(_ signature: [UInt8], over message: [UInt8]) -> Bool { isValid(signature.span, over: message.span) }
}

extension Base64URL {
  static func decode(_ text: [UInt8]) -> [UInt8]? { decode(text.span) }
  static func decode(_ text: String) -> [UInt8]? { decode(text.utf8.span) }
  static func encode(_ bytes: [UInt8]) -> [UInt8] { encode(bytes.span) }
  static func encode(_ text: String) -> [UInt8] { encode(text.utf8.span) }
}

extension KeySet {
  static func parse(
    _ bytes: [UInt8], algorithms: Set<SignatureAlgorithm>
  ) throws(KeySetError) -> KeySet { try parse(bytes.span, algorithms: algorithms) }

  static func parse(
    _ text: String, algorithms: Set<SignatureAlgorithm>
  ) throws(KeySetError) -> KeySet { try parse(text.utf8.span, algorithms: algorithms) }

  func key(id: String, for algorithm: SignatureAlgorithm) -> VerificationKey? {
    key(id: id.utf8.span, for: algorithm)
  }

  func hasKey(id: String) -> Bool { hasKey(id: id.utf8.span) }
}

extension TokenVerifier {
  func verify(
    _ token: [UInt8], candidates: [Int], issuers: [IssuerRules], keySets: [KeySet?], now: Int64
  ) -> Verdict { verify(token.span, candidates: candidates, issuers: issuers, keySets: keySets, now: now) }
}

extension Caller {
  var token: [UInt8] { Array(bytes.prefix(credentialByteCount)) }
}

extension TokenCache {
  func lookUp(_ token: [UInt8], candidates: [Int], keySets: [KeySet?], now: Int64) -> Caller? {
    lookUp(token.span, candidates: candidates, keySets: keySets, now: now)
  }
}
