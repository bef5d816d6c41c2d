// What concerns several routes at once: requests that two routes would take, and headers that are identity on one route
// and what a client sent on another.

extension Reading {
  /// - Parameter added: what sessions and resources add. Each takes its own path only.
  func checkRoutes(_ routes: [LocatedRoute], added: [LocatedRoute]) {
    checkDuplicates(added.isEmpty ? routes : routes + added)
    checkNames(routes)
    checkClientHeaders(routes)
    checkLoggedValues(routes)
    warnUncovered(routes)
    warnOfSuspicions(routes)
  }

  /// Everything that decides between two routes but the method and the listener.
  private struct RequestShape: Hashable {
    var host: HostPattern
    var segments: [String]
    var isPrefix: Bool
    var hasTrailingSlash: Bool
    var headers: [HeaderMatch]

    init(_ located: LocatedRoute) {
      host = located.route.host
      segments = located.route.path.segments.map { segment in
        switch segment {
        case .literal(let text): text
        case .parameter: "{}"
        }
      }
      isPrefix = located.route.path.isPrefix
      hasTrailingSlash = located.route.path.hasTrailingSlash
      headers = located.route.headers
    }
  }

  /// What a route takes of the requests of one shape. Without a listener, or a method, it is any.
  private struct Share: Hashable {
    var shape: Int
    var listener: Int?
    var method: String?

    static func all(of located: LocatedRoute, shape: Int) -> [Share] {
      let methods: [String?] = located.route.methods.isEmpty ? [nil] : located.route.methods
      let listeners: [Int?] = located.route.listeners.isEmpty ? [nil] : located.route.listeners
      return methods.flatMap { method in
        listeners.map { Share(shape: shape, listener: $0, method: method) }
      }
    }
  }

  private func checkDuplicates(_ routes: [LocatedRoute]) {
    var shapes: [RequestShape: Int] = [:]
    /// The first route with each.
    var takers: [Share: Int] = [:]
    shapes.reserveCapacity(routes.count)
    takers.reserveCapacity(routes.count)
    for index in routes.indices where routes[index].isShapeKnown {
      let key = RequestShape(routes[index])
      let shape = shapes[key] ?? shapes.count
      shapes[key] = shape
      let shares = Share.all(of: routes[index], shape: shape)
      if let other = shares.compactMap({ takers[$0] }).min() { reportDuplicate(routes[index], of: routes[other]) }
      for share in shares where takers[share] == nil { takers[share] = index }
    }
  }

  private func reportDuplicate(_ located: LocatedRoute, of other: LocatedRoute) {
    let shared = located.route.methods.filter { other.route.methods.contains($0) }
    let what = shared.isEmpty ? "the same requests" : shared.joined(separator: ", ") + " on the same host and path"
    error(
      located.pathPosition,
      "this route and the one on \(place(of: other.position, from: located.pathPosition)) match \(what): "
        + "distinguish them by host, path, methods, headers or listeners")
  }

  private func checkNames(_ routes: [LocatedRoute]) {
    var seen: [String: SourcePosition] = [:]
    for located in routes {
      guard let position = located.namePosition else { continue }
      if let first = seen[located.route.name] {
        warn(
          position,
          "the route on \(place(of: first, from: position)) is named \(located.route.name.quoted) too: metrics count both as one"
        )
      } else {
        seen[located.route.name] = position
      }
    }
  }

  /// T60: an identity header is stripped from every request, so no rule may wait for a client to send it.
  private func checkClientHeaders(_ routes: [LocatedRoute]) {
    var identity: [String: String] = [:]
    for located in routes {
      for name in located.route.identity.headerNames { identity[FieldRules.folded(name)] = name }
    }
    for header in answerHeaders { identity[FieldRules.folded(header.name)] = header.name }
    if identity.isEmpty { return }
    checkTemplatesOfIdentity(routes, identity: identity)
    for located in routes {
      for match in located.route.headers {
        guard let name = identity[FieldRules.folded(match.name)] else { continue }
        error(
          located.headersPosition ?? located.position,
          "\(name.quoted) is an identity header, which clients cannot send: no route can match on it")
      }
      guard case .token(let requirement) = located.route.auth else { continue }
      for case .value(.header(let source)) in requirement.sources {
        guard let name = identity[FieldRules.folded(source)] else { continue }
        error(
          located.sourcesPosition,
          "\(name.quoted) is an identity header, which clients cannot send: no token can arrive in it")
      }
    }
  }
}
