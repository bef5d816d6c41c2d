// `request_headers:` and `response_headers:`: what the file changes of a message's fields.

package struct HeaderRules: Sendable, Equatable {
  package struct Field: Sendable, Equatable {
    package var name: String
    /// As it is sent, unless there is a template.
    package var value: String
    /// The value with the route's segments in it. Empty where there are none.
    package var template: [TemplatePart] = []

    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Replaces every field of that name.
  package var set: [Field] = []
  /// Appended beside fields of that name.
  package var add: [Field] = []
  /// Lower case.
  package var remove: [String] = []

  package init() {}
}

extension HeaderRules {
  /// In lower case: fields that say what an answer of the gateway's own is, and those that describe the content of
  /// another. No rule changes them there: a refusal must not be cached for a year, or pass for a picture.
  private static let ofContent: Set<String> = [
    "accept-ranges", "age", "allow", "cache-control", "content-disposition", "content-encoding", "content-language",
    "content-location", "content-range", "content-type", "date", "etag", "expires", "grpc-message", "grpc-status",
    "last-modified", "location", "retry-after", "sec-websocket-protocol", "sec-websocket-version", "www-authenticate",
    "x-error-code",
  ]

  /// Whether a rule for the field changes only what an upstream answers.
  package static func isOfContent(_ name: String) -> Bool { ofContent.contains(name.lowercased()) }

  /// What counts for answers that the gateway makes for reasons of its own.
  package var ofOwnAnswers: HeaderRules {
    var rules = HeaderRules()
    rules.set = set.filter { !Self.isOfContent($0.name) }
    rules.add = add.filter { !Self.isOfContent($0.name) }
    return rules
  }
}
