// What is done about slow and failing servers: `on:` of `retry:`, `read_timeout:` of an upstream or a route,
// `deadline_header:` and `mirror:` of a route.

extension Reading {
  /// `on:` of a retry: words, and statuses.
  func conditions(_ node: SourceNode, of retry: inout Retry) -> Bool {
    let words = Retry.Condition.allCases.map(\.rawValue)
    let names = names(node, "'on'", item: "a failure") { name in
      if words.contains(name) || Self.serverError(name) != nil { return nil }
      if let near = nearestName(to: name, among: words) {
        return "\(name.quoted) is not a known failure: did you mean '\(near)'?"
      }
      return
        "\(name.quoted) is not a failure that can be retried: write \(alternatives(words + ["a status from 500 to 599"]))"
    }
    guard let names else { return false }
    retry.conditions = names.compactMap(Retry.Condition.init(rawValue:))
    retry.statuses = names.compactMap(Self.serverError)
    return true
  }

  /// A call has a body, and calls are made over HTTP/2.
  func checkUnavailable(_ upstream: Upstream, _ section: Section) {
    guard let retry = upstream.retry, retry.conditions.contains(.unavailable), let node = section["retry"],
      let position = node.entry("on")?.value.items.first(where: { $0.text == "unavailable" })?.position
    else { return }
    if upstream.protocol != .http2, !section.refused.contains("protocol") {
      error(position, "'unavailable' is a status of gRPC: write protocol: http2, or remove it")
    } else if retry.buffer == 0 {
      error(position, "'unavailable' requires 'buffer', because a call has a body: write buffer: 64KiB in 'retry'")
    }
  }

  private static func serverError(_ text: String) -> Int? {
    decimal(text).flatMap { (500...599).contains($0) ? $0 : nil }
  }

  func checkDeadlineHeader(_ route: Route, section: Section) {
    guard let name = route.deadlineHeader, let node = section["deadline_header"] else { return }
    let folded = FieldRules.folded(name)
    let rules = route.requestHeaders
    let ruled = rules.set.map(\.name) + rules.add.map(\.name) + rules.remove
    if route.identity.headerNames.contains(where: { FieldRules.folded($0) == folded }) {
      error(node.position, "\(name.quoted) is an identity header of this route: write another name")
    } else if ruled.contains(where: { FieldRules.folded($0) == folded }) {
      error(node.position, "'request_headers' names \(name.quoted) too: remove one")
    } else if !section.has("timeout") {
      error(node.position, "'deadline_header' requires 'timeout', whose rest it reports: write timeout: 60s")
    }
  }

  func checkMirror(_ route: Route, section: Section) {
    guard let mirror = route.mirror, let node = section["mirror"]?.entry("upstream")?.value else { return }
    if route.action == .upstream(mirror.upstream) {
      error(node.position, "the route already sends the request to this upstream: write another one")
    }
  }
}

extension ValueType where Value == String {
  static let deadlineHeader = ValueType(.text("header")) { node, reading, what in
    guard let name = reading.line(node, what) else { return nil }
    if let problem = FieldRules.problem(ofRuleName: name) {
      reading.error(node.position, problem)
      return nil
    }
    if FieldRules.problem(ofIdentityName: name) != nil {
      reading.error(node.position, "\(name.quoted) is a standard header: write a name such as X-Request-Deadline")
      return nil
    }
    return name
  }
}

extension ValueType where Value == Duration {
  /// `read_timeout` of an upstream or a route.
  static let readTimeout = ValueType.duration(from: .milliseconds(10), to: .hours(24))
    .orKeyword("off", for: unlimitedDuration)
}
