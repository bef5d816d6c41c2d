// Random bits as a text, for what nobody may guess: keys, cookies, codes.

import Cryptography

package enum RandomText {
  /// So many random bytes in base64url, or nil where OpenSSL has no entropy: never anything weaker.
  package static func make(_ byteCount: Int = 32) -> String? {
    RandomBytes.make(byteCount).map { String(decoding: Base64URL.encode($0.span), as: UTF8.self) }
  }
}
