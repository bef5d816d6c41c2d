// How a signature is computed, apart from what a token calls it.

/// The SHA-2 digests that JWS uses.
package enum Digest: Sendable, Hashable, CaseIterable {
  case sha256, sha384, sha512

  package var byteCount: Int {
    switch self {
    case .sha256: 32
    case .sha384: 48
    case .sha512: 64
    }
  }

  /// OpenSSL's name.
  var name: String {
    switch self {
    case .sha256: "SHA256"
    case .sha384: "SHA384"
    case .sha512: "SHA512"
    }
  }
}

package enum SignatureScheme: Sendable, Hashable {
  /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
  case rsaPKCS1(Digest)
  /// RSASSA-PSS (RFC 8017 §8.1) with MGF1 over the same digest and a salt as long as the digest (RFC 7518 §3.5).
  case rsaPSS(Digest)
  /// ECDSA with the raw signature r ‖ s (RFC 7518 §3.4).
  case ecdsa(Digest)
  /// Pure EdDSA (RFC 8032): the curve is the key's.
  case edDSA
  /// HMAC (RFC 2104).
  case hmac(Digest)

  /// The digest that the scheme names. Nil for EdDSA, whose curve has its own.
  package var digest: Digest? {
    switch self {
    case .rsaPKCS1(let digest), .rsaPSS(let digest), .ecdsa(let digest), .hmac(let digest): digest
    case .edDSA: nil
    }
  }

  /// Whether a key of these components can be used so: type and curve decide, whatever else is written (T28, T65).
  /// A secret must be as long as the digest at least (RFC 7518 §3.2).
  package func fits(_ key: PublicKey.Components) -> Bool {
    switch (self, key) {
    case (.rsaPKCS1, .rsa), (.rsaPSS, .rsa), (.edDSA, .edwards): true
    case (.ecdsa(.sha256), .ellipticCurve(.p256, _, _)): true
    case (.ecdsa(.sha384), .ellipticCurve(.p384, _, _)): true
    case (.ecdsa(.sha512), .ellipticCurve(.p521, _, _)): true
    case (.hmac(let digest), .secret(let bytes)): bytes.count >= digest.byteCount
    default: false
    }
  }
}
