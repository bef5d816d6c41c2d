// Where a route ends: an upstream, a fixed answer or a redirect, and how the path is rewritten on the way.

extension Reading {
  func action(_ section: Section, pattern: PathPattern?, names: inout Names) -> Action? {
    let written = ["upstream", "upstreams", "respond", "redirect"].filter { section.has($0) }
    if written.isEmpty {
      error(section.place, "a route ends somewhere: write one of upstream, upstreams, respond and redirect")
      return nil
    }
    if written.count > 1 {
      error(section.keyPlace(written[1]), "a route ends in one way: '\(written[0])' stands here too, remove one")
      _ = section["upstream"].map { upstreamReference($0, "'upstream'", names: &names) }
      return nil
    }
    if let node = section["upstream"] {
      return upstreamReference(node, "'upstream'", names: &names).map { .upstream($0) }
    }
    if let node = section["upstreams"] { return split(node, section: section, names: &names).map { .split($0) } }
    if let node = section["respond"] { return FixedResponse.settings.read(node, self).map { .respond($0) } }
    if let node = section["redirect"] { return redirect(node, pattern: pattern).map { .redirect($0) } }
    return nil
  }

  func upstreamReference(_ node: SourceNode, _ what: String, names: inout Names) -> Int? {
    guard let name = line(node, what) else { return nil }
    names.usedUpstreams.insert(name)
    if let index = names.upstreams.firstIndex(of: name) { return index }
    error(node.place, undefined(name, "upstream", among: names.upstreams))
    return nil
  }

  func undefined(_ name: String, _ kind: String, among known: [String]) -> String {
    let text = "no \(kind) is called \(name.quoted)"
    if let near = nearestName(to: name, among: known) { return "\(text): did you mean '\(near)'?" }
    if known.isEmpty { return "\(text): define it under '\(kind)s'" }
    return "\(text): define it under '\(kind)s', or write one of \(known.prefix(10).joined(separator: ", "))"
  }

  func checkBody(of response: FixedResponse, _ section: Section) {
    guard [204, 205, 304].contains(response.status), !response.body.isEmpty, let node = section["body"] else { return }
    error(node.place, "a response with status \(response.status) has no body (RFC 9110 §15): remove it")
  }

  private func redirect(_ node: SourceNode, pattern: PathPattern?) -> Redirect? {
    let errorsBefore = errorCount
    guard let section = Section(node, Redirect.settings.table, self) else { return nil }
    var result = Redirect.settings.blank
    Redirect.settings.take(section, into: &result)
    guard errorCount == errorsBefore else { return nil }
    guard let value = section.required("to"), let to = line(value, "'to'") else {
      return nil
    }
    guard let pattern, let parts = template(to, pattern: pattern, takesHost: true, at: value.place) else { return nil }
    if let problem = redirectProblem(shape(of: parts), as: to, pattern: pattern) ?? problem(ofHostIn: parts) {
      error(value.place, problem)
      return nil
    }
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
      let bare = String(to.prefix { $0 != "?" && $0 != "#" })
      if let problem = PathRules.problem(ofPath: bare) { return problem }
      let own = [pattern.description, pattern.description.replacing("/*", with: "/{*}")]
      if own.contains(text) || pattern.isPrefix && text + "/*" == pattern.description {
        return "the route redirects to itself: \(text.quoted)"
      }
    } else {
      switch WebURL.parse(String(to.prefix { $0 != "#" })) {
      case .failure: return "'to' is a path that begins with one '/', or an http or https URL, not \(text.quoted)"
      case .success: path = to
      }
    }
    if path.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
      return "\(text.quoted) holds a character that no URL may: percent-encode it"
    }
    if pattern.isPrefix, !text.contains("{*}"), path.contains("?") || path.contains("#") {
      return "what '/*' matched is appended to 'to', so it ends without a query or a fragment: \(text.quoted)"
    }
    return nil
  }

  // MARK: Rewriting

  func rewrite(_ node: SourceNode, pattern: PathPattern, section route: Section) -> Rewrite {
    var result = Rewrite()
    guard let section = Section(node, Rewrite.settings.table, self) else { return result }
    if !route.has("upstream"), !route.has("upstreams") {
      error(route.keyPlace("rewrite"), "'rewrite' changes what an upstream gets, and this route has none: remove it")
    }
    if section.has("path"), section.has("strip_prefix") || section.has("add_prefix") {
      error(section.keyPlace("path"), "'path' replaces the whole path: remove it, or 'strip_prefix' and 'add_prefix'")
    }
    if let node = section["strip_prefix"], let prefix = prefix(node, "'strip_prefix'") {
      result.stripPrefix = prefix
      let stripped = prefix.split(separator: "/").map { PathPattern.Segment.literal(String($0)) }
      if !pattern.segments.starts(with: stripped) {
        error(
          node.place,
          "the route's path \(pattern.description.quoted) does not begin with \(prefix.quoted), so nothing is stripped"
        )
      }
    }
    if let node = section["add_prefix"] { result.addPrefix = prefix(node, "'add_prefix'") }
    if let node = section["path"], let text = line(node, "'path'") {
      result.path = pathTemplate(text, pattern: pattern, at: node.place) ?? []
    }
    return result
  }

  private func prefix(_ node: SourceNode, _ what: String) -> String? {
    guard let text = line(node, what) else { return nil }
    if let problem = PathRules.problem(ofPath: text) {
      error(node.place, problem)
      return nil
    }
    if text.hasSuffix("/") {
      let advice = text == "/" ? "a path such as '/v2', or remove the key" : String(text.dropLast()).quoted
      error(node.place, "\(what) has no '/' at its end: write \(advice)")
      return nil
    }
    return text
  }

  private func pathTemplate(_ text: String, pattern: PathPattern, at place: Place) -> [TemplatePart]? {
    guard let parts = template(text, pattern: pattern, at: place) else { return nil }
    let shape = shape(of: parts)
    if let problem = PathRules.problem(ofPath: shape) {
      error(place, shape == text ? problem : "\(text.quoted) is not a path in normal form")
      return nil
    }
    return parts
  }
}

// MARK: Values

extension ValueType where Value == String {
  static let responseBody = ValueType(.text("text, at most 64 KiB")) { node, reading, what in
    guard let text = reading.text(node, what), let body = reading.secret(text, at: node.place) else { return nil }
    // LIMIT: it is held in memory and written whole.
    if body.utf8.count > 64 * 1024 {
      reading.error(node.place, "\(what) has at most 64 KiB: serve larger ones from an upstream")
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
        node.place, "a redirect has status 301, 302, 303, 307 or 308, not \("\(status)".shown)")
      return nil
    })
}
