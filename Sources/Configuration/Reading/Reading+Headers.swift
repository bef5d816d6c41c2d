// `identity:`, `request_headers:` and `response_headers:` of a route (T32, T33, T52, T60).

import Tokens

extension Reading {
  func identity(_ node: SourceNode, auth: Authentication?, hasClientCertificates: Bool) -> Identity {
    var result = Identity()
    guard let section = Section(node, Identity.settings.table, self) else { return result }
    Identity.settings.take(section, into: &result)
    if let node = section["headers"] {
      result.headers = identityHeaders(node, hasClientCertificates: hasClientCertificates)
    }
    if case .public = auth { checkPublic(result, section) }
    if let node = section["payload"], let name = line(node, "'payload'") {
      if let problem = FieldRules.problem(ofIdentityName: name) {
        error(node.place, problem)
      } else if result.headers.contains(where: { FieldRules.folded($0.name) == FieldRules.folded(name) }) {
        error(node.place, "the header \(name.quoted) carries a claim already: give the payload its own")
      } else {
        result.payloadHeader = name
      }
    }
    return result
  }

  /// What a route can tell that lets anyone pass: nothing of a token.
  private func checkPublic(_ identity: Identity, _ section: Section) {
    let hasClaims = identity.headers.contains { header in
      if case .claim = header.source { true } else { false }
    }
    for key in ["headers", "payload"] where key == "headers" ? hasClaims : section.has(key) {
      error(
        section.keyPlace(key),
        "a route with 'auth: public' verifies no token, so it has no identity to tell: remove "
          + (key == "headers" ? "the claims from 'headers'" : "'payload'") + ", or ask for a token with optional: true"
      )
    }
  }

  private func identityHeaders(_ node: SourceNode, hasClientCertificates: Bool) -> [Identity.Header] {
    var result: [Identity.Header] = []
    for entry in entries(node, "'headers'", example: "headers: { X-User-Id: sub }") ?? [] {
      if let problem = FieldRules.problem(ofIdentityName: entry.key) {
        error(entry.keyPlace, problem)
        continue
      }
      let folded = FieldRules.folded(entry.key)
      if let twin = result.first(where: { FieldRules.folded($0.name) == folded }) {
        error(
          entry.keyPlace,
          "\(entry.key.quoted) and \(twin.name.quoted) are one header to a backend that reads names as CGI does: "
            + "remove one"
        )
        continue
      }
      guard let text = line(entry.value, "the claim of \(entry.key.quoted)"),
        let source = identitySource(text, at: entry.value.place, hasClientCertificates: hasClientCertificates)
      else { continue }
      result.append(Identity.Header(name: entry.key, source: source))
    }
    return result
  }

  /// A claim, or what begins with `tls.`: a fact of the client's certificate.
  private func identitySource(_ text: String, at place: Place, hasClientCertificates: Bool) -> Identity.Source? {
    guard text.hasPrefix("tls.") else { return claimPath(text, at: place).map { .claim($0) } }
    guard let fact = ClientCertificateFact(rawValue: text) else {
      let known = ClientCertificateFact.allCases.map(\.rawValue)
      let advice = nearestName(to: text, among: known).map { "did you mean '\($0)'?" }
      error(
        place,
        "a client's certificate has no \(text.quoted): \(advice ?? "write \(alternatives(known))")")
      return nil
    }
    if !hasClientCertificates {
      error(
        place,
        "\(text.quoted) is of a client's certificate, and no listener asks for one: "
          + "write client_certificates and client_ca in a listener's 'tls'")
      return nil
    }
    return .clientCertificate(fact)
  }

  /// Every route is on every listener, so what one asks of its clients the others do not.
  func warnWithoutCertificate(_ route: Route, at place: Place, _ names: Names) {
    let facts = route.identity.headers.contains { header in
      if case .clientCertificate = header.source { true } else { false }
    }
    guard facts, let address = names.listenerWithoutClientCertificates else { return }
    warn(
      place,
      "the listener \(address.quoted) asks for no certificate: through it this route is reached without these headers")
  }

  /// - Parameter pattern: the route's path, of which values may take segments. Nil when it was refused.
  func headerRules(_ node: SourceNode, _ table: SettingTable, pattern: PathPattern?) -> HeaderRules {
    var result = HeaderRules()
    guard let section = Section(node, table, self) else { return result }
    var seen: [String: String] = [:]
    if let node = section["set"] { result.set = fields(node, "set", pattern, seen: &seen) }
    if let node = section["add"] { result.add = fields(node, "add", pattern, seen: &seen) }
    if let node = section["remove"] {
      for item in list(node, "'remove'") ?? [] {
        guard let name = line(item, "a header") else { continue }
        if isNew(name, "remove", seen: &seen, at: item.place) { result.remove.append(name.lowercased()) }
      }
    }
    return result
  }

  private func fields(
    _ node: SourceNode, _ key: String, _ pattern: PathPattern?, seen: inout [String: String]
  ) -> [HeaderRules.Field] {
    var result: [HeaderRules.Field] = []
    for entry in entries(node, "'\(key)'", example: "\(key): { X-Env: prod }") ?? [] {
      guard isNew(entry.key, key, seen: &seen, at: entry.keyPlace),
        let text = text(entry.value, "the value of \(entry.key.quoted)"),
        let value = secret(text, at: entry.value.place)
      else { continue }
      if !FieldRules.isValue(value) {
        // A secret from a file is never shown.
        let shown = value == text ? " \(value.quoted)" : ""
        error(
          entry.value.place,
          "no field can have the value\(shown): no line breaks or other controls, no space at the ends")
        continue
      }
      var field = HeaderRules.Field(name: entry.key, value: value)
      // What comes from a file is taken as it stands.
      if value == text, let pattern, value.contains("{") {
        guard let parts = template(value, pattern: pattern, at: entry.value.place) else { continue }
        field.value = shape(of: parts)
        if !isPlain(parts) { field.template = parts }
      }
      result.append(field)
    }
    return result
  }

  private func isNew(_ name: String, _ key: String, seen: inout [String: String], at place: Place) -> Bool {
    if let problem = FieldRules.problem(ofRuleName: name) {
      error(place, problem)
      return false
    }
    if let other = seen[name.lowercased()] {
      error(
        place,
        "the header \(name.quoted) stands \(other == key ? "twice in '\(key)'" : "in '\(other)' too"): remove one")
      return false
    }
    seen[name.lowercased()] = key
    return true
  }

  /// T60: a header is either identity or the operator's, never both.
  func checkIdentity(_ route: Route, section: Section) {
    let identity = route.identity.headers.map(\.name) + (route.identity.payloadHeader.map { [$0] } ?? [])
    let folded = Set(identity.map(FieldRules.folded))
    let rules = route.requestHeaders
    for name in rules.set.map(\.name) + rules.add.map(\.name) + rules.remove
    where folded.contains(FieldRules.folded(name)) {
      error(
        section.keyPlace("request_headers"),
        "\(name.quoted) is an identity header of this route, which only the gateway sets: remove it here"
      )
    }
    if route.identity.isTokenForwarded,
      (rules.set + rules.add).contains(where: { $0.name.lowercased() == "authorization" })
    {
      error(
        section.keyPlace("request_headers"),
        "'forward_token: true' keeps Authorization, and 'request_headers' writes it: remove one")
    }
  }
}

extension ValueType where Value == [String] {
  static let strip = ValueType.names("list", item: "a header", check: stripProblem)

  private static func stripProblem(_ pattern: String) -> String? {
    let stem = pattern.hasSuffix("*") ? String(pattern.dropLast()) : pattern
    if stem.isEmpty { return "'*' would strip every header: write a prefix such as X-User-*" }
    if stem.contains("*") { return "'*' stands only at the end, as in X-User-*: \(pattern.quoted)" }
    return FieldRules.problem(ofRuleName: stem)
  }
}
