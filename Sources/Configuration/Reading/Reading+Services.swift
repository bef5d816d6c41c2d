// `services:`, `authorize:` of a route, and what they require of each other.

import Tokens

extension Reading {
  fileprivate func services(_ node: SourceNode, _ what: String) -> [ExternalService]? {
    if case .list = node.content {
      error(
        node.position,
        "\(what) are those who are asked whether requests may pass. Those behind the gateway are upstreams: "
          + "write upstreams: { app: { servers: [host:port] } }")
      return nil
    }
    guard let entries = entries(node, what, example: "policy: { upstream: NAME, path: /check }") else { return nil }
    names.services = NameList(entries.map(\.key))
    return entries.map { entry in
      checkName(entry, "a service")
      var service = ExternalService(name: entry.key)
      if let section = Section(entry.value, ExternalService.settings.table, self) {
        ExternalService.settings.take(section, into: &service)
      }
      names.readServices.append(service)
      return service
    }
  }

  /// What the keys of a service require of each other. T113: an answer must not count for what was not asked.
  func check(_ service: ExternalService, _ section: Section) {
    guard let cache = service.cache, let node = section["cache"]?.entry("by")?.value, !section.refused.contains("cache")
    else { return }
    for name in ["authorization", "cookie"] where service.headers.contains(name) {
      let isCovered = cache.keys.contains { key in
        switch key {
        case .value(.header(name)): true
        case .value(.cookie): name == "cookie"
        case .caller, .value(.claim): name == "authorization"
        default: false
        }
      }
      if !isCovered {
        error(
          node.position,
          "the service is asked about \(name.quoted), so an answer for one client would count for others: add "
            + (name == "cookie" ? "cookie:NAME or header:Cookie" : "caller or header:Authorization") + " to 'by'")
      }
    }
    for (key, name) in [(AnswerCache.Key.method, "method"), (.path, "path")] where !cache.keys.contains(key) {
      warn(
        node.position, "an answer for one \(name) counts for every other: add \(name) to 'by', unless that is meant")
    }
  }

  /// What a route requires of the service that it asks.
  func checkAuthorize(_ route: Route, section: Section) {
    guard let use = route.authorize, !section.refused.contains("authorize"),
      names.readServices.indices.contains(use.service)
    else { return }
    let service = names.readServices[use.service]
    let position = section.keyPosition("authorize")
    if use.mode == .shadow {
      warn(
        section["authorize"]?.entry("mode")?.value.position ?? position,
        "the service refuses nobody here, because 'authorize' is in shadow: write mode: enforce when what it logs is right"
      )
    }
    if let keys = service.cache?.keys, !keys.isEmpty, !self.route.isPublic,
      !keys.contains(where: \.distinguishesCallers)
    {
      error(
        position,
        "the route knows its callers, and 'by' of the service \(service.name.quoted) does not: an answer for one would "
          + "count for others. Add caller or claim:sub there")
    }
    if self.route.isPublic {
      for case .value(.claim(let path)) in service.cache?.keys ?? [] {
        error(
          position,
          "a route with 'auth: public' verifies no token: the claim \(path.description.quoted), which the service "
            + "\(service.name.quoted) has in 'by', is not available")
      }
    }
    let folded = Set(service.answerHeaders.map(FieldRules.folded))
    let rules = route.requestHeaders
    let own = route.identity.headerNames
    for (names, key) in [(own, "identity"), (rules.set.map(\.name) + rules.add.map(\.name), "request_headers")] {
      for name in names where folded.contains(FieldRules.folded(name)) {
        error(
          section.keyPosition(key),
          "\(name.quoted) comes from the answer of the service \(service.name.quoted): remove it here")
      }
    }
  }

  fileprivate func serviceReference(_ node: SourceNode, _ what: String) -> Int? {
    guard let name = line(node, what) else { return nil }
    names.usedServices.insert(name)
    if let index = names.services.index(of: name) { return index }
    error(node.position, undefined(name, "service", among: names.services.names))
    return nil
  }

  fileprivate func answerKeys(_ node: SourceNode, _ what: String) -> [AnswerCache.Key]? {
    guard let items = list(node, what) else { return nil }
    // LIMIT: each is looked for in every request of the route.
    if items.count > 16 { error(node.position, "\(what) has at most 16 items") }
    var result: [AnswerCache.Key] = []
    for item in items {
      guard let text = line(item, what), let key = answerKey(text, what, at: item.position) else { continue }
      if result.contains(key) {
        error(item.position, "\(text.quoted) appears twice: remove one")
      } else {
        result.append(key)
      }
    }
    return result
  }

  private func answerKey(_ text: String, _ what: String, at position: SourcePosition) -> AnswerCache.Key? {
    if let word = AnswerCache.Key.words.first(where: { $0.text == text }) { return word.key }
    return requestValue(
      text, what, RequestValueForm.ofCallers, words: AnswerCache.Key.words.map(\.text), at: position
    ).map { .value($0) }
  }

  /// What the service of a route may add to its identity headers.
  func answerHeaders(of route: Route) -> [String] {
    guard let use = route.authorize, names.readServices.indices.contains(use.service) else { return [] }
    return names.readServices[use.service].answerHeaders
  }

  /// T60: of every spelling, no client's goes on, so nothing may wait for one.
  var answerHeaders: [(name: String, service: String)] {
    names.readServices.flatMap { service in service.answerHeaders.map { ($0, service.name) } }
  }
}

extension AnswerCache.Key {
  fileprivate static let words: [(text: String, key: AnswerCache.Key)] = [
    ("caller", .caller), ("method", .method), ("host", .host), ("path", .path), ("query", .query),
  ]

  /// Whether what the gateway knows of a caller is in it.
  fileprivate var distinguishesCallers: Bool {
    switch self {
    case .caller, .value(.claim): true
    case .method, .host, .path, .query, .value: false
    }
  }
}

// MARK: Values

extension ValueType where Value == [ExternalService] {
  static let services = ValueType(
    .mappings(
      "mapping by name", names: ["pattern": .text(ValueForm.namePattern)], .mapping(ExternalService.settings.table))
  ) { node, reading, what in reading.services(node, what) }
}

extension ValueType where Value == Int {
  /// An index into the services.
  static let serviceName = ValueType(.text("name")) { node, reading, what in reading.serviceReference(node, what) }
}

extension ValueType where Value == [AnswerCache.Key] {
  static let answerKeys = ValueType(
    .list(
      of: .requestValue(RequestValueForm.ofCallers, words: AnswerCache.Key.words.map(\.text)), "list, at most 16",
      atMost: 16)
  ) { node, reading, what in reading.answerKeys(node, what) }
}

extension ValueType where Value == [String] {
  /// Of requests, in lower case.
  static let askedHeaders = ValueType.names("list of headers", item: "a header", check: askedProblem)
    .converted({ $0.map { $0.lowercased() } }, back: { $0 })

  private static func askedProblem(_ name: String) -> String? {
    if let problem = FieldRules.problem(ofRuleName: name) { return problem }
    let folded = FieldRules.folded(name)
    if folded.hasPrefix("x-forwarded-") || folded == "forwarded" || PeerFields.overrides.contains(folded) {
      return "\(name.quoted) is about the request in question, which only the gateway says: remove it"
    }
    if folded == "accept-encoding" || folded == "range" || folded.hasPrefix("if-") {
      return "\(name.quoted) would change the service's answer, which the gateway reads: remove it"
    }
    return nil
  }

  /// Of answers, as they are written to the upstream.
  static let answerHeaders = ValueType.names(
    "list of headers", item: "a header", check: FieldRules.problem(ofIdentityName:))
}
