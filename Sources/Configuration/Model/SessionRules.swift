// Sessions: a cookie in the caller's browser that is a name on the gateway's list.

package import Tokens

/// One of `sessions:`.
package struct SessionRules: Sendable, Equatable {
  /// The name in the file, in logs and in routes.
  package var name: String
  package var store = SessionStore.memory
  package var cookie = SessionCookie()
  /// A session that no request used for so long has ended.
  package var idleTimeout = Duration.minutes(30)
  /// From its beginning on, whether it is used or not.
  package var lifetime = Duration.hours(12)
  /// How long a worker goes on with what the store has said.
  package var cache = Duration.seconds(30)
  /// nil where nobody gets a session for a token.
  package var exchange: SessionExchange?
  /// nil where nobody signs in.
  package var login: SessionLogin?
  /// The claims that a page may read of its session.
  package var shownClaims = [ClaimPath("sub")]

  package init(name: String) { self.name = name }
}

/// Where the list is.
package enum SessionStore: Sendable, Equatable {
  /// In this process, and lost with it.
  case memory
  /// An index into ``GatewayConfiguration/stores``.
  case redis(Int)
}

package struct SessionCookie: Sendable, Equatable {
  package enum SameSite: String, Sendable, CaseIterable {
    case lax, strict, none
  }

  package var name = "__Host-session"
  package var sameSite = SameSite.lax
}

/// `exchange:` of a session: a session for a token.
package struct SessionExchange: Sendable, Equatable {
  package var path: PathPattern
  /// Indices into ``GatewayConfiguration/issuers``, at least one.
  package var issuers: [Int]
  package var cors: CORS?
  /// nil where a page gets none.
  package var pass: SessionPass?
}

/// What the gateway does at the paths of a session. The raw values are for the operator.
package enum SessionAction: String, Sendable {
  /// A new session for the caller of a token.
  case begin
  case show
  case end
  /// A token that the gateway signs about the session's caller.
  case pass = "token"
  /// Sends the browser to the provider.
  case signIn = "sign-in"
  /// The provider has sent the browser back.
  case callback
  case signOut = "sign-out"
  /// The provider ends sessions.
  case backChannel = "back-channel"
}

extension SessionRules {
  static let settings = Settings<SessionRules>(
    "sessions{}", title: "a session", example: "{ store: memory, exchange: { path: /session, issuers: [login] } }",
    blank: SessionRules(name: ""), finish: { rules, section in section.reading.check(rules, section) },
    [
      Setting(
        "store", \.store, .sessionStore,
        "Where the sessions are kept: a name of `redis`, for all gateways that have it. `memory` is this process: they "
          + "are lost when it ends, and another gateway does not know them.", required: "write store: memory"),
      Setting("cookie", \.cookie, .mapping(SessionCookie.settings), "The cookie."),
      Setting(
        "idle_timeout", \.idleTimeout, .wholeSeconds(from: .seconds(1), to: .days(365)),
        "A session that was not used for so long has ended. A tenth of it is the exactness."),
      Setting(
        "lifetime", \.lifetime, .wholeSeconds(from: .seconds(1), to: .days(3650)),
        "After this time it ends, used or not."),
      Setting(
        "cache", \.cache, .wholeSeconds(from: .zero, to: .hours(1)),
        "How long each worker may remember a session, at most a tenth of `idle_timeout`. One that ends is forgotten at "
          + "once. `0s` asks the store for each request."),
      Setting(
        "exchange", \.exchange, .mapping(SessionExchange.settings), "How a client gets a session for a token.",
        otherwise: "none"),
      Setting(
        "login", \.login, .mapping(SessionLogin.settings), "How people sign in at an OpenID provider.",
        otherwise: "none"),
      Setting(
        "me", \.shownClaims, .shownClaims, "The claims that a page may read of its session."),
    ])
}

extension SessionCookie {
  static let settings = Settings<SessionCookie>(
    "sessions{}.cookie", title: "'cookie'", example: "cookie: { name: __Host-session }", blank: SessionCookie(),
    finish: { cookie, section in section.reading.check(cookie, section) },
    [
      Setting(
        "name", \.name, .sessionCookieName,
        "`__Host-` in front has browsers take it from this host only. It is always `Secure`, `HttpOnly` and `Path=/`."),
      Setting("same_site", \.sameSite, .choice, "From which sites' pages browsers send it."),
    ])
}

extension SessionExchange {
  static let settings = Settings<SessionExchange>(
    "sessions{}.exchange", title: "'exchange'", example: "exchange: { path: /session, issuers: [login] }",
    blank: SessionExchange(path: PathPattern(segments: [], isPrefix: false, hasTrailingSlash: false), issuers: []),
    finish: { exchange, section in section.reading.finish(&exchange, section) },
    [
      Setting(
        "path", \.path, .sessionPath,
        "On each host where a route takes the session. POST with a token begins one, GET shows it, DELETE ends it.",
        required: "write path: /session"),
      Setting(
        "issuers", \.issuers, .issuerNames, "Whose tokens may be exchanged for a session.",
        required: "write issuers: [NAME]"),
      Setting("cors", \.cors, .mapping(CORS.settings), "Which pages of other origins may do so."),
      Setting(
        "token", .boolean,
        "Whether POST to `path` with `/token` behind it answers the page of a session with a short pass, for an API "
          + "elsewhere. Requires `assertion` and `audience`.",
        otherwise: "`false`",
        store: { exchange, isOn in exchange.pass = isOn ? SessionPass(signer: 0, audience: "") : nil }),
      Setting(
        "assertion", .assertionName, "Which of `assertions` signs the pass.", otherwise: "none",
        store: { exchange, signer in exchange.pass?.signer = signer }),
      Setting(
        "audience", .line(), "What `aud` of the pass says: the API's own name.", otherwise: "none",
        store: { exchange, audience in exchange.pass?.audience = audience }),
    ])
}
