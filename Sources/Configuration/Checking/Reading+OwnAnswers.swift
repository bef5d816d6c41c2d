// What the keys for answers of the gateway's own require of others: `response_headers` at the top, `request_id`, and
// challenges.

extension Reading {
  /// The top of the file has no path and no token that a value could come from.
  func checkOwnAnswers(_ rules: HeaderRules, _ section: Section) {
    checkRepetitions(section)
    guard case .mapping(let entries) = section["set"]?.content else { return }
    let root = PathPattern(segments: [], isPrefix: false, hasTrailingSlash: true)
    for entry in entries {
      if HeaderRules.isOfContent(entry.key) {
        error(entry.keyPosition, "\(entry.key.quoted) belongs to what the gateway answers: remove it")
      } else if names.hasStrictTransport, Self.isStrictTransport(entry.key) {
        error(entry.keyPosition, "a listener's 'hsts' already sets Strict-Transport-Security: remove one")
      } else if let text = entry.value.text,
        let parts = template(text, pattern: root, at: entry.value.position), !isPlain(parts)
      {
        error(
          entry.value.position, "no values of a request are available here: write them in 'response_headers' of routes")
      }
    }
  }

  /// The header of `request_id` is the gateway's in answers, and says nothing else in requests.
  func checkRequestID(_ file: GatewayConfiguration, at position: SourcePosition?) {
    guard let position, let name = file.requestID?.header else { return }
    let folded = FieldRules.folded(name)
    func isNamed(_ rules: HeaderRules) -> Bool {
      (rules.set + rules.add).contains { FieldRules.folded($0.name) == folded }
    }
    for route in file.routes {
      let others = route.identity.headerNames + [route.deadlineHeader].compactMap { $0 }
      if others.contains(where: { FieldRules.folded($0) == folded }) {
        error(position, "\(name.quoted) has another meaning on the route \(route.name.quoted): write another name")
      } else if isNamed(route.responseHeaders) {
        error(
          position,
          "'request_id' sets \(name.quoted) in responses, and so does the route \(route.name.quoted): remove one")
      }
    }
    if isNamed(file.responseHeaders) {
      error(position, "'request_id' and 'response_headers' both set \(name.quoted): remove one")
    }
  }

  /// Refusals have the gateway's own challenge.
  func warnOfChallenge(_ route: Route, section: Section) {
    guard case .token = route.auth, let node = section["response_headers"] else { return }
    let rules = route.responseHeaders
    for field in rules.set + rules.add where field.name.lowercased() == "www-authenticate" {
      warn(
        node.position,
        "\(field.name.quoted) here does not change the gateway's refusals: write 'challenge' in 'auth' for these")
    }
  }
}
