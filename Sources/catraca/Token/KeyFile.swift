// Keys in files: private keys in PEM, secrets for HMAC as one JWK. Made, written where only the owner may read, and
// read.

import Configuration
import Cryptography
import Glibc
import JSON
import Tokens

/// A key that signs, out of a file or fresh.
struct KeyFile {
  let key: SigningKey

  /// A new key that fits the algorithm.
  static func generate(for algorithm: SignatureAlgorithm) throws(KeyError) -> KeyFile {
    KeyFile(key: try .generate(algorithm.keyKind))
  }

  /// Reads PEM, or a secret as the JWK that ``text`` writes.
  static func read(_ path: String) throws -> KeyFile {
    let bytes: [UInt8]
    do {
      bytes = try readWholeFile(path)
    } catch {
      throw TokenError("\(path) cannot be read: \(error)")
    }
    do {
      if bytes.first == UInt8(ascii: "{") { return KeyFile(key: try readSecret(bytes, path)) }
      return KeyFile(key: try SigningKey(pem: bytes))
    } catch is KeyError {
      throw TokenError(
        "\(path) holds no private key that signs tokens: expected unencrypted PEM with an RSA key of 2048 to 8192 bits, "
          + "a P-256, P-384 or P-521 key, or an Ed25519 or Ed448 key")
    }
  }

  private static func readSecret(_ bytes: [UInt8], _ path: String) throws -> SigningKey {
    guard let document = try? JSONDocument(bytes),
      let type = document.member("kty", of: document.root), document.string(at: type) == "oct",
      let member = document.member("k", of: document.root), let text = document.stringBytes(at: member),
      let secret = Base64URL.decode(text.span)
    else {
      throw TokenError(
        "\(path) is JSON but not a secret: expected {\"k\":\"…\",\"kty\":\"oct\"}, or a private key in PEM")
    }
    return try SigningKey(secret: secret)
  }

  /// What a file of this key holds: PEM, or one JWK for a secret.
  var text: String {
    if let pem = key.pem() { return String(decoding: pem, as: UTF8.self) }
    return Thumbprint.canonicalJSON(key.publicKey.components) + "\n"
  }

  /// Whether it is a secret, which no key set may show.
  var isSecret: Bool {
    if case .secret = key.publicKey.components { return true }
    return false
  }

  /// The `kid` that a key has when nobody names one: its thumbprint (RFC 7638).
  var keyID: String { key.publicKey.thumbprint }

  /// What one signs with when nobody says otherwise.
  var algorithm: SignatureAlgorithm { .usual(for: key.publicKey.components) }

  /// Writes a new file that only its owner can read. Never writes over one that is there.
  static func write(_ text: String, to path: String) throws { try writeNewFile(text, to: path, mode: 0o600) }
}
