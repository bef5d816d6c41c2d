// Which server, which upstream: `balance` and `hash_on` of an upstream, `upstreams` and `split_on` of a route.

extension Reading {
  /// `balance: hash` requires `hash_on`, and no other policy takes it.
  func checkBalance(_ balance: Balance, _ section: Section) {
    if section.refused.contains("balance") { return }
    if balance == .hash, !section.has("hash_on") {
      error(
        section.keyPosition("balance"), "'balance: hash' has no 'hash_on': write hash_on: client_ip, or claim:sub")
    }
    if balance != .hash, section.has("hash_on") {
      error(section.keyPosition("hash_on"), "'hash_on' requires 'balance: hash': write that, or remove it")
    }
  }

  // MARK: Routes

  fileprivate func split(_ node: SourceNode, _ what: String) -> Split? {
    guard let items = list(node, what) else { return nil }
    // LIMIT: upstreams of one route.
    if items.count > 64 {
      error(node.position, "a route has at most 64 upstreams, not \(items.count)")
      return nil
    }
    var result = Split(shares: [])
    let errorsBefore = errorCount
    for item in items {
      guard let share = Split.Share.settings.read(item, self) else { continue }
      if result.shares.contains(where: { $0.upstream == share.upstream }) {
        error(
          item.position,
          "the upstream \(names.upstreams.names[share.upstream].quoted) appears twice: give it one weight")
        continue
      }
      result.shares.append(share)
    }
    if errorCount > errorsBefore { return nil }
    if result.shares.allSatisfy({ $0.weight == 0 }) {
      error(
        node.position, "every upstream has the weight 0, so no request can go anywhere: write a weight of 1 or more")
      return nil
    }
    return result
  }

  func checkSplit(_ action: Action, section: Section) {
    guard section.has("split_on") else { return }
    let position = section.keyPosition("split_on")
    if !section.has("upstreams") {
      error(position, "'split_on' requires 'upstreams', and this route has none: remove it")
    } else if case .split(let split) = action, case .claim = split.key, route.isPublic {
      error(
        position, "a route with 'auth: public' verifies no token, so it has no claims: write client_ip or cookie:NAME")
    }
  }
}

// MARK: Values

extension ValueType where Value == RequestValue {
  /// `hash_on` of an upstream, `split_on` of a route.
  static let callerKey = ValueType(.requestValue(RequestValueForm.ofCallers)) { node, reading, what in
    guard let text = reading.line(node, what) else { return nil }
    return reading.requestValue(text, what, RequestValueForm.ofCallers, at: node.position)
  }
}

extension ValueType where Value == Action {
  static let split = ValueType(
    .list(of: .mapping(Split.Share.settings.table), "list, at most 64", isUnique: false, atMost: 64)
  ) { node, reading, what in reading.split(node, what).map { .split($0) } }
}

extension ValueType where Value == String {
  static let cookieName = ValueType(.text("name")) { node, reading, what in
    guard let name = reading.line(node, what) else { return nil }
    if FieldRules.isToken(name) { return name }
    reading.error(node.position, "\(name.quoted) is not a valid cookie name")
    return nil
  }

  static let stickySecret = ValueType(.text("text of at least 16 bytes")) { node, reading, what in
    guard let text = reading.text(node, what), let secret = reading.secret(text, at: node.position) else { return nil }
    if secret.utf8.count < 16 {
      reading.error(node.position, "\(what) requires at least 16 bytes: write file:/path of a longer secret")
    }
    return secret
  }
}
