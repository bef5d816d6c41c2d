// `login:` of a session, and the paths that it adds to the routes.

import Tokens

extension Reading {
  /// What the keys of a login require of each other.
  func check(_ login: SessionLogin, _ section: Section) {
    if let node = section["scopes"], !login.scopes.contains("openid") {
      error(node.position, "a login asks for an ID token: write openid first in 'scopes'")
    }
    if section.has("private_key"), section.has("client_secret") {
      error(
        section.keyPosition("private_key"), "a client shows a secret or signs with a key: remove one of the two")
    }
    var seen: [String: String] = [:]
    let paths = [
      ("start", login.paths.start), ("callback", login.paths.callback), ("logout", login.paths.logout),
      ("back_channel", login.paths.backChannel), ("me", login.paths.me),
    ]
    for (name, path) in paths {
      if let other = seen[path.description] {
        error(
          section["paths"]?.position ?? section.position,
          "'\(name)' and '\(other)' are both \(path.description.shown): write a path of its own for each")
      }
      seen[path.description] = name
    }
  }

  /// What a login requires of the rest of the file.
  func checkLogins(_ file: GatewayConfiguration, _ sessions: SourceNode) {
    for session in file.sessions {
      guard let login = session.login else { continue }
      let position = sessions.entry(session.name)?.value.entry("login")?.keyPosition ?? sessions.position
      if file.secrets.isEmpty {
        error(
          position,
          "a login requires 'secrets', which seal what is under way in the browser: write secrets: "
            + "[file:/path], with the output of 'openssl rand -base64 48' in the file")
      }
      guard file.issuers.indices.contains(login.issuer) else { continue }
      let issuer = file.issuers[login.issuer]
      if issuer.policy.tenants != nil {
        error(
          position, "people sign in at one provider, and \(issuer.name.quoted) has tenants: write an issuer of its own")
      } else if !issuer.policy.issuer.hasPrefix("https://"), !issuer.policy.issuer.hasPrefix("http://") {
        error(
          position,
          "the provider is found by its URL, and the 'issuer' of \(issuer.name.quoted) is not a URL: write https://…")
      }
    }
  }

  /// The routes of a login on one host, without its listeners.
  static func loginRoutes(_ rules: SessionRules, _ index: Int) -> [Route] {
    guard let login = rules.login else { return [] }
    return login.paths.actions.map { action, path, methods in
      var auth = Authentication.public
      if action == .show || action == .signOut {
        var requirement = TokenRequirement(issuers: [])
        requirement.sessions = [index]
        requirement.sources = []
        requirement.isOptional = action == .signOut
        auth = .token(requirement)
      }
      var route = Route(
        name: "session \(rules.name)", path: path, auth: auth, action: .session(action, index))
      route.methods = methods
      // LIMIT: a logout token is some kilobytes long.
      if action == .backChannel { route.bodySize = 32 * 1024 }
      return route
    }
  }

  fileprivate func issuerName(_ node: SourceNode, _ what: String) -> Int? {
    line(node, what).flatMap { issuerReference($0, at: node.position) }
  }

  fileprivate func localPath(_ node: SourceNode, _ what: String) -> String? {
    guard let text = line(node, what) else { return nil }
    let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }
    if text.hasPrefix("/"), !text.hasPrefix("//"), isPlain { return text }
    error(node.position, "\(what) is a path of this host: write /")
    return nil
  }
}

extension ValueType where Value == Int {
  /// Index into the issuers.
  static let issuerName = ValueType(.text("name")) { node, reading, what in reading.issuerName(node, what) }
}

extension ValueType where Value == String {
  /// A path with or without a query, of the host that a client came to.
  static let localPath = ValueType(
    .text("path"), write: { .text($0) }, read: { node, reading, what in reading.localPath(node, what) })
}
