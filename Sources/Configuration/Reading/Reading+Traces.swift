// `traces:`, with what its collector's URL and headers may be.

extension Reading {
  /// What the keys of `traces` require of each other.
  func finish(_ traces: inout Traces, _ section: Section) {
    guard let node = section["endpoint"], case .success(let url) = WebURL.parse(traces.endpoint) else { return }
    if !url.isSecure, !url.isLoopback, !traces.headers.isEmpty {
      warn(
        node.position,
        "anyone on the way to \(url.host.quoted) can read 'headers' over plain http: write https:// for a secret")
    }
  }

  fileprivate func tracesEndpoint(_ node: SourceNode, _ what: String) -> String? {
    guard let text = line(node, what) else { return nil }
    switch WebURL.parse(text) {
    case .failure(let problem):
      error(node.position, "\(what): \(problem.message)")
      return nil
    case .success(let url):
      if url.pathAndQuery.contains("?") {
        error(node.position, "\(what): \(text.withoutURLSecrets.quoted) has a query: write it as 'headers'")
        return nil
      }
      let base = text.hasSuffix("/") ? String(text.dropLast()) : text
      if text.dropLast(url.pathAndQuery.count).hasSuffix(":4317") {
        warn(node.position, "4317 is usually the port of OTLP over gRPC, and the gateway speaks HTTP: try 4318")
      }
      return base.hasSuffix("/v1/traces") ? base : base + "/v1/traces"
    }
  }

  fileprivate func exportHeaders(_ node: SourceNode, _ what: String) -> [Traces.Header]? {
    guard let entries = entries(node, what, example: "headers: { Authorization: file:/run/secrets/collector }") else {
      return nil
    }
    var result: [Traces.Header] = []
    for entry in entries {
      if let problem = problem(ofExportHeader: entry.key, after: result) {
        error(entry.keyPosition, problem)
        continue
      }
      guard let (value, _) = headerValue(of: entry) else { continue }
      result.append(Traces.Header(name: entry.key, value: value))
    }
    return result
  }

  private func problem(ofExportHeader name: String, after others: [Traces.Header]) -> String? {
    if let problem = FieldRules.problem(ofRuleName: name) { return problem }
    let folded = FieldRules.folded(name)
    if ["content-type", "content-encoding", "accept", "user-agent"].contains(folded) {
      return "\(name.quoted) is written by the gateway: remove it"
    }
    if others.contains(where: { FieldRules.folded($0.name) == folded }) { return "\(name.quoted) is there twice" }
    return nil
  }
}

// MARK: Values

extension ValueType where Value == String {
  static let tracesEndpoint = ValueType(.text("URL")) { node, reading, what in reading.tracesEndpoint(node, what) }
}

extension ValueType where Value == [Traces.Header] {
  static let exportHeaders = ValueType(.texts("header: value")) { node, reading, what in
    reading.exportHeaders(node, what)
  }
}
