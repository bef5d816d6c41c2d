// What is done about slow and failing servers: `retry:` and `read_timeout:` of an upstream, `read_timeout:`, `deadline_header:`
// and `mirror:` of a route.

extension Reading {
  func retry(_ node: SourceNode) -> Retry? {
    guard let section = Section(node, .retry, self, example: "retry: { attempts: 2 }") else { return nil }
    var result = Retry()
    if let node = section["attempts"], let value = integer(node, "'attempts'", in: 1...5) { result.attempts = value }
    if let node = section["on"] { conditions(node, of: &result) }
    if let node = section["budget"], let value = percent(node, "'budget'", in: 0...100) { result.budget = value }
    if let node = section["backoff"], let value = duration(node, "'backoff'", from: "1ms", to: "10s") {
      result.backoff = value
    }
    return result
  }

  private func conditions(_ node: SourceNode, of retry: inout Retry) {
    let words = Retry.Condition.allCases.map(\.rawValue)
    let names = names(node, "'on'", item: "a failure") { name in
      if words.contains(name) || Self.serverError(name) != nil { return nil }
      if let near = nearestName(to: name, among: words) {
        return "\(name.quoted) is no failure: did you mean '\(near)'?"
      }
      return
        "\(name.quoted) is no failure to try again after: write \(alternatives(words + ["a status from 500 to 599"]))"
    }
    guard let names else { return }
    retry.conditions = names.compactMap(Retry.Condition.init(rawValue:))
    retry.statuses = names.compactMap(Self.serverError)
  }

  private static func serverError(_ text: String) -> Int? {
    decimal(text).flatMap { (500...599).contains($0) ? $0 : nil }
  }

  /// `read_timeout` of an upstream or a route.
  func readTimeout(_ node: SourceNode) -> Duration? {
    if case .scalar(let scalar) = node.content, scalar.text == "off" { return unlimitedDuration }
    return duration(node, "'read_timeout'", from: "10ms", to: "24h")
  }

  func deadlineHeader(_ node: SourceNode, _ route: Route, section: Section) -> String? {
    guard let name = line(node, "'deadline_header'") else { return nil }
    if let problem = FieldRules.problem(ofRuleName: name) {
      error(node.place, problem)
      return nil
    }
    if FieldRules.problem(ofIdentityName: name) != nil {
      error(node.place, "\(name.quoted) has a meaning of its own: write a name such as X-Request-Deadline")
      return nil
    }
    let folded = FieldRules.folded(name)
    let identity = route.identity.headers.map(\.name) + (route.identity.payloadHeader.map { [$0] } ?? [])
    let rules = route.requestHeaders
    if identity.contains(where: { FieldRules.folded($0) == folded }) {
      error(node.place, "\(name.quoted) is an identity header of this route: write another name")
      return nil
    }
    if (rules.set.map(\.name) + rules.add.map(\.name) + rules.remove).contains(where: {
      FieldRules.folded($0) == folded
    }) {
      error(node.place, "'request_headers' speaks of \(name.quoted) too: remove one")
      return nil
    }
    if !section.has("timeout") {
      error(node.place, "'deadline_header' tells how much of the route's 'timeout' is left: write timeout: 60s")
    }
    return name
  }

  func mirror(_ node: SourceNode, _ route: Route, section outer: Section, names: inout Names) -> Mirroring? {
    guard let section = Section(node, .mirror, self, example: "mirror: { upstream: NAME, percent: 10 }"),
      let reference = section.required("upstream", "write the name of the upstream that gets the copies"),
      let upstream = upstreamReference(reference, "'upstream'", names: &names)
    else { return nil }
    var result = Mirroring(upstream: upstream)
    if let node = section["percent"], let value = integer(node, "'percent'", in: 0...100) { result.percent = value }
    if !outer.has("upstream"), !outer.has("upstreams") {
      error(outer.keyPlace("mirror"), "'mirror' copies what an upstream gets, and this route has none: remove it")
    }
    if route.action == .upstream(upstream), outer["upstream"] != nil {
      error(reference.place, "the route's own upstream gets the request already: write another one")
    }
    return result
  }
}
