// Values of `health_check:` and `eject:` of an upstream, and what their keys ask of each other.

extension Reading {
  /// Keys that only some kinds of checks have.
  func checkOwners(of section: Section, _ kind: HealthCheck.Kind) {
    let owners: [(key: String, kinds: [HealthCheck.Kind])] = [
      ("path", [.http]), ("status", [.http]), ("body", [.http]), ("host", [.http, .grpc]), ("service", [.grpc]),
    ]
    for (key, kinds) in owners where section.has(key) && !kinds.contains(kind) {
      let expected = alternatives(kinds.map(\.rawValue))
      error(
        section.keyPosition(key), "'\(key)' requires a check of the type \(expected): remove it, or write that type")
    }
  }

  /// What a check asks of its upstream.
  func checkHealth(_ check: HealthCheck, of upstream: Upstream, at node: SourceNode) {
    guard case .mapping(let entries) = node.content else { return }
    for entry in entries {
      if entry.key == "type", check.kind == .grpc, upstream.protocol != .http2 {
        error(entry.value.position, "a gRPC check requires HTTP/2: write protocol: http2 for this upstream")
      }
      if entry.key == "port", check.port != nil, upstream.servers.contains(where: { $0.address.host.isEmpty }) {
        error(entry.value.position, "a server with a unix: address has no 'port': remove it")
      }
    }
  }

  /// `on:` of an ejection: words, and statuses or ranges of them.
  func failures(_ node: SourceNode, of ejection: inout Ejection) -> Bool {
    guard let items = list(node, "'on'") else { return false }
    ejection.failures = []
    let words = ServerFailure.allCases.map(\.rawValue)
    for item in items {
      if case .scalar(let scalar) = item.content, let failure = ServerFailure(rawValue: scalar.text) {
        ejection.failures.append(failure)
      } else if let range = Self.statusRange(item) {
        ejection.statuses.append(range)
      } else {
        let expected = alternatives(words + ["a status such as 503 or 500-599"])
        error(item.position, "'on' must contain \(expected), not \(item.kind)")
      }
    }
    return true
  }

  /// `204` or `200-299`.
  fileprivate static func statusRange(_ node: SourceNode) -> ClosedRange<Int>? {
    guard case .scalar(let scalar) = node.content else { return nil }
    let ends = scalar.text.split(separator: "-", omittingEmptySubsequences: false).map { decimal(String($0)) }
    guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last, first >= 200,
      last <= 599
    else { return nil }
    return first...last
  }
}

extension ValueType where Value == String {
  static let checkPath = ValueType(
    .text("path, with a query or without"), write: { .text($0) },
    read: {
      node, reading, what in
      guard let path = reading.line(node, what) else { return nil }
      if path.utf8.first == UInt8(ascii: "/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) { return path }
      reading.error(
        node.position, "\(what) must begin with '/', and all but visible ASCII must be percent-encoded")
      return nil
    })

  static let checkHost = ValueType(.text("name, with a port or without")) { node, reading, what in
    guard let host = reading.line(node, what) else { return nil }
    if host.utf8.allSatisfy({ $0.isAlphanumeric || "-._:[]".utf8.contains($0) }) { return host.lowercased() }
    reading.error(node.position, "\(what) must be a name or an address, with a port or without, not \(node.kind)")
    return nil
  }

  // LIMIT: what is looked for in an answer.
  static let checkBody = shortLine("text, at most 1024 bytes", byteCount: 1024)
  static let service = shortLine("text", byteCount: 256)

  private static func shortLine(_ words: String, byteCount: Int) -> ValueType {
    ValueType(.text(words)) { node, reading, what in
      guard let text = reading.line(node, what) else { return nil }
      if text.utf8.count <= byteCount { return text }
      reading.error(node.position, "\(what) has at most \(byteCount) bytes")
      return nil
    }
  }
}

extension ValueType where Value == [ClosedRange<Int>] {
  /// A list of status codes and ranges of them.
  static let statuses = ValueType(
    .list(of: .text("text"), "list of codes and ranges", isUnique: false),
    write: { .list($0.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }) },
    read: { node, reading, what in
      reading.list(node, what).map { items in
        items.compactMap { item in
          let range = Reading.statusRange(item)
          if range == nil {
            reading.error(
              item.position, "\(what) must contain codes from 200 to 599 or ranges such as 200-299, not \(item.kind)")
          }
          return range
        }
      }
    })
}
