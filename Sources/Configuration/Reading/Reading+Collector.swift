// What a collector's URL, headers and resource may be.

extension Reading {
  /// What the keys of a collector require of each other.
  func finish(_ collector: Collector, _ section: Section) {
    guard let node = section["endpoint"], case .success(let url) = WebURL.parse(collector.endpoint) else { return }
    if !url.isSecure, !url.isLoopback, !collector.headers.isEmpty {
      warn(
        node.position,
        "anyone on the way to \(url.host.quoted) can read 'headers' over plain http: write https:// for a secret")
    }
  }

  fileprivate func endpoint(_ node: SourceNode, _ what: String, _ signal: Collector.Signal) -> String? {
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
      return base.hasSuffix("/v1/\(signal)") ? base : base + "/v1/\(signal)"
    }
  }

  fileprivate func exportHeaders(_ node: SourceNode, _ what: String) -> [Collector.Header]? {
    guard let entries = entries(node, what, example: "headers: { Authorization: file:/run/secrets/collector }") else {
      return nil
    }
    var result: [Collector.Header] = []
    for entry in entries {
      if let problem = problem(ofExportHeader: entry.key, after: result) {
        error(entry.keyPosition, problem)
        continue
      }
      guard let (value, _) = headerValue(of: entry) else { continue }
      result.append(Collector.Header(name: entry.key, value: value))
    }
    return result
  }

  private func problem(ofExportHeader name: String, after others: [Collector.Header]) -> String? {
    if let problem = FieldRules.problem(ofRuleName: name) { return problem }
    let folded = FieldRules.folded(name)
    if ["content-type", "content-encoding", "accept", "user-agent"].contains(folded) {
      return "\(name.quoted) is written by the gateway: remove it"
    }
    if others.contains(where: { FieldRules.folded($0.name) == folded }) { return "\(name.quoted) is there twice" }
    return nil
  }

  fileprivate func resource(_ node: SourceNode, _ what: String) -> [Collector.Attribute]? {
    guard let entries = entries(node, what, example: "resource: { deployment.environment.name: production }") else {
      return nil
    }
    return entries.compactMap { entry in
      if entry.key == "service.name" {
        error(entry.keyPosition, "'service.name' has a key of its own: write service_name")
        return nil
      }
      if entry.key.isEmpty || entry.key.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) {
        error(entry.keyPosition, "\(entry.key.quoted) is not a valid attribute name: write it without spaces")
        return nil
      }
      return line(entry.value, entry.key.quoted).map { Collector.Attribute(name: entry.key, value: $0) }
    }
  }
}

// MARK: Values

extension ValueType where Value == String {
  static func endpoint(of signal: Collector.Signal) -> ValueType {
    ValueType(.text("URL")) { node, reading, what in reading.endpoint(node, what, signal) }
  }
}

extension ValueType where Value == [Collector.Header] {
  static let exportHeaders = ValueType(.texts("header: value")) { node, reading, what in
    reading.exportHeaders(node, what)
  }
}

extension ValueType where Value == [Collector.Attribute] {
  static let resource = ValueType(.texts("attribute: value")) { node, reading, what in reading.resource(node, what) }
}
