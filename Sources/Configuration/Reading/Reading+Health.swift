// `health_check:`, `eject:` and `panic_threshold:` of an upstream.

extension Reading {
  func readHealth(_ section: Section, of upstream: inout Upstream) {
    if let node = section["health_check"] { upstream.healthCheck = healthCheck(node, of: upstream) }
    if let node = section["eject"] { upstream.ejection = ejection(node) }
    if let node = section["panic_threshold"], let value = percent(node, "'panic_threshold'", in: 0...100) {
      upstream.panicThreshold = value
    }
  }

  private func healthCheck(_ node: SourceNode, of upstream: Upstream) -> HealthCheck? {
    guard let section = Section(node, .healthCheck, self, example: "{ path: /healthz }") else { return nil }
    var result = HealthCheck()
    if let node = section["type"],
      let name = choice(node, "'type'", among: HealthCheck.Kind.allCases.map(\.rawValue)),
      let kind = HealthCheck.Kind(rawValue: name)
    {
      result.kind = kind
      if kind == .grpc, upstream.protocol != .http2 {
        error(node.place, "a check of gRPC is made over HTTP/2: write protocol: http2 for this upstream")
      }
    }
    readQuestion(section, of: &result)
    if let node = section["port"], let port = integer(node, "'port'", in: 1...65_535) {
      result.port = UInt16(port)
      if upstream.servers.contains(where: { $0.address.host.isEmpty }) {
        error(node.place, "a server with a unix: address has no 'port': remove it")
      }
    }
    if let node = section["interval"], let value = duration(node, "'interval'", from: "100ms", to: "1h") {
      result.interval = value
    }
    if let node = section["timeout"], let value = duration(node, "'timeout'", from: "100ms", to: "1m") {
      result.timeout = value
    }
    if let node = section["healthy_after"], let value = integer(node, "'healthy_after'", in: 1...100) {
      result.healthyAfter = value
    }
    if let node = section["unhealthy_after"], let value = integer(node, "'unhealthy_after'", in: 1...100) {
      result.unhealthyAfter = value
    }
    return result
  }

  /// What is asked and what is wanted of the answer.
  private func readQuestion(_ section: Section, of check: inout HealthCheck) {
    let owners: [(key: String, kinds: [HealthCheck.Kind])] = [
      ("path", [.http]), ("status", [.http]), ("body", [.http]), ("host", [.http, .grpc]), ("service", [.grpc]),
    ]
    for (key, kinds) in owners where section.has(key) && !kinds.contains(check.kind) {
      let wanted = alternatives(kinds.map(\.rawValue))
      error(section.keyPlace(key), "'\(key)' belongs to a check of the type \(wanted): remove it, or write that type")
    }
    if let node = section["path"], let path = line(node, "'path'") {
      if path.utf8.first == UInt8(ascii: "/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
        check.path = path
      } else {
        error(node.place, "'path' begins with '/' and has no spaces, and what is not ASCII is percent-encoded")
      }
    }
    if let node = section["host"], let host = line(node, "'host'") {
      if host.utf8.allSatisfy({ $0.isAlphanumeric || "-._:[]".utf8.contains($0) }) {
        check.host = host.lowercased()
      } else {
        error(node.place, "'host' is a name or an address, with a port or without, not \(node.kind)")
      }
    }
    if let node = section["status"] { check.statuses = statuses(node, "'status'") ?? check.statuses }
    if let node = section["body"] {
      check.body = line(node, "'body'")
      // LIMIT: what is looked for in an answer.
      if let body = check.body, body.utf8.count > 1024 { error(node.place, "'body' has at most 1024 bytes") }
    }
    if let node = section["service"], let service = line(node, "'service'") {
      if service.utf8.count <= 256 {
        check.service = service
      } else {
        error(node.place, "'service' has at most 256 bytes")
      }
    }
  }

  private func ejection(_ node: SourceNode) -> Ejection? {
    guard let section = Section(node, .eject, self, example: "{ errors: 5, for: 10s }") else { return nil }
    var result = Ejection()
    if let node = section["errors"], let value = integer(node, "'errors'", in: 1...10_000) { result.errors = value }
    if let node = section["for"], let value = duration(node, "'for'", from: "100ms", to: "1h") {
      result.duration = value
      result.longestDuration = max(value, result.longestDuration)
    }
    if let node = section["max_for"], let value = duration(node, "'max_for'", from: "100ms", to: "24h") {
      result.longestDuration = value
      if value < result.duration { error(node.place, "'max_for' is shorter than 'for': write a longer time") }
    }
    if let node = section["max_share"], let value = percent(node, "'max_share'", in: 1...100) {
      result.maxShare = value
    }
    if let node = section["on"], let items = list(node, "'on'") {
      result.failures = []
      let words = ServerFailure.allCases.map(\.rawValue)
      for item in items {
        if case .scalar(let scalar) = item.content, let failure = ServerFailure(rawValue: scalar.text) {
          result.failures.append(failure)
        } else if let range = statusRange(item) {
          result.statuses.append(range)
        } else {
          error(item.place, "'on' has \(alternatives(words + ["a status such as 503 or 500-599"])), not \(item.kind)")
        }
      }
    }
    return result
  }

  /// A list of status codes and ranges of them.
  private func statuses(_ node: SourceNode, _ what: String) -> [ClosedRange<Int>]? {
    guard let items = list(node, what) else { return nil }
    return items.compactMap { item in
      let range = statusRange(item)
      if range == nil {
        error(item.place, "\(what) has codes from 200 to 599 and ranges of them such as 200-299, not \(item.kind)")
      }
      return range
    }
  }

  /// `204` or `200-299`.
  private func statusRange(_ node: SourceNode) -> ClosedRange<Int>? {
    guard case .scalar(let scalar) = node.content else { return nil }
    let ends = scalar.text.split(separator: "-", omittingEmptySubsequences: false).map { decimal(String($0)) }
    guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last, first >= 200,
      last <= 599
    else { return nil }
    return first...last
  }
}
