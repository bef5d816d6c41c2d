// A token that passed every check of its issuer. Only the verifier can make one, and whoever asks for one can rely on it.

import Bytes
package import JSON

/// Immutable, so a cache and any number of requests may hold it.
package final class VerifiedToken: Sendable {
  /// The whole token as it was sent.
  package let token: [UInt8]
  /// Index of the issuer in the configuration that it was checked under.
  package let issuer: Int
  package let key: VerificationKey
  package let algorithm: SignatureAlgorithm
  package let payload: JSONDocument
  /// Where the payload stands in ``token``, in base64url.
  package let payloadPart: Range<Int>
  /// The first second at which the token is no longer good: exp + leeway, or the end of the issuer's `max_age` when that
  /// comes first; Int64.max when neither is known.
  package let expiresAt: Int64
  /// The string node of `sub`; nil when the token has none.
  package let subject: JSONDocument.Index?
  private let scope: JSONDocument.Index?
  private let scp: JSONDocument.Index?

  private static let scopeName = Array("scope".utf8)
  private static let scpName = Array("scp".utf8)

  init(
    token: [UInt8], issuer: Int, key: VerificationKey, algorithm: SignatureAlgorithm, payload: JSONDocument,
    payloadPart: Range<Int>, expiresAt: Int64, subject: JSONDocument.Index?
  ) {
    self.token = token
    self.issuer = issuer
    self.key = key
    self.algorithm = algorithm
    self.payload = payload
    self.payloadPart = payloadPart
    self.expiresAt = expiresAt
    self.subject = subject
    scope = payload.member(Self.scopeName, of: payload.root)
    scp = payload.member(Self.scpName, of: payload.root)
  }

  /// Bytes of memory that this object keeps alive by itself: token, payload, nodes, headers. The key is its set's.
  package var byteCount: Int { 192 + 32 + token.count + payload.byteCount }

  /// The value at a claim's place, or nil. A claim may be there and be null.
  package func claim(_ path: ClaimPath) -> JSONDocument.Index? { payload.claim(path) }

  /// Whether all of them are granted, by `scope` or by `scp`: a string of words with a space between (RFC 8693 §4.2), or
  /// an array of strings. Compared byte by byte.
  package func hasScopes(_ wanted: [[UInt8]]) -> Bool {
    for name in wanted where !isGranted(name.span, scope) && !isGranted(name.span, scp) { return false }
    return true
  }

  private func isGranted(_ name: Span<UInt8>, _ node: JSONDocument.Index?) -> Bool {
    guard let node else { return false }
    switch payload.kind(node) {
    case .string:
      if let range = payload.plainStringRange(at: node) {
        let bytes = payload.bytes
        return Self.hasWord(name, in: bytes.span.extracting(range))
      }
      guard let unescaped = payload.stringBytes(at: node) else { return false }
      return Self.hasWord(name, in: unescaped.span)
    case .array:
      for element in payload.elements(of: node) where payload.stringEquals(element, name) { return true }
      return false
    default: return false
    }
  }

  private static func hasWord(_ word: Span<UInt8>, in text: Span<UInt8>) -> Bool {
    if word.isEmpty { return false }
    var start = 0
    while start < text.count {
      let end = text.firstIndex(of: UInt8(ascii: " "), from: start) ?? text.count
      if end - start == word.count, text.extracting(start..<end).equals(word) { return true }
      start = end + 1
    }
    return false
  }

  /// Whether the claim is one of the values, or a list that holds one. Types count: `"1"` is not 1.
  package func satisfies(_ requirement: ClaimRequirement) -> Bool {
    guard let node = payload.claim(requirement.claim) else { return false }
    if payload.kind(node) != .array { return matches(node, requirement) }
    for element in payload.elements(of: node) where matches(element, requirement) { return true }
    return false
  }

  private func matches(_ node: JSONDocument.Index, _ requirement: ClaimRequirement) -> Bool {
    for value in requirement.values {
      switch value {
      case .string(let text): if payload.stringEquals(node, text.utf8.span) { return true }
      case .integer(let number): if payload.integer(at: node) == number { return true }
      case .boolean(let flag): if payload.boolean(at: node) == flag { return true }
      }
    }
    return false
  }
}
