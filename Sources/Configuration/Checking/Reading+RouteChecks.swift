// What concerns several routes at once: requests that two routes would take, and headers that are identity on one route
// and what a client sent on another.

extension Reading {
  func checkRoutes(_ routes: [LocatedRoute]) {
    checkDuplicates(routes)
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

    init(_ route: Route) {
      host = route.host
      segments = route.path.segments.map { segment in
        switch segment {
        case .literal(let text): text
        case .parameter: "{}"
        }
      }
      isPrefix = route.path.isPrefix
      hasTrailingSlash = route.path.hasTrailingSlash
      headers = route.headers
    }
  }

  private func checkDuplicates(_ routes: [LocatedRoute]) {
    var taken: [RequestShape: [(methods: [String], listeners: [Int], position: SourcePosition)]] = [:]
    for located in routes where located.isShapeKnown {
      let key = RequestShape(located.route)
      let methods = located.route.methods
      let listeners = located.route.listeners
      for other in taken[key] ?? [] {
        guard listeners.isEmpty && other.listeners.isEmpty || listeners.contains(where: other.listeners.contains) else {
          continue
        }
        let shared = methods.filter { other.methods.contains($0) }
        let isSame = methods.isEmpty && other.methods.isEmpty
        guard isSame || !shared.isEmpty else { continue }
        let what = isSame ? "the same requests" : shared.joined(separator: ", ") + " on the same host and path"
        error(
          located.pathPosition,
          "this route and the one on \(place(of: other.position, from: located.pathPosition)) match \(what): "
            + "distinguish them by host, path, methods, headers or listeners"
        )
        break
      }
      taken[key, default: []].append((methods, listeners, located.position))
    }
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
      for header in located.route.identity.headers { identity[FieldRules.folded(header.name)] = header.name }
      if let name = located.route.identity.payloadHeader { identity[FieldRules.folded(name)] = name }
    }
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
          located.sourcesPosition ?? located.position,
          "\(name.quoted) is an identity header, which clients cannot send: no token can arrive in it")
      }
    }
  }
}
