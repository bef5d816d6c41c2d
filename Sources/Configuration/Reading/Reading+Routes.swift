// `routes:`, one at a time. What concerns several routes is checked afterwards, in Checking.

/// A route with the positions that later checks report. It is large, and each check goes through all of them.
final class LocatedRoute {
  let route: Route
  let position: SourcePosition
  let pathPosition: SourcePosition
  let namePosition: SourcePosition?
  let headersPosition: SourcePosition?
  let requestHeadersPosition: SourcePosition?
  let sourcesPosition: SourcePosition
  /// false when its host, methods or headers were refused: then it says nothing about what it would match.
  let isShapeKnown: Bool
  /// `unprotected: allowed`: it is meant to take what stricter routes leave.
  let isUnprotectedMeant: Bool

  init(_ route: Route, _ section: Section) {
    self.route = route
    position = section.position
    pathPosition = section.ownPosition("path")
    namePosition = section["name"]?.position
    headersPosition = section["headers"]?.position
    requestHeadersPosition = section["request_headers"]?.position
    sourcesPosition = section.ownPosition("auth")
    isShapeKnown = section.refused.isDisjoint(with: ["host", "methods", "headers", "listeners"])
    isUnprotectedMeant = section.has("unprotected")
  }

  /// One that the file does not write out, and that follows from what is at `position`.
  init(_ route: Route, from position: SourcePosition) {
    self.route = route
    self.position = position
    pathPosition = position
    namePosition = nil
    headersPosition = nil
    requestHeadersPosition = nil
    sourcesPosition = position
    isShapeKnown = true
    isUnprotectedMeant = false
  }
}

/// What the keys of a route say for those that are read after them.
struct RouteContext {
  /// Templates may name its segments. Nil when it was refused.
  var pattern: PathPattern?
  /// Whether it verifies no token, so that it has no claims.
  var isPublic = false
  /// The keys that it has from a group or from `defaults`.
  var inherited: Set<String> = []
}

extension Reading {
  fileprivate func routes(_ node: SourceNode, _ what: String) -> [Route] {
    guard case .list(let items) = node.content, !items.isEmpty else {
      error(node.position, "\(what) must be a list with at least one route: write - path: /* and who may pass")
      return []
    }
    // LIMIT: 100,000 routes.
    if items.count > 100_000 {
      error(node.position, "\(what) has more than 100000 routes")
      return []
    }
    for node in defaults {
      let count = diagnostics.count
      route = RouteContext()
      _ = Route.defaultSettings.read(node, self)
      noteFindings(since: count)
    }
    let routes = items.compactMap { item in
      let count = diagnostics.count
      let route = route(item)
      if diagnostics.count > count { nameHeir(item, since: count) }
      return route
    }
    let added = sessionRoutes(for: routes) + resourceRoutes(for: routes)
    checkRoutes(routes, added: added)
    return (added.isEmpty ? routes : routes + added).map(\.route)
  }

  private func nameHeir(_ node: SourceNode, since count: Int) {
    var own: Set<SourcePosition> = []
    var inherited: Set<SourcePosition> = []
    node.forEachPosition { position, isInherited in
      if isInherited { inherited.insert(position) } else { own.insert(position) }
    }
    nameHeir(node.position, since: count) { inherited.contains($0) && !own.contains($0) }
  }

  /// Without one of these nothing is known of a route.
  private static let decisiveKeys = ["path", "auth"] + Route.actionKeys

  private func route(_ node: SourceNode) -> LocatedRoute? {
    let settings = Route.settings
    guard let section = Section(node, settings.table, self) else { return nil }
    var route = settings.blank
    self.route = RouteContext(inherited: section.inherited)
    settings.take(section, into: &route)
    if route.name.isEmpty { route.name = route.path.description }
    if !section.has("compress") { route.compress = names.compress }
    if !section.has("maintenance") { route.maintenance = names.maintenance }
    check(route, section: section)
    guard section.refused.isDisjoint(with: Self.decisiveKeys), Route.actionKeys.count(where: section.has) == 1 else {
      return nil
    }
    return LocatedRoute(route, section)
  }

  /// What the keys of a route require of each other.
  private func check(_ route: Route, section: Section) {
    checkAction(section)
    checkPathKeys(route, section: section)
    checkUseOfUpstream(section)
    checkTokenSources(route, section: section)
    checkStrictTransport(route, section: section)
    warnOfChallenge(route, section: section)
    if let node = section["identity"] { warnWithoutCertificate(route, at: node.position) }
    checkIdentity(route, section: section)
    checkAuthorize(route, section: section)
    checkIntrospection(route, section: section)
    checkShownIdentity(route, section: section)
    checkCORSHeaders(route, section: section)
    checkTemplates(route, section: section)
    checkSplit(route.action, section: section)
    checkDeadlineHeader(route, section: section)
    checkMirror(route, section: section)
    checkGraphQL(route, section: section)
    warnOfSuspicions(route, section: section)
    if section.refused.isDisjoint(with: Route.actionKeys) { checkWebSocket(route, section: section) }
  }

  func isAllowed(_ node: SourceNode, _ what: String) -> Bool {
    guard let text = line(node, what) else { return false }
    if text == "allowed" { return true }
    error(node.position, "\(what) can only be 'allowed': write that, or remove the key")
    return false
  }

  fileprivate func routeName(_ node: SourceNode, _ what: String) -> String? {
    guard let name = line(node, what) else { return nil }
    if name.utf8.count > 128 {
      error(node.position, "a route's name has at most 128 bytes")
      return nil
    }
    return name
  }

  fileprivate func routePath(_ node: SourceNode, _ what: String) -> PathPattern? {
    guard let text = line(node, what) else { return nil }
    // LIMIT: longer than any request target that passes.
    if text.utf8.count > 2048 {
      error(node.position, "a path has at most 2048 bytes")
      return nil
    }
    switch PathRules.pattern(text) {
    case .success(let pattern):
      route.pattern = pattern
      return pattern
    case .failure(let problem):
      error(node.position, problem.message)
      return nil
    }
  }

  fileprivate func host(_ node: SourceNode, _ what: String) -> HostPattern? {
    if case .list = node.content {
      error(node.position, "\(what) is one name: write a route for each, or \"*.example.com\" for all below it")
      return nil
    }
    guard let text = line(node, what)?.inLowerCase else { return nil }
    if text == "*" {
      error(node.position, "a route without 'host' matches every host: remove the key")
      return nil
    }
    let isWild = text.hasPrefix("*.")
    let name = isWild ? String(text.dropFirst(2)) : text
    if !isWild, name.hasPrefix("["), name.hasSuffix("]") {
      let literal = String(name.dropFirst().dropLast())
      if IPAddress(literal)?.isIPv4 == false { return .exact(literal) }
    }
    if name.contains(anyOf: "~^\\$()|+") {
      error(
        node.position,
        "a host is not a regular expression, as \(text.quoted) is: write a name, or \"*.example.com\" for all below it")
      return nil
    }
    if name.contains("://") || name.contains("/") {
      let advice = ForeignURL(name)?.host ?? String(name.prefix { $0 != "/" })
      error(node.position, "'host' must be a name without scheme and path: write \(advice.quoted)")
      return nil
    }
    if let colon = name.utf8.lastIndex(of: UInt8(ascii: ":")) {
      error(
        node.position,
        "'host' must not have a port, because it matches all of them: "
          + "write \(String(text.dropLast(name[colon...].count)).quoted)")
      return nil
    }
    if name.contains("*") {
      error(node.position, "'*' is allowed only at the start of a host, as in \"*.example.com\": \(text.quoted)")
      return nil
    }
    if IPAddress(name) != nil, !isWild { return .exact(name) }
    if let problem = hostNameProblem(name) {
      error(node.position, "\(text.quoted) is not a valid host name: \(problem)")
      return nil
    }
    return isWild ? .subdomains(of: name) : .exact(name)
  }

  fileprivate func headerMatches(_ node: SourceNode, _ what: String) -> [HeaderMatch]? {
    guard let entries = entries(node, what, example: "headers: { X-Api-Version: \"2\" }") else { return nil }
    var result: [HeaderMatch] = []
    for entry in entries {
      let name = entry.key.lowercased()
      if name == "host" {
        error(entry.keyPosition, "write 'host:' of the route instead of a condition on the Host field")
        continue
      }
      if let problem = FieldRules.problem(ofRuleName: entry.key) {
        error(entry.keyPosition, problem)
        continue
      }
      if result.contains(where: { FieldRules.folded($0.name) == FieldRules.folded(name) }) {
        error(entry.keyPosition, "the header \(entry.key.quoted) appears twice: remove one")
        continue
      }
      guard let value = text(entry.value, "the value of \(entry.key.quoted)") else { continue }
      guard FieldRules.isValue(value) else {
        error(
          entry.value.position,
          "\(value.quoted) is not a valid header value: remove line breaks and spaces at the ends")
        continue
      }
      result.append(HeaderMatch(name: name, value: value))
    }
    return result.sorted { $0.name < $1.name }
  }
}

// MARK: Values

extension ValueType where Value == [Route] {
  /// At the top of a file a route is whole, or a group.
  static let routes = ValueType(
    .list(
      of: ValueForm(
        "mapping",
        [
          "$ref": "#/$defs/route",
          "anyOf": [["required": ["routes"]], .object(Route.settings.table.requirements)],
        ]), "list", isUnique: false)
  ) { node, reading, what in reading.routes(node, what) }
}

extension ValueForm {
  static let groupedRoutes = list(of: ValueForm("mapping", ["$ref": "#/$defs/route"]), "list", isUnique: false)
}

extension ValueType where Value == String {
  static let routeName = ValueType(.text("text")) { node, reading, what in reading.routeName(node, what) }
}

extension ValueType where Value == PathPattern {
  static let routePath = ValueType(
    ValueForm("path", ["$ref": "#/$defs/text", "pattern": "^(/|.*\\$\\{)"])
  ) { node, reading, what in reading.routePath(node, what) }
}

extension ValueType where Value == HostPattern {
  static let host = ValueType(.text("name or `\"*.example.com\"`")) { node, reading, what in reading.host(node, what) }
}

extension ValueType where Value == [HeaderMatch] {
  static let headerMatches = ValueType(.texts("header: value")) { node, reading, what in
    reading.headerMatches(node, what)
  }
}

extension ValueType where Value == [String] {
  /// Of a route, and of its CORS.
  static let methods = ValueType.names("list", item: "a method", check: methodProblem)

  private static func methodProblem(_ name: String) -> String? {
    guard FieldRules.isToken(name) else { return "\(name.quoted) is not a valid method" }
    if name == "TRACE" {
      return "the gateway does not forward TRACE, which would show what it sends to upstreams: remove it"
    }
    if name == "CONNECT" { return "the gateway does not open tunnels: remove CONNECT" }
    if name == "*" { return "a route without 'methods' matches every method: remove the key" }
    let upper = name.uppercased()
    if upper != name { return "methods are written in capitals: write \(upper.shown)" }
    return nil
  }
}
