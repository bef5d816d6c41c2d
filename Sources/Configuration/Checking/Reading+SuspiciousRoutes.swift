// Routes that are valid and probably do not match what was meant, or let pass who was not meant.

extension Reading {
  /// What one route says.
  func warnOfSuspicions(_ route: Route, section: Section) {
    if let node = section["path"] { warnOfColons(route.path, at: node.position) }
    if let node = section["redirect"] { warnOfCircle(route, at: node.position) }
    if let node = section["headers"] { warnOfPatterns(in: node) }
    guard let auth = section["auth"] else { return }
    if let claims = auth.entry("claims")?.value { warnOfPatterns(in: claims) }
    if case .token(let requirement) = route.auth, requirement.mode == .shadow, let mode = auth.entry("mode") {
      warn(
        mode.value.position,
        "everybody passes here, because a route in shadow refuses nobody: write mode: enforce when what it logs is right"
      )
    }
    guard case .token(let requirement) = route.auth, requirement.isOptional, let optional = auth.entry("optional")
    else {
      return
    }
    let keys = ["scopes", "claims"].filter { auth.entry($0) != nil }.map { "'\($0)'" }
    if keys.isEmpty { return }
    warn(
      optional.value.position,
      "\(keys.joined(separator: " and ")) count for requests with a token only, and others pass: write optional: false "
        + "to require them")
  }

  /// A route without listeners is on all of them, so that a redirect to `https://{host}` comes back over TLS.
  private func warnOfCircle(_ route: Route, at position: SourcePosition) {
    guard names.hasTLS, route.listeners.isEmpty, case .redirect(let redirect) = route.action,
      redirect.to.hasPrefix("https://{host}")
    else {
      return
    }
    let to = redirect.to.dropFirst("https://{host}".count)
    let path = route.path.description
    let same = path.hasSuffix("/*") ? [path.dropLast(2), path.dropLast(), path.dropLast() + "{*}"] : [path[...]]
    guard same.contains(to) else { return }
    warn(
      position,
      "over TLS this redirect leads to itself, because the route is on every listener: "
        + "write redirect: https on the listener without TLS, or redirect to another host or path")
  }

  /// `:id` is a segment of Express, Gin and Rails.
  private func warnOfColons(_ path: PathPattern, at position: SourcePosition) {
    var meant = path
    var first: String?
    for (index, segment) in path.segments.enumerated() {
      guard case .literal(let text) = segment, text.hasPrefix(":"), PathRules.isParameterName(String(text.dropFirst()))
      else { continue }
      first = first ?? text
      meant.segments[index] = .parameter(String(text.dropFirst()))
    }
    guard let first else { return }
    warn(position, "\(first.quoted) matches only itself: write \(meant.description.quoted) for any segment")
  }

  /// Values of claims and headers are compared as they are written.
  private func warnOfPatterns(in node: SourceNode) {
    guard case .mapping(let entries) = node.content else { return }
    for entry in entries {
      for case .scalar(let value) in entry.value.items.map(\.content) where SuspiciousValues.isPattern(value.text) {
        warn(
          entry.value.position,
          "\(value.text.quoted) is compared as it is written, and not as a pattern: write the whole value")
      }
    }
  }

  /// What several routes say together.
  func warnOfSuspicions(_ routes: [LocatedRoute]) {
    warnOfMissingPrefixes(routes)
    warnOfHEAD(routes)
  }

  /// `/` and `/orders/` are prefixes for nginx, Traefik and Kong.
  private func warnOfMissingPrefixes(_ routes: [LocatedRoute]) {
    if !routes.contains(where: { $0.route.path.hasTrailingSlash }) { return }
    // A path that is there in two forms is meant.
    var forms: [[PathPattern.Segment]: Int] = [:]
    for path in Set(routes.map(\.route.path)) { forms[path.segments, default: 0] += 1 }
    for located in routes where !located.route.action.upstreams.isEmpty {
      let path = located.route.path
      guard path.hasTrailingSlash, forms[path.segments] == 1 else { continue }
      warn(
        located.pathPosition,
        "\(path.description.quoted) matches only itself: write \("\(path.description)*".quoted) for everything below, "
          + "or a second route for that")
    }
  }

  /// GET does not include HEAD, which then goes where the other methods go.
  private func warnOfHEAD(_ routes: [LocatedRoute]) {
    let getting = routes.filter { located in
      let methods = located.route.methods
      return located.isShapeKnown && !located.route.auth.requiresToken && methods.contains("GET")
        && !methods.contains("HEAD")
    }
    if getting.isEmpty { return }
    var others: [Where: LocatedRoute] = [:]
    for located in routes where located.route.methods.isEmpty && located.route.auth.requiresToken {
      others[Where(located.route)] = located
    }
    for located in getting {
      guard let other = others[Where(located.route)] else { continue }
      warn(
        located.pathPosition,
        "HEAD requests for this path go to the route on \(place(of: other.position, from: located.pathPosition)), "
          + "which requires a token: "
          + "write methods: [\((located.route.methods + ["HEAD"]).joined(separator: ", ").shown)]")
    }
  }

  private struct Where: Hashable {
    var host: HostPattern
    var path: PathPattern
    var headers: [HeaderMatch]

    init(_ route: Route) {
      host = route.host
      path = route.path
      headers = route.headers
    }
  }
}
