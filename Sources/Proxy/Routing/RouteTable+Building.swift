// From `routes:` to the flat arrays of the table. Runs once per configuration, off every request's way, so it may use
// dictionaries and strings as it likes.

package import Configuration

extension RouteTable {
  /// - Parameter routes: in the file's order. Results of look-ups are indices into it. Of two routes that are equally
  ///   specific the earlier one wins.
  package init(_ routes: [Route]) {
    var builder = RouteTableBuilder()
    // By index here and below: a route is large, and its copy costs as much as what is done with it.
    for index in routes.indices { builder.insert(routes[index].path, on: routes[index].host, index: index) }
    builder.finish(&self, routes: routes)
  }
}

/// The tree while it grows.
private struct RouteTableBuilder {
  private enum End { case exact, withSlash, prefix }

  private struct Edge: Hashable {
    var parent: Int
    var name: [UInt8]
  }

  private struct LeafKey: Hashable {
    var node: Int
    var end: End
  }

  private var nodes: [RouteTable.Node] = []
  private var edges: [Edge: Int] = [:]
  private var leaves: [LeafKey: [Int]] = [:]
  private var roots: [HostPattern: Int] = [:]
  private var rootNodes: [Int] = []
  private var methodBits: [String: Int] = [:]

  private mutating func addNode(parent: Int, isParameter: Bool) -> Int {
    nodes.append(.init(parent: Int32(truncatingIfNeeded: parent), isParameter: isParameter))
    return nodes.count - 1
  }

  /// The node at the top of a host's tree, made when it is missing.
  private mutating func root(of host: HostPattern) -> Int {
    let key: HostPattern =
      switch host {
      case .any: .any
      case .exact(let name): .exact(Self.folded(name))
      case .subdomains(let name): .subdomains(of: Self.folded(name))
      }
    if let known = roots[key] { return rootNodes[known] }
    roots[key] = rootNodes.count
    let node = addNode(parent: -1, isParameter: false)
    rootNodes.append(node)
    return node
  }

  /// As the look-up folds a request's host.
  private static func folded(_ name: String) -> String {
    if let address = RouteTable.ipv6Text(name.utf8.span) { return address }
    let lower = name.lowercased()
    return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
  }

  mutating func insert(_ path: PathPattern, on host: HostPattern, index: Int) {
    var node = root(of: host)
    for segment in path.segments {
      switch segment {
      case .literal(let text):
        let edge = Edge(parent: node, name: Array(text.utf8))
        if let known = edges[edge] {
          node = known
        } else {
          node = addNode(parent: node, isParameter: false)
          edges[edge] = node
        }
      case .parameter:
        if nodes[node].parameterChild >= 0 {
          node = Int(nodes[node].parameterChild)
        } else {
          let child = addNode(parent: node, isParameter: true)
          nodes[node].parameterChild = Int32(truncatingIfNeeded: child)
          node = child
        }
      }
    }
    // The root `/` has no segments and always its slash.
    let hasSlash = path.hasTrailingSlash || path.segments.isEmpty
    let end: End = path.isPrefix ? .prefix : hasSlash ? .withSlash : .exact
    leaves[LeafKey(node: node, end: end), default: []].append(index)
  }

  mutating func finish(_ table: inout RouteTable, routes: [Route]) {
    addMethods(&table, routes: routes)
    addParameters(&table, routes: routes)
    for (key, indices) in leaves.sorted(by: { $0.key.node < $1.key.node }) {
      let leaf = addCandidates(&table, routes: routes, indices: indices)
      switch key.end {
      case .exact: nodes[key.node].exact = leaf
      case .withSlash: nodes[key.node].withSlash = leaf
      case .prefix: nodes[key.node].prefix = leaf
      }
    }
    table.nodes = nodes
    table.edges = NameTable(edges.map { (parent: $0.key.parent, name: $0.key.name, value: $0.value) })
    addHosts(&table)
    table.hasIPv6Host = routes.contains {
      if case .exact(let name) = $0.host { name.utf8.contains(0x3A) } else { false }
    }
  }

  private mutating func addMethods(_ table: inout RouteTable, routes: [Route]) {
    let names = Set(routes.flatMap(\.methods)).sorted()
    for (bit, name) in names.enumerated() {
      methodBits[name] = bit
      table.methodNames.append(Self.add(name, to: &table.texts))
    }
    table.methodWordCount = (names.count + 63) / 64
  }

  private func addParameters(_ table: inout RouteTable, routes: [Route]) {
    for index in routes.indices {
      let start = table.parameterPositions.count
      for (position, segment) in routes[index].path.segments.enumerated() {
        guard case .parameter(let name) = segment else { continue }
        table.parameterPositions.append(position)
        table.parameterNames.append(name)
      }
      table.parameterRanges.append(start..<table.parameterPositions.count)
    }
  }

  /// Puts routes that share host and path into the order of precedence: more header conditions, then listeners and then
  /// methods named before any, then the file's order.
  private func addCandidates(_ table: inout RouteTable, routes: [Route], indices: [Int]) -> RouteTable.Leaf {
    let ordered = indices.sorted { a, b in
      if routes[a].headers.count != routes[b].headers.count { return routes[a].headers.count > routes[b].headers.count }
      if routes[a].listeners.isEmpty != routes[b].listeners.isEmpty { return routes[b].listeners.isEmpty }
      if routes[a].methods.isEmpty != routes[b].methods.isEmpty { return routes[b].methods.isEmpty }
      return a < b
    }
    let start = table.candidates.count
    for index in ordered {
      let (listeners, methods) = (routes[index].listeners, routes[index].methods)
      let conditionStart = table.conditions.count
      for header in routes[index].headers {
        let name = Self.add(header.name.lowercased(), to: &table.texts)
        let value = Self.add(header.value, to: &table.texts)
        table.conditions.append(.header(name: name, value: value))
      }
      if !listeners.isEmpty {
        table.conditions.append(.listeners(listeners.reduce(0) { $0 | ListenerRules.bit(of: $1) }))
      }
      let maskStart = table.methodMasks.count
      for _ in 0..<table.methodWordCount { table.methodMasks.append(0) }
      for method in methods {
        if let bit = methodBits[method] { table.methodMasks[maskStart + bit / 64] |= 1 << UInt64(bit % 64) }
      }
      table.candidates.append(
        .init(
          route: index, conditionStart: conditionStart, conditionCount: table.conditions.count - conditionStart,
          takesAnyMethod: methods.isEmpty))
    }
    return .init(start: Int32(truncatingIfNeeded: start), count: Int32(truncatingIfNeeded: ordered.count))
  }

  private static func add(_ text: String, to texts: inout [UInt8]) -> Range<Int> {
    let start = texts.count
    texts.append(contentsOf: text.utf8)
    return start..<texts.count
  }

  private func addHosts(_ table: inout RouteTable) {
    var entries: [(parent: Int, name: [UInt8], value: Int)] = []
    for (pattern, index) in roots {
      switch pattern {
      case .any: table.anyHost = index
      case .exact(let name): entries.append((RouteTable.exactHosts, Array(name.utf8), index))
      case .subdomains(let name): entries.append((RouteTable.wildcardHosts, Array(name.utf8), index))
      }
    }
    table.hosts = NameTable(entries)
    table.roots = rootNodes.map { .init(node: $0, fallback: -1) }
    for (pattern, index) in roots {
      // Every host that `*.a.b` takes is also taken by `*.b`, and the host `a.b` by `*.b`: the next pattern to try does
      // not depend on the request.
      switch pattern {
      case .any: break
      case .exact(let name), .subdomains(let name):
        table.roots[index].fallback = table.wildcardRoot(of: Array(name.utf8).span) ?? table.anyHost
      }
    }
  }
}
