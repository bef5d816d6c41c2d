// `secrets:`, `sessions:`, and the paths that a session adds to the routes.

import Tokens

extension Reading {
  // MARK: The file's sections

  fileprivate func secrets(_ node: SourceNode, _ what: String) -> [String]? {
    guard let items = list(node, what) else { return nil }
    // LIMIT: each is tried on what none before it opens.
    if items.count > 8 { error(node.position, "\(what) has at most 8 items") }
    var result: [String] = []
    for item in items {
      guard let text = line(item, "a secret"), let secret = secret(text, at: item.position) else { continue }
      if secret.utf8.count < 32 {
        error(
          item.position,
          "a secret requires at least 32 bytes: make one with 'openssl rand -base64 48' and write file:/path")
      } else if result.contains(secret) {
        error(item.position, "this secret appears twice: remove one")
      } else {
        result.append(secret)
      }
    }
    return result
  }

  fileprivate func sessions(_ node: SourceNode, _ what: String) -> [SessionRules]? {
    guard
      let entries = entries(
        node, what, example: "web: { store: memory, exchange: { path: /session, issuers: [login] } }")
    else { return nil }
    // LIMIT: a request without a token is looked through for the cookies of those that its route takes.
    if entries.count > 16 { error(node.position, "\(what) has at most 16 sessions") }
    names.sessions = entries.map { ($0.key, session($0)) }
    return names.sessions.compactMap(\.rules)
  }

  /// nil after an error.
  private func session(_ entry: SourceNode.Entry) -> SessionRules? {
    checkName(entry, "a session")
    guard let section = Section(entry.value, SessionRules.settings.table, self) else { return nil }
    var result = SessionRules(name: entry.key)
    names.sessionPositions[entry.key] =
      section["exchange"]?.entry("path")?.value.position ?? section["login"]?.position ?? entry.keyPosition
    return SessionRules.settings.take(section, into: &result).isWhole ? result : nil
  }

  /// What the keys of a session require of each other.
  func check(_ rules: SessionRules, _ section: Section) {
    if !section.has("exchange"), !section.has("login") {
      error(
        section.position,
        "nobody can get this session: write login: { issuer: NAME, client_id: NAME }, or exchange: { path: /session, "
          + "issuers: [NAME] }")
    }
    if rules.store == .memory, let node = section["store"], !section.refused.contains("store") {
      warn(
        node.position,
        "the sessions of 'memory' end with this process, and another gateway does not know them: run one, and expect "
          + "that callers begin again after a restart")
    }
    if rules.idleTimeout > rules.lifetime, section.has("idle_timeout") {
      warn(
        section.keyPosition("idle_timeout"), "'idle_timeout' is longer than 'lifetime', so it never comes: shorten it")
    }
  }

  /// What the keys of an exchange require of each other.
  func finish(_ exchange: inout SessionExchange, _ section: Section) {
    for key in ["assertion", "audience"] {
      if exchange.pass == nil, section.has(key) {
        error(section.keyPosition(key), "'\(key)' requires 'token: true': write it, or remove '\(key)'")
      } else if exchange.pass != nil, !section.has(key) {
        error(section.keyPosition("token"), "'token: true' requires '\(key)': write \(key): NAME")
      }
    }
  }

  func check(_ cookie: SessionCookie, _ section: Section) {
    if let node = section["name"], !cookie.name.hasPrefix("__Host-") {
      warn(
        node.position,
        "a cookie without '__Host-' can be set by every host of the domain: write \("__Host-\(cookie.name)".shown)")
    }
  }

  /// What sessions require of each other, and of the other cookies of the gateway.
  func checkSessions(_ file: GatewayConfiguration, _ section: Section) {
    let usesNonces = file.issuers.contains { $0.policy.isProofNonceDemanded }
    if let node = section["secrets"], errorCount == 0, !usesNonces,
      file.sessions.allSatisfy({ $0.login == nil && $0.store == .memory })
    {
      warn(node.position, "nothing in this file is sealed, so the secrets are not used: remove them")
    }
    if usesNonces, file.secrets.isEmpty, !section.refused.contains("secrets") {
      let issuer = file.issuers.first { $0.policy.isProofNonceDemanded }.flatMap { section["issuers"]?.entry($0.name) }
      error(
        issuer?.value.entry("dpop")?.value.entry("nonce")?.value.position ?? section.position,
        "'nonce: true' requires 'secrets', of which the nonces are made: write secrets: [file:/path], with what 'openssl "
          + "rand -base64 48' prints")
    }
    guard let node = section["sessions"] else { return }
    checkLogins(file, node)
    checkSecrets(file, node)
    var owners: [String: String] = [:]
    for upstream in file.upstreams {
      if let sticky = upstream.sticky { owners[sticky.name] = "the upstream \(upstream.name.quoted)" }
    }
    for route in file.routes {
      guard case .token(let requirement) = route.auth else { continue }
      for case .value(.cookie(let name)) in requirement.sources { owners[name] = "the tokens of a route" }
    }
    for session in file.sessions {
      let entry = node.entry(session.name)
      let position = entry?.value.entry("cookie")?.value.entry("name")?.value.position ?? entry?.keyPosition
      if let owner = owners[session.cookie.name] {
        error(
          position ?? node.position,
          "the cookie \(session.cookie.name.quoted) is that of \(owner) already: write another name")
      }
      owners[session.cookie.name] = "the session \(session.name.quoted)"
    }
  }

  private func checkSecrets(_ file: GatewayConfiguration, _ node: SourceNode) {
    guard file.secrets.isEmpty else { return }
    for session in file.sessions where session.store != .memory && session.login == nil {
      error(
        node.entry(session.name)?.value.entry("store")?.value.position ?? node.position,
        "sessions in Redis require 'secrets', which seal the provider's tokens there: write secrets: "
          + "[file:/path], with what 'openssl rand -base64 48' prints")
    }
  }

  // MARK: Routes

  fileprivate func sessionNames(_ node: SourceNode, _ what: String) -> [Int]? {
    var indices: [Int] = []
    for item in list(node, what) ?? [] {
      guard let name = line(item, "a session") else { continue }
      names.usedSessions.insert(name)
      guard let place = names.sessions.firstIndex(where: { $0.name == name }) else {
        error(item.position, undefined(name, "session", among: names.sessions.map(\.name)))
        continue
      }
      let index = names.sessions[..<place].count { $0.rules != nil }
      if indices.contains(index) {
        error(item.position, "the session \(name.quoted) appears twice: remove one")
      } else if names.sessions[place].rules != nil {
        indices.append(index)
      }
    }
    return indices.isEmpty ? nil : indices
  }

  /// The paths where sessions are exchanged: on each host where a route takes the session, and on its listeners.
  func sessionRoutes(for routes: [LocatedRoute]) -> [LocatedRoute] {
    var result: [LocatedRoute] = []
    for (index, rules) in names.sessions.compactMap(\.rules).enumerated() {
      guard let position = names.sessionPositions[rules.name] else { continue }
      let added = exchangeRoutes(rules, index) + Self.loginRoutes(rules, index)
      var hosts: [HostPattern] = []
      var listeners: [HostPattern: [Int]] = [:]
      for route in routes.map(\.route) {
        guard case .token(let requirement) = route.auth, requirement.sessions.contains(index) else { continue }
        if let known = listeners[route.host] {
          // None is all of them.
          let isAll = known.isEmpty || route.listeners.isEmpty
          listeners[route.host] = isAll ? [] : Set(known + route.listeners).sorted()
        } else {
          hosts.append(route.host)
          listeners[route.host] = route.listeners
        }
      }
      for host in hosts {
        for var route in added {
          route.host = host
          route.listeners = listeners[host] ?? []
          result.append(LocatedRoute(route, from: position))
        }
      }
    }
    return result
  }

  private func exchangeRoutes(_ rules: SessionRules, _ index: Int) -> [Route] {
    guard let exchange = rules.exchange else { return [] }
    let actions: [SessionAction] = [.begin, .show, .end] + (exchange.pass == nil ? [] : [.pass])
    return actions.map { Self.route($0, rules, index, exchange) }
  }

  private static func route(
    _ action: SessionAction, _ rules: SessionRules, _ index: Int, _ exchange: SessionExchange
  ) -> Route {
    var requirement = TokenRequirement(issuers: action == .begin ? exchange.issuers : [])
    if action != .begin {
      requirement.sessions = [index]
      requirement.sources = []
    }
    var route = Route(
      name: "session \(rules.name)", path: exchange.path, auth: .token(requirement), action: .session(action, index))
    route.methods =
      switch action {
      case .begin, .pass: ["POST"]
      case .end: ["DELETE"]
      default: ["GET", "HEAD"]
      }
    if action == .pass { route.path.segments.append(.literal("token")) }
    route.cors = exchange.cors
    // A preflight names the methods of one route, and the page may want all.
    if exchange.cors?.methods.isEmpty == true { route.cors?.methods = ["GET", "HEAD", "POST", "DELETE"] }
    return route
  }
}

// MARK: Values

extension ValueType where Value == [String] {
  static let secrets = ValueType(
    .list(of: .text("text"), "list of texts of at least 32 bytes, or of `file:/path`", atMost: 8)
  ) { node, reading, what in reading.secrets(node, what) }
}

extension ValueType where Value == [SessionRules] {
  static let sessions = ValueType(
    .mappings(
      "mapping by name", names: ["pattern": .text(ValueForm.namePattern)], .mapping(SessionRules.settings.table))
  ) { node, reading, what in reading.sessions(node, what) }
}

extension ValueType where Value == [Int] {
  /// Indices into the sessions.
  static let sessionNames = ValueType(.list(of: .text("name"), "list of names")) { node, reading, what in
    reading.sessionNames(node, what)
  }
}

extension ValueType where Value == SessionStore {
  static let sessionStore = ValueType(.text("`memory`, or a name of `redis`")) { node, reading, what in
    guard let name = reading.line(node, what) else { return nil }
    return name == "memory" ? .memory : reading.storeReference(node, what).map { .redis($0) }
  }
}

extension ValueType where Value == [ClaimPath] {
  static let shownClaims = ValueType(
    .list(of: .text("claim"), "list of claims"),
    write: { .list($0.map(\.description)) },
    read: { node, reading, what in
      reading.list(node, what)?.compactMap { item in
        reading.line(item, "a claim").flatMap { reading.claimPath($0, at: item.position) }
      }
    })
}

extension ValueType where Value == String {
  static let sessionCookieName = ValueType(
    cookieName.form, write: { .text($0) },
    read: { node, reading, what in cookieName.read(node, reading, what) })
}

extension ValueType where Value == PathPattern {
  /// A path without captures.
  static let sessionPath = ValueType(
    routePath.form, write: { .text($0.description) },
    read: { node, reading, what in
      guard let pattern = routePath.read(node, reading, what) else { return nil }
      let isLiteral = pattern.segments.allSatisfy { if case .literal = $0 { true } else { false } }
      if isLiteral, !pattern.isPrefix, !pattern.segments.isEmpty { return pattern }
      reading.error(node.position, "\(what) is one path without '*' and '{…}': write /session")
      return nil
    })
}
