// A key as one request shows it: what it is remembered by, and its digest.

import Bytes
import Cryptography

/// One a worker, for the request that is looked at.
package struct APIKeyCheck {
  /// 1, which no token and no session begins with, and the key: all callers are remembered in one table.
  package private(set) var credential: [UInt8] = [1]
  /// As a key in a store is remembered: 2, which nothing else begins with, and the digest. A store's reports name no
  /// key.
  package private(set) var storedCredential = APIKeyCheck.storedCredential(
    [UInt8](repeating: 0, count: PreparedDigest.byteCount))
  /// What the client says that the key's id is. Nil where it does not say.
  package var id: [UInt8]?
  package private(set) var digest = [UInt8](repeating: 0, count: PreparedDigest.byteCount)
  private let algorithm = PreparedDigest()

  /// LIMIT: bytes of a key.
  package static let byteCountMax = 512

  package init() {}

  static func storedCredential(_ digest: [UInt8]) -> [UInt8] { [2] + digest }

  /// Takes the key that a request shows. False for what is too long to be one.
  package mutating func take(_ key: Span<UInt8>) -> Bool {
    if key.count > Self.byteCountMax { return false }
    id = nil
    credential.removeSubrange(1...)
    credential.append(key)
    return true
  }

  /// Makes the digest of the key that was taken. False where OpenSSL cannot.
  package mutating func makeDigest() -> Bool {
    let known = credential
    return algorithm.sha256(known.span.extracting(1..<known.count), into: &digest, at: 0)
  }

  /// Makes the name under which the key is remembered when it is in a store.
  package mutating func makeStoredCredential() {
    for index in digest.indices { storedCredential[index + 1] = digest[index] }
  }

  /// Takes the key of a caller, and makes its digest.
  package mutating func take(_ caller: Caller) -> Bool {
    credential = caller.credential
    return makeDigest()
  }
}

extension Caller {
  /// The digest of the key, where a store has it.
  package var storedAPIKeyDigest: [UInt8]? {
    guard case .apiKey = proof, credentialByteCount == PreparedDigest.byteCount + 1, bytes[0] == 2 else { return nil }
    return Array(bytes[1..<credentialByteCount])
  }
}
