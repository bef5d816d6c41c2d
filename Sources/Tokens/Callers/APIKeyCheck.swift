// A key as one request shows it: what it is remembered by, and its digest.

import Bytes
import Cryptography

/// One a worker, for the request that is looked at.
package struct APIKeyCheck {
  /// 1, which no token and no session begins with, and the key: all callers are remembered in one table.
  package private(set) var credential: [UInt8] = [1]
  package private(set) var digest = [UInt8](repeating: 0, count: PreparedDigest.byteCount)
  private let algorithm = PreparedDigest()

  /// LIMIT: bytes of a key.
  package static let byteCountMax = 512

  package init() {}

  /// Takes the key that a request shows. False for what is too long to be one.
  package mutating func take(_ key: Span<UInt8>) -> Bool {
    if key.count > Self.byteCountMax { return false }
    credential.removeSubrange(1...)
    for index in key.indices { credential.append(key[index]) }
    return true
  }

  /// Makes the digest of the key that was taken. False where OpenSSL cannot.
  package mutating func makeDigest() -> Bool {
    let known = credential
    return algorithm.sha256(known.span.extracting(1..<known.count), into: &digest, at: 0)
  }

  /// Takes the key of a caller, and makes its digest.
  package mutating func take(_ caller: Caller) -> Bool {
    credential = caller.credential
    return makeDigest()
  }
}
