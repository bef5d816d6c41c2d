// The key that the gateway signs with as the client of an authorization server (`private_key_jwt`, RFC 7523, OpenID
// Connect Core 1.0 §9): for its login, and where it asks about tokens.

import Bytes
package import Cryptography
import JSON

package struct ClientKey: Sendable {
  package let key: SigningKey

  /// LIMIT: bytes of its file, which is some kilobytes long.
  package static let byteCountMax = 64 * 1024
  /// Seconds for which a statement counts.
  private static let lifetimeSeconds: Int64 = 60

  /// What a file is refused with.
  package static let fault =
    "no private key that signs tokens: expected unencrypted PEM with an RSA key of 2048 to 8192 bits, a P-256, P-384 or "
    + "P-521 key, or an Ed25519 or Ed448 key"

  package init(_ key: SigningKey) { self.key = key }

  /// Nil for what is no key that signs.
  package init?(pem: [UInt8]) {
    guard let key = try? SigningKey(pem: pem) else { return nil }
    self.key = key
  }

  /// Its thumbprint (RFC 7638), under which the server knows the public half.
  package var id: String { key.publicKey.thumbprint }

  /// The first one of the server's that fits the key. Where it says nothing, or none fits, what most sign with.
  package func algorithm(among names: [String]) -> SignatureAlgorithm {
    let known = names.lazy.compactMap { SignatureAlgorithm(rawValue: $0) }
    return known.first { $0.fits(key.publicKey.components) } ?? .usual(for: key.publicKey.components)
  }

  /// A statement of a minute that the client is who it says it is. Nil where the key cannot sign.
  /// - Parameters:
  ///   - audience: whom it is for.
  ///   - now: in seconds since 1970.
  package func assertion(
    clientID: String, audience: String, algorithm: SignatureAlgorithm, now: Int64
  ) -> [UInt8]? {
    guard let random = RandomBytes.make(16) else { return nil }
    var payload = ByteQueue()
    payload.append("{\"iss\":")
    JSONWriter.append(string: clientID, to: &payload)
    payload.append(",\"sub\":")
    JSONWriter.append(string: clientID, to: &payload)
    payload.append(",\"aud\":")
    JSONWriter.append(string: audience, to: &payload)
    payload.append(",\"jti\":")
    JSONWriter.append(string: Base64URL.encode(random.span).span, to: &payload)
    payload.append(",\"iat\":")
    JSONWriter.append(integer: now, to: &payload)
    payload.append(",\"exp\":")
    JSONWriter.append(integer: now + Self.lifetimeSeconds, to: &payload)
    payload.append("}")
    var header = ByteQueue()
    header.append("\"kid\":")
    JSONWriter.append(string: id, to: &header)
    let text = header.span.text()
    return encodeCompact(algorithm: algorithm, header: text, payload: payload.span.text(), key: key)
  }
}
