// One key of an issuer, ready to check signatures: what it is decides what it may check, not what a token says of it
// (T28).

import Bytes
package import Cryptography
import Synchronization

/// A usable key out of a key set. Shared by all workers.
package final class VerificationKey: Sendable {
  /// `kid`, unescaped: opaque bytes (T19). nil when the key names none.
  package let keyID: [UInt8]?
  /// `x5t` and `x5t#S256` (RFC 7517 §4.8, §4.9), as the set has them: other names of the key.
  let certificateDigests: [[UInt8]]
  package let publicKey: PublicKey
  /// RFC 7638, SHA-256, 32 bytes: the same numbers, the same thumbprint.
  package let thumbprint: [UInt8]
  /// What type, curve, the key's own `alg` and the issuer's list leave.
  let algorithmSet: AlgorithmSet
  /// Different for every key object ever made in this process, so that a worker's prepared verifier can never be taken
  /// for that of another key which came to lie at the same address.
  let serial: UInt64

  private static let nextSerial = Atomic<UInt64>(1)

  init(keyID: [UInt8]?, certificateDigests: [[UInt8]], publicKey: PublicKey, algorithms: AlgorithmSet) {
    self.keyID = keyID
    self.certificateDigests = certificateDigests
    self.publicKey = publicKey
    algorithmSet = algorithms
    thumbprint = Thumbprint.make(publicKey.components)
    serial = Self.nextSerial.wrappingAdd(1, ordering: .relaxed).oldValue
  }

  package func mayVerify(_ algorithm: SignatureAlgorithm) -> Bool { algorithmSet.contains(algorithm) }

  package var algorithms: Set<SignatureAlgorithm> { Set(SignatureAlgorithm.allCases.filter(mayVerify)) }

  /// Whether a token that one of them verified would be verified by the other just so: same numbers, same names, same
  /// algorithms.
  func isInterchangeable(with other: VerificationKey) -> Bool {
    keyID == other.keyID && certificateDigests == other.certificateDigests && algorithmSet == other.algorithmSet
      && thumbprint == other.thumbprint
  }
}

/// JWK members of a key, and the thumbprint over them.
package enum Thumbprint {
  /// The members that RFC 7638 §3.2 and RFC 8037 §2 require, in the order of their names, as they are in JSON. For a
  /// secret these hold the secret.
  package static func canonicalJSON(_ components: PublicKey.Components) -> String {
    func encoded(_ bytes: [UInt8]) -> String { String(decoding: Base64URL.encode(bytes.span), as: UTF8.self) }
    return switch components {
    case .rsa(let modulus, let exponent):
      "{\"e\":\"\(encoded(exponent))\",\"kty\":\"RSA\",\"n\":\"\(encoded(modulus))\"}"
    case .ellipticCurve(let curve, let x, let y):
      "{\"crv\":\"\(curve.rawValue)\",\"kty\":\"EC\",\"x\":\"\(encoded(x))\",\"y\":\"\(encoded(y))\"}"
    case .edwards(let curve, let x): "{\"crv\":\"\(curve.rawValue)\",\"kty\":\"OKP\",\"x\":\"\(encoded(x))\"}"
    case .secret(let bytes): "{\"k\":\"\(encoded(bytes))\",\"kty\":\"oct\"}"
    }
  }

  package static func make(_ components: PublicKey.Components) -> [UInt8] {
    SHA256.digest(Array(canonicalJSON(components).utf8).span)
  }
}
