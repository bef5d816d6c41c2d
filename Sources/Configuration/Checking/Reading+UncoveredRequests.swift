// What a route that requires a token or an address leaves, and a route that requires less gets: the path with or
// without the slash at its end, requests without its header, methods that it does not name (T77). Many services run
// the same code for those.

import Tokens

extension Reading {
  func warnUncovered(_ routes: [LocatedRoute]) {
    let known = routes.filter(\.isShapeKnown)
    let tree = RouteTree(known)
    var takers: [Int: [(strict: Int, what: () -> String)]] = [:]
    for (index, located) in known.enumerated() where located.route.isRestricted {
      var seen: Set<Int> = []
      for (what, route) in tree.leftovers(of: index)
      where !known[route].isUnprotectedMeant && known[route].route.requiresLess(than: located.route)
        && seen.insert(route).inserted
      {
        takers[route, default: []].append((index, what))
      }
    }
    for (route, taken) in takers.sorted(by: { $0.key < $1.key }) {
      guard let first = taken.first else { continue }
      let located = known[route]
      let more = taken.count == 1 ? "" : ", and the same for \(taken.count - 1) more"
      let position = located.sourcesPosition
      warn(
        position,
        "this route requires less than the one on \(place(of: known[first.strict].position, from: position)) "
          + "and matches what that one does not: \(first.what())\(more). "
          + "Add a route for that, or write 'unprotected: allowed' here")
    }
  }
}

extension Authentication {
  /// Whether nobody passes without a token.
  var requiresToken: Bool {
    if case .token(let requirement) = self { !requirement.letsAnonymousPass } else { false }
  }
}

extension Route {
  /// Whether somebody may not pass.
  fileprivate var isRestricted: Bool { auth.requiresToken || clients != nil }

  /// Whether somebody whom the other route would refuse reaches an upstream by this one.
  fileprivate func requiresLess(than other: Route) -> Bool {
    if action.upstreams.isEmpty { return false }
    if let others = other.clients, others != clients { return true }
    guard case .token(let others) = other.auth else { return false }
    guard case .token(let own) = auth, !own.letsAnonymousPass else { return true }
    return !Set(own.issuers).isSubset(of: others.issuers) || !Set(own.sessions).isSubset(of: others.sessions)
      || !own.scopes.implies(others.scopes)
      || !others.claims.allSatisfy(own.claims.contains)
  }
}

/// The routes by host and path, in which it is found where a request goes that a route leaves.
private struct RouteTree {
  private struct Node {
    var children: [String: Int] = [:]
    var parameter: Int?
    var exact: [Int] = []
    var withSlash: [Int] = []
    var prefix: [Int] = []
  }

  private let routes: [LocatedRoute]
  /// Whether a route lets encoded slashes through.
  private let isSlashKept: Bool
  private var nodes: [Node] = []
  private var roots: [HostPattern: Int] = [:]
  /// By the host of a route: the roots of what takes its requests, the most specific first.
  private var rootsOfHosts: [HostPattern: [Int]] = [:]

  init(_ routes: [LocatedRoute]) {
    self.routes = routes
    isSlashKept = routes.contains { $0.route.encodedSlash == .keep }
    for index in routes.indices {
      var node = root(of: routes[index].route.host)
      let path = routes[index].route.path
      for segment in path.segments { node = child(of: node, segment) }
      if path.isPrefix {
        Self.add(index, to: &nodes[node].prefix)
      } else if path.endsInSlash {
        Self.add(index, to: &nodes[node].withSlash)
      } else {
        Self.add(index, to: &nodes[node].exact)
      }
    }
    for host in roots.keys { rootsOfHosts[host] = Self.hosts(host).compactMap { roots[$0] } }
  }

  // LIMIT: each route of a path is compared with so many others of it.
  private static func add(_ index: Int, to routes: inout [Int]) {
    if routes.count < 64 { routes.append(index) }
  }

  private mutating func root(of host: HostPattern) -> Int {
    if let known = roots[host] { return known }
    nodes.append(Node())
    roots[host] = nodes.count - 1
    return nodes.count - 1
  }

  private mutating func child(of node: Int, _ segment: PathPattern.Segment) -> Int {
    switch segment {
    case .literal(let text): if let known = nodes[node].children[text] { return known }
    case .parameter: if let known = nodes[node].parameter { return known }
    }
    nodes.append(Node())
    switch segment {
    case .literal(let text): nodes[node].children[text] = nodes.count - 1
    case .parameter: nodes[node].parameter = nodes.count - 1
    }
    return nodes.count - 1
  }

  /// What a route leaves, in words, each with a route that takes some of it.
  func leftovers(of index: Int) -> [(what: () -> String, route: Int)] {
    let route = routes[index].route
    var result: [(what: () -> String, route: Int)] = []
    if !route.methods.isEmpty {
      let same = groups(of: route.path, roots: roots[route.host].map { [$0] } ?? []).first ?? []
      for other in same
      where routes[other].route.methods.isEmpty && routes[other].route.headers.allSatisfy(route.headers.contains) {
        result.append(({ "other methods of '\(route.path)'" }, other))
      }
    }
    if !route.headers.isEmpty {
      for other in takers(of: route.path, roots: rootsOfHosts[route.host] ?? [])
      where !route.headers.allSatisfy(routes[other].route.headers.contains) {
        result.append(({ "'\(route.path)' without its headers" }, other))
      }
    }
    if !route.path.isPrefix, !route.path.segments.isEmpty {
      let path = PathPattern(
        segments: route.path.segments, isPrefix: false, hasTrailingSlash: !route.path.hasTrailingSlash)
      for other in takers(of: path, roots: rootsOfHosts[route.host] ?? []) { result.append(({ "'\(path)'" }, other)) }
    }
    for path in isSlashKept ? route.path.withEncodedSlashes : [] {
      for other in takers(of: path, roots: rootsOfHosts[route.host] ?? [])
      where routes[other].route.encodedSlash == .keep {
        result.append(({ "'\(path)', which a server may decode" }, other))
      }
    }
    return result
  }

  /// The routes that requests for a path go to: of the most specific path, and of the next one as long as those of the
  /// paths before require headers.
  private func takers(of path: PathPattern, roots: [Int]) -> [Int] {
    var result: [Int] = []
    for group in groups(of: path, roots: roots) {
      result += group
      if group.contains(where: { routes[$0].route.headers.isEmpty }) { break }
    }
    return result
  }

  /// The pattern itself, and the less specific ones that take what it takes.
  private static func hosts(_ host: HostPattern) -> [HostPattern] {
    var result = [host]
    switch host {
    case .any: return result
    case .exact(let name), .subdomains(let name):
      var rest = Substring(name)
      while let dot = rest.firstIndex(of: ".") {
        rest = rest[rest.index(after: dot)...]
        result.append(.subdomains(of: String(rest)))
      }
    }
    return result + [.any]
  }

  /// Groups of routes that take a path, the most specific group first.
  private func groups(of path: PathPattern, roots: [Int]) -> [[Int]] {
    var result: [[Int]] = []
    for root in roots { collect(path, path.segments[...], from: root, into: &result) }
    return result.filter { !$0.isEmpty }
  }

  private func collect(
    _ path: PathPattern, _ rest: ArraySlice<PathPattern.Segment>, from node: Int, into result: inout [[Int]]
  ) {
    if let segment = rest.first {
      if case .literal(let text) = segment, let next = nodes[node].children[text] {
        collect(path, rest.dropFirst(), from: next, into: &result)
      }
      if let next = nodes[node].parameter { collect(path, rest.dropFirst(), from: next, into: &result) }
    } else if !path.isPrefix {
      result.append(path.endsInSlash ? nodes[node].withSlash : nodes[node].exact)
    }
    result.append(nodes[node].prefix)
  }
}

extension PathPattern {
  /// The root `/` has no segments and always its slash.
  fileprivate var endsInSlash: Bool { hasTrailingSlash || segments.isEmpty }

  /// The same path to a server that decodes `%2F`: with one slash encoded, or with all behind one of them.
  fileprivate var withEncodedSlashes: [PathPattern] {
    // A prefix goes on behind its last slash.
    let whole = isPrefix ? segments + [.literal("*")] : segments
    var result: [PathPattern] = []
    for start in whole.indices {
      for end in Set([start + 2, whole.count]).sorted() where end <= whole.count && end - start >= 2 {
        let name = whole[start..<end].map(\.text).joined(separator: "%2F")
        let isOpen = isPrefix && end < whole.count
        let rest = isOpen ? whole[end...].dropLast() : whole[end...]
        result.append(
          PathPattern(
            segments: whole[..<start] + [.literal(name)] + rest, isPrefix: isOpen, hasTrailingSlash: hasTrailingSlash))
      }
    }
    return result
  }
}
