// What a session is called in every table: a digest of its cookie, so that nobody who reads a table, a dump of memory
// or a store can send the cookie (T106).

import Bytes
package import Cryptography

package struct SessionKey: Sendable, Equatable {
  /// 0, which no token begins with, and the digest: sessions and tokens are remembered in one table.
  private(set) var bytes: [UInt8]

  /// Of a cookie's value: 256 bits in base64url.
  package static let cookieByteCount = 43

  package init() { bytes = [UInt8](repeating: 0, count: 1 + PreparedDigest.byteCount) }

  /// Nil when it is not the digest of a cookie.
  package init?(digest: [UInt8]) {
    if digest.count != PreparedDigest.byteCount { return nil }
    bytes = [0] + digest
  }

  /// SHA-256 of the cookie's value.
  package var digest: [UInt8] { Array(bytes.dropFirst()) }

  /// Becomes the key of a cookie. False for a value that no session's cookie has.
  package mutating func take(_ cookie: Span<UInt8>, _ digest: PreparedDigest) -> Bool {
    if cookie.count != Self.cookieByteCount { return false }
    return digest.sha256(cookie, into: &bytes, at: 1)
  }
}

extension Caller {
  /// Whether it is the caller of this session.
  package func isOf(_ session: SessionKey) -> Bool {
    let key = session.bytes
    return isOf(key.span)
  }
}
