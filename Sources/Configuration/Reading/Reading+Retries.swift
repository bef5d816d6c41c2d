// What is done about slow and failing servers: `on:` of `retry:`, `read_timeout:` of an upstream or a route,
// `deadline_header:` and `mirror:` of a route.

extension Reading {
  /// `on:` of a retry: words, and statuses.
  func conditions(_ node: SourceNode, of retry: inout Retry) -> Bool {
    let words = Retry.Condition.allCases.map(\.rawValue)
    let names = names(node, "'on'", item: "a failure") { name in
      if words.contains(name) || Self.serverError(name) != nil { return nil }
      if let near = nearestName(to: name, among: words) {
        return "\(name.quoted) is no failure: did you mean '\(near)'?"
      }
      return
        "\(name.quoted) is no failure to try again after: write \(alternatives(words + ["a status from 500 to 599"]))"
    }
    guard let names else { return false }
    retry.conditions = names.compactMap(Retry.Condition.init(rawValue:))
    retry.statuses = names.compactMap(Self.serverError)
    return true
  }

  private static func serverError(_ text: String) -> Int? {
    decimal(text).flatMap { (500...599).contains($0) ? $0 : nil }
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
    let settings = Mirroring.settings
    guard let section = Section(node, settings.table, self), let reference = section.required("upstream"),
      let upstream = upstreamReference(reference, "'upstream'", names: &names)
    else { return nil }
    var result = Mirroring(upstream: upstream)
    settings.take(section, into: &result)
    if !outer.has("upstream"), !outer.has("upstreams") {
      error(outer.keyPlace("mirror"), "'mirror' copies what an upstream gets, and this route has none: remove it")
    }
    if route.action == .upstream(upstream), outer["upstream"] != nil {
      error(reference.place, "the route's own upstream gets the request already: write another one")
    }
    return result
  }
}

extension ValueType where Value == Duration {
  /// `read_timeout` of an upstream or a route.
  static let readTimeout = ValueType.duration(from: .milliseconds(10), to: .hours(24))
    .orWord("off", for: unlimitedDuration)
}
