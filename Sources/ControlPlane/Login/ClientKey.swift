// The key that the gateway signs with as the client of a provider (`private_key_jwt`).

internal import Cryptography
internal import Tokens

struct ClientKey: Sendable {
  let key: SigningKey

  /// What a file is refused with.
  static let fault =
    "no private key that signs tokens: expected unencrypted PEM with an RSA key of 2048 to 8192 bits, a P-256, P-384 or "
    + "P-521 key, or an Ed25519 or Ed448 key"

  init(_ key: SigningKey) { self.key = key }

  init(file path: String) throws(LoginFault) {
    // LIMIT: a key is some kilobytes long.
    guard let bytes = try? SystemFiles().read(path, byteCountMax: 64 * 1024), let key = try? SigningKey(pem: bytes)
    else {
      throw .providerUnavailable("private_key_unreadable")
    }
    self.key = key
  }

  /// Its thumbprint (RFC 7638), under which the provider knows the public half.
  var id: String { key.publicKey.thumbprint }

  /// The first one of the provider's that fits the key. Where it says nothing, or none fits, what most sign with.
  func algorithm(among names: [String]) -> SignatureAlgorithm {
    let known = names.lazy.compactMap { SignatureAlgorithm(rawValue: $0) }
    return known.first { $0.fits(key.publicKey.components) } ?? .usual(for: key.publicKey.components)
  }
}
