// Who sent a request, once a check has proved it. Only the checks of this target make a caller, so its users can rely
// on it. Everything behind authentication sees the caller and never asks what the credential was.

import Bytes
import Cryptography
package import JSON

/// Belongs to one worker, whose cache and any number of requests may hold it. What it says never changes.
///
/// A remembered caller is mostly no longer in the processor's caches. So what nearly every request needs of it is in
/// one run of bytes and in the fields in front.
package final class Caller {
  /// The whole credential as it was sent. Behind it the words of a `scope` that is a text. Behind them the kept lines.
  package private(set) var bytes: [UInt8]
  /// The first second at which the credential is good: the later one of nbf and iat, less leeway. Int64.min without
  /// both.
  package let beginsAt: Int64
  /// The first second at which the credential is no longer good: exp + leeway, or the end of the issuer's `max_age`
  /// when that comes first. Int64.max when neither is known.
  package let expiresAt: Int64
  /// Index of the issuer in the configuration that it was checked under. Nil for the caller of an API key.
  package let issuer: Int?
  /// Where the credential ends in ``bytes``, and where the words do.
  private let credentialEnd: UInt32
  private let wordsEnd: UInt32
  private var linesAuthor: AnyObject?
  /// What was known of revoked tokens when this caller was last found to be none of them, see ``Revocations``.
  package var revocationGeneration: UInt64 = 0
  private var assertions: [Assertion] = []
  /// Of what is not among the words: a list.
  private let scope: JSONDocument.Index?
  private let scp: JSONDocument.Index?
  /// Whether a session was the credential.
  package let isOfSession: Bool
  /// Whether only who proves to be its sender may use the credential: there is a ``binding``.
  package let isBound: Bool

  package let proof: Proof
  /// `cnf` of a token. Nil where anybody may use what he has.
  package let binding: SenderBinding?
  /// With which the proof of the last request was checked.
  private(set) var proofKey: ProofKey?
  /// Where the credential has the claims in base64url. Nil where it does not carry them.
  package let payloadPart: Range<Int>?
  package let claims: JSONDocument
  /// The string node of `sub`. Nil when the claims have none.
  package let subject: JSONDocument.Index?
  /// The provider's token that services get for a session. Empty where they get none.
  package let accessToken: [UInt8]
  /// What the store has of the session, where it is asked with each request. Nil where its answer is remembered.
  let storedValue: StoredValue?
  /// What the file or the store calls an API key. Empty for other credentials.
  package let keyID: [UInt8]

  private static let scopeName = Array("scope".utf8)
  private static let scpName = Array("scp".utf8)

  init(
    credential: Span<UInt8>, issuer: Int?, proof: Proof, claims: JSONDocument, payloadPart: Range<Int>?,
    validity: TimeCheck.Validity, subject: JSONDocument.Index?, accessToken: [UInt8] = [],
    storedValue: StoredValue? = nil, keyID: [UInt8] = []
  ) {
    self.accessToken = accessToken
    self.storedValue = storedValue
    self.keyID = keyID
    self.issuer = issuer
    self.proof = proof
    isOfSession = if case .answer(.session, _) = proof { true } else { false }
    // A session and an API key are credentials of their own, whatever was known of their holders when they were made.
    binding =
      switch proof {
      case .signature, .confirmed, .answer(.introspection, _), .answer(.keySet, _),
        .answer(.statusList, _):
        SenderBinding(claims)
      case .answer(.session, _), .answer(.apiKey, _), .apiKey: nil
      }
    isBound = binding != nil
    self.claims = claims
    self.payloadPart = payloadPart
    beginsAt = validity.beginsAt
    expiresAt = validity.endsAt
    self.subject = subject
    credentialEnd = UInt32(truncatingIfNeeded: credential.count)
    let scope = claims.member(Self.scopeName, of: claims.root)
    if let scope, let words = claims.plainStringRange(at: scope) {
      bytes = credential.copied(before: claims.bytes.span.extracting(words))
      self.scope = nil
    } else if let scope, let words = claims.stringBytes(at: scope) {
      // Escapes are read here, once, and not with each request.
      bytes = credential.copied(before: words.span)
      self.scope = nil
    } else {
      bytes = credential.copied()
      self.scope = scope
    }
    wordsEnd = UInt32(truncatingIfNeeded: bytes.count)
    scp = claims.member(Self.scpName, of: claims.root)
  }

  /// The same, with the issuer's word that the credential counts until the answer is too old.
  /// - Parameter end: the first second in which the credential is over, as the answer has it.
  func confirmed(freshUntil: Int64, endsAt end: Int64) -> Caller? {
    guard case .signature(let key, let algorithm) = proof else { return nil }
    let bytes = bytes
    return Caller(
      credential: bytes.span.extracting(0..<credentialByteCount), issuer: issuer,
      proof: .confirmed(key, algorithm, freshUntil: freshUntil), claims: claims, payloadPart: payloadPart,
      validity: TimeCheck.Validity(beginsAt: beginsAt, endsAt: min(expiresAt, end)), subject: subject)
  }

  /// SHA-256 of the credential, for tables that must not hold it. Made when it is first asked for.
  package private(set) lazy var digest: [UInt8] = {
    let bytes = bytes
    return SHA256.digest(bytes.span.extracting(0..<credentialByteCount))
  }()

  var credentialByteCount: Int { Int(credentialEnd) }

  var credential: [UInt8] { Array(bytes[..<credentialByteCount]) }

  /// Bytes of memory that this object alone keeps: credential, lines, claims, nodes, headers. The key is its set's.
  package var byteCount: Int {
    var count = 272 + 40 + 16 + bytes.capacity + accessToken.count + keyID.count + claims.byteCount
    if let storedValue { count += 32 + storedValue.bytes.capacity }
    for assertion in assertions { count += MemoryLayout<Assertion>.stride + 32 + assertion.token.capacity }
    if let binding { count += 2 * 64 + binding.certificate.capacity }
    if let proofKey { count += proofKey.byteCount }
    return count
  }

  /// Keeps the key of a good proof for the next one.
  func keep(_ key: ProofKey) { proofKey = key }

  /// Bytes of memory that are kept of a sender's key.
  package var proofKeyByteCount: Int { proofKey?.byteCount ?? 0 }

  /// LIMIT: so many audiences are remembered of a caller. The one that was signed first makes room.
  private static let assertionCountMax = 8

  /// Nil where none was signed, or another one is due.
  func assertion(of plan: AssertionPlan, by signer: AssertionSigner, now: Int64) -> Assertion? {
    for assertion in assertions where assertion.plan === plan {
      return assertion.signer === signer && now < assertion.renewedAt ? assertion : nil
    }
    return nil
  }

  func keep(_ assertion: Assertion) {
    assertions.removeAll { $0.plan === assertion.plan }
    if assertions.count == Self.assertionCountMax { assertions.removeFirst() }
    assertions.append(assertion)
  }

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

  /// The second from which it is of no use to later requests.
  package var keptUntil: Int64 { max(proof.freshUntil, storedValue?.holdsUntil ?? .min) }

  /// The digest of the session's cookie. Nil where a token was the credential.
  package var sessionDigest: [UInt8]? { isOfSession ? Array(bytes[1..<credentialByteCount]) : nil }

  /// Whether it is the caller of this credential.
  package func isOf(_ credential: Span<UInt8>) -> Bool {
    let own = bytes
    return own.span.extracting(0..<credentialByteCount).equals(credential)
  }

  /// The value at a claim's place, or nil. A claim may be there and be null.
  package func claim(_ path: ClaimPath) -> JSONDocument.Index? { claims.claim(path) }

  /// Whether all of them are granted, by `scope` or by `scp`: a string of words with a space between (RFC 8693 §4.2),
  /// or an array of strings. Compared byte by byte.
  package func hasScopes(_ wanted: [[UInt8]]) -> Bool {
    for name in wanted where !isGranted(name) { return false }
    return true
  }

  /// Whether one of the names is granted. Without any name, nothing is asked for.
  package func hasScope(among names: [[UInt8]]) -> Bool {
    for name in names where isGranted(name) { return true }
    return names.isEmpty
  }

  private func isGranted(_ name: [UInt8]) -> Bool {
    let bytes = self.bytes
    if Self.hasWord(name.span, in: bytes.span.extracting(credentialByteCount..<Int(wordsEnd))) { return true }
    return scope.map { isGranted(name.span, $0) } ?? false || scp.map { isGranted(name.span, $0) } ?? false
  }

  private func isGranted(_ name: Span<UInt8>, _ node: JSONDocument.Index) -> Bool {
    switch claims.kind(node) {
    case .string:
      if let range = claims.plainStringRange(at: node) {
        let bytes = claims.bytes
        return Self.hasWord(name, in: bytes.span.extracting(range))
      }
      guard let unescaped = claims.stringBytes(at: node) else { return false }
      return Self.hasWord(name, in: unescaped.span)
    case .array:
      for element in claims.elements(of: node) where claims.stringEquals(element, name) { return true }
      return false
    default: return false
    }
  }

  /// Whether `aud` is one of them, or a list that holds one.
  package func hasAudience(among audiences: [[UInt8]]) -> Bool {
    guard let node = claims.member(ClaimsCheck.aud, of: claims.root) else { return false }
    if claims.kind(node) == .array {
      for element in claims.elements(of: node) {
        for audience in audiences where claims.stringEquals(element, audience.span) { return true }
      }
      return false
    }
    for audience in audiences where claims.stringEquals(node, audience.span) { return true }
    return false
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
    guard let node = claims.claim(requirement.claim) else { return false }
    if claims.kind(node) != .array { return matches(node, requirement) }
    for element in claims.elements(of: node) where matches(element, requirement) { return true }
    return false
  }

  private func matches(_ node: JSONDocument.Index, _ requirement: ClaimRequirement) -> Bool {
    for value in requirement.values {
      switch value {
      case .string(let text): if claims.stringEquals(node, text.utf8.span) { return true }
      case .integer(let number): if claims.integer(at: node) == number { return true }
      case .boolean(let flag): if claims.boolean(at: node) == flag { return true }
      case .prefix(let text): if textBegins(node, with: text.utf8.span) { return true }
      case .suffix(let text): if textEnds(node, with: text.utf8.span) { return true }
      }
    }
    return false
  }

  private func textBegins(_ node: JSONDocument.Index, with beginning: Span<UInt8>) -> Bool {
    guard let text = claims.stringBytes(at: node), text.count >= beginning.count else { return false }
    return text.span.extracting(first: beginning.count).equals(beginning)
  }

  private func textEnds(_ node: JSONDocument.Index, with end: Span<UInt8>) -> Bool {
    guard let text = claims.stringBytes(at: node), text.count >= end.count else { return false }
    return text.span.extracting(last: end.count).equals(end)
  }
}
