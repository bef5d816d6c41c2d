// Steps 10 and 11: `aud` (RFC 7519 §4.1.3, T17), the type of `sub`, and the claims that the issuer's tokens must have.

import Bytes
import JSON

enum ClaimsCheck {
  static let aud = Array("aud".utf8)
  private static let sub = Array("sub".utf8)

  /// One of the issuer's audiences must be in `aud`, a string or an array of strings.
  static func checkAudience(_ payload: JSONDocument, _ rules: IssuerRules) throws(TokenRefusal) {
    if rules.audiences.isEmpty { return }
    guard let node = payload.member(aud, of: payload.root) else { throw .audienceMismatch }
    switch payload.kind(node) {
    case .string:
      if !isListed(payload, node, rules) { throw .audienceMismatch }
    case .array:
      var isFound = false
      for element in payload.elements(of: node) {
        if payload.kind(element) != .string { throw .claimInvalid }
        isFound = isFound || isListed(payload, element, rules)
      }
      if !isFound { throw .audienceMismatch }
    default: throw .claimInvalid
    }
  }

  private static func isListed(_ payload: JSONDocument, _ node: JSONDocument.Index, _ rules: IssuerRules) -> Bool {
    for audience in rules.audiences where payload.stringEquals(node, audience.span) { return true }
    return false
  }

  /// The node of `sub`, which is a string where it is present.
  static func subject(_ payload: JSONDocument) throws(TokenRefusal) -> JSONDocument.Index? {
    guard let node = payload.member(sub, of: payload.root) else { return nil }
    if payload.kind(node) != .string { throw .claimInvalid }
    return node
  }

  /// `sub` of claims of which something else is wrong.
  static func subjectText(_ payload: JSONDocument) -> [UInt8]? {
    payload.member(sub, of: payload.root).flatMap { payload.stringBytes(at: $0) }
  }

  /// A claim that is null counts as absent.
  static func checkRequired(_ payload: JSONDocument, _ rules: IssuerRules) throws(TokenRefusal) {
    for path in rules.requiredClaims {
      guard let node = payload.claim(path), payload.kind(node) != .null else { throw .claimMissing }
    }
  }
}

extension JSONDocument {
  /// The value at a claim's place: at every level the longest run of parts that names a member wins.
  func claim(_ path: ClaimPath) -> Index? {
    var node = root
    var part = 0
    let partCount = path.starts.count - 1
    while part < partCount {
      var runEnd = partCount
      var found: Index?
      while runEnd > part {
        let name = path.bytes.span.extracting(path.starts[part]..<path.starts[runEnd] - 1)
        found = member(name, of: node)
        if found != nil { break }
        runEnd -= 1
      }
      guard let found else { return nil }
      node = found
      part = runEnd
    }
    return node
  }
}
