// `identity:`, `request_headers:` and `response_headers:` of a route (T32, T33, T52, T60).

import Tokens

extension Reading {
  /// What the keys of `identity` require of each other and of the route.
  func finish(_ identity: inout Identity, _ section: Section) {
    if route.isPublic, route.inherited.contains("identity") {
      // What a route without claims leaves out.
      identity.headers.removeAll { if case .claim = $0.source { true } else { false } }
      identity.payloadHeader = nil
      identity.assertion = nil
    } else if route.isPublic {
      checkPublic(identity, section)
    }
    if let name = identity.payloadHeader, let node = section["payload"],
      identity.headers.contains(where: { FieldRules.folded($0.name) == FieldRules.folded(name) })
    {
      error(node.position, "the header \(name.quoted) already carries a claim: write another one for the payload")
      identity.payloadHeader = nil
    }
    checkAssertion(&identity, section)
  }

  /// A route that lets anyone pass knows nothing of a token.
  private func checkPublic(_ identity: Identity, _ section: Section) {
    let hasClaims = identity.headers.contains { header in
      if case .claim = header.source { true } else { false }
    }
    for key in ["headers", "payload", "assertion"] where key == "headers" ? hasClaims : section.has(key) {
      error(
        section.keyPosition(key),
        "a route with 'auth: public' verifies no token and has no identity to send: remove "
          + (key == "headers" ? "the claims from 'headers'" : "'\(key)'") + ", or require a token with optional: true"
      )
    }
  }

  fileprivate func identityHeaders(_ node: SourceNode, _ what: String) -> [Identity.Header] {
    var result: [Identity.Header] = []
    for entry in entries(node, what, example: "headers: { X-User-Id: sub }") ?? [] {
      if let problem = FieldRules.problem(ofIdentityName: entry.key) {
        error(entry.keyPosition, problem)
        continue
      }
      let folded = FieldRules.folded(entry.key)
      if let other = result.first(where: { FieldRules.folded($0.name) == folded }) {
        error(
          entry.keyPosition,
          "\(entry.key.quoted) and \(other.name.quoted) are the same header for backends that read names as CGI does: "
            + "remove one"
        )
        continue
      }
      guard let text = line(entry.value, "the claim of \(entry.key.quoted)"),
        let source = identitySource(text, at: entry.value.position)
      else { continue }
      if SuspiciousValues.isHeaderName(text) {
        warn(
          entry.value.position,
          "the claim \(text.quoted) looks like a header: write the header first, as in X-User-Id: sub")
      }
      result.append(Identity.Header(name: entry.key, source: source))
    }
    return result
  }

  /// A claim, or what begins with `tls.`: a fact of the client's certificate.
  private func identitySource(_ text: String, at position: SourcePosition) -> Identity.Source? {
    guard text.hasPrefix("tls.") else { return claimPath(text, at: position).map { .claim($0) } }
    guard let fact = ClientCertificateFact(rawValue: text) else {
      let known = ClientCertificateFact.allCases.map(\.rawValue)
      let advice = nearestName(to: text, among: known).map { "did you mean '\($0)'?" }
      error(
        position,
        "a client's certificate has no \(text.quoted): \(advice ?? "write \(alternatives(known))")")
      return nil
    }
    if !names.hasClientCertificates {
      error(
        position,
        "\(text.quoted) requires client certificates, and no listener asks for them: "
          + "write client_certificates and client_ca in a listener's 'tls'")
      return nil
    }
    return .clientCertificate(fact)
  }

  /// Every route is on every listener, so what one asks of its clients the others do not.
  func warnWithoutCertificate(_ route: Route, at position: SourcePosition) {
    let facts = route.identity.headers.contains { header in
      if case .clientCertificate = header.source { true } else { false }
    }
    guard facts, let address = names.listenerWithoutClientCertificates else { return }
    warn(
      position,
      "the listener \(address.quoted) asks for no certificate: requests through it arrive without these headers")
  }

  /// A fixed response with the identity headers requires some.
  func checkShownIdentity(_ route: Route, section: Section) {
    guard case .respond(let response) = route.action, response.isIdentityShown, let node = section["respond"] else {
      return
    }
    if route.identity.headerNames.isEmpty, answerHeaders(of: route).isEmpty {
      error(
        node.entry("identity")?.value.position ?? node.position,
        "the route has no identity headers to answer with: write identity: { headers: { X-User-Id: sub } }")
    }
  }

  /// The value that a header is set to, as it is or from a file.
  func headerValue(of entry: SourceNode.Entry) -> (value: String, isFromFile: Bool)? {
    guard let text = text(entry.value, "the value of \(entry.key.quoted)"),
      let value = secret(text, at: entry.value.position)
    else { return nil }
    if FieldRules.isValue(value) { return (value, value != text) }
    // A secret from a file is never shown.
    let shown = value == text ? value.quoted : "the file's text"
    error(
      entry.value.position,
      "\(shown) is not a valid header value: remove line breaks, control characters and spaces at the ends")
    return nil
  }

  fileprivate func ruleFields(_ node: SourceNode, _ what: String) -> [HeaderRules.Field] {
    var result: [HeaderRules.Field] = []
    for entry in entries(node, what, example: "\(what.filter { $0 != "'" }): { X-Env: prod }") ?? [] {
      guard isRuleName(entry.key, at: entry.keyPosition),
        let (value, isFromFile) = headerValue(of: entry)
      else { continue }
      var field = HeaderRules.Field(name: entry.key, value: value)
      // What comes from a file is taken as it is.
      if !isFromFile, let pattern = route.pattern, value.contains("{") {
        guard let parts = template(value, pattern: pattern, at: entry.value.position) else { continue }
        field.value = shape(of: parts)
        if !isPlain(parts) { field.template = parts }
      }
      result.append(field)
    }
    return result
  }

  fileprivate func ruleNames(_ node: SourceNode, _ what: String) -> [String]? {
    list(node, what)?.compactMap { item in
      guard let name = line(item, "a header"), isRuleName(name, at: item.position) else { return nil }
      return name.lowercased()
    }
  }

  private func isRuleName(_ name: String, at position: SourcePosition) -> Bool {
    guard let problem = FieldRules.problem(ofRuleName: name) else { return true }
    error(position, problem)
    return false
  }

  /// A header has one rule.
  func checkRepetitions(_ section: Section) {
    var seen: [String: String] = [:]
    for key in ["set", "add", "remove"] {
      guard let node = section[key] else { continue }
      let names: [(text: String, position: SourcePosition)] =
        switch node.content {
        case .mapping(let entries): entries.map { ($0.key, $0.keyPosition) }
        case .list, .scalar: node.items.compactMap { item in item.text.map { ($0, item.position) } }
        }
      for (name, position) in names where FieldRules.problem(ofRuleName: name) == nil {
        guard let other = seen[name.lowercased()] else {
          seen[name.lowercased()] = key
          continue
        }
        error(
          position,
          "the header \(name.quoted) appears \(other == key ? "twice in '\(key)'" : "in '\(other)' too"): remove one")
      }
    }
  }

  /// T60: a header is either identity or the operator's, never both.
  func checkIdentity(_ route: Route, section: Section) {
    let folded = Set(route.identity.headerNames.map(FieldRules.folded))
    let rules = route.requestHeaders
    for name in rules.set.map(\.name) + rules.add.map(\.name) + rules.remove
    where folded.contains(FieldRules.folded(name)) {
      error(
        section.keyPosition("request_headers"),
        "\(name.quoted) is an identity header of this route, which only the gateway sets: remove it here"
      )
    }
    if route.identity.isTokenForwarded,
      (rules.set + rules.add).contains(where: { $0.name.lowercased() == "authorization" })
    {
      error(
        section.keyPosition("request_headers"),
        "'forward_token: true' keeps Authorization, and 'request_headers' writes it: remove one")
    }
  }
}

// MARK: Values

extension ValueType where Value == [Identity.Header] {
  static let identityHeaders = ValueType(.texts("header: claim")) { node, reading, what in
    reading.identityHeaders(node, what)
  }
}

extension ValueType where Value == [HeaderRules.Field] {
  static let ruleFields = ValueType(.texts("header: value")) { node, reading, what in reading.ruleFields(node, what) }
}

extension ValueType where Value == String {
  /// A header of the gateway's own, which no client can send.
  static let identityName = ValueType(.text("header")) { node, reading, what in
    guard let name = reading.line(node, what) else { return nil }
    guard let problem = FieldRules.problem(ofIdentityName: name) else { return name }
    reading.error(node.position, problem)
    return nil
  }
}

extension ValueType where Value == [String] {
  static let ruleNames = ValueType(.list(of: .text("name"), "list of names")) { node, reading, what in
    reading.ruleNames(node, what)
  }

  static let strip = ValueType.names("list", item: "a header", check: stripProblem)

  private static func stripProblem(_ pattern: String) -> String? {
    let stem = pattern.hasSuffix("*") ? String(pattern.dropLast()) : pattern
    if stem.isEmpty { return "'*' would strip every header: write a prefix such as X-User-*" }
    if SuspiciousValues.isExpression(pattern) {
      return "a header is not a regular expression, as \(pattern.quoted) is: write a prefix such as X-User-*"
    }
    if stem.contains("*") { return "'*' is allowed only at the end, as in X-User-*: \(pattern.quoted)" }
    return FieldRules.problem(ofRuleName: stem)
  }
}
