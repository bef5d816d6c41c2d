// Why a request did not pass. The raw values are the public contract: response bodies, access log and metrics carry
// them.

/// The outcome of a check that failed. One case a reason that an operator can act on. Never a detail that helps a
/// forger.
package enum TokenRefusal: String, Sendable, CaseIterable, Error {
  /// No token in any of the route's sources: 401 without an error code (RFC 6750 §3.1).
  case tokenMissing = "token_missing"
  /// Authorization is there with another scheme than Bearer, or with none, and no token is elsewhere: 401 without an
  /// error code.
  case schemeNotBearer = "scheme_not_bearer"
  /// More than one token in a request (RFC 6750 §2), in one source or in two.
  case tokenAmbiguous = "token_ambiguous"
  /// Not a compact JWS of three strict base64url parts with two JSON objects (RFC 7515 §7.1). Also `b64`, duplicate
  /// members, bad UTF-8, too deep.
  case tokenMalformed = "token_malformed"
  /// Longer than the gateway reads.
  case tokenTooLarge = "token_too_large"
  /// `crit` names something (RFC 7515 §4.1.11).
  case criticalHeaderUnknown = "critical_header_unknown"
  /// `typ` is not one of the issuer's (RFC 8725 §3.11).
  case typeNotAllowed = "type_not_allowed"
  /// `alg` is `none`, unknown, or not on the issuer's list.
  case algorithmNotAllowed = "algorithm_not_allowed"
  /// `iss` is missing or not one of the route's issuers.
  case issuerUnknown = "issuer_unknown"
  /// No key of the issuer has the token's `kid` (or, without one, fits its algorithm).
  case keyUnknown = "key_unknown"
  /// The issuer's keys have not been fetched yet: 503.
  case keysUnavailable = "keys_unavailable"
  /// The service that knows the token did not say in time whose it is: 503.
  case introspectionUnavailable = "introspection_unavailable"
  /// The issuer says that it is no token, or none any more.
  case tokenInactive = "token_inactive"
  /// The issuer has taken the token back before its end: 401.
  case tokenRevoked = "token_revoked"
  /// Nobody knows which tokens of the issuer are revoked: 503.
  case revocationUnavailable = "revocation_unavailable"
  /// The route takes sessions, and the request has neither a token nor the cookie of one: 401.
  case sessionMissing = "session_missing"
  /// The session has ended, or never was: 401, and the cookie is taken back.
  case sessionExpired = "session_expired"
  /// The store did not say in time whose the session is: 503.
  case sessionStoreUnavailable = "session_store_unavailable"
  /// The route takes API keys, and the request has none: 401.
  case apiKeyMissing = "api_key_missing"
  /// None of the route's keys: 401.
  case apiKeyInvalid = "api_key_invalid"
  case apiKeyExpired = "api_key_expired"
  /// The store did not say in time whose the key is: 503.
  case apiKeyStoreUnavailable = "api_key_store_unavailable"
  case signatureInvalid = "signature_invalid"
  case tokenExpired = "token_expired"
  /// `nbf` or `iat` lies ahead.
  case tokenNotYetValid = "token_not_yet_valid"
  /// `now - iat` is over the issuer's `max_age`.
  case tokenTooOld = "token_too_old"
  /// A registered claim has the wrong type (`exp` as a string, `1e300`, negative, null).
  case claimInvalid = "claim_invalid"
  case audienceMismatch = "audience_mismatch"
  /// One of the issuer's `required_claims` is absent.
  case claimMissing = "claim_missing"
  /// The token is good but lacks one of the route's scopes: 403.
  case scopeMissing = "scope_missing"
  /// The token is good but one of the route's claims does not hold: 403.
  case claimMismatch = "claim_mismatch"
  /// The session is good, but the person has not signed in as strongly as the route requires: 401 (RFC 9470).
  case authenticationInsufficient = "authentication_insufficient"
  /// The token is bound to its sender, or the route demands that, and what would prove the sender is not there (RFC
  /// 9449 §7, RFC 8705 §3): 401.
  case proofMissing = "proof_missing"
  /// The proof is not one of this request, this token and its key, or the token is bound in no way that is known: 401.
  case proofInvalid = "proof_invalid"
  /// The proof was shown before: 401.
  case proofReplayed = "proof_replayed"
  /// The proof has no nonce of the gateway's, or an old one: 401 with the one to use (RFC 9449 §9).
  case proofNonceDemanded = "use_dpop_nonce"
  /// Nobody can tell now whether the proof was shown before: 503.
  case proofsUnavailable = "proofs_unavailable"
  /// The token is bound to its sender, and a session that began with it would not be: 403.
  case tokenBound = "token_bound"
}
