// `rate_limits:`, and `rate_limit:` of a route: a mapping, the name of a shared one, or a list of these.

import Tokens

extension Reading {
  fileprivate func sharedRateLimits(_ node: SourceNode, _ what: String) -> [RateLimit]? {
    guard let entries = entries(node, what, example: "logins: { requests: 5, per: 1m }") else { return nil }
    names.rateLimits = NameList(entries.map(\.key))
    var result: [RateLimit] = []
    names.sharedRateLimits = entries.map { entry in
      guard let limit = rateLimit(entry) else { return nil }
      result.append(limit)
      return (limit, result.count - 1)
    }
    return result
  }

  /// A shared limit. Nil after an error.
  private func rateLimit(_ entry: SourceNode.Entry) -> RateLimit? {
    // It appears in a field of responses (RFC 9651 §3.3.3).
    guard entry.key.utf8.count <= 64, entry.key.utf8.allSatisfy({ $0.isAlphanumeric || "-_.".utf8.contains($0) }) else {
      error(
        entry.keyPosition,
        "\(entry.key.quoted) is not a valid name of a rate limit, which clients see: "
          + "write letters, digits, '-', '_' and '.'")
      return nil
    }
    return rateLimit(entry.value, RateLimit.sharedSettings, name: entry.key)
  }

  fileprivate func rateLimits(_ node: SourceNode, _ what: String) -> [RouteRateLimit] {
    var nodes = [node]
    if case .list = node.content { nodes = list(node, what) ?? [] }
    // LIMIT: each costs every request of the route.
    if nodes.count > 8 { error(node.position, "a route has at most 8 rate limits") }
    var result: [RouteRateLimit] = []
    for node in nodes {
      guard let (use, key) = rateLimitUse(node, what, number: result.count + 1) else { continue }
      if case .value(.claim(let path)) = key, route.isPublic {
        error(
          node.position,
          "a route with 'auth: public' verifies no token: the claim \(path.description.quoted) is not available"
        )
        continue
      }
      if result.contains(use), case .shared = use {
        error(node.position, "this rate limit appears twice: remove one")
        continue
      }
      result.append(use)
    }
    return result
  }

  private func rateLimitUse(
    _ node: SourceNode, _ what: String, number: Int
  ) -> (use: RouteRateLimit, key: RateLimit.Key)? {
    if case .mapping = node.content {
      return rateLimit(node, RateLimit.routeSettings, name: number == 1 ? "default" : "default-\(number)").map {
        (.own($0), $0.key)
      }
    }
    guard let name = line(node, what) else { return nil }
    names.usedRateLimits.insert(name)
    guard let index = names.rateLimits.index(of: name) else {
      error(node.position, undefined(name, "rate_limit", among: names.rateLimits.names))
      return nil
    }
    guard let shared = names.sharedRateLimits[index] else { return nil }
    return (.shared(shared.index), shared.limit.key)
  }

  private func rateLimit(_ node: SourceNode, _ settings: Settings<RateLimit>, name: String) -> RateLimit? {
    guard let section = Section(node, settings.table, self) else { return nil }
    var result = settings.blank
    result.name = name
    guard settings.take(section, into: &result).isWhole else { return nil }
    if !section.has("burst") { result.burst = result.requests }
    if case .route = result.key {
      result.keyCount = 1
      if section.has("keys") { error(section.keyPosition("keys"), "'by: route' has one key: remove 'keys'") }
    }
    if Int64(result.burst) * result.per.components.seconds / Int64(result.requests) > 366 * 86_400 {
      error(
        section.keyPosition("burst"),
        "a bucket of \("\(result.burst)".shown) would take more than a year to fill up: write a smaller 'burst'")
      return nil
    }
    checkStore(of: result, section)
    return result
  }

  private func checkStore(of limit: RateLimit, _ section: Section) {
    if !section.has("store") {
      for key in ["lease", "on_failure", "instances"] where section.has(key) {
        error(section.keyPosition(key), "'\(key)' is about a store: write store: NAME too, or remove it")
      }
    }
    if limit.lease > limit.burst {
      error(
        section.keyPosition("lease"),
        "'lease' is larger than 'burst', so the store could never give it: write \("\(limit.burst)".shown) or less")
    }
    if section.has("instances"), limit.onFailure != .local {
      error(
        section.keyPosition("instances"),
        "'instances' counts with 'on_failure: local' only: remove it, or write on_failure: local")
    }
  }

  fileprivate func rateLimitKey(_ node: SourceNode, _ what: String) -> RateLimit.Key? {
    guard let text = line(node, what) else { return nil }
    if text == "route" { return .route }
    return requestValue(text, what, RequestValueForm.ofCallers, words: ["route"], at: node.position)
      .map { .value($0) }
  }
}

extension ValueType where Value == RateLimit.Key {
  static let rateLimitKey = ValueType(
    .requestValue(RequestValueForm.ofCallers, words: ["route"]),
    write: { $0 == .value(.clientIP) ? .text("client_ip") : nil },
    read: { node, reading, what in reading.rateLimitKey(node, what) }
  )
}

extension ValueType where Value == [RateLimit] {
  static let sharedRateLimits = ValueType(
    .mappings(
      "mapping by name", names: ["pattern": "^[A-Za-z0-9_.-]{1,64}$"], .mapping(RateLimit.sharedSettings.table))
  ) { node, reading, what in reading.sharedRateLimits(node, what) }
}

extension ValueType where Value == [RouteRateLimit] {
  static let routeRateLimits = ValueType(form) { node, reading, what in reading.rateLimits(node, what) }

  private static let form: ValueForm = {
    let one = ValueForm.any(
      of: [ValueForm("name", ["type": "string", "minLength": 1]), .mapping(RateLimit.routeSettings.table)])
    return .any(of: [one, .list(of: one, "list", isUnique: false, atMost: 8)], "mapping, name, or a list of these")
  }()
}
