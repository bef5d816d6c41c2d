// Which server, which upstream: `balance`, `hash_on` of an upstream, `upstreams` and `split_on` of a route.

extension Reading {
  static let balances = ["round_robin", "least_requests", "random_two", "hash"]

  func balance(_ section: Section) -> Balance {
    var key: RequestValue?
    if let node = section["hash_on"] { key = callerKey(node, "'hash_on'") }
    let name = section["balance"].flatMap { choice($0, "'balance'", among: Self.balances) }
    if name == "hash", !section.has("hash_on") {
      error(section.keyPlace("balance"), "'balance: hash' has no 'hash_on': write hash_on: client_ip, or claim:sub")
    }
    if section.has("hash_on"), !section.has("balance") || name != nil && name != "hash" {
      error(section.keyPlace("hash_on"), "'hash_on' is for 'balance: hash': write that, or remove it")
    }
    switch name {
    case "least_requests": return .leastRequests
    case "random_two": return .randomTwo
    case "hash": return key.map { .hash($0) } ?? .roundRobin
    default: return .roundRobin
    }
  }

  func callerKey(_ node: SourceNode, _ what: String) -> RequestValue? {
    guard let text = line(node, what) else { return nil }
    return requestValue(text, what, RequestValueForm.ofCallers, at: node.place)
  }

  // MARK: Routes

  func split(_ node: SourceNode, section route: Section, names: inout Names) -> Split? {
    guard let items = list(node, "'upstreams'") else { return nil }
    // LIMIT: upstreams of one route.
    if items.count > 64 {
      error(node.place, "a route has at most 64 upstreams, not \(items.count)")
      return nil
    }
    var result = Split(shares: [])
    let errorsBefore = errorCount
    for item in items {
      guard let share = share(item, names: &names) else { continue }
      if result.shares.contains(where: { $0.upstream == share.upstream }) {
        error(item.place, "the upstream \(names.upstreams[share.upstream].quoted) stands twice: give it one weight")
        continue
      }
      result.shares.append(share)
    }
    if let node = route["split_on"] { result.key = callerKey(node, "'split_on'") }
    if errorCount > errorsBefore { return nil }
    if result.shares.allSatisfy({ $0.weight == 0 }) {
      error(node.place, "no upstream has a weight, so no request could go anywhere: write one of 1 or more")
      return nil
    }
    return result
  }

  private func share(_ node: SourceNode, names: inout Names) -> Split.Share? {
    guard let section = Section(node, Split.Share.settings.table, self) else { return nil }
    var share = Split.Share.settings.blank
    let errorsBefore = errorCount
    Split.Share.settings.take(section, into: &share)
    guard let name = section.required("name"), let upstream = upstreamReference(name, "'name'", names: &names),
      errorCount == errorsBefore
    else { return nil }
    share.upstream = upstream
    return share
  }

  func checkSplit(_ route: Route, section: Section) {
    guard section.has("split_on") else { return }
    let place = section.keyPlace("split_on")
    if !section.has("upstreams") {
      error(place, "'split_on' keeps callers on one of several 'upstreams', and this route has none: remove it")
    } else if case .split(let split) = route.action, case .claim = split.key, route.auth == .public {
      error(place, "a route with 'auth: public' verifies no token, so it has no claims: write client_ip or cookie:NAME")
    }
  }
}

extension ValueForm {
  /// `hash_on` of an upstream, `split_on` of a route.
  static let callerKey = requestValue(RequestValueForm.ofCallers)
}

extension ValueType where Value == String {
  static let cookieName = ValueType(.text("name")) { node, reading, what in
    guard let name = reading.line(node, what) else { return nil }
    if FieldRules.isToken(name) { return name }
    reading.error(node.place, "\(name.quoted) is no name of a cookie")
    return nil
  }

  static let stickySecret = ValueType(.text("text of at least 16 bytes")) { node, reading, what in
    guard let text = reading.text(node, what), let secret = reading.secret(text, at: node.place) else { return nil }
    if secret.utf8.count < 16 {
      reading.error(node.place, "\(what) has at least 16 bytes: write file:/path of a longer one")
    }
    return secret
  }
}
