// The signature algorithms of RFC 7518 §3.1, RFC 8037 and RFC 9864. `none` has no case and so cannot be spoken of.

/// A JWS `alg` value that the gateway knows. Raw values are the registered names, compared byte by byte.
package enum SignatureAlgorithm: String, Sendable, CaseIterable, Hashable {
  case rs256 = "RS256"
  case rs384 = "RS384"
  case rs512 = "RS512"
  case ps256 = "PS256"
  case ps384 = "PS384"
  case ps512 = "PS512"
  case es256 = "ES256"
  case es384 = "ES384"
  case es512 = "ES512"
  /// Ed25519 or Ed448, as the key says (RFC 8037).
  case edDSA = "EdDSA"
  case ed25519 = "Ed25519"
  case ed448 = "Ed448"
  case hs256 = "HS256"
  case hs384 = "HS384"
  case hs512 = "HS512"

  /// Keyed with a shared secret: allowed only when an issuer names it.
  package var isSymmetric: Bool {
    switch self {
    case .hs256, .hs384, .hs512: true
    default: false
    }
  }

  package static let asymmetric = Set(allCases.filter { !$0.isSymmetric })
}
