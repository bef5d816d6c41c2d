// `request_id:`: the header that has a request's id on its whole way, and whose ids are kept.

/// `request_id:`. Without it, only the gateway's own refusals tell the client the id.
package struct RequestIDRules: Sendable, Equatable {
  /// Whose requests keep the id that they come with.
  package enum Trust: String, Sendable, CaseIterable {
    case anyone
    case trustedProxies = "trusted_proxies"
    case nobody
  }

  package static let standardHeader = "X-Request-Id"

  /// As written in the file: the case is kept on the wire.
  package var header = Self.standardHeader
  package var trust = Trust.anyone

  package init() {}
}

extension RequestIDRules {
  static let settings = Settings<RequestIDRules>(
    "request_id", title: "'request_id'", example: "request_id: { trust: trusted_proxies }", blank: RequestIDRules(),
    [
      Setting(
        "header", \.header, .requestIDHeader, "The header that has the id, in requests and in responses."),
      Setting("trust", \.trust, .choice, "Whose ids are kept. Other requests get a new one."),
    ])
}

extension ValueType where Value == String {
  fileprivate static let requestIDHeader = ValueType(
    .text("header"), write: { .text($0) },
    read: { node, reading, what in
      guard let name = reading.line(node, what) else { return nil }
      if FieldRules.folded(name) == "x-request-id" { return RequestIDRules.standardHeader }
      if let problem = FieldRules.problem(ofRuleName: name) {
        reading.error(node.position, problem)
        return nil
      }
      if FieldRules.problem(ofIdentityName: name) != nil {
        reading.error(node.position, "\(name.quoted) is a standard header: write a name such as X-Correlation-Id")
        return nil
      }
      return name
    })
}
