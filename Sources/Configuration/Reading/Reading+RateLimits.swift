// `rate_limits:`, and `rate_limit:` of a route: a mapping, the name of a shared one, or a list of these.

import Tokens

extension Reading {
  /// A shared limit. Nil after an error.
  func rateLimit(_ entry: SourceNode.Entry) -> RateLimit? {
    // It stands in a field of answers (RFC 9651 §3.3.3).
    guard entry.key.utf8.count <= 64, entry.key.utf8.allSatisfy({ $0.isAlphanumeric || "-_.".utf8.contains($0) }) else {
      error(
        entry.keyPlace,
        "\(entry.key.quoted) is told to clients: a rate limit's name has letters, digits, '-', '_' and '.'")
      return nil
    }
    return rateLimit(entry.value, RateLimit.sharedSettings, name: entry.key)
  }

  func rateLimits(_ node: SourceNode, auth: Authentication?, names: inout Names) -> [RouteRateLimit] {
    var nodes = [node]
    if case .list = node.content { nodes = list(node, "'rate_limit'") ?? [] }
    // LIMIT: each costs every request of the route.
    if nodes.count > 8 { error(node.place, "a route has at most 8 rate limits") }
    var result: [RouteRateLimit] = []
    for node in nodes {
      guard let (use, key) = rateLimitUse(node, number: result.count + 1, names: &names) else { continue }
      if case .value(.claim(let path)) = key, auth == .public {
        error(
          node.place, "'auth: public' verifies no token, so there is no claim \(path.description.quoted) to count by")
        continue
      }
      if result.contains(use), case .shared = use {
        error(node.place, "this rate limit stands twice: remove one")
        continue
      }
      result.append(use)
    }
    return result
  }

  private func rateLimitUse(
    _ node: SourceNode, number: Int, names: inout Names
  ) -> (use: RouteRateLimit, key: RateLimit.Key)? {
    if case .mapping = node.content {
      return rateLimit(node, RateLimit.routeSettings, name: number == 1 ? "default" : "default-\(number)").map {
        (.own($0), $0.key)
      }
    }
    guard let name = line(node, "'rate_limit'") else { return nil }
    names.usedRateLimits.insert(name)
    guard let place = names.rateLimits.firstIndex(where: { $0.name == name }) else {
      error(node.place, undefined(name, "rate_limit", among: names.rateLimits.map(\.name)))
      return nil
    }
    guard let limit = names.rateLimits[place].limit else { return nil }
    return (.shared(names.rateLimits[..<place].count { $0.limit != nil }), limit.key)
  }

  private func rateLimit(_ node: SourceNode, _ settings: Settings<RateLimit>, name: String) -> RateLimit? {
    guard let section = Section(node, settings.table, self) else { return nil }
    var result = settings.blank
    result.name = name
    guard settings.take(section, into: &result) else { return nil }
    if !section.has("burst") { result.burst = result.requests }
    if case .route = result.key {
      result.keyCount = 1
      if section.has("keys") { error(section.keyPlace("keys"), "'by: route' has one key: remove 'keys'") }
    }
    if Int64(result.burst) * result.per.components.seconds / Int64(result.requests) > 366 * 86_400 {
      error(
        section.keyPlace("burst"),
        "a bucket of \("\(result.burst)".shown) would take more than a year to fill up: write a smaller 'burst'")
      return nil
    }
    return result
  }

  fileprivate func rateLimitKey(_ node: SourceNode) -> RateLimit.Key? {
    guard let text = line(node, "'by'") else { return nil }
    if text == "route" { return .route }
    return requestValue(text, "'by'", RequestValueForm.ofCallers, words: ["route"], at: node.place)
      .map { .value($0) }
  }
}

extension ValueType where Value == RateLimit.Key {
  static let rateLimitKey = ValueType(
    .requestValue(RequestValueForm.ofCallers, words: ["route"]),
    write: { $0 == .value(.clientIP) ? .text("client_ip") : nil },
    read: { node, reading, _ in reading.rateLimitKey(node) }
  )
}
