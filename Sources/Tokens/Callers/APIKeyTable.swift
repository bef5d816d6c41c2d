// Keys of programs, by their digests: the keys themselves are nowhere. One run of bytes and one index for all of them,
// so that a hundred thousand take a few megabytes and a look-up does not depend on their number.

import Bytes
import Cryptography
import JSON

/// Immutable once it is read. All workers share it.
package struct APIKeyTable: Sendable, Equatable {
  private struct Entry: Sendable, Equatable {
    /// Of the digest in `bytes`, with the id behind it and then the claims.
    var start: UInt32
    var idEnd: UInt32
    var end: UInt32
    var expiresAt: Int64
  }

  private var bytes: [UInt8] = []
  private var entries: [Entry] = []
  /// Open addressing by the digest: 0 is empty, else the entry's position plus 1.
  private var slots = [UInt32](repeating: 0, count: 8)

  // LIMIT: positions in `bytes` are 32 bits.
  private static let byteCountMax = Int(UInt32.max) - 65536

  package init() {}

  package var count: Int { entries.count }

  // MARK: Reading

  /// - Parameters:
  ///   - digest: SHA-256 of the key.
  ///   - claims: the text of a JSON object.
  ///   - expiresAt: the first second in which the key is over.
  /// - Returns: false for a digest that is there already, and for what is no digest or does not fit.
  package mutating func insert(digest: [UInt8], id: [UInt8], claims: [UInt8], expiresAt: Int64) -> Bool {
    guard digest.count == PreparedDigest.byteCount, bytes.count + id.count + claims.count < Self.byteCountMax,
      find(digest.span) == nil
    else { return false }
    if (entries.count + 1) * 2 > slots.count { grow() }
    let start = UInt32(truncatingIfNeeded: bytes.count)
    bytes += digest
    bytes += id
    let idEnd = UInt32(truncatingIfNeeded: bytes.count)
    bytes += claims
    entries.append(
      Entry(start: start, idEnd: idEnd, end: UInt32(truncatingIfNeeded: bytes.count), expiresAt: expiresAt))
    place(entries.count - 1)
    return true
  }

  /// Makes one more key count as that of an id: as the entry that ends last, where there are several.
  /// - Returns: false without such an entry.
  package mutating func insert(digest: [UInt8], like id: [UInt8]) -> Bool {
    var found: Entry?
    for entry in entries {
      let own = bytes.span.extracting(Int(entry.start) + PreparedDigest.byteCount..<Int(entry.idEnd))
      if own.equals(id), found.map({ $0.expiresAt < entry.expiresAt }) ?? true { found = entry }
    }
    guard let found else { return false }
    let claims = Array(bytes[Int(found.idEnd)..<Int(found.end)])
    return insert(digest: digest, id: id, claims: claims, expiresAt: found.expiresAt)
  }

  /// Gives back the memory that growing has left over.
  package mutating func fit() {
    bytes = bytes.map { $0 }
    entries = entries.map { $0 }
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    for index in entries.indices { place(index) }
  }

  private mutating func place(_ index: Int) {
    var slot = firstSlot(of: bytes.span.extracting(digestRange(entries[index])))
    while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = UInt32(truncatingIfNeeded: index + 1)
  }

  /// By all of its bytes: what others write into the file as a digest need not be one.
  private func firstSlot(of digest: Span<UInt8>) -> Int {
    var word: UInt64 = 0
    for index in digest.indices { word = (word << 8 | word >> 56) ^ UInt64(digest[index]) }
    return Int(truncatingIfNeeded: word) & (slots.count - 1)
  }

  private func digestRange(_ entry: Entry) -> Range<Int> {
    Int(entry.start)..<Int(entry.start) + PreparedDigest.byteCount
  }

  // MARK: Asking

  /// Compares whole digests only, each in the same time (T104).
  private func find(_ digest: Span<UInt8>) -> Entry? {
    var slot = firstSlot(of: digest)
    while slots[slot] != 0 {
      let entry = entries[Int(slots[slot]) - 1]
      let known = bytes.span.extracting(digestRange(entry))
      var difference: UInt8 = 0
      for index in known.indices { difference |= known[index] ^ digest[index] }
      if difference == 0 { return entry }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Whose the key is. Nil where it is none of this table.
  /// - Parameters:
  ///   - credential: the key as it is remembered, see ``APIKeyCheck``.
  ///   - set: the table's index in the configuration.
  ///   - id: what the client says that the key's id is. Nil where it does not say.
  package func verdict(
    on credential: Span<UInt8>, digest: Span<UInt8>, set: Int, id: Span<UInt8>?, now: Int64
  ) -> Verdict? {
    guard let entry = find(digest) else { return nil }
    let idRange = Int(entry.start) + PreparedDigest.byteCount..<Int(entry.idEnd)
    if let id, !bytes.span.extracting(idRange).equals(id) { return nil }
    if now >= entry.expiresAt { return .refused(.apiKeyExpired, issuer: nil, subject: Array(bytes[idRange])) }
    guard let claims = try? JSONDocument(Array(bytes[Int(entry.idEnd)..<Int(entry.end)])),
      let subject = try? ClaimsCheck.subject(claims)
    else { return nil }
    return .caller(
      Caller(
        credential: credential, issuer: nil, proof: .apiKey(set: set, freshUntil: .max), claims: claims,
        payloadPart: nil,
        validity: TimeCheck.Validity(beginsAt: .min, endsAt: entry.expiresAt), subject: subject,
        keyID: Array(bytes[idRange])))
  }

  /// Whose a key is. Nil where it is none of this table.
  package func id(ofKey key: [UInt8]) -> String? {
    guard let entry = find(SHA256.digest(key.span).span) else { return nil }
    return String(decoding: bytes[Int(entry.start) + PreparedDigest.byteCount..<Int(entry.idEnd)], as: UTF8.self)
  }

  /// Whether the key with this digest still makes the same caller.
  package func keeps(_ caller: Caller, digest: Span<UInt8>) -> Bool {
    guard let entry = find(digest) else { return false }
    let claims = caller.claims.bytes
    return entry.expiresAt == caller.expiresAt
      && bytes.span.extracting(Int(entry.idEnd)..<Int(entry.end)).equals(claims.span)
  }
}

extension APIKeyTable: CustomReflectable {
  /// Whose the keys are and what they say, and no digest.
  package var customMirror: Mirror {
    Mirror(
      self,
      unlabeledChildren: entries.map { entry in
        String(decoding: bytes[Int(entry.start) + PreparedDigest.byteCount..<Int(entry.end)], as: UTF8.self)
          + (entry.expiresAt == .max ? "" : " until \(entry.expiresAt)")
      }, displayStyle: .collection)
  }
}
