// `format:` of the access log, and the templates of its lines.

extension Reading {
  func accessLogFormat(_ node: SourceNode) -> AccessLog.Format? {
    if case .mapping = node.content {
      error(node.position, "'format' must be text: put a template that begins with '{' in quotes")
      return nil
    }
    guard let text = line(node, "'format'") else { return nil }
    switch text {
    case "json": return .json
    case "combined": return .combined
    default: break
    }
    guard text.contains("{") || text.contains("}") else {
      error(
        node.position,
        "\(text.quoted) is not a valid value for 'format': "
          + "write json, combined, or a template such as \"{client_ip} {status}\"")
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
        guard let field = AccessLogField.named(name) else {
          isGood = false
          let known = AccessLogField.allCases.map(\.name)
          let advice =
            nearestName(to: name, among: known).map { "did you mean {\($0)}?" }
            ?? "the fields are \(known.joined(separator: ", "))"
          error(position, "the access log has no field \(name.quoted): \(advice)")
          continue
        }
        if !plain.isEmpty { parts.append(.text(plain)) }
        plain = ""
        parts.append(.field(field))
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
}
