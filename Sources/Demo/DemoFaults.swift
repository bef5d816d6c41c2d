// What the demo's issuer does wrong when it is asked to, so that one can see what the gateway makes of it.

/// Set by `POST /faults?NAME=VALUE`, and taken back by `POST /faults` alone.
struct DemoFaults: Sendable, Equatable {
  /// Of the answer to the browser: `missing` or `wrong`.
  var issuer: String?
  /// Of an ID token: `nonce`, `aud`, `azp`, `at_hash`, `iss`, `acr`, `auth_time`, `max_age`, `expired`, `forged` or
  /// `missing`.
  var idToken: String?
  /// Of the token end point: a status, `html`, `invalid_grant`, or `silent`, which answers only after ten seconds.
  var token: String?
  /// The same, of refreshes only.
  var refresh: String?
  /// Of access tokens.
  var expiresInSeconds: Int64?

  static let names = "iss, id_token, token, refresh, expires_in"

  /// - Returns: nil where a name is none of these.
  init?(_ parameters: [(name: String, value: String)]) {
    for (name, value) in parameters {
      switch name {
      case "iss": issuer = value
      case "id_token": idToken = value
      case "token": token = value
      case "refresh": refresh = value
      case "expires_in": expiresInSeconds = Int64(value)
      default: return nil
      }
    }
  }

  init() {}
}

/// How often the token end point was asked, for those who want to see that a session is refreshed once.
struct DemoCalls: Sendable {
  var codes = 0
  var refreshes = 0
  /// How the client proved itself the last time.
  var authentication = "none"
}
