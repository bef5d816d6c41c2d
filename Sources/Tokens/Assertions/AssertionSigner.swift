// What the gateway signs assertions with. The private keys stay in OpenSSL's objects: nothing here can read them.

import Bytes
package import Cryptography
import JSON

/// The keys of one signer, shared by all workers. It never changes: other keys make another signer.
package final class AssertionSigner: Sendable {
  package struct Key: Sendable {
    package let key: SigningKey
    package let id: String
    /// Since when it signs, in seconds since 1970: by then nobody may use a key set that was fetched before it came.
    package let signsFrom: Int64

    package init(_ key: SigningKey, id: String? = nil, signsFrom: Int64 = 0) {
      self.key = key
      self.id = id ?? key.publicKey.thumbprint
      self.signsFrom = signsFrom
    }
  }

  /// How long others may keep the key set, in seconds, and so how long a new key only shows itself.
  package static let keySetSeconds: Int64 = 60

  private let keys: [(header: [UInt8], key: Key)]
  private let scheme: SignatureScheme
  /// The public halves as a JWK Set (RFC 7517 §5).
  package let keySet: [UInt8]

  /// - Parameters:
  ///   - keys: the newest first, at least one. All are of the algorithm.
  ///   - type: `typ` of the header.
  package init(_ keys: [Key], algorithm: SignatureAlgorithm, type: String) {
    scheme = algorithm.scheme
    self.keys = keys.map { key in
      let header =
        "{\"alg\":\"\(algorithm.rawValue)\",\"kid\":\(JSONWriter.quoted(key.id)),\"typ\":\(JSONWriter.quoted(type))}"
      return (Base64URL.encode(header.utf8.span), key)
    }
    keySet = KeySetWriter.encode(keys.map { (id: $0.id, key: $0.key.publicKey, algorithm: algorithm) })
  }

  /// A compact JWS (RFC 7515 §7.1). Nil when OpenSSL cannot sign.
  func sign(_ payload: Span<UInt8>, now: Int64) -> [UInt8]? {
    // Where all are new, the oldest is the one that others may know.
    guard let (header, key) = keys.first(where: { $0.key.signsFrom <= now }) ?? keys.last else { return nil }
    var token = header
    token.append(UInt8(ascii: "."))
    token += Base64URL.encode(payload)
    guard let signature = key.key.sign(token.span, scheme) else { return nil }
    token.append(UInt8(ascii: "."))
    return token + Base64URL.encode(signature.span)
  }
}

extension PublicKey {
  /// RFC 7638, in base64url.
  package var thumbprint: String {
    String(decoding: Base64URL.encode(Thumbprint.make(components).span), as: UTF8.self)
  }
}
