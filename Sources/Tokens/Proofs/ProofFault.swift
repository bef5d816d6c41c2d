// Why a proof does not count (RFC 9449 §4.3). The client is told no more than that it does not. The operator is.

/// The checks of a proof, in their order. A proof that fails one has passed those in front of it.
package enum ProofStep: String, Sendable, CaseIterable, Error {
  /// Exactly one field has it.
  case field
  /// Three parts of strict base64url with two JSON objects, not too long, without `crit`.
  case form
  /// `typ` is `dpop+jwt`.
  case type
  /// `alg` is an asymmetric one that is known.
  case algorithm
  /// `jwk` is a public key that fits `alg`.
  case key
  /// It is the key that the token is bound to.
  case thumbprint
  case signature
  /// `htm` is the request's method.
  case method
  /// `htu` is the URL that the client used.
  case target
  /// `iat` is within the window.
  case time
  /// `jti` is there.
  case identifier
  /// `ath` is the token's digest.
  case token
  /// `nonce` is one that the gateway has given, and not an old one.
  case nonce
  /// `jti` was not seen before.
  case replay
}
