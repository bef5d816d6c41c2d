// Logins at the demo's issuer: codes that count once, and refresh tokens that are replaced with each use. One that is
// used again ends all that came from its login, as a careful provider does it (RFC 9700 §4.14.2).

internal import Cryptography
internal import Tokens

/// What a browser asked for and who signed in.
struct DemoLogin: Sendable, Equatable {
  var clientID: String
  var redirectURI: String
  /// Of the verifier, by S256.
  var challenge: String
  var nonce: String?
  var scope: String
  var subject: String
  /// How strongly the person signed in, where the client asked for it.
  var context: String?
  /// The provider's name of the session.
  var session: String
  /// Seconds since 1970.
  var signedInAt: Int64
  /// Whether the client asked how long ago that was.
  var isSignInTimeWanted = false
}

struct DemoLogins: Sendable {
  /// LIMIT: logins that are remembered. Behind them the oldest is forgotten, and with it its refresh tokens.
  private static let countMax = 1000
  private static let codeLifetimeSeconds: Int64 = 60

  private var codes: [String: DemoLogin] = [:]
  private var logins: [String: DemoLogin] = [:]
  /// Sessions in the order in which they began.
  private var order: [String] = []
  private var refreshTokens: [String: (session: String, isUsed: Bool)] = [:]

  /// A code for the client, and the login behind it.
  mutating func signIn(_ login: DemoLogin) -> String? {
    guard let code = RandomText.make() else { return nil }
    codes[code] = login
    logins[login.session] = login
    order.append(login.session)
    if order.count > Self.countMax { end(session: order[0]) }
    return code
  }

  /// - Returns: nil where the code is unknown, late, of another client or place, or not this browser's. It is of no
  ///   more use either way.
  mutating func redeem(
    _ code: String, clientID: String, redirectURI: String, verifier: String, now: Int64
  ) -> DemoLogin? {
    guard let login = codes.removeValue(forKey: code), logins[login.session] != nil else { return nil }
    let digest = SHA256.digest(verifier.utf8.span)
    let challenge = String(decoding: Base64URL.encode(digest.span), as: UTF8.self)
    guard login.clientID == clientID, login.redirectURI == redirectURI, login.challenge == challenge,
      now - login.signedInAt <= Self.codeLifetimeSeconds
    else { return nil }
    return login
  }

  mutating func issueRefreshToken(for login: DemoLogin) -> String? {
    guard let token = RandomText.make() else { return nil }
    refreshTokens[token] = (login.session, false)
    return token
  }

  /// - Returns: nil where the token is unknown, of another client, or was used before.
  mutating func refresh(_ token: String, clientID: String) -> DemoLogin? {
    guard let known = refreshTokens[token], let login = logins[known.session], login.clientID == clientID else {
      return nil
    }
    if known.isUsed {
      end(session: known.session)
      return nil
    }
    refreshTokens[token] = (known.session, true)
    return login
  }

  mutating func end(session: String) {
    logins[session] = nil
    order.removeAll { $0 == session }
    refreshTokens = refreshTokens.filter { $0.value.session != session }
    codes = codes.filter { $0.value.session != session }
  }

  /// Sessions of a person.
  func sessions(of subject: String) -> [DemoLogin] { order.compactMap { logins[$0] }.filter { $0.subject == subject } }
}
