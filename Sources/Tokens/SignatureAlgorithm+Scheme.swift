// What each `alg` means, and sets of them that fit into a word.

import Bytes
package import Cryptography

extension SignatureAlgorithm {
  /// How a signature of this name is computed. `EdDSA` leaves the curve to the key.
  package var scheme: SignatureScheme {
    switch self {
    case .rs256: .rsaPKCS1(.sha256)
    case .rs384: .rsaPKCS1(.sha384)
    case .rs512: .rsaPKCS1(.sha512)
    case .ps256: .rsaPSS(.sha256)
    case .ps384: .rsaPSS(.sha384)
    case .ps512: .rsaPSS(.sha512)
    case .es256: .ecdsa(.sha256)
    case .es384: .ecdsa(.sha384)
    case .es512: .ecdsa(.sha512)
    case .edDSA, .ed25519, .ed448: .edDSA
    case .hs256: .hmac(.sha256)
    case .hs384: .hmac(.sha384)
    case .hs512: .hmac(.sha512)
    }
  }

  /// A new key that it can sign with. RSA gets 2048 bits, secrets as many as the digest has.
  package var keyKind: SigningKey.Kind {
    switch self {
    case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: .rsa(bitCount: 2048)
    case .es256: .ellipticCurve(.p256)
    case .es384: .ellipticCurve(.p384)
    case .es512: .ellipticCurve(.p521)
    case .edDSA, .ed25519: .edwards(.ed25519)
    case .ed448: .edwards(.ed448)
    case .hs256: .secret(byteCount: 32)
    case .hs384: .secret(byteCount: 48)
    case .hs512: .secret(byteCount: 64)
    }
  }

  /// Whether type and curve of the key are this algorithm's (T03, T28, T65).
  package func fits(_ key: PublicKey.Components) -> Bool {
    switch (self, key) {
    case (.ed25519, .edwards(let curve, _)): curve == .ed25519
    case (.ed448, .edwards(let curve, _)): curve == .ed448
    default: scheme.fits(key)
    }
  }

  /// What one signs with when nobody says otherwise.
  package static func usual(for key: PublicKey.Components) -> SignatureAlgorithm {
    switch key {
    case .rsa: .rs256
    case .ellipticCurve(.p256, _, _): .es256
    case .ellipticCurve(.p384, _, _): .es384
    case .ellipticCurve(.p521, _, _): .es512
    case .edwards: .edDSA
    case .secret(let bytes): bytes.count >= 64 ? .hs512 : bytes.count >= 48 ? .hs384 : .hs256
    }
  }

  /// Position in an ``AlgorithmSet``.
  var index: UInt64 {
    switch self {
    case .rs256: 0
    case .rs384: 1
    case .rs512: 2
    case .ps256: 3
    case .ps384: 4
    case .ps512: 5
    case .es256: 6
    case .es384: 7
    case .es512: 8
    case .edDSA: 9
    case .ed25519: 10
    case .ed448: 11
    case .hs256: 12
    case .hs384: 13
    case .hs512: 14
    }
  }

  private static let names = allCases.map { (name: Array($0.rawValue.utf8), algorithm: $0) }

  /// The algorithm with exactly this name. `none`, `NoNe` and `rs256` are none of them (T01).
  static func named(_ name: Span<UInt8>) -> SignatureAlgorithm? {
    for entry in names where entry.name.span.equals(name) { return entry.algorithm }
    return nil
  }
}

/// A set of algorithms in one word.
struct AlgorithmSet: Sendable, Equatable {
  private(set) var bits: UInt64 = 0

  init() {}

  init(_ algorithms: Set<SignatureAlgorithm>) {
    for algorithm in algorithms { insert(algorithm) }
  }

  var isEmpty: Bool { bits == 0 }

  mutating func insert(_ algorithm: SignatureAlgorithm) { bits |= 1 << algorithm.index }

  func contains(_ algorithm: SignatureAlgorithm) -> Bool { bits >> algorithm.index & 1 == 1 }

  func intersection(_ other: AlgorithmSet) -> AlgorithmSet {
    var result = self
    result.bits &= other.bits
    return result
  }
}
