// Makes tokens: for tests, the demo's issuer, the `token` command and statements of a provider's client. What the
// gateway signs for services is in Assertions.

package import Cryptography

/// A compact JWS (RFC 7515 §7.1) of a header and a payload, both written out as JSON and taken as they are, or nil when
/// the scheme does not fit the key.
package func encodeCompact(header: [UInt8], payload: [UInt8], key: SigningKey, scheme: SignatureScheme) -> [UInt8]? {
  var token = Base64URL.encode(header.span)
  token.append(UInt8(ascii: "."))
  token += Base64URL.encode(payload.span)
  guard let signature = key.sign(token.span, scheme) else { return nil }
  token.append(UInt8(ascii: "."))
  return token + Base64URL.encode(signature.span)
}

/// The same from texts, with `alg` in front of the header's other members: `header` is what is between its braces, such
/// as `"kid":"a","typ":"JWT"`, and may be empty.
package func encodeCompact(
  algorithm: SignatureAlgorithm, header: String = "", payload: String, key: SigningKey
) -> [UInt8]? {
  let text = "{\"alg\":\"\(algorithm.rawValue)\"\(header.isEmpty ? "" : ",")\(header)}"
  return encodeCompact(header: Array(text.utf8), payload: Array(payload.utf8), key: key, scheme: algorithm.scheme)
}
