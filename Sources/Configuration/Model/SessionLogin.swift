// `login:` of a session: people sign in at an OpenID provider, and have the session then.

package struct SessionLogin: Sendable, Equatable {
  /// Index into ``GatewayConfiguration/issuers``: the provider.
  package var issuer: Int
  package var clientID: String
  package var clientSecret: String?
  /// PEM file of the key that the client signs with. With neither, PKCE alone protects a public client.
  package var privateKey: String?
  /// `openid` among them.
  package var scopes = ["openid", "profile"]
  /// How long before a login a person may have signed in at the provider.
  package var maxAgeSeconds: Int64?
  package var paths = LoginPaths()
  /// Where a browser goes that has come without a place to return to. A path.
  package var afterLogin = "/"
  package var afterLogout = "/"
  /// Whether the provider's tokens are renewed while the session lives.
  package var refresh = false
  package var forward = TokenForwarding.none

  package init(issuer: Int, clientID: String) {
    self.issuer = issuer
    self.clientID = clientID
  }
}

/// What services get of the provider's tokens.
package enum TokenForwarding: String, Sendable, CaseIterable {
  case none
  case accessToken = "access_token"
}

/// Where a login has its places, on each host where a route takes the session.
package struct LoginPaths: Sendable, Equatable {
  package var start = PathPattern.literal("login")
  package var callback = PathPattern.literal("login", "callback")
  package var logout = PathPattern.literal("logout")
  package var backChannel = PathPattern.literal("login", "back-channel")
  package var me = PathPattern.literal("login", "me")

  package init() {}

  /// All of them, with what happens there.
  var actions: [(action: SessionAction, path: PathPattern, methods: [String])] {
    [
      (.signIn, start, ["GET", "HEAD"]), (.callback, callback, ["GET"]), (.signOut, logout, ["GET", "POST"]),
      (.backChannel, backChannel, ["POST"]), (.show, me, ["GET", "HEAD"]),
    ]
  }
}

extension PathPattern {
  fileprivate static func literal(_ segments: String...) -> PathPattern {
    PathPattern(segments: segments.map { .literal($0) }, isPrefix: false, hasTrailingSlash: false)
  }
}

extension SessionLogin {
  static let settings = Settings<SessionLogin>(
    "sessions{}.login", title: "'login'", example: "login: { issuer: staff, client_id: shop-web }",
    blank: SessionLogin(issuer: 0, clientID: ""), finish: { login, section in section.reading.check(login, section) },
    [
      Setting(
        "issuer", \.issuer, .issuerName,
        "The provider, one of `issuers`. Its discovery document says where people sign in, and its keys check the ID "
          + "token.",
        required: "write issuer: NAME"),
      Setting(
        "client_id", \.clientID, .line(), "The client's name at the provider.", required: "write client_id: NAME"),
      Setting(
        "client_secret", \.clientSecret, .secret,
        "The client's secret. Write `file:/path` for a secret. It goes into Authorization, or into the form where the "
          + "provider takes it nowhere else.",
        otherwise: "none"),
      Setting(
        "private_key", \.privateKey, .file("PEM file") { .signingKey($0) },
        "The client's key, with which it signs a statement of a minute in place of a secret (`private_key_jwt`). The "
          + "provider has the public half, under its RFC 7638 thumbprint. The file is read each time.",
        otherwise: "none: with neither, a public client"),
      Setting("scopes", \.scopes, .names("list", item: "a scope"), "What is asked for. `openid` is one of them."),
      Setting(
        "max_age", \.maxAgeSeconds, .seconds(from: .zero, to: .days(365)),
        "How long before a login a person may have signed in at the provider. The provider asks for the password once "
          + "more behind that, and its ID token must say so (`auth_time`). `0s` asks each time.",
        otherwise: "the provider decides"),
      Setting("paths", \.paths, .mapping(LoginPaths.settings), "Where the login has its places."),
      Setting(
        "after_login", \.afterLogin, .localPath, "Where a browser goes that did not come from a page of this host."),
      Setting("after_logout", \.afterLogout, .localPath, "Where a browser goes after it has signed out."),
      Setting(
        "refresh", \.refresh, .boolean,
        "Whether the provider's tokens are renewed while the session is used. The session then ends when the provider "
          + "refuses that."),
      Setting(
        "forward", \.forward, .choice,
        "What services get in `Authorization`: `access_token` is the provider's, as a bearer token. The client's own "
          + "field is removed then."),
    ])
}

extension LoginPaths {
  static let settings = Settings<LoginPaths>(
    "sessions{}.login.paths", title: "'paths'", example: "paths: { start: /login }", blank: LoginPaths(),
    [
      Setting(
        "start", \.start, .sessionPath, "Sends the browser to the provider. `?return_to=/path` is where to go then."),
      Setting(
        "callback", \.callback, .sessionPath,
        "Where the provider sends the browser back: `https://HOST` and this path are the redirect URI to register."),
      Setting("logout", \.logout, .sessionPath, "Ends the session, here and at the provider."),
      Setting(
        "back_channel", \.backChannel, .sessionPath,
        "Where the provider posts that a person has signed out there (OpenID Connect Back-Channel Logout 1.0)."),
      Setting("me", \.me, .sessionPath, "Shows the session's `me` as JSON."),
    ])
}
