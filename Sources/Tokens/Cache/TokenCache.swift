// Remembers the tokens that were verified, so that the second request with one costs a look-up and a compare.
//
// Invariants: only verified tokens are in it, so no flood of bad ones can push a good one out (T31); a hit is a token that
// is equal in every byte, of an issuer that the route takes (T29), not past its end (T16), and whose key still stands in
// the issuer's set (T27); what the entries cost together never passes the bound.

import Bytes

/// One a worker. Entries enter on probation and are kept for longer only once they were asked for again, so a stream of
/// tokens that come once does not flush those in use.
package final class TokenCache {
  /// What a hit looks at.
  private struct Entry {
    /// nil while the place is free.
    var token: VerifiedToken?
    /// The token's own bytes, shared with it: one step less on the way to the compare.
    var bytes: [UInt8]
    /// The set that the token's key was last seen in.
    var keySetGeneration: UInt64
    /// How many of `bytes` are the token's.
    var tokenByteCount: UInt32
    /// Hits since the entry was last moved, at most 3.
    var hitCount: UInt8 = 0
    var isKept = false
  }

  /// The rest of an entry, at the same position. Links are positions, too; -1 stands for none.
  private struct Place {
    var hash: UInt64
    var byteCount: Int
    var previous: Int32 = -1
    var next: Int32 = -1
  }

  /// A list in the order of entry; the oldest first.
  private struct List {
    var first: Int32 = -1
    var last: Int32 = -1
    var byteCount = 0
  }

  package private(set) var byteCountMax: Int
  package private(set) var hits: UInt64 = 0
  package private(set) var misses: UInt64 = 0
  package private(set) var count = 0

  private var entries: [Entry] = []
  private var places: [Place] = []
  private var free: [Int32] = []
  private var probation = List()
  private var kept = List()
  /// Open addressing: 0 is empty, else the upper half of the hash and the entry's position plus 1.
  private var table = [UInt64](repeating: 0, count: 64)
  /// Random, so that nobody can make tokens that collide.
  private let key0: UInt64
  private let key1: UInt64

  /// What an entry costs beside its token: its place, its share of a table that is at most half full, the free list.
  private static let overhead = MemoryLayout<Entry>.stride + MemoryLayout<Place>.stride + 4 * 8 + 4

  package init(byteCountMax: Int) {
    self.byteCountMax = byteCountMax
    key0 = UInt64.random(in: .min ... .max)
    key1 = UInt64.random(in: .min ... .max)
  }

  /// Bytes of memory that the entries take.
  package var byteCount: Int { probation.byteCount + kept.byteCount }

  /// The token, if it was verified before and is still good for one of `candidates`. Scopes and claims are not looked at:
  /// they are the route's (T30). Allocates nothing.
  package func lookUp(_ token: Span<UInt8>, candidates: [Int], keySets: [KeySet?], now: Int64) -> VerifiedToken? {
    guard let index = find(token, hash: hash(token)), let known = entries[index].token else {
      misses &+= 1
      return nil
    }
    if now >= known.expiresAt {
      remove(index)
      misses &+= 1
      return nil
    }
    // A clock that was set back: what is verified anew is refused in the same way.
    guard now >= known.beginsAt, candidates.contains(known.issuer), known.issuer < keySets.count,
      let keys = keySets[known.issuer]
    else {
      misses &+= 1
      return nil
    }
    if entries[index].keySetGeneration != keys.generation {
      if !keys.contains(sameKeyAs: known.key) {
        remove(index)
        misses &+= 1
        return nil
      }
      entries[index].keySetGeneration = keys.generation
    }
    if entries[index].hitCount < 3 { entries[index].hitCount += 1 }
    hits &+= 1
    return known
  }

  /// Keeps a token that was verified just now. A token that alone costs more than the bound is not kept, nor one that
  /// ends now.
  package func insert(_ token: VerifiedToken, now: Int64) {
    let cost = token.byteCount + Self.overhead
    // LIMIT: `limits.token_cache`.
    if cost > byteCountMax || now >= token.expiresAt { return }
    let bytes = token.bytes
    let text = bytes.span.extracting(0..<token.tokenByteCount)
    let hash = hash(text)
    if let index = find(text, hash: hash) { remove(index) }
    makeRoom(for: cost, now: now)
    if (count + 1) * 2 > table.count { growTable() }
    // No set is known to hold the key yet: the first hit looks.
    let entry = Entry(
      token: token, bytes: bytes, keySetGeneration: 0, tokenByteCount: UInt32(truncatingIfNeeded: text.count))
    let place = Place(hash: hash, byteCount: cost)
    let index: Int
    if let known = free.popLast() {
      index = Int(known)
      entries[index] = entry
      places[index] = place
    } else {
      index = entries.count
      entries.append(entry)
      places.append(place)
    }
    put(index)
    append(index, isKept: false)
    count += 1
  }

  /// Forgets everything: for a new configuration, with its bound.
  package func removeAll(byteCountMax: Int) {
    self.byteCountMax = byteCountMax
    entries.removeAll()
    places.removeAll()
    free.removeAll()
    probation = List()
    kept = List()
    table = [UInt64](repeating: 0, count: 64)
    count = 0
  }

  /// Of the last bytes only, which are a signature's: whoever could make many good tokens that end alike holds an issuer's
  /// key. What is found is compared whole.
  private func hash(_ token: Span<UInt8>) -> UInt64 {
    token.extracting(max(0, token.count - 64)..<token.count).keyedHash(key0, key1)
  }

  private func find(_ token: Span<UInt8>, hash: UInt64) -> Int? {
    let mask = table.count - 1
    let tag = hash >> 32
    var slot = Int(truncatingIfNeeded: hash) & mask
    while table[slot] != 0 {
      if table[slot] >> 32 == tag {
        let index = Int(table[slot] & 0xFFFF_FFFF) - 1
        if token.count == Int(entries[index].tokenByteCount),
          Self.begins(entries[index].bytes, with: token)
        {
          return index
        }
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private static func begins(_ bytes: [UInt8], with token: Span<UInt8>) -> Bool {
    bytes.span.extracting(0..<token.count).equals(token)
  }

  private func put(_ index: Int) {
    let mask = table.count - 1
    let hash = places[index].hash
    var slot = Int(truncatingIfNeeded: hash) & mask
    while table[slot] != 0 { slot = (slot + 1) & mask }
    table[slot] = (hash & 0xFFFF_FFFF_0000_0000) | UInt64(index + 1)
  }

  /// Takes the entry's cell out and moves back those behind it that it had pushed on.
  private func take(_ index: Int) {
    let mask = table.count - 1
    var hole = Int(truncatingIfNeeded: places[index].hash) & mask
    while table[hole] & 0xFFFF_FFFF != UInt64(index + 1) {
      if table[hole] == 0 { return }
      hole = (hole + 1) & mask
    }
    var slot = (hole + 1) & mask
    while table[slot] != 0 {
      let home = Int(truncatingIfNeeded: places[Int(table[slot] & 0xFFFF_FFFF) - 1].hash) & mask
      if (slot - home) & mask >= (slot - hole) & mask {
        table[hole] = table[slot]
        hole = slot
      }
      slot = (slot + 1) & mask
    }
    table[hole] = 0
  }

  private func growTable() {
    let old = table
    table = [UInt64](repeating: 0, count: old.count * 2)
    for cell in old where cell != 0 { put(Int(cell & 0xFFFF_FFFF) - 1) }
  }

  private func append(_ index: Int, isKept: Bool) {
    var list = isKept ? kept : probation
    entries[index].isKept = isKept
    entries[index].hitCount = isKept ? entries[index].hitCount : 0
    places[index].previous = list.last
    places[index].next = -1
    let place = Int32(truncatingIfNeeded: index)
    if list.last >= 0 { places[Int(list.last)].next = place } else { list.first = place }
    list.last = place
    list.byteCount += places[index].byteCount
    if isKept { kept = list } else { probation = list }
  }

  private func unlink(_ index: Int) {
    let place = places[index]
    let isKept = entries[index].isKept
    var list = isKept ? kept : probation
    if place.previous >= 0 { places[Int(place.previous)].next = place.next } else { list.first = place.next }
    if place.next >= 0 { places[Int(place.next)].previous = place.previous } else { list.last = place.previous }
    list.byteCount -= place.byteCount
    if isKept { kept = list } else { probation = list }
  }

  private func remove(_ index: Int) {
    take(index)
    unlink(index)
    entries[index].token = nil
    entries[index].bytes = []
    free.append(Int32(truncatingIfNeeded: index))
    count -= 1
  }

  /// Lets entries go until `cost` bytes fit. Each pass removes one, or moves one whose hits then count for less, so it
  /// ends.
  private func makeRoom(for cost: Int, now: Int64) {
    while byteCount + cost > byteCountMax {
      // A tenth is for newcomers: as long as they have more, one of them goes or moves up.
      let isNewcomersTurn = probation.first >= 0 && (probation.byteCount * 10 >= byteCountMax || kept.first < 0)
      let oldest = Int(isNewcomersTurn ? probation.first : kept.first)
      if oldest < 0 { return }
      let isDead = entries[oldest].token.map { now >= $0.expiresAt } ?? true
      if isDead || entries[oldest].hitCount == 0 {
        remove(oldest)
        continue
      }
      unlink(oldest)
      entries[oldest].hitCount -= 1
      append(oldest, isKept: true)
    }
  }
}
