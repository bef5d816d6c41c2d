// The look-up itself. Hot path: no allocation once warm, no String, no closure.
//
// LIMIT: hostile paths: the walk visits each node of the tree at most once per host pattern and ends where no pattern
// goes on, so ten thousand segments cost no more than the deepest pattern has (and one pass to look for empty ones).

import Bytes

extension RouteTable {
  /// What a path's routes lacked only. It is left to no other path.
  private enum Missed {
    case nothing, listener, method

    var result: RouteResult { self == .method ? .methodNotAllowed : .notFound }
  }

  /// Finds the most specific route that takes a request.
  ///
  /// - A prefix `/orders/*` takes `/orders`, `/orders/` and all below. Otherwise `/a` and `/a/` are two paths.
  /// - A rule for GET takes no HEAD (T47): a method must be named or the route must name none.
  /// - Once a path is found whose routes take the request's fields, it is theirs: methods that none of them takes are
  ///   not left to a less specific path (T77), nor are requests that came by a listener that none of them names.
  /// - Empty segments, which are left of `/;x/` once parameters are cut off (T40), are passed over: an upstream that
  ///   drops parameters sees `//`, and that is `/` to most.
  /// - `OPTIONS *` (RFC 9112 §3.2.4), given as the path `*`, speaks of the gateway as a whole: it finds routes with
  ///   path `/*` and without host only, and is refused where there is none (T44).
  ///
  /// - Parameters:
  ///   - host: without port. Any case. A final dot is dropped. Empty when the request names none.
  ///   - path: the normal path. `segments` are ranges into it, without `;parameters` and without the empty one at the
  ///     end.
  ///   - method: compared with case (RFC 9110 §9.1).
  ///   - match: its captures and rest are filled when the result is a route.
  package func match<Fields: RequestFields & ~Copyable>(
    host: Span<UInt8>, path: Span<UInt8>, segments: [Range<Int>], hasTrailingSlash: Bool, method: Span<UInt8>,
    fields: borrowing Fields, into match: inout RouteMatch
  ) -> RouteResult {
    match.reset(methodWordCount: methodWordCount)
    if path.count == 1, path[0] == UInt8(ascii: "*") {
      return matchWholeServer(method: method, fields: fields, into: &match)
    }
    // Rare enough to be looked for first: with it out of the way the walk needs to know nothing of it.
    for range in segments where range.isEmpty {
      let endsEmpty = segments.last?.isEmpty ?? false
      match.presentSegments.removeAll(keepingCapacity: true)
      for range in segments where !range.isEmpty { match.presentSegments.append(range) }
      let present = match.presentSegments
      return walk(
        host: host, path: path, segments: present, hasTrailingSlash: hasTrailingSlash || endsEmpty, method: method,
        fields: fields, into: &match)
    }
    return walk(
      host: host, path: path, segments: segments, hasTrailingSlash: hasTrailingSlash, method: method, fields: fields,
      into: &match)
  }

  private func walk<Fields: RequestFields & ~Copyable>(
    host: Span<UInt8>, path: Span<UInt8>, segments: [Range<Int>], hasTrailingSlash: Bool, method: Span<UInt8>,
    fields: borrowing Fields, into match: inout RouteMatch
  ) -> RouteResult {
    let hasTrailingSlash = hasTrailingSlash || segments.isEmpty
    let methodIndex = methodIndex(of: method)
    var missed = Missed.nothing
    var root = firstRoot(of: host, into: &match)
    while root >= 0 {
      var node = roots[root].node
      /// Segments taken so far. `node` took the last of them.
      var depth = 0
      down: while true {
        if depth == segments.count {
          let leaf = hasTrailingSlash ? nodes[node].withSlash : nodes[node].exact
          if let hit = choose(leaf, methodIndex, fields, &missed, &match) {
            return finish(hit, path: path, segments: segments, restDepth: nil, into: &match)
          }
          if missed != .nothing { return missed.result }
        } else if let child = edges.value(parent: node, name: path.extracting(segments[depth])) {
          node = child
          depth += 1
          continue down
        } else if nodes[node].parameterChild >= 0 {
          node = Int(nodes[node].parameterChild)
          depth += 1
          continue down
        }
        // Nothing further down: back up, and at each node the next less specific way.
        while true {
          if let hit = choose(nodes[node].prefix, methodIndex, fields, &missed, &match) {
            return finish(hit, path: path, segments: segments, restDepth: depth, into: &match)
          }
          if missed != .nothing { return missed.result }
          let parent = Int(nodes[node].parent)
          if parent < 0 { break down }
          if !nodes[node].isParameter, nodes[parent].parameterChild >= 0 {
            node = Int(nodes[parent].parameterChild)
            continue down
          }
          node = parent
          depth -= 1
        }
      }
      root = roots[root].fallback
    }
    return .notFound
  }

  private func matchWholeServer<Fields: RequestFields & ~Copyable>(
    method: Span<UInt8>, fields: borrowing Fields, into match: inout RouteMatch
  ) -> RouteResult {
    var missed = Missed.nothing
    guard anyHost >= 0 else { return .notFound }
    let leaf = nodes[roots[anyHost].node].prefix
    if let hit = choose(leaf, methodIndex(of: method), fields, &missed, &match) { return .route(hit) }
    return missed.result
  }

  /// The most specific host pattern that takes a host, or -1.
  private func firstRoot(of host: Span<UInt8>, into match: inout RouteMatch) -> Int {
    if host.count > Self.hostByteCountMax { return -1 }
    if hosts.isEmpty { return anyHost }
    if hasIPv6Host, let name = Self.ipv6Text(host) { return root(ofFolded: name.utf8.span) }
    var count = host.count
    if count > 0, host[count - 1] == UInt8(ascii: ".") { count -= 1 }
    var hasUpperCase: UInt8 = 0
    for index in host.indices { hasUpperCase |= host[index] &- 65 < 26 ? 1 : 0 }
    // Clients send names in lower case: a copy is rarely needed.
    if hasUpperCase == 0 { return root(ofFolded: host.extracting(0..<count)) }
    match.foldedHost.removeAll(keepingCapacity: true)
    for index in 0..<count {
      let byte = host[index]
      match.foldedHost.append(byte &- 65 < 26 ? byte | 0x20 : byte)
    }
    return root(ofFolded: match.foldedHost.span)
  }

  /// The one spelling of an IPv6 address. Nil for other hosts.
  static func ipv6Text(_ host: Span<UInt8>) -> String? {
    host.firstIndex(of: 0x3A) == nil ? nil : PeerAddress(host)?.text
  }

  private func root(ofFolded host: Span<UInt8>) -> Int {
    hosts.value(parent: Self.exactHosts, name: host) ?? wildcardRoot(of: host) ?? anyHost
  }

  /// The root with the longest `*.` suffix that takes a lower-case host.
  func wildcardRoot(of host: Span<UInt8>) -> Int? {
    var from = 1
    // One label at least must be in front of the suffix, so a dot at 0 does not count.
    while let dot = host.firstIndex(of: UInt8(ascii: "."), from: from) {
      if let root = hosts.value(parent: Self.wildcardHosts, name: host.extracting(dot + 1..<host.count)) { return root }
      from = dot + 1
    }
    return nil
  }

  static var exactHosts: Int { 0 }
  static var wildcardHosts: Int { 1 }

  private func methodIndex(of method: Span<UInt8>) -> Int {
    let texts = texts.span
    for index in methodNames.indices {
      let name = methodNames[index]
      if name.count == method.count, texts.extracting(name).equals(method) { return index }
    }
    return -1
  }

  /// The first candidate of a leaf that takes the request's fields and method. Those that would take all but the method
  /// are remembered for `Allow`.
  private func choose<Fields: RequestFields & ~Copyable>(
    _ leaf: Leaf, _ methodIndex: Int, _ fields: borrowing Fields, _ missed: inout Missed,
    _ match: inout RouteMatch
  ) -> Int? {
    if leaf.count == 0 { return nil }
    for index in Int(leaf.start)..<Int(leaf.start) + Int(leaf.count) {
      let candidate = candidates[index]
      guard holds(candidate, fields, match.listenerBit, &missed) else { continue }
      if candidate.takesAnyMethod { return candidate.route }
      let words = index * methodWordCount
      if methodIndex >= 0, methodMasks[words + methodIndex / 64] >> UInt64(methodIndex % 64) & 1 == 1 {
        return candidate.route
      }
      missed = .method
      match.missedRoutes.append(candidate.route)
      for word in 0..<methodWordCount { match.allowedMethods[word] |= methodMasks[words + word] }
    }
    return nil
  }

  private func holds<Fields: RequestFields & ~Copyable>(
    _ candidate: Candidate, _ fields: borrowing Fields, _ listenerBit: UInt64, _ missed: inout Missed
  ) -> Bool {
    for index in candidate.conditionStart..<candidate.conditionStart + candidate.conditionCount {
      switch conditions[index] {
      case .header(let name, let value):
        let texts = texts.span
        if !fields.hasOnlyField(name: texts.extracting(name), value: texts.extracting(value)) { return false }
      case .listeners(let bits):
        if bits & listenerBit != 0 { continue }
        if missed == .nothing { missed = .listener }
        return false
      }
    }
    return true
  }

  private func finish(
    _ route: Int, path: Span<UInt8>, segments: [Range<Int>], restDepth: Int?, into match: inout RouteMatch
  ) -> RouteResult {
    for index in parameterRanges[route] { match.captures.append(segments[parameterPositions[index]]) }
    let end = path.count
    if let restDepth { match.rest = (restDepth < segments.count ? segments[restDepth].lowerBound : end)..<end }
    return .route(route)
  }
}
