// Whether issuers of well-known providers end in a slash. `iss` is compared byte by byte, so one slash too many or too
// few refuses every token, and only once the keys were asked for.

enum KnownIssuers {
  private struct Provider {
    var name: String
    var endsInSlash: Bool
    /// By the host, and the path with neither its first nor its last slash.
    var isIt: @Sendable (_ host: Substring, _ path: Substring) -> Bool
  }

  private static let providers: [Provider] = [
    Provider(name: "Auth0", endsInSlash: true) { host, path in host.hasSuffix(".auth0.com") && path.isEmpty },
    Provider(name: "Entra v1", endsInSlash: true) { host, _ in host == "sts.windows.net" },
    Provider(name: "Entra", endsInSlash: false) { host, path in
      host == "login.microsoftonline.com" && path.hasSuffix("/v2.0")
    },
    Provider(name: "Google", endsInSlash: false) { host, path in host == "accounts.google.com" && path.isEmpty },
    Provider(name: "Firebase", endsInSlash: false) { host, _ in host == "securetoken.google.com" },
    Provider(name: "Okta", endsInSlash: false) { host, _ in
      host.hasSuffix(".okta.com") || host.hasSuffix(".oktapreview.com")
    },
    Provider(name: "Cognito", endsInSlash: false) { host, _ in
      host.hasPrefix("cognito-idp.") && host.hasSuffix(".amazonaws.com")
    },
    Provider(name: "GitHub Actions", endsInSlash: false) { host, _ in
      host == "token.actions.githubusercontent.com"
    },
    Provider(name: "Keycloak", endsInSlash: false) { _, path in
      let segments = path.split(separator: "/", omittingEmptySubsequences: false)
      return segments.count >= 2 && segments[segments.count - 2] == "realms"
    },
  ]

  /// The issuer as its provider writes it, where the text has a final slash too many or too few.
  static func correction(of issuer: String) -> (provider: String, issuer: String)? {
    guard issuer.hasPrefix("https://"), !issuer.contains(where: { "?#".contains($0) }) else { return nil }
    let rest = issuer.dropFirst("https://".count)
    let end = rest.firstIndex(of: "/") ?? rest.endIndex
    var path = rest[end...].dropFirst()
    if path.hasSuffix("/") { path = path.dropLast() }
    guard let provider = providers.first(where: { $0.isIt(rest[..<end], path) }),
      provider.endsInSlash != issuer.hasSuffix("/")
    else { return nil }
    return (provider.name, provider.endsInSlash ? issuer + "/" : String(issuer.dropLast()))
  }
}
