// `assertions:`, who refers to them, and what their keys require of each other.

import Tokens

extension Reading {
  fileprivate func assertions(_ node: SourceNode, _ what: String) -> [AssertionRules]? {
    let example = "internal: { issuer: https://gateway.example.com, keys: keys/assertion }"
    guard let entries = entries(node, what, example: example) else { return nil }
    // LIMIT: each may be remembered with every caller.
    if entries.count > 16 { error(node.position, "\(what) has at most 16 assertions") }
    names.assertions = NameList(entries.map(\.key))
    return entries.map { entry in
      checkName(entry, "an assertion")
      var rules = AssertionRules(name: entry.key, issuer: "", keys: "")
      if let section = Section(entry.value, AssertionRules.settings.table, self) {
        AssertionRules.settings.take(section, into: &rules)
      }
      return rules
    }
  }

  func check(_ rules: AssertionRules, _ section: Section) {
    guard let node = section["keys"], !section.refused.contains("keys"), !section.refused.contains("algorithm") else {
      return
    }
    if rules.rotation != nil, kind(of: rules.keys) == .other {
      error(section.keyPosition("rotate"), "'rotate' makes keys in a folder, and \(rules.keys.quoted) is a file")
      return
    }
    note(
      .assertionKeys(
        LocatedPath(path: rules.keys, position: node.position), rules.algorithm, isMade: rules.rotation != nil))
  }

  fileprivate func assertionName(_ node: SourceNode, _ what: String) -> Int? {
    guard let name = line(node, what) else { return nil }
    names.usedAssertions.insert(name)
    if let index = names.assertions.index(of: name) { return index }
    error(node.position, undefined(name, "assertion", among: names.assertions.names))
    return nil
  }

  /// What the gateway says itself.
  private static let registeredClaims: Set<String> = ["iss", "aud", "iat", "exp", "nbf", "jti"]

  fileprivate func assertionClaims(_ node: SourceNode, _ what: String) -> [ClaimPath]? {
    var result: [ClaimPath] = []
    for item in list(node, what, isEmptyAllowed: true) ?? [] {
      guard let text = line(item, "a claim"), let path = claimPath(text, at: item.position) else { continue }
      if Self.registeredClaims.contains(text) {
        error(item.position, "the gateway says \(text.quoted) itself: remove it")
      } else if path.parts.count > 16 {
        error(item.position, "a claim has at most 16 names, with dots between")
      } else if let other = result.first(where: {
        $0.parts.starts(with: path.parts) || path.parts.starts(with: $0.parts)
      }) {
        error(
          item.position,
          other == path
            ? "the claim \(text.quoted) appears twice: remove one"
            : "\(text.quoted) and \(other.description.quoted) are parts of each other: remove one")
      } else {
        result.append(path)
      }
    }
    return result
  }

  /// What the keys of `assertion` require of the other identity headers.
  func checkAssertion(_ identity: inout Identity, _ section: Section) {
    guard let assertion = identity.assertion, let node = section["assertion"] else { return }
    let folded = FieldRules.folded(assertion.header)
    let others = identity.headers.map(\.name) + [identity.payloadHeader].compactMap { $0 }
    if others.contains(where: { FieldRules.folded($0) == folded }) {
      error(
        node.entry("header")?.value.position ?? node.position,
        "the header \(assertion.header.quoted) already carries a claim: write another one for the assertion")
      identity.assertion = nil
    }
  }
}

// MARK: Values

extension ValueType where Value == [AssertionRules] {
  static let assertions = ValueType(
    .mappings(
      "mapping by name", names: ["pattern": .text(ValueForm.namePattern)], .mapping(AssertionRules.settings.table))
  ) { node, reading, what in reading.assertions(node, what) }
}

extension ValueType where Value == Int {
  /// An index into the assertions.
  static let assertionName = ValueType(.text("name")) { node, reading, what in reading.assertionName(node, what) }
}

extension ValueType where Value == SignatureAlgorithm {
  static let assertionAlgorithm = ValueType(
    .choice(words), write: { .text($0.rawValue) },
    read: { node, reading, what in
      reading.choice(node, what, among: words).flatMap(SignatureAlgorithm.init(rawValue:))
    })

  /// Those that have a public half.
  private static let words = SignatureAlgorithm.allCases.filter { !$0.isSymmetric }.map(\.rawValue)
}

extension ValueType where Value == [ClaimPath] {
  static let assertionClaims = ValueType(
    .list(of: .text("claim"), "list of claims", isEmptyAllowed: true), write: { .list($0.map(\.description)) },
    read: { node, reading, what in reading.assertionClaims(node, what) })
}
