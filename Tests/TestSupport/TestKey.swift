// Keys that tests sign with, and the tokens made by them, good and bad.

import Bytes
package import Cryptography
package import Tokens

/// A signing key as an issuer has it: with its name and the algorithm that it signs by.
package struct TestKey: Sendable {
  package var id: String?
  package var algorithm: SignatureAlgorithm
  package let signing: SigningKey

  package init(_ algorithm: SignatureAlgorithm = .es256, id: String? = "key-1") throws {
    self.init(algorithm, id: id, signing: try SigningKey.generate(Self.kind(of: algorithm)))
  }

  package init(_ algorithm: SignatureAlgorithm, id: String?, signing: SigningKey) {
    self.algorithm = algorithm
    self.id = id
    self.signing = signing
  }

  /// A shared secret of these bytes.
  package init(_ algorithm: SignatureAlgorithm, id: String?, secret: [UInt8]) throws {
    self.init(algorithm, id: id, signing: try SigningKey(secret: secret))
  }

  package static func kind(of algorithm: SignatureAlgorithm) -> SigningKey.Kind {
    switch algorithm {
    case .es256: .ellipticCurve(.p256)
    case .es384: .ellipticCurve(.p384)
    case .es512: .ellipticCurve(.p521)
    case .edDSA, .ed25519: .edwards(.ed25519)
    case .ed448: .edwards(.ed448)
    case .hs256, .hs384, .hs512: .secret(byteCount: 64)
    case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: .rsa(bitCount: 2048)
    }
  }

  /// The key's members for a JWK, without braces: those of its numbers alone.
  package var numbers: String {
    String(Thumbprint.canonicalJSON(signing.publicKey.components).dropFirst().dropLast())
  }

  /// A whole JWK. `more` is in front of the numbers, with its commas: `"use":"enc",`.
  package func jwk(_ more: String = "") -> String {
    "{" + (id.map { "\"kid\":\(JSONValue.string($0).text)," } ?? "") + more + numbers + "}"
  }

  /// A compact JWS over exactly these texts.
  package func sign(header: String, payload: String, as algorithm: SignatureAlgorithm? = nil) -> String {
    sign(header: Array(header.utf8), payload: Array(payload.utf8), as: algorithm)
  }

  package func sign(header: [UInt8], payload: [UInt8], as algorithm: SignatureAlgorithm? = nil) -> String {
    let scheme = (algorithm ?? self.algorithm).scheme
    guard let token = encodeCompact(header: header, payload: payload, key: signing, scheme: scheme) else {
      return "the scheme does not fit the key"
    }
    return String(decoding: token, as: UTF8.self)
  }

  /// The signature of any text in the form that JWS requires.
  package func signature(of text: String, as algorithm: SignatureAlgorithm? = nil) -> [UInt8] {
    signing.sign(text.utf8.span, (algorithm ?? self.algorithm).scheme) ?? []
  }
}

/// A key set of JWKs.
package func keySetText(_ jwks: [String]) -> String { "{\"keys\":[" + jwks.joined(separator: ",") + "]}" }

package func keySetText(_ keys: TestKey...) -> String { keySetText(keys.map { $0.jwk() }) }

/// base64url as JWS writes it.
package func base64URL(_ bytes: [UInt8]) -> String { String(decoding: Base64URL.encode(bytes.span), as: UTF8.self) }

package func base64URL(_ text: String) -> String { base64URL(Array(text.utf8)) }

/// The bytes of a part of a token. Empty when it is not base64url.
package func bytes(base64URL text: String) -> [UInt8] { Base64URL.decode(text.utf8.span) ?? [] }
