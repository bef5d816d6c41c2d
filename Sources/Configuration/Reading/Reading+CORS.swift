// `cors:` of a route.

extension Reading {
  /// The gateway writes these headers itself.
  func checkCORSHeaders(_ route: Route, section: Section) {
    guard route.cors != nil, let node = section["cors"] else { return }
    let rules = route.responseHeaders
    for name in rules.set.map(\.name) + rules.add.map(\.name) + rules.remove
    where FieldRules.folded(name).hasPrefix("access-control-") {
      error(
        node.position,
        "'cors' sets \(name.quoted), and 'response_headers' of this route names it too: remove it there")
    }
  }

  /// A `*` would let every page act for its visitor who is logged in.
  func checkCredentials(_ cors: CORS, _ section: Section) {
    guard cors.hasCredentials else { return }
    let position = section.keyPosition("credentials")
    if cors.origins.contains(.any) {
      error(position, "'credentials: true' requires named origins: with '*' every page could act for its visitor")
    }
    if cors.headers == nil { error(position, "'credentials: true' requires named headers, not '*'") }
    if cors.exposeHeaders.contains("*") {
      error(position, "'credentials: true' requires named 'expose_headers', not '*'")
    }
    for case .pattern(let origin) in cors.origins where origin.isSubdomain && !origin.host.contains(".") {
      warn(
        position,
        "'*.\(origin.host)' includes the pages of anyone who registers a name there: with 'credentials: true' they "
          + "could act for their visitors")
    }
    if cors.origins.contains(.exact("null")) {
      warn(
        position,
        "any page can have the origin 'null' (in a sandboxed frame): with 'credentials: true' it could act for its "
          + "visitor"
      )
    }
  }

  fileprivate func origins(_ node: SourceNode, _ what: String) -> [CORS.Origin]? {
    guard let items = list(node, what) else { return nil }
    // LIMIT: they are looked through for each request of another origin.
    if items.count > 256 { error(node.position, "\(what) has at most 256 items") }
    var result: [CORS.Origin] = []
    for item in items {
      guard let text = line(item, "an origin") else { continue }
      switch OriginRules.origin(text) {
      case .failure(let problem): error(item.position, problem.message)
      case .success(let origin):
        if result.contains(origin) {
          error(item.position, "\(text.quoted) appears twice in \(what): remove one")
        } else {
          result.append(origin)
        }
      }
    }
    if result.contains(.any), result.count > 1 { error(node.position, "'*' allows every origin: remove the others") }
    return result
  }
}

extension ValueType where Value == [CORS.Origin] {
  static let origins = ValueType(.list(of: .text("origin"), "list")) { node, reading, what in
    reading.origins(node, what)
  }
}

extension ValueType where Value == [String] {
  static let fieldNames = ValueType.names("list of headers", item: "a header", check: fieldNameProblem)

  fileprivate static func fieldNameProblem(_ name: String) -> String? {
    FieldRules.isToken(name) ? nil : "\(name.quoted) is not a valid header name"
  }
}

extension ValueType where Value == [String]? {
  /// nil for `["*"]`, which is every header.
  static let headersOfPages = ValueType(
    .list(of: .text("name"), "list of headers", isEmptyAllowed: true), write: { .list($0 ?? ["*"]) },
    read: { node, reading, what in
      let names = reading.names(
        node, what, item: "a header", isEmptyAllowed: true, check: ValueType<[String]>.fieldNameProblem)
      guard let names else { return nil }
      if names.contains("*"), names.count > 1 {
        reading.error(node.position, "'*' allows every header: remove the others")
      }
      return .some(names.contains("*") ? nil : names)
    })
}
