// What routes inherit from `defaults` and from groups, filled in before any route is read, so that a key of a route
// needs nothing to be inherited. A key of the route's own comes first, and two mappings become one, key by key.

/// A route with `routes` is a group: what it says counts for those.
struct RouteInheritance {
  let reading: Reading

  /// A route has one of these, so that its own one is in place of an inherited one.
  private static let action: Set = Set(Route.actionKeys + ["split_on"])
  /// Of no use to a route that answers by itself.
  private static let forUpstreams: Set = ["rewrite", "mirror", "merge_slashes", "websocket"]

  /// What routes have of `defaults` and of those of the file around it.
  func defaults(_ own: SourceNode, over inherited: [SourceNode.Entry]) -> [SourceNode.Entry] {
    // What else it says is reported when it is read.
    guard case .mapping(let entries) = own.content else { return inherited }
    return merged(entries.filter { Route.defaultSettings.table.key($0.key) != nil }, over: inherited)
  }

  /// A list of routes and groups as one of routes. What is not a list stays as it is.
  func routes(_ list: SourceNode, under inherited: [SourceNode.Entry]) -> SourceNode {
    guard case .list(let items) = list.content else { return list }
    var routes: [SourceNode] = []
    for item in items { add(item, under: inherited, to: &routes) }
    return SourceNode(position: list.position, content: .list(routes))
  }

  private func add(_ item: SourceNode, under inherited: [SourceNode.Entry], to routes: inout [SourceNode]) {
    guard case .mapping(var own) = item.content, reading.nodeCount <= YAMLSource.nodeCountMax else {
      routes.append(item)
      return
    }
    var inherited = inherited
    if let without = item.entry("without") {
      inherited = self.inherited(inherited, without: without.value)
      own.removeAll { $0.key == "without" }
    }
    checkPath(own, under: inherited)
    guard let group = item.entry("routes") else {
      let entries = merged(own, over: fitting(inherited, own))
      count(entries, at: item.position)
      routes.append(SourceNode(position: item.position, content: .mapping(entries)))
      return
    }
    if let name = item.entry("name") {
      reading.error(name.keyPosition, "'name' is that of one route: write it in the routes of this group")
    }
    guard case .list(let items) = group.value.content, !items.isEmpty else {
      reading.error(group.value.position, "'routes' of a group must be a list with at least one route")
      return
    }
    let shared = merged(own.filter { !["routes", "name"].contains($0.key) }, over: inherited)
    for item in items { add(item, under: shared, to: &routes) }
  }

  /// What is left of inherited keys when a route does without some of them.
  private func inherited(_ inherited: [SourceNode.Entry], without node: SourceNode) -> [SourceNode.Entry] {
    let keys = reading.names(node, "'without'", item: "a key") { key in
      Route.settings.table.key(key) == nil ? "a route has no key \(key.quoted)" : nil
    }
    let names = Set(inherited.map(\.key))
    for key in keys ?? [] where !names.contains(key) {
      let position = node.items.first { $0.text == key }?.position ?? node.position
      reading.warn(position, "nothing is inherited for \(key.quoted): remove it")
    }
    return inherited.filter { keys?.contains($0.key) != true }
  }

  /// The inherited keys that a route has a use for.
  private func fitting(_ inherited: [SourceNode.Entry], _ own: [SourceNode.Entry]) -> [SourceNode.Entry] {
    let actions = own.contains { Route.actionKeys.contains($0.key) } ? own : inherited
    if actions.contains(where: { ["upstream", "upstreams"].contains($0.key) }) { return inherited }
    return inherited.filter { !Self.forUpstreams.contains($0.key) }
  }

  /// Paths are written in full, so that each can be read by itself and found.
  private func checkPath(_ own: [SourceNode.Entry], under inherited: [SourceNode.Entry]) {
    guard let entry = own.first(where: { $0.key == "path" }), let path = entry.value.text, path.hasPrefix("/"),
      let group = inherited.first(where: { $0.key == "path" })?.value.text
    else { return }
    let stem = group.hasSuffix("/*") ? String(group.dropLast(2)) : group
    if path == group || path == stem { return }
    if group.hasSuffix("/*"), path.hasPrefix(stem + "/") { return }
    let advice = group.hasSuffix("/*") ? "write \((stem + path).quoted), or " : ""
    reading.error(
      entry.value.position, "the group's path \(group.quoted) does not match this one: \(advice)leave the group's out")
  }

  // MARK: Merging

  private func merged(_ own: [SourceNode.Entry], over inherited: [SourceNode.Entry]) -> [SourceNode.Entry] {
    if inherited.isEmpty { return own }
    let hasAction = own.contains { Route.actionKeys.contains($0.key) }
    return merge(own, over: hasAction ? inherited.filter { !Self.action.contains($0.key) } : inherited)
  }

  /// The keys of both. Where both have a mapping, the same goes for its keys.
  private func merge(_ own: [SourceNode.Entry], over inherited: [SourceNode.Entry]) -> [SourceNode.Entry] {
    var result = own
    let indices = Dictionary(own.indices.map { (own[$0].key, $0) }) { first, _ in first }
    for var entry in inherited {
      guard let index = indices[entry.key] else {
        entry.isInherited = true
        result.append(entry)
        continue
      }
      if case .mapping(let ownEntries) = result[index].value.content, case .mapping(let others) = entry.value.content {
        result[index].value.content = .mapping(merge(ownEntries, over: others))
      }
    }
    return result
  }

  /// Inherited keys count for each route that has them, as aliases do.
  private func count(_ entries: [SourceNode.Entry], at position: SourcePosition) {
    let before = reading.nodeCount
    for entry in entries where entry.isInherited { reading.nodeCount += entry.value.count }
    if before <= YAMLSource.nodeCountMax, reading.nodeCount > YAMLSource.nodeCountMax {
      reading.error(position, "more than \(YAMLSource.nodeCountMax) values once inherited keys are filled in")
    }
  }
}

extension Route {
  /// What a route says for itself, or has from a group around it: which requests, whose token and where they go. All
  /// other keys may be defaults.
  private static let ownKeys: Set = Set(
    ["name", "host", "path", "methods", "headers", "listeners", "auth", "unprotected", "without", "routes", "split_on"]
      + actionKeys)

  static let defaultSettings = Route.settings.subset("defaults", title: "'defaults'", example: "{ timeout: 30s }") {
    !ownKeys.contains($0)
  }
}
