// Why a refresh brought no keys. The codes are the public contract: `catraca_jwks_refresh_total{result=…}`, /status,
// logs.

/// A refresh that changed nothing: the last good set goes on serving (T23).
package enum RefreshFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// No document came.
  case fetch(FetchError)
  /// A document arrived that is not JSON, such as an error page or half a key set.
  case notJSON
  /// JSON that is not a key set, or one with too many keys.
  case keySetInvalid(String)
  /// A key set without one key that the issuer's algorithms could use. The text says why.
  case noUsableKey(String)
  /// A discovery document without a usable `jwks_uri`.
  case discoveryInvalid(String)
  /// The discovery document speaks for someone else (OpenID Connect Discovery 1.0 §4.3, RFC 8414 §3.3).
  case issuerMismatch(expected: String, got: String)
  /// http where https is needed, or an address next door that a public issuer named (T24, T25).
  case urlNotAllowed(String)
  /// The key file, or the one with the token for the fetch, cannot be read. The text is the system's.
  case fileUnreadable(String)

  /// A stable word for metrics.
  package var code: String {
    switch self {
    case .fetch(let error): error.code
    case .notJSON: "not_json"
    case .keySetInvalid: "key_set_invalid"
    case .noUsableKey: "no_usable_key"
    case .discoveryInvalid: "discovery_invalid"
    case .issuerMismatch: "issuer_mismatch"
    case .urlNotAllowed: "url_not_allowed"
    case .fileUnreadable: "file_unreadable"
    }
  }

  package var description: String {
    switch self {
    case .fetch(let error): error.description
    case .keySetInvalid(let reason), .noUsableKey(let reason), .discoveryInvalid(let reason),
      .urlNotAllowed(let reason),
      .fileUnreadable(let reason):
      "\(code)(\(reason))"
    // LIMIT: a name of somebody else's is cut.
    case .issuerMismatch(let expected, let got): "\(code)(expected '\(expected)', got '\(got.prefix(200))')"
    case .notJSON: code
    }
  }
}

/// What a caller that met an unknown key id gets to know.
package enum RefreshOutcome: Sendable, Equatable {
  /// A load went well: the published set is as new as it gets.
  case refreshed
  case failed(RefreshFailure)
  /// Nothing was fetched: it was tried a moment ago, or there is nothing to fetch. Use the set that there is.
  case notNow
}
