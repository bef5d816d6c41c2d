// The action of a route: an upstream, a fixed response or a redirect, and how the path is rewritten.

extension Reading {
  /// Whether the route has one action.
  func checkAction(_ section: Section) {
    let written = Route.actionKeys.filter(section.has)
    if written.isEmpty {
      error(section.position, "a route has no action: write \(alternatives(Route.actionKeys))")
    } else if written.count > 1 {
      error(section.keyPosition(written[1]), "a route has one action, and '\(written[0])' appears here too: remove one")
    }
  }

  func upstreamReference(_ node: SourceNode, _ what: String) -> Int? {
    guard let name = line(node, what) else { return nil }
    names.usedUpstreams.insert(name)
    if let index = names.upstreams.index(of: name) { return index }
    if let server = ForeignURL(name)?.address ?? (name.contains(":") ? name : nil) {
      error(
        node.position,
        "there is no upstream \(name.withoutURLSecrets.quoted): write upstream: app, and "
          + "\("app: { servers: [\(server)] }".shown) in 'upstreams'")
    } else {
      error(node.position, undefined(name, "upstream", among: names.upstreams.names))
    }
    return nil
  }

  func undefined(_ name: String, _ kind: String, among known: [String], under section: String? = nil) -> String {
    let text = "there is no \(kind) \(name.quoted)"
    if let near = nearestName(to: name, among: known) { return "\(text): did you mean '\(near)'?" }
    let home = section ?? kind + "s"
    if known.isEmpty { return "\(text): define it under '\(home)'" }
    return "\(text): define it under '\(home)', or write one of \(known.prefix(10).joined(separator: ", "))"
  }

  func checkBody(of response: FixedResponse, _ section: Section) {
    if section.has("key_set") {
      for key in ["status", "body", "content_type", "identity"] where section.has(key) {
        error(section.keyPosition(key), "'key_set' is the whole response: remove '\(key)'")
      }
    } else if !section.has("status") {
      error(section.position, "'respond' has no 'status': write status: 200")
    }
    guard [204, 205, 304].contains(response.status), !response.body.isEmpty, let node = section["body"] else { return }
    error(node.position, "a response with status \(response.status) has no body (RFC 9110 §15): remove it")
  }

  fileprivate func redirectTarget(_ node: SourceNode, _ what: String) -> Redirect? {
    guard let to = line(node, what), let pattern = route.pattern,
      let parts = template(to, pattern: pattern, takesHost: true, at: node.position)
    else { return nil }
    if let problem = redirectProblem(shape(of: parts), as: to, pattern: pattern) ?? problem(ofHostIn: parts) {
      error(node.position, problem)
      return nil
    }
    var result = Redirect.settings.blank
    result.to = to
    if !isPlain(parts) { result.template = parts }
    return result
  }

  /// A value there could send people anywhere.
  private func problem(ofHostIn parts: [TemplatePart]) -> String? {
    var literal = ""
    for part in parts {
      switch part {
      case .text(let text): literal += text
      case .value where literal.split(separator: "/", omittingEmptySubsequences: false).count < 4:
        if literal.hasPrefix("/") { return nil }
        return "the host of 'to' cannot be a value that the client chose: write the host itself, or {host}"
      case .value, .parameter, .rest, .host: literal += "p"
      }
    }
    return nil
  }

  /// - Parameter to: with a plain word in the place of each capture.
  private func redirectProblem(_ to: String, as text: String, pattern: PathPattern) -> String? {
    let path: String
    if to.hasPrefix("/"), !to.hasPrefix("//") {
      path = to
      let bare = to.cut(before: "?#")
      if let problem = PathRules.problem(ofPath: bare) { return problem }
      let own = [pattern.description, pattern.description.replacing("/*", with: "/{*}")]
      if own.contains(text) || pattern.isPrefix && text + "/*" == pattern.description {
        return "the route redirects to itself: \(text.quoted)"
      }
    } else {
      switch WebURL.parse(to.cut(before: "#")) {
      case .failure: return "'to' must be a path that begins with one '/', or an http or https URL, not \(text.quoted)"
      case .success: path = to
      }
    }
    if path.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
      return "\(text.quoted) contains a character that is not allowed in a URL: percent-encode it"
    }
    if pattern.isPrefix, !text.contains("{*}"), path.contains(anyOf: "?#") {
      return "the match of '/*' is appended to 'to', which must not have a query or a fragment: \(text.quoted)"
    }
    return nil
  }

  // MARK: Rewriting

  /// What the keys of a rewrite require of each other and of the route's path.
  func check(_ rewrite: Rewrite, _ section: Section) {
    if section.has("path"), section.has("strip_prefix") || section.has("add_prefix") {
      error(
        section.keyPosition("path"), "'path' replaces the whole path: remove it, or 'strip_prefix' and 'add_prefix'")
    }
    if rewrite.mapsResponses == true, !section.has("strip_prefix"), !section.has("add_prefix") {
      error(
        section.keyPosition("responses"),
        "'responses: true' undoes 'strip_prefix' and 'add_prefix', and there is neither: remove it, or write one")
    }
    if rewrite.mapsDestination { checkDestination(section) }
    guard let prefix = rewrite.stripPrefix, let pattern = route.pattern, let node = section["strip_prefix"] else {
      return
    }
    let stripped = prefix.pieces(between: "/").filter { !$0.isEmpty }.map { PathPattern.Segment.literal(String($0)) }
    if !pattern.segments.starts(with: stripped) {
      error(
        node.position,
        "the route's path \(pattern.description.quoted) does not begin with \(prefix.quoted), so nothing is stripped")
    }
  }

  private func checkDestination(_ section: Section) {
    let position = section.keyPosition("destination")
    if section.has("path") {
      error(position, "'destination' is changed as prefixes are, and 'path' is a template: remove one")
    } else if let pattern = route.pattern, !pattern.isPrefix {
      let path = PathPattern(segments: pattern.segments, isPrefix: true, hasTrailingSlash: false)
      error(
        position,
        "'destination' must be an address of this route, whose path is only one: write \(path.description.quoted)")
    }
  }

  /// What a route without an upstream has no use for.
  func checkUseOfUpstream(_ section: Section) {
    if section.has("upstream") || section.has("upstreams") { return }
    if section.has("rewrite") {
      error(
        section.keyPosition("rewrite"), "'rewrite' requires an upstream, and this route has none: remove it")
    }
    if section.has("mirror") {
      error(
        section.keyPosition("mirror"), "'mirror' requires an upstream, and this route has none: remove it")
    }
  }

  fileprivate func prefix(_ node: SourceNode, _ what: String) -> String? {
    guard let text = line(node, what) else { return nil }
    if let problem = PathRules.problem(ofPath: text) {
      error(node.position, problem)
      return nil
    }
    if text.hasSuffix("/") {
      let advice = text == "/" ? "a path such as '/v2', or remove the key" : String(text.dropLast()).quoted
      error(node.position, "\(what) must not end in '/': write \(advice)")
      return nil
    }
    return text
  }

  fileprivate func pathTemplate(_ node: SourceNode, _ what: String) -> [TemplatePart]? {
    guard let text = line(node, what), let pattern = route.pattern,
      let parts = template(text, pattern: pattern, at: node.position)
    else { return nil }
    let shape = shape(of: parts)
    if let problem = PathRules.problem(ofPath: shape) {
      error(node.position, shape == text ? problem : "\(text.quoted) is not a path in normal form")
      return nil
    }
    return parts
  }
}

// MARK: Values

extension ValueType where Value == Action {
  static let upstream = ValueType<Int>.upstreamName.converted({ Action.upstream($0) }, back: { _ in nil })
  static let respond = ValueType<FixedResponse>.mapping(FixedResponse.settings)
    .converted({ Action.respond($0) }, back: { _ in nil })
  static let redirect = ValueType<Redirect>.mapping(Redirect.settings)
    .converted({ Action.redirect($0) }, back: { _ in nil })
}

extension ValueType where Value == Redirect {
  /// `to`, with what the request brings in it.
  static let redirectTarget = ValueType(.text("path or absolute URL")) { node, reading, what in
    reading.redirectTarget(node, what)
  }
}

extension ValueType where Value == [TemplatePart] {
  static let pathTemplate = ValueType(.text("template")) { node, reading, what in reading.pathTemplate(node, what) }
}

extension ValueType where Value == String {
  static let pathPrefix = ValueType(.text("path")) { node, reading, what in reading.prefix(node, what) }

  static let responseBody = ValueType(.text("text, at most 64 KiB")) { node, reading, what in
    guard let text = reading.text(node, what), let body = reading.secret(text, at: node.position, isEmptyAllowed: true)
    else { return nil }
    // LIMIT: it is held in memory and written whole.
    if body.utf8.count > 64 * 1024 {
      reading.error(node.position, "\(what) has at most 64 KiB: serve larger ones from an upstream")
    }
    return body
  }
}

extension ValueType where Value == Int {
  static let redirectStatus = ValueType(
    .orVariable("301, 302, 303, 307 or 308", ["enum": [301, 302, 303, 307, 308]]), write: { .integer($0) },
    read: { node, reading, what in
      guard let status = reading.integer(node, what, in: 300...399) else { return nil }
      if [301, 302, 303, 307, 308].contains(status) { return status }
      reading.error(
        node.position, "a redirect has status 301, 302, 303, 307 or 308, not \("\(status)".shown)")
      return nil
    })
}
