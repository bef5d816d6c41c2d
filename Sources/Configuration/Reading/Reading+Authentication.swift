// `auth:` of a route: who may pass. Closed by default: nothing here lets anyone through but the word `public`.

import Tokens

extension Reading {
  func authentication(_ node: SourceNode, names: inout Names, isWebSocket: Bool) -> Authentication? {
    switch node.content {
    case .scalar(let scalar):
      if scalar.isPlain, ["true", "false", ""].contains(scalar.text) {
        error(node.place, "'auth' is the name of an issuer, or public to let anyone pass, not \(node.kind)")
        return nil
      }
      guard let name = line(node, "'auth'") else { return nil }
      if name == "public" { return .public }
      if ["none", "off", "no", "open", "anonymous", "disabled"].contains(name), !names.issuers.contains(name) {
        error(node.place, "\(name.quoted) is no issuer: write auth: public to let anyone pass")
        return nil
      }
      guard let index = issuerReference(name, at: node.place, names: &names) else { return nil }
      return .token(TokenRequirement(issuers: [index]))
    case .list:
      error(node.place, "'auth' with several issuers is written auth: { issuers: [login, partner] }")
      return nil
    case .mapping:
      return requirement(node, names: &names, isWebSocket: isWebSocket).map { .token($0) }
    }
  }

  private func issuerReference(_ name: String, at place: Place, names: inout Names) -> Int? {
    names.usedIssuers.insert(name)
    if let index = names.issuers.firstIndex(of: name) { return index }
    if name == "public" {
      error(place, "'public' stands alone: write auth: public")
    } else {
      let text = undefined(name, "issuer", among: names.issuers)
      error(place, names.issuers.isEmpty ? text + ", or write auth: public to let anyone pass" : text)
    }
    return nil
  }

  private func requirement(_ node: SourceNode, names: inout Names, isWebSocket: Bool) -> TokenRequirement? {
    guard let section = Section(node, TokenRequirement.settings.table, self),
      let issuersNode = section.required("issuers")
    else { return nil }
    var indices: [Int] = []
    var values: [String: String] = [:]
    for item in list(issuersNode, "'issuers'") ?? [] {
      guard let name = line(item, "an issuer"), let index = issuerReference(name, at: item.place, names: &names) else {
        continue
      }
      if indices.contains(index) {
        error(item.place, "the issuer \(name.quoted) stands twice: remove one")
        continue
      }
      indices.append(index)
      guard let value = names.issuerValues[name] else { continue }
      if let other = values[value] {
        error(
          item.place,
          "\(other.quoted) and \(name.quoted) have the same 'issuer' \(value.quoted): a token could be either's"
        )
      }
      values[value] = name
    }
    var result = TokenRequirement(issuers: indices)
    TokenRequirement.settings.take(section, into: &result)
    if let node = section["claims"] { result.claims = claims(node) }
    if let node = section["tokens_from"] { result.sources = sources(node, isWebSocket: isWebSocket) }
    return indices.isEmpty ? nil : result
  }

  private func claims(_ node: SourceNode) -> [ClaimRequirement] {
    var result: [ClaimRequirement] = []
    for entry in entries(node, "'claims'", example: "claims: { email_verified: true }") ?? [] {
      guard let path = claimPath(entry.key, at: entry.keyPlace) else { continue }
      let nodes: [SourceNode]
      if case .list(let items) = entry.value.content { nodes = items } else { nodes = [entry.value] }
      if nodes.isEmpty { error(entry.value.place, "no value is listed, so no token could pass: write at least one") }
      let values = nodes.compactMap { claimValue($0, entry.key) }
      result.append(ClaimRequirement(claim: path, values: values))
    }
    return result
  }

  func claimPath(_ text: String, at place: Place) -> ClaimPath? {
    let path = ClaimPath(text)
    if path.parts.contains("") || text.unicodeScalars.contains(where: { $0.value < 0x20 }) {
      error(place, "\(text.quoted) is no claim: write its name, with dots into nested ones (org.tier)")
      return nil
    }
    return path
  }

  private func claimValue(_ node: SourceNode, _ claim: String) -> ClaimRequirement.Value? {
    guard case .scalar(let scalar) = node.content, !node.isNull else {
      error(
        node.place,
        "the claim \(claim.quoted) is compared with text, a whole number, true or false, not "
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
      error(node.place, "\(scalar.text.quoted) is no whole number: put it in quotes if the claim is text")
      return nil
    }
    return .string(scalar.text)
  }

  private func sources(_ node: SourceNode, isWebSocket: Bool) -> [TokenSource] {
    var result: [TokenSource] = []
    for item in list(node, "'tokens_from'") ?? [] {
      guard let text = line(item, "a token's place"), let source = source(text, at: item.place) else { continue }
      if result.contains(source) {
        error(item.place, "\(text.quoted) stands twice: remove one")
      } else if source == .webSocketProtocol, !isWebSocket {
        error(item.place, "'websocket_protocol' is for a route with 'websocket: true': write that, or remove it here")
      } else {
        result.append(source)
      }
    }
    return result
  }

  private func source(_ text: String, at place: Place) -> TokenSource? {
    if text == "authorization" { return .authorization }
    if text == "websocket_protocol" { return .webSocketProtocol }
    let words = ["authorization", "websocket_protocol"]
    switch requestValue(text, "'tokens_from'", [.cookie, .query, .header], words: words, at: place) {
    case .cookie(let name): return .cookie(name)
    case .query(let name): return .query(name)
    case .header("authorization"): error(place, "the Authorization header is the source 'authorization': write that")
    case .header("cookie"): error(place, "a token in the Cookie header is in one of its cookies: write cookie:NAME")
    case .header(let name) where FieldRules.folded(name) == "sec-websocket-protocol":
      error(place, "a token in Sec-WebSocket-Protocol is the source 'websocket_protocol': write that")
    case .header(let name): return .header(name)
    case nil, .clientIP, .claim, .tls: break
    }
    return nil
  }
}

// MARK: Values

extension ValueType where Value == [String] {
  static let scopes = ValueType.names("list", item: "a scope", check: scopeProblem)

  /// RFC 6749 §3.3.
  private static func scopeProblem(_ scope: String) -> String? {
    let isGood = scope.utf8.allSatisfy {
      $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }
    if isGood { return nil }
    return scope.contains(" ")
      ? "a scope has no spaces: write [\(scope.split(separator: " ").joined(separator: ", ").shown)]"
      : "\(scope.quoted) is no scope"
  }
}

extension ValueForm {
  static let auth = any(
    of: [ValueForm("name", ["type": "string", "minLength": 1]), .mapping(TokenRequirement.settings.table)],
    "`public`, the name of an issuer, or a mapping")

  static let claims: ValueForm = {
    let value: JSONValue = ["type": ["string", "integer", "boolean"]]
    return ValueForm(
      "claim: value or list",
      [
        "type": "object",
        "additionalProperties": ["anyOf": [value, ["type": "array", "minItems": 1, "items": value]]],
      ])
  }()

  static let tokenSources = list(
    of: pattern("source", "authorization|cookie:.+|query:.+|header:.+|websocket_protocol"),
    "list of `authorization`, `cookie:NAME`, `query:NAME`, `header:NAME` and `websocket_protocol`")
}
