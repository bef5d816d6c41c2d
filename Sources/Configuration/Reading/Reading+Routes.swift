// `routes:`, one at a time. What concerns several routes is checked afterwards, in Checking.

/// A route with the places that later checks speak of.
struct PlacedRoute {
  var route: Route
  var place: Place
  var pathPlace: Place
  var namePlace: Place?
  var headersPlace: Place?
  var requestHeadersPlace: Place?
  var sourcesPlace: Place?
  /// false when its host, methods or headers were refused: then it says nothing about what it would match.
  var isShapeKnown: Bool
  /// `unprotected: allowed`: it is meant to take what stricter routes leave.
  var isUnprotectedMeant = false
}

extension Reading {
  func routes(_ node: SourceNode, names: inout Names) -> [PlacedRoute] {
    guard case .list(let items) = node.content, !items.isEmpty else {
      error(node.place, "'routes' is a list with at least one route: write - path: /* and what may pass there")
      return []
    }
    // LIMIT: 100,000 routes.
    if items.count > 100_000 {
      error(node.place, "'routes' holds more than 100000 routes")
      return []
    }
    return items.compactMap { route($0, names: &names) }
  }

  private func route(_ node: SourceNode, names: inout Names) -> PlacedRoute? {
    let settings = Route.settings
    guard let section = Section(node, settings.table, self) else { return nil }
    let errorsAtStart = errorCount
    let webSocket = section["websocket"].flatMap(self.webSocket)
    let isWebSocket = webSocket != nil || errorCount > errorsAtStart
    let pattern = section.required("path").flatMap { path($0) }
    let auth = section.required("auth").flatMap { authentication($0, names: &names, isWebSocket: isWebSocket) }
    let action = action(section, pattern: pattern, names: &names)
    let errorsBefore = errorCount
    var route = settings.blank
    settings.take(section, into: &route)
    if let pattern { route.path = pattern }
    if let auth { route.auth = auth }
    if let action { route.action = action }
    route.name = section["name"].flatMap { name($0) } ?? route.path.description
    route.webSocket = webSocket
    let isShapeKnown = errorCount == errorsBefore
    readChanges(section, into: &route, pattern: pattern, auth: section.has("auth") ? auth : nil, names: &names)
    if let node = section["deadline_header"] { route.deadlineHeader = deadlineHeader(node, route, section: section) }
    if let node = section["mirror"] { route.mirror = mirror(node, route, section: section, names: &names) }
    readAnswers(section, into: &route, names)
    checkIdentity(route, section: section)
    checkTemplates(route, section: section, names: names)
    checkSplit(route, section: section)
    if action != nil { checkWebSocket(route, section: section, names: names) }
    guard pattern != nil, auth != nil, action != nil else { return nil }
    return PlacedRoute(
      route: route, place: section.place, pathPlace: section["path"]?.place ?? section.place,
      namePlace: section["name"]?.place, headersPlace: section["headers"]?.place,
      requestHeadersPlace: section["request_headers"]?.place,
      sourcesPlace: section["auth"]?.place, isShapeKnown: isShapeKnown,
      isUnprotectedMeant: section["unprotected"].map(unprotected) ?? false)
  }

  /// What is changed on the way.
  private func readChanges(
    _ section: Section, into route: inout Route, pattern: PathPattern?, auth: Authentication?, names: inout Names
  ) {
    if let node = section["identity"] {
      route.identity = identity(node, auth: auth, hasClientCertificates: names.hasClientCertificates)
      warnWithoutCertificate(route, at: node.place, names)
    }
    if let node = section["rewrite"], let pattern { route.rewrite = rewrite(node, pattern: pattern, section: section) }
    if let node = section["request_headers"] {
      route.requestHeaders = headerRules(node, HeaderRules.requestSettings.table, pattern: pattern)
    }
    if let node = section["response_headers"] {
      route.responseHeaders = headerRules(node, HeaderRules.responseSettings.table, pattern: pattern)
    }
    if let node = section["cors"] { route.cors = cors(node, of: route) }
    if let node = section["rate_limit"] { route.rateLimits = rateLimits(node, auth: auth, names: &names) }
  }

  private func unprotected(_ node: SourceNode) -> Bool {
    if let text = line(node, "'unprotected'"), text != "allowed" {
      error(node.place, "'unprotected' can only be 'allowed': write that, or remove the key")
    }
    return true
  }

  private func name(_ node: SourceNode) -> String? {
    guard let name = line(node, "'name'") else { return nil }
    if name.utf8.count > 128 {
      error(node.place, "a route's name has at most 128 bytes")
      return nil
    }
    return name
  }

  private func path(_ node: SourceNode) -> PathPattern? {
    guard let text = line(node, "'path'") else { return nil }
    // LIMIT: longer than any request target that passes.
    if text.utf8.count > 2048 {
      error(node.place, "a path has at most 2048 bytes")
      return nil
    }
    switch PathRules.pattern(text) {
    case .success(let pattern): return pattern
    case .failure(let problem):
      error(node.place, problem.message)
      return nil
    }
  }

  fileprivate func host(_ node: SourceNode, _ what: String) -> HostPattern? {
    guard let text = line(node, what)?.lowercased() else { return nil }
    if text == "*" {
      error(node.place, "a route for every host is one without 'host': remove the key")
      return nil
    }
    let isWild = text.hasPrefix("*.")
    let name = isWild ? String(text.dropFirst(2)) : text
    if !isWild, name.hasPrefix("["), name.hasSuffix("]") {
      let literal = String(name.dropFirst().dropLast())
      if IPAddress(literal)?.isIPv4 == false { return .exact(literal) }
    }
    if name.contains("://") || name.contains("/") {
      error(node.place, "'host' is a name only, without scheme and path: \(text.quoted)")
      return nil
    }
    if let colon = name.lastIndex(of: ":") {
      error(
        node.place,
        "'host' has no port, it matches every one: write \(String(text.dropLast(name[colon...].count)).quoted)")
      return nil
    }
    if name.contains("*") {
      error(node.place, "'*' stands only at the front of a host, as in \"*.example.com\": \(text.quoted)")
      return nil
    }
    if IPAddress(name) != nil, !isWild { return .exact(name) }
    if let problem = hostNameProblem(name) {
      error(node.place, "\(text.quoted) is no host name: \(problem)")
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
        error(entry.keyPlace, "write 'host:' of the route instead of a condition on the Host field")
        continue
      }
      if let problem = FieldRules.problem(ofRuleName: entry.key) {
        error(entry.keyPlace, problem)
        continue
      }
      if result.contains(where: { FieldRules.folded($0.name) == FieldRules.folded(name) }) {
        error(entry.keyPlace, "the header \(entry.key.quoted) stands twice: remove one")
        continue
      }
      guard let value = text(entry.value, "the value of \(entry.key.quoted)") else { continue }
      guard FieldRules.isValue(value) else {
        error(entry.value.place, "no field can have the value \(value.quoted): no line breaks, no space at the ends")
        continue
      }
      result.append(HeaderMatch(name: name, value: value))
    }
    return result.sorted { $0.name < $1.name }
  }
}

// MARK: Values

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
    guard FieldRules.isToken(name) else { return "\(name.quoted) is no method" }
    if name == "TRACE" { return "the gateway forwards no TRACE, which shows what it tells upstreams: remove it" }
    if name == "CONNECT" { return "the gateway opens no tunnels: remove CONNECT" }
    if name == "*" { return "a route for every method is one without 'methods': remove the key" }
    let upper = name.uppercased()
    if upper != name { return "methods are written in capitals: write \(upper.shown)" }
    return nil
  }
}

extension ValueForm {
  static let path = ValueForm("path", ["$ref": "#/$defs/text", "pattern": "^(/|.*\\$\\{)"])

  static let rateLimits: ValueForm = {
    let one = any(of: [ValueForm("name", ["type": "string", "minLength": 1]), .mapping(RateLimit.routeSettings.table)])
    return any(of: [one, list(of: one, "list", isUnique: false, atMost: 8)], "mapping, name, or a list of these")
  }()
}
