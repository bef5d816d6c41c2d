// What templates of a route may take from a request, and which headers they may write.

import Tokens

extension Reading {
  /// Checks the values in a route's templates against what the route knows of a request.
  func checkTemplates(_ route: Route, section: Section) {
    for rules in [route.requestHeaders.set, route.requestHeaders.add] {
      for field in rules { check(field.template, of: "request_headers", in: route, section) }
    }
    for rules in [route.responseHeaders.set, route.responseHeaders.add] {
      for field in rules { check(field.template, of: "response_headers", in: route, section) }
    }
    check(route.rewrite.path, of: "rewrite", in: route, section)
    if case .redirect(let redirect) = route.action { check(redirect.template, of: "redirect", in: route, section) }
  }

  private func check(_ parts: [TemplatePart], of key: String, in route: Route, _ section: Section) {
    for case .value(let value) in parts {
      // Without claims the header is left out, as it is for a request without this one.
      if case .claim = value, self.route.isPublic, self.route.inherited.contains(key) { continue }
      if let problem = problem(of: value, in: route) { error(section.keyPosition(key), problem) }
    }
  }

  private func problem(of value: RequestValue, in route: Route) -> String? {
    var sources: [TokenSource] = []
    if case .token(let requirement) = route.auth { sources = requirement.sources }
    switch value {
    case .claim(let path) where self.route.isPublic:
      return "a route with 'auth: public' verifies no token: the claim \(path.description.quoted) is not available"
    case .tls where !names.hasClientCertificates:
      return "no listener asks clients for a certificate: write client_certificates and client_ca in a listener's 'tls'"
    case .header(let name) where ["authorization", "proxy-authorization", "cookie"].contains(name):
      return "\(name.quoted) contains credentials, which a template must not copy"
        + (name == "cookie" ? ": write cookie:NAME" : ": remove it")
    case .header(let name) where sources.contains(where: { $0.isHeader(named: name) }),
      .cookie(let name) where sources.contains(.value(value)), .query(let name) where sources.contains(.value(value)):
      return "\(name.quoted) contains this route's token, which a template must not copy: write forward_token: true"
    case .cookie(let name) where names.sessions.contains(where: { $0.rules?.cookie.name == name }):
      return "\(name.quoted) is the cookie of a session, which a template must not copy: remove it"
    case .clientIP, .claim, .cookie, .header, .query, .tls: return nil
    }
  }

  /// T60: an identity header says what was verified, on every route, so no template may write into one what the client
  /// chose.
  func checkTemplatesOfIdentity(_ routes: [LocatedRoute], identity: [String: String]) {
    for located in routes {
      let rules = located.route.requestHeaders
      for field in rules.set + rules.add {
        guard let name = identity[FieldRules.folded(field.name)] else { continue }
        let isChosen = field.template.contains { part in
          switch part {
          case .text: false
          case .value(let value): !value.isVerified
          case .parameter, .rest, .host: true
          }
        }
        if isChosen {
          error(
            located.requestHeadersPosition ?? located.position,
            "\(name.quoted) is an identity header: its template must not use what the client chose")
        }
      }
    }
  }
}

extension TokenSource {
  /// Names as a lenient service reads them.
  fileprivate func isHeader(named name: String) -> Bool {
    if case .value(.header(let own)) = self { FieldRules.folded(own) == FieldRules.folded(name) } else { false }
  }
}
