// `auth:` of a route: who may pass. Closed by default: nothing here lets anyone through but the word `public`.

import Tokens

extension Reading {
  fileprivate func authentication(_ node: SourceNode, _ what: String) -> Authentication? {
    switch node.content {
    case .scalar(let scalar):
      if scalar.isPlain, ["true", "false", ""].contains(scalar.text) {
        error(node.position, "\(what) must be the name of an issuer, or public to let anyone pass, not \(node.kind)")
        return nil
      }
      guard let name = line(node, what) else { return nil }
      if name == "public" {
        route.isPublic = true
        return .public
      }
      if ["none", "off", "no", "open", "anonymous", "disabled"].contains(name), names.issuers.index(of: name) == nil {
        error(node.position, "\(name.quoted) is not the name of an issuer: write auth: public to let anyone pass")
        return nil
      }
      guard let index = issuerReference(name, at: node.position) else { return nil }
      return .token(TokenRequirement(issuers: [index]))
    case .list:
      error(node.position, "several issuers are written auth: { issuers: [login, partner] }")
      return nil
    case .mapping:
      return TokenRequirement.settings.read(node, self).map { .token($0) }
    }
  }

  func issuerReference(_ name: String, at position: SourcePosition) -> Int? {
    names.usedIssuers.insert(name)
    if let index = names.issuers.index(of: name) { return index }
    if name == "public" {
      error(position, "'public' cannot be combined with issuers: write auth: public")
    } else {
      let text = undefined(name, "issuer", among: names.issuers.names)
      error(position, names.issuers.names.isEmpty ? text + ", or write auth: public to let anyone pass" : text)
    }
    return nil
  }

  fileprivate func issuerNames(_ node: SourceNode, _ what: String) -> [Int]? {
    var indices: [Int] = []
    var values: [String: String] = [:]
    for item in list(node, what) ?? [] {
      guard let name = line(item, "an issuer"), let index = issuerReference(name, at: item.position) else { continue }
      if indices.contains(index) {
        error(item.position, "the issuer \(name.quoted) appears twice: remove one")
        continue
      }
      indices.append(index)
      for value in names.sharedIssuerValues[name] ?? [] {
        if let other = values[value] {
          error(
            item.position,
            "\(other.quoted) and \(name.quoted) have the same 'issuer' \(value.quoted): a token could belong to either")
          break
        }
        values[value] = name
      }
    }
    return indices.isEmpty ? nil : indices
  }

  /// What the keys of `auth` require of each other.
  func finish(_ requirement: inout TokenRequirement, _ section: Section) {
    if requirement.sources.contains(.basic),
      requirement.apiKeys.contains(where: { names.apiKeySets[$0].places.contains(.basic) })
    {
      error(
        section.keyPosition("tokens_from"),
        "the password of Authorization: Basic is an API key on this route: remove 'basic' here, or in 'from' of the keys"
      )
    }
    if requirement.proof != .none, section.has("sessions") || section.has("api_keys") {
      let kind = section.has("sessions") ? "the cookie of a session" : "an API key"
      error(
        section.keyPosition("proof"),
        "\(kind) is bound to nobody, so 'proof' would refuse it: write another route for it, or remove 'proof'")
    }
    if requirement.proof == .mtls, !names.hasClientCertificates {
      error(
        section.keyPosition("proof"),
        "no listener asks clients for a certificate: write client_certificates and client_ca in a listener's 'tls'")
    }
    if !section.has("issuers"), !section.has("sessions"), !section.has("api_keys") {
      error(section.position, "'auth' has no 'issuers': write issuers: [NAME], or auth: public")
    }
    if section.has("issuers") { return }
    requirement.sources = []
    if section.has("resource") {
      error(section.keyPosition("resource"), "'resource' requires 'issuers': write whose tokens pass, or remove it")
    }
    if section.has("tokens_from") {
      error(
        section.keyPosition("tokens_from"), "'tokens_from' requires 'issuers': write whose tokens pass, or remove it")
    }
  }

  fileprivate func claims(_ node: SourceNode, _ what: String) -> [ClaimRequirement] {
    var result: [ClaimRequirement] = []
    for entry in entries(node, what, example: "claims: { email_verified: true }") ?? [] {
      guard let path = claimPath(entry.key, at: entry.keyPosition) else { continue }
      let nodes: [SourceNode]
      if case .list(let items) = entry.value.content { nodes = items } else { nodes = [entry.value] }
      if nodes.isEmpty { error(entry.value.position, "no value is listed, so no token could pass: write at least one") }
      let values = nodes.compactMap { claimValue($0, entry.key) }
      result.append(ClaimRequirement(claim: path, values: values))
    }
    return result
  }

  func claimPath(_ text: String, at position: SourcePosition) -> ClaimPath? {
    if let name = SuspiciousValues.claim(meantBy: text) {
      error(position, "\(text.quoted) is not a valid claim: write its name, as in \(name.quoted)")
      return nil
    }
    let path = ClaimPath(text)
    if path.parts.contains("") || text.unicodeScalars.contains(where: { $0.value < 0x20 }) {
      error(position, "\(text.quoted) is not a valid claim: write its name, with dots for nested claims (org.tier)")
      return nil
    }
    return path
  }

  private func claimValue(_ node: SourceNode, _ claim: String) -> ClaimRequirement.Value? {
    if case .mapping = node.content { return claimPattern(node) }
    guard case .scalar(let scalar) = node.content, !node.isNull else {
      error(
        node.position,
        "the value of the claim \(claim.quoted) must be text, a whole number, true, false or a pattern, not "
          + (node.isNull ? "nothing" : node.kind)
      )
      return nil
    }
    guard scalar.isPlain else { return .string(scalar.text) }
    switch scalar.text {
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    default: break
    }
    if let number = decimal(scalar.text) { return .integer(Int64(number)) }
    if let first = scalar.text.utf8.first, (0x30...0x39).contains(first) || first == UInt8(ascii: "-"),
      Double(scalar.text) != nil
    {
      error(node.position, "\(scalar.text.quoted) is not a whole number: put it in quotes if the claim is text")
      return nil
    }
    return .string(scalar.text)
  }

  private func claimPattern(_ node: SourceNode) -> ClaimRequirement.Value? {
    guard let pattern = ClaimPattern.settings.read(node, self) else { return nil }
    switch (pattern.prefix, pattern.suffix) {
    case (let prefix?, nil): return .prefix(prefix)
    case (nil, let suffix?): return .suffix(suffix)
    default:
      error(node.position, "a claim's pattern has one of 'prefix' and 'suffix': write { prefix: \"repo:acme/\" }")
      return nil
    }
  }

  fileprivate func tokenSources(_ node: SourceNode, _ what: String) -> [TokenSource] {
    var result: [TokenSource] = []
    for item in list(node, what) ?? [] {
      guard let text = line(item, "a source of tokens"), let source = source(text, at: item.position) else { continue }
      if result.contains(source) {
        error(item.position, "\(text.quoted) appears twice: remove one")
      } else {
        result.append(source)
      }
    }
    return result
  }

  private func source(_ text: String, at position: SourcePosition) -> TokenSource? {
    if let keyword = TokenSource.keywords.first(where: { $0.name == text }) { return keyword.source }
    let value = requestValue(
      text, "'tokens_from'", TokenSource.forms, words: TokenSource.keywords.map(\.name), at: position)
    switch value {
    case .header("authorization"):
      error(position, "the Authorization header is the source 'authorization': write that")
    case .header("cookie"):
      error(position, "the Cookie header as a whole cannot be a token: write cookie:NAME")
    case .header(let name) where FieldRules.folded(name) == "sec-websocket-protocol":
      error(position, "a token in Sec-WebSocket-Protocol is the source 'websocket_protocol': write that")
    default: return value.map { .value($0) }
    }
    return nil
  }

  /// Browsers cannot set headers of a WebSocket, so that one source is for these alone.
  func checkTokenSources(_ route: Route, section: Section) {
    guard case .token(let requirement) = route.auth, requirement.sources.contains(.webSocketProtocol),
      route.webSocket == nil, !section.refused.contains("websocket"),
      let node = section["auth"]?.entry("tokens_from")?.value
    else { return }
    for case let item in node.items where item.text == "websocket_protocol" {
      error(
        item.position, "'websocket_protocol' requires 'websocket: true': write that, or remove it here")
    }
  }
}

// MARK: Values

extension TokenSource {
  /// Where a token may be besides values of a request.
  fileprivate static let keywords: [(name: String, source: TokenSource)] = [
    ("authorization", .authorization), ("basic", .basic), ("websocket_protocol", .webSocketProtocol),
  ]

  fileprivate static let forms: [RequestValueForm] = [.cookie, .query, .header]
}

extension ValueType where Value == String {
  /// What fits between two quotes of a challenge (RFC 9110 §5.6.4) as it is.
  static let challengeText = ValueType(
    .text("text"), write: { .text($0) },
    read: { node, reading, what in
      guard let text = reading.line(node, what) else { return nil }
      if text.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
        return text
      }
      reading.error(node.position, "\(what) must be plain ASCII without quotes and backslashes, not \(text.quoted)")
      return nil
    })
}

extension ValueType where Value == ChallengeRules {
  static let challenge = ValueType(
    .any(
      of: [.mapping(ChallengeRules.settings.table), ValueForm("`401`", ["enum": [.number("401")]])], "mapping, or `401`"
    )
  ) { node, reading, what in
    guard case .scalar(let scalar) = node.content, !node.isNull else {
      return ChallengeRules.settings.read(node, reading)
    }
    if scalar.text == "401" {
      var rules = ChallengeRules()
      rules.isRedirected = false
      return rules
    }
    reading.error(node.position, "\(what) is 401 or a mapping: write challenge: 401 for calls, or remove it")
    return nil
  }
}

extension ValueType where Value == ScopeRequirement {
  static let scopes = ValueType(
    .any(
      of: [ValueType<[String]>.scopeNames.form, .mapping(TokenRequirement.scopeSettings.table)],
      "list, or `{ any: list }`")
  ) { node, reading, what in
    if case .mapping = node.content { return TokenRequirement.scopeSettings.read(node, reading) }
    return ValueType<[String]>.scopeNames.read(node, reading, what).map { ScopeRequirement($0) }
  }
}

extension ValueType where Value == [String] {
  static let scopeNames = ValueType.names("list", item: "a scope", check: scopeProblem)

  /// RFC 6749 §3.3.
  private static func scopeProblem(_ scope: String) -> String? {
    let isGood = scope.utf8.allSatisfy {
      $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }
    if isGood { return nil }
    return scope.contains(" ")
      ? "a scope has no spaces: write [\(scope.split(separator: " ").joined(separator: ", ").shown)]"
      : "\(scope.quoted) is not a valid scope"
  }
}

extension ValueType where Value == Authentication {
  static let authentication = ValueType(
    .any(
      of: [ValueForm("name", ["type": "string", "minLength": 1]), .mapping(TokenRequirement.settings.table)],
      "`public`, the name of an issuer, or a mapping")
  ) { node, reading, what in reading.authentication(node, what) }
}

extension ValueType where Value == [Int] {
  /// Indices into the issuers.
  static let issuerNames = ValueType(.list(of: .text("name"), "list of names")) { node, reading, what in
    reading.issuerNames(node, what)
  }
}

extension ValueType where Value == [ClaimRequirement] {
  static let claims = ValueType(form) { node, reading, what in reading.claims(node, what) }

  private static let form: ValueForm = {
    let value: JSONValue = [
      "anyOf": [["type": ["string", "integer", "boolean"]], ValueForm.mapping(ClaimPattern.settings.table).json]
    ]
    return ValueForm(
      "claim: value, pattern or list of these",
      [
        "type": "object",
        "additionalProperties": ["anyOf": [value, ["type": "array", "minItems": 1, "items": value]]],
      ])
  }()
}

extension ValueType where Value == [TokenSource] {
  static let tokenSources = ValueType(
    .list(of: item, "list of \(item.words)"),
    write: { $0 == [.authorization] ? .list(["authorization"]) : nil },
    read: { node, reading, what in reading.tokenSources(node, what) })

  private static let item = ValueForm.requestValue(TokenSource.forms, words: TokenSource.keywords.map(\.name))
}
