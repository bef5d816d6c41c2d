// `cors:` of a route.

extension Reading {
  func cors(_ node: SourceNode, of route: Route) -> CORS? {
    guard let section = Section(node, .cors, self, example: "cors: { origins: [https://app.example.com] }") else {
      return nil
    }
    var result = CORS(origins: [])
    if let node = section.required("origins", "write origins: [https://app.example.com]") {
      result.origins = origins(node)
    }
    if let node = section["methods"] {
      result.methods = names(node, "'methods'", item: "a method", check: methodProblem) ?? []
    }
    if let node = section["headers"] {
      let headers = names(node, "'headers'", item: "a header", isEmptyAllowed: true, check: Self.fieldNameProblem) ?? []
      if headers.contains("*"), headers.count > 1 { error(node.place, "'*' allows every header: remove the others") }
      result.headers = headers.contains("*") ? nil : headers
    }
    if let node = section["expose_headers"] {
      result.exposeHeaders = names(node, "'expose_headers'", item: "a header", check: Self.fieldNameProblem) ?? []
    }
    if let node = section["credentials"] { result.hasCredentials = boolean(node, "'credentials'") ?? false }
    if let node = section["max_age"], let value = seconds(node, "'max_age'", from: "0s", to: "24h") {
      result.maxAge = .seconds(value)
    }
    if let node = section["private_network"] {
      result.isPrivateNetworkAllowed = boolean(node, "'private_network'") ?? false
    }
    checkCredentials(result, section)
    let rules = route.responseHeaders
    for name in rules.set.map(\.name) + rules.add.map(\.name) + rules.remove
    where FieldRules.folded(name).hasPrefix("access-control-") {
      error(
        section.place,
        "'cors' writes \(name.quoted), and 'response_headers' of this route names it too: remove it there")
    }
    return result
  }

  /// A `*` would let every page act for whoever is logged in.
  private func checkCredentials(_ cors: CORS, _ section: Section) {
    guard cors.hasCredentials else { return }
    let place = section.keyPlace("credentials")
    if cors.origins.contains(.any) {
      error(place, "'credentials: true' wants origins by name: with '*' every page could act for its visitor")
    }
    if cors.headers == nil { error(place, "'credentials: true' wants headers by name, not '*'") }
    if cors.exposeHeaders.contains("*") { error(place, "'credentials: true' wants 'expose_headers' by name, not '*'") }
    for case .pattern(let origin) in cors.origins where origin.isSubdomain && !origin.host.contains(".") {
      warn(
        place,
        "'*.\(origin.host)' is the origin of anybody who registers a name there: with 'credentials: true' their pages "
          + "could act for their visitors")
    }
    if cors.origins.contains(.exact("null")) {
      warn(
        place,
        "any page can have the origin 'null' (in a sandboxed frame): with 'credentials: true' it could act for its visitor"
      )
    }
  }

  private static func fieldNameProblem(_ name: String) -> String? {
    FieldRules.isToken(name) ? nil : "\(name.quoted) is no header name"
  }

  private func origins(_ node: SourceNode) -> [CORS.Origin] {
    guard let items = list(node, "'origins'") else { return [] }
    // LIMIT: they are looked through for each request of another origin.
    if items.count > 256 { error(node.place, "'origins' has at most 256 items") }
    var result: [CORS.Origin] = []
    for item in items {
      guard let text = line(item, "an origin") else { continue }
      switch OriginRules.origin(text) {
      case .failure(let problem): error(item.place, problem.message)
      case .success(let origin):
        if result.contains(origin) {
          error(item.place, "\(text.quoted) stands twice in 'origins': remove one")
        } else {
          result.append(origin)
        }
      }
    }
    if result.contains(.any), result.count > 1 { error(node.place, "'*' allows every origin: remove the others") }
    return result
  }
}
