// The keys of one issuer at one time (RFC 7517 §5). Immutable: a rotation makes a new set.
//
// Invariant: every key in it can check at least one algorithm that its issuer allows. Which key a token gets is decided
// by its name in the token and by the key's type (T20). Only a token that names none is tried on a few.

import Bytes
import JSON
import Synchronization

/// Why bytes did not become a key set. The set in use stays as it is (T23).
package enum KeySetError: Error, Sendable, Equatable {
  /// Over 1 MiB.
  case tooLarge
  /// Over 1,000 keys.
  case tooManyKeys
  /// Not JSON: an error page, a truncated answer, duplicate members.
  case notJSON
  /// No object with an array `keys`.
  case notKeySet
  /// Not one key in it that can be used. What was dropped, and why.
  case noUsableKey([DroppedKey])
}

/// A key that was left out of its set.
package struct DroppedKey: Sendable, Equatable {
  package var keyID: String?
  package var reason: JWK.Problem

  package init(keyID: String?, reason: JWK.Problem) {
    self.keyID = keyID
    self.reason = reason
  }
}

package final class KeySet: Sendable {
  package static let byteCountMax = 1 << 20
  package static let keyCountMax = 1000

  /// Usable keys in the order of the document.
  package let keys: [VerificationKey]
  package let dropped: [DroppedKey]
  /// Different for every set ever made in this process.
  let generation: UInt64

  /// Hashes of the key identifiers with the keys' positions, sorted: first by hash, then by position.
  private let table: [(hash: UInt64, position: Int)]
  private let hasCertificateDigests: Bool

  private static let nextGeneration = Atomic<UInt64>(1)
  private static let hashKey0 = UInt64.random(in: .min ... .max)
  private static let hashKey1 = UInt64.random(in: .min ... .max)

  /// Of an issuer that is asked about each token.
  package static var empty: KeySet { KeySet(keys: [], dropped: []) }

  private init(keys: [VerificationKey], dropped: [DroppedKey]) {
    self.keys = keys
    self.dropped = dropped
    var table: [(hash: UInt64, position: Int)] = []
    for (position, key) in keys.enumerated() {
      if let keyID = key.keyID { table.append((Self.hash(keyID.span), position)) }
    }
    table.sort { $0.hash != $1.hash ? $0.hash < $1.hash : $0.position < $1.position }
    self.table = table
    hasCertificateDigests = keys.contains { !$0.certificateDigests.isEmpty }
    generation = Self.nextGeneration.wrappingAdd(1, ordering: .relaxed).oldValue
  }

  private static func hash(_ keyID: Span<UInt8>) -> UInt64 { keyID.keyedHash(hashKey0, hashKey1) }

  /// Reads a key set. Keys that cannot be used are dropped alone. `algorithms` is the issuer's list: secrets are only
  /// taken when it names an HS algorithm.
  package static func parse(
    _ bytes: Span<UInt8>, algorithms: Set<SignatureAlgorithm>
  ) throws(KeySetError) -> KeySet {
    // LIMIT: a larger document changes nothing (T10).
    if bytes.count > byteCountMax { throw .tooLarge }
    let document: JSONDocument
    do {
      document = try JSONDocument(bytes.copied(), limits: JSONLimits(depthMax: 16, nodeCountMax: 100_000))
    } catch {
      throw .notJSON
    }
    guard let list = document.member("keys", of: document.root), document.kind(list) == .array else {
      throw .notKeySet
    }
    let allowed = AlgorithmSet(algorithms)
    var keys: [VerificationKey] = []
    var dropped: [DroppedKey] = []
    for element in document.elements(of: list) {
      // LIMIT: more keys than any issuer has. The set in use stays (T10).
      if keys.count + dropped.count >= keyCountMax { throw .tooManyKeys }
      do {
        keys.append(try JWK.read(document, element, allowed: allowed))
      } catch {
        let keyID = document.member("kid", of: element).flatMap { document.string(at: $0) }
        dropped.append(DroppedKey(keyID: keyID, reason: error))
      }
    }
    if keys.isEmpty { throw .noUsableKey(dropped) }
    return KeySet(keys: keys, dropped: dropped)
  }

  // LIMIT: keys that a token without any name of its key is tried on. A forger pays once and we for each.
  package static let unnamedKeyCountMax = 4

  /// The key for a token: the first with this `kid` that may verify the algorithm.
  package func key(id: Span<UInt8>, for algorithm: SignatureAlgorithm) -> VerificationKey? {
    let hash = Self.hash(id)
    var index = lowerBound(hash)
    while index < table.count, table[index].hash == hash {
      let key = keys[table[index].position]
      if key.mayVerify(algorithm), let keyID = key.keyID, keyID.span.equals(id) { return key }
      index += 1
    }
    return nil
  }

  /// The keys that a token without `kid` may be signed with: those that may verify the algorithm. None where they are
  /// more than ``unnamedKeyCountMax``.
  package func keys(for algorithm: SignatureAlgorithm) -> [VerificationKey] {
    var fitting: [VerificationKey] = []
    for key in keys where key.mayVerify(algorithm) {
      if fitting.count == Self.unnamedKeyCountMax { return [] }
      fitting.append(key)
    }
    return fitting
  }

  /// The keys of a certificate, by its digest as the token's header has it. Nil where no key of the set has one, so
  /// that the digest says nothing here.
  package func keys(certificateDigest: [UInt8]) -> [VerificationKey]? {
    if !hasCertificateDigests { return nil }
    return keys.filter { $0.certificateDigests.contains(certificateDigest) }
  }

  /// Whether any key bears this `kid`, whatever it may verify.
  package func hasKey(id: Span<UInt8>) -> Bool {
    let hash = Self.hash(id)
    var index = lowerBound(hash)
    while index < table.count, table[index].hash == hash {
      if let keyID = keys[table[index].position].keyID, keyID.span.equals(id) { return true }
      index += 1
    }
    return false
  }

  /// Whether the key, which may come from an older set, is in this one as well and may do the same (T27).
  package func contains(sameKeyAs other: VerificationKey) -> Bool {
    guard let keyID = other.keyID else {
      return keys.contains { $0 === other || $0.isInterchangeable(with: other) }
    }
    let hash = Self.hash(keyID.span)
    var index = lowerBound(hash)
    while index < table.count, table[index].hash == hash {
      let key = keys[table[index].position]
      if key === other || key.isInterchangeable(with: other) { return true }
      index += 1
    }
    return false
  }

  private func lowerBound(_ hash: UInt64) -> Int {
    var low = 0
    var high = table.count
    while low < high {
      let middle = (low + high) / 2
      if table[middle].hash < hash { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
