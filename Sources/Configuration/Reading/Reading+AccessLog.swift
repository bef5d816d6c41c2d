// `format:` and `fields:` of the access log, and the templates of its lines.

extension Reading {
  func accessLogFormat(_ node: SourceNode) -> AccessLog.Format? {
    if case .mapping = node.content {
      error(node.position, "'format' must be text: put a template that begins with '{' in quotes")
      return nil
    }
    guard let text = line(node, "'format'") else { return nil }
    switch text {
    case "json": return .json
    case "ecs": return .ecs
    case "otel": return .otel
    case "combined": return .combined
    default: break
    }
    guard text.contains("{") || text.contains("}") else {
      error(
        node.position,
        "\(text.quoted) is not a valid value for 'format': "
          + "write json, ecs, otel, combined, or a template such as \"{client_ip} {status}\"")
      return nil
    }
    return template(text, at: node.position).map { .template($0) }
  }

  /// `{field}` between any text. `{{` and `}}` are the braces themselves.
  private func template(_ text: String, at position: SourcePosition) -> [AccessLog.TemplatePart]? {
    var parts: [AccessLog.TemplatePart] = []
    var plain = ""
    var isGood = true
    var rest = Substring(text)
    while let first = rest.first {
      if rest.hasPrefix("{{") || rest.hasPrefix("}}") {
        plain.append(first)
        rest = rest.dropFirst(2)
      } else if first == "{" {
        guard let end = rest.firstIndex(of: "}") else {
          error(position, "a '{' without '}' in \(text.quoted): write {field}, or {{ for the brace itself")
          return nil
        }
        let name = String(rest[rest.index(after: rest.startIndex)..<end])
        rest = rest[rest.index(after: end)...]
        guard let source = logSource(name, written: { "{\($0)}" }, at: position) else {
          isGood = false
          continue
        }
        if !plain.isEmpty { parts.append(.text(plain)) }
        plain = ""
        parts.append(.source(source))
      } else if first == "}" {
        error(position, "a '}' without '{' in \(text.quoted): write }} for the brace itself")
        return nil
      } else {
        plain.append(first)
        rest = rest.dropFirst()
      }
    }
    if !plain.isEmpty { parts.append(.text(plain)) }
    return isGood ? parts : nil
  }

  // MARK: Fields

  func accessLogMembers(_ node: SourceNode, _ what: String) -> [AccessLog.Member]? {
    guard let items = list(node, what) else { return nil }
    var chosen = ChosenMembers()
    for item in items {
      if case .mapping(let entries) = item.content {
        for entry in entries {
          guard let text = line(entry.value, "the field \(entry.key.quoted)") else { continue }
          if let problem = Self.problem(ofMemberName: entry.key) {
            error(entry.keyPosition, problem)
            continue
          }
          add(text, name: entry.key, at: entry.value.position, to: &chosen)
        }
      } else if let text = line(item, "a field") {
        add(text, name: nil, at: item.position, to: &chosen)
      }
    }
    return chosen.members
  }

  /// The members that were listed so far.
  private struct ChosenMembers {
    var members: [AccessLog.Member] = []
    /// Those that were listed by themselves, and not by `all`.
    var listed: Set<AccessLog.Source> = []
  }

  private func add(_ text: String, name: String?, at position: SourcePosition, to chosen: inout ChosenMembers) {
    if text == "all", name == nil {
      for field in AccessLogField.allCases where !chosen.members.contains(where: { $0.source == .field(field) }) {
        chosen.members.append(AccessLog.Member(source: .field(field)))
      }
      return
    }
    guard let source = logSource(text, written: { "'\($0)'" }, at: position) else { return }
    if !chosen.listed.insert(source).inserted {
      error(position, "\(text.quoted) appears twice in 'fields': remove one")
    } else if let index = chosen.members.firstIndex(where: { $0.source == source }) {
      chosen.members[index].name = name
    } else {
      chosen.members.append(AccessLog.Member(source: source, name: name))
    }
  }

  private static func problem(ofMemberName name: String) -> String? {
    let isGood = name.utf8.allSatisfy { $0.isAlphanumeric || "_-.@:/".utf8.contains($0) }
    if isGood, !name.isEmpty, name.utf8.count <= 64 { return nil }
    return "\(name.quoted) is not a valid name of a member: write at most 64 letters, digits, '_', '-', '.' or '@'"
  }

  /// A field of the table or a value of the request. Nil after an error was reported.
  /// - Parameter written: how a field is written here, for the advice.
  private func logSource(
    _ text: String, written: (String) -> String, at position: SourcePosition
  ) -> AccessLog.Source? {
    if let field = AccessLogField.named(text) { return .field(field) }
    if text.contains(":") { return loggedValue(text, at: position).map { .value($0) } }
    let known = AccessLogField.allCases.map(\.name)
    let advice =
      nearestName(to: text, among: known).map { "did you mean \(written($0))?" }
      ?? "the fields are \(known.joined(separator: ", "))"
    error(position, "the access log has no field \(text.quoted): \(advice)")
    return nil
  }

  private func loggedValue(_ text: String, at position: SourcePosition) -> LoggedValue? {
    let (word, name) = Self.cut(text)
    if let problem = Self.problem(ofLogged: word, name ?? "") {
      error(position, "\(text.quoted) \(problem)")
      return nil
    }
    let value: LoggedValue
    if word == "path" {
      guard let name, PathRules.isParameterName(name) else {
        error(position, "\(text.quoted) is not a segment of a path: write path:NAME for the segment {NAME} of a route")
        return nil
      }
      value = .segment(name)
    } else {
      let forms: [RequestValueForm] = [.claim, .header, .query, .tls]
      guard let read = requestValue(text, "the access log", forms, words: ["path:NAME"], at: position) else {
        return nil
      }
      value = .request(read)
    }
    names.loggedValues.append(Names.LoggedValue(value: value, text: text, position: position))
    return value
  }

  /// T59: what certainly holds a credential is no field of a log.
  private static func problem(ofLogged form: String, _ name: String) -> String? {
    let folded = FieldRules.folded(name)
    let advice = "which the access log must not contain: remove it"
    switch form {
    case "cookie": return "may be the credential of a session, \(advice)"
    case "header" where Secrets.headers.contains(folded): return "contains credentials, \(advice)"
    case "header" where folded == "referer": return "may have a token in its query: write referer, which has no query"
    case "query" where Secrets.parameters.contains(folded): return "is a token, \(advice)"
    default: return nil
    }
  }

  /// What keys of the access log require of each other.
  func finish(_ log: AccessLog, _ section: Section) {
    let values = log.values
    if values.count > LoggedValue.countMax {
      error(
        section["fields"]?.position ?? section["format"]?.position ?? section.position,
        "the access log has at most \(LoggedValue.countMax) values of a request, not \(values.count): remove some")
    }
    guard log.fields != nil, let position = section["fields"]?.position else { return }
    switch log.format {
    case .combined, .template:
      error(position, "'fields' are the members of JSON lines: write format: json, ecs or otel, or remove 'fields'")
    case .json, .ecs, .otel:
      var seen: Set<String> = []
      for name in log.members.map({ log.form(of: $0).name }) where !seen.insert(name).inserted {
        error(position, "two fields have the name \(name.quoted): write another name for one of them")
      }
    }
  }
}

/// Names of what holds credentials wherever it occurs, folded.
private enum Secrets {
  static let headers: Set<String> = [
    "authorization", "proxy-authorization", "cookie", "set-cookie", "sec-websocket-protocol",
  ]
  static let parameters: Set<String> = ["access-token", "id-token", "refresh-token"]
}
