// What the access log may take from requests, by what the routes say of them.

extension Reading {
  /// T59: no place where a route looks for a token is in the log, whichever route the request is for.
  func checkLoggedValues(_ routes: [LocatedRoute]) {
    // A route that was refused may have any segment.
    let isComplete = errorCount == 0
    for logged in names.loggedValues {
      if let located = routes.first(where: { $0.route.looksForToken(in: logged.value) }) {
        error(
          logged.position,
          "\(logged.text.quoted) is where the route on line \(located.position.line) looks for a token, which the "
            + "access log must not contain: remove it")
        continue
      }
      switch logged.value {
      case .segment(let name): if isComplete { checkSegment(name, logged, routes) }
      case .request(.tls) where !names.hasClientCertificates:
        error(
          logged.position,
          "no listener asks clients for a certificate: write client_certificates and client_ca in a listener's 'tls'")
      case .request(.header(let name)): checkLogged(header: name, logged, routes)
      case .request(.query(let name)):
        if soundsSecret(name) { warn(logged.position, "\(logged.text.quoted) \(Self.secretAdvice)") }
      case .request: break
      }
    }
  }

  private func checkSegment(_ name: String, _ logged: Names.LoggedValue, _ routes: [LocatedRoute]) {
    let known = Set(
      routes.flatMap { $0.route.path.segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } } })
    if known.contains(name) { return }
    let advice = nearestName(to: name, among: known.sorted()).map { "did you mean 'path:\($0)'?" } ?? "remove it"
    error(logged.position, "no route's path has a segment \("{\(name)}".quoted): \(advice)")
  }

  private func checkLogged(header name: String, _ logged: Names.LoggedValue, _ routes: [LocatedRoute]) {
    let folded = FieldRules.folded(name)
    let headers = routes.flatMap(\.route.identity.headers)
    if let header = headers.first(where: { FieldRules.folded($0.name) == folded }) {
      let advice = if case .claim(let path) = header.source { ": write claim:\(path)" } else { "" }
      warn(logged.position, "\(logged.text.quoted) would be what the client claims, not who it is\(advice)")
    } else if soundsSecret(name) {
      warn(logged.position, "\(logged.text.quoted) \(Self.secretAdvice)")
    }
  }

  private static let secretAdvice = "may be a secret, which everyone who reads the access log would see"

  private func soundsSecret(_ name: String) -> Bool {
    let words = ["token", "secret", "password", "passwd", "apikey", "authorization", "cookie", "session", "signature"]
    let folded = FieldRules.folded(name)
    return words.contains(where: folded.contains) || folded.hasSuffix("api-key")
  }
}

extension Route {
  /// Names as a lenient service reads them.
  fileprivate func looksForToken(in value: LoggedValue) -> Bool {
    guard case .token(let requirement) = auth, case .request(let value) = value else { return false }
    return requirement.sources.contains { source in
      switch (source, value) {
      case (.value(.header(let own)), .header(let name)), (.value(.query(let own)), .query(let name)):
        FieldRules.folded(own) == FieldRules.folded(name)
      default: false
      }
    }
  }
}
