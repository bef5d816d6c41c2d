// A token that passed every check of its issuer. Only the verifier can make one, and its users can rely on it.

import Bytes
package import JSON

/// One a worker, whose cache and any number of requests may hold it. What it says never changes.
///
/// A token that was seen before is found in memory that has long left the caches. So what nearly every request needs of
/// it is in one run of bytes and in the fields in front.
package final class VerifiedToken {
  /// The whole token as it was sent. Behind it the words of a `scope` that is a text. Behind them the kept lines.
  package private(set) var bytes: [UInt8]
  /// The first second at which the token is good: the later one of nbf and iat, less leeway. Int64.min when it names
  /// neither.
  package let beginsAt: Int64
  /// The first second at which the token is no longer good: exp + leeway, or the end of the issuer's `max_age` when
  /// that comes first. Int64.max when neither is known.
  package let expiresAt: Int64
  /// Index of the issuer in the configuration that it was checked under.
  package let issuer: Int
  package let key: VerificationKey
  /// Where the token ends in ``bytes``, and where the words do.
  private let tokenEnd: UInt32
  private let wordsEnd: UInt32
  private var linesAuthor: AnyObject?
  /// Of what is not among the words: a list.
  private let scope: JSONDocument.Index?
  private let scp: JSONDocument.Index?

  package let algorithm: SignatureAlgorithm
  /// Where the payload is in ``bytes``, in base64url.
  package let payloadPart: Range<Int>
  package let payload: JSONDocument
  /// The string node of `sub`. Nil when the token has none.
  package let subject: JSONDocument.Index?

  private static let scopeName = Array("scope".utf8)
  private static let scpName = Array("scp".utf8)

  init(
    token: Span<UInt8>, issuer: Int, key: VerificationKey, algorithm: SignatureAlgorithm, payload: JSONDocument,
    payloadPart: Range<Int>, validity: TimeCheck.Validity, subject: JSONDocument.Index?
  ) {
    self.issuer = issuer
    self.key = key
    self.algorithm = algorithm
    self.payload = payload
    self.payloadPart = payloadPart
    beginsAt = validity.beginsAt
    expiresAt = validity.endsAt
    self.subject = subject
    tokenEnd = UInt32(truncatingIfNeeded: token.count)
    let scope = payload.member(Self.scopeName, of: payload.root)
    if let scope, let words = payload.plainStringRange(at: scope) {
      bytes = token.copied(before: payload.bytes.span.extracting(words))
      self.scope = nil
    } else if let scope, let words = payload.stringBytes(at: scope) {
      // Escapes are read here, once, and not with each request.
      bytes = token.copied(before: words.span)
      self.scope = nil
    } else {
      bytes = token.copied()
      self.scope = scope
    }
    wordsEnd = UInt32(truncatingIfNeeded: bytes.count)
    scp = payload.member(Self.scpName, of: payload.root)
  }

  var tokenByteCount: Int { Int(tokenEnd) }

  /// Bytes of memory that this object alone keeps alive: token, lines, payload, nodes, headers. The key is its set's.
  package var byteCount: Int { 216 + 32 + bytes.capacity + payload.byteCount }

  /// Where in ``bytes`` is what `author` made of the claims, if it was kept.
  package func lines(of author: AnyObject) -> Range<Int>? { linesAuthor === author ? Int(wordsEnd)..<bytes.count : nil }

  /// Keeps what `author` made of the claims, unless something was kept before. `author` must make the same of them each
  /// time.
  package func keep(_ lines: Span<UInt8>, of author: AnyObject) {
    if linesAuthor != nil { return }
    linesAuthor = author
    let known = bytes
    if !lines.isEmpty { bytes = known.span.copied(before: lines) }
  }

  /// The value at a claim's place, or nil. A claim may be there and be null.
  package func claim(_ path: ClaimPath) -> JSONDocument.Index? { payload.claim(path) }

  /// Whether all of them are granted, by `scope` or by `scp`: a string of words with a space between (RFC 8693 §4.2),
  /// or an array of strings. Compared byte by byte.
  package func hasScopes(_ wanted: [[UInt8]]) -> Bool {
    for name in wanted where !isGranted(name) { return false }
    return true
  }

  private func isGranted(_ name: [UInt8]) -> Bool {
    let bytes = self.bytes
    if Self.hasWord(name.span, in: bytes.span.extracting(tokenByteCount..<Int(wordsEnd))) { return true }
    return scope.map { isGranted(name.span, $0) } ?? false || scp.map { isGranted(name.span, $0) } ?? false
  }

  private func isGranted(_ name: Span<UInt8>, _ node: JSONDocument.Index) -> Bool {
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
