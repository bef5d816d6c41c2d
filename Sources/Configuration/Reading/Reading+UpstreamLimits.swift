// `max_requests:`, `max_requests_per_server:`, `queue:` and `adaptive:` of an upstream.

extension Reading {
  func readRequestLimits(_ section: Section, of upstream: inout Upstream) {
    if let node = section["max_requests"] { upstream.maxRequests = integer(node, "'max_requests'", in: 1...1_000_000) }
    if let node = section["max_requests_per_server"] {
      upstream.maxRequestsPerServer = integer(node, "'max_requests_per_server'", in: 1...1_000_000)
    }
    if let node = section["adaptive"] { upstream.adaptiveLimit = adaptiveLimit(node) }
    if let node = section["queue"] {
      upstream.queue = requestQueue(node)
      if !["max_requests", "max_requests_per_server", "adaptive"].contains(where: section.has) {
        error(section.keyPlace("queue"), "nothing waits in a 'queue' without a limit: write max_requests beside it")
      }
    }
  }

  private func requestQueue(_ node: SourceNode) -> RequestQueue? {
    guard let section = Section(node, .queue, self, example: "{ length: 100, timeout: 1s }") else { return nil }
    var result = RequestQueue()
    if let node = section["length"], let value = integer(node, "'length'", in: 1...10_000) { result.length = value }
    if let node = section["timeout"], let value = duration(node, "'timeout'", from: "100ms", to: "5m") {
      result.timeout = value
    }
    return result
  }

  private func adaptiveLimit(_ node: SourceNode) -> AdaptiveLimit? {
    guard let section = Section(node, .adaptive, self, example: "{ minimum: 10, maximum: 1000 }") else { return nil }
    var result = AdaptiveLimit()
    if let node = section["minimum"], let value = integer(node, "'minimum'", in: 1...1_000_000) {
      result.minimum = value
    }
    if let node = section["maximum"], let value = integer(node, "'maximum'", in: 1...1_000_000) {
      result.maximum = value
    }
    if let node = section["tolerance"], let value = percent(node, "'tolerance'", in: 100...1000) {
      result.tolerance = value
    }
    if result.minimum > result.maximum {
      error(section.place, "the 'minimum' of 'adaptive' is above its 'maximum': write a smaller one")
    }
    return result
  }
}
