// Remembers the callers that were proved, so that the second request with a credential costs a look-up and a compare.
//
// Invariants: only proved callers are in it, so no flood of bad credentials can push a good one out (T31). A hit is
// equal in every byte, of an issuer that the route takes (T29), not past its end (T16), and its proof still holds: the
// key is in the issuer's set (T27), the answer is fresh. What the entries cost together never passes the bound.

import Bytes

/// One a worker. Entries enter on probation and are kept for longer only once they were asked for again, so a stream of
/// tokens that come once does not flush those in use.
package final class TokenCache {
  /// What a hit looks at.
  private struct Entry {
    /// nil while the node is free.
    var caller: Caller?
    /// The caller's own bytes, shared with it: one step less on the way to the compare.
    var bytes: [UInt8]
    /// The set in which the proof was last seen to hold. 0 where each hit has to ask the proof.
    var keySetGeneration: UInt64
    /// How many of `bytes` are the credential's.
    var credentialByteCount: UInt32
    /// Hits since the entry was last moved, at most 3.
    var hitCount: UInt8 = 0
    var isKept = false
  }

  /// The rest of an entry, at the same index. Links are indices, too. -1 means none.
  private struct Node {
    var hash: UInt64
    var byteCount: Int
    var previous: Int32 = -1
    var next: Int32 = -1
  }

  /// A list in the order of entry. The oldest first.
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
  private var nodes: [Node] = []
  private var free: [Int32] = []
  private var probation = List()
  private var kept = List()
  /// Open addressing: 0 is empty, else the upper half of the hash and the entry's position plus 1.
  private var table = [UInt64](repeating: 0, count: 64)
  /// Random, so that nobody can make tokens that collide.
  private let key0: UInt64
  private let key1: UInt64

  /// What an entry costs beside its caller: its node, its share of a table that is at most half full, the free list.
  private static let overhead = MemoryLayout<Entry>.stride + MemoryLayout<Node>.stride + 4 * 8 + 4

  package init(byteCountMax: Int) {
    self.byteCountMax = byteCountMax
    key0 = UInt64.random(in: .min ... .max)
    key1 = UInt64.random(in: .min ... .max)
  }

  /// Bytes of memory that the entries take.
  package var byteCount: Int { probation.byteCount + kept.byteCount }

  /// Whose the credential is, if that was proved before and is still so for one of `candidates`. Scopes and claims are
  /// not looked at: they are the route's (T30). Allocates nothing.
  package func lookUp(_ credential: Span<UInt8>, candidates: [Int], keySets: [KeySet?], now: Int64) -> Caller? {
    guard let index = find(credential, hash: hash(credential)), let known = entries[index].caller else {
      misses &+= 1
      return nil
    }
    if now >= known.expiresAt {
      remove(index)
      misses &+= 1
      return nil
    }
    // A clock that was set back: what is checked again is refused in the same way.
    guard now >= known.beginsAt, let issuer = known.issuer, candidates.contains(issuer), issuer < keySets.count else {
      misses &+= 1
      return nil
    }
    let keys = keySets[issuer]
    if entries[index].keySetGeneration != keys?.generation ?? .max, !isProved(known, index, keys, now: now) {
      misses &+= 1
      return nil
    }
    if entries[index].hitCount < 3 { entries[index].hitCount += 1 }
    hits &+= 1
    return known
  }

  /// The same without a trace: no use is noted, and nothing is forgotten.
  /// - Parameter keys: of the caller's issuer.
  package func peek(_ credential: Span<UInt8>, _ keys: KeySet?, now: Int64) -> Caller? {
    guard let index = find(credential, hash: hash(credential)), let known = entries[index].caller,
      now >= known.beginsAt, now < known.expiresAt, known.proof.holds(in: keys, at: now)
    else { return nil }
    return known
  }

  /// Whose the session is, if the store has said so and its answer is fresh. Allocates nothing.
  package func lookUp(_ session: SessionKey, now: Int64) -> Caller? {
    let key = session.bytes
    return lookUp(key.span, now: now)
  }

  /// Whose the API key is, if it was shown before and has not ended. Allocates nothing.
  package func lookUp(_ key: APIKeyCheck, now: Int64) -> Caller? {
    let credential = key.credential
    return lookUp(credential.span, now: now)
  }

  /// Whose the API key in a store is, if the store has said so and its answer is fresh. Allocates nothing.
  package func lookUpStored(_ key: APIKeyCheck, now: Int64) -> Caller? {
    let credential = key.storedCredential
    return lookUp(credential.span, now: now)
  }

  /// A caller who depends on the keys of no issuer.
  private func lookUp(_ key: Span<UInt8>, now: Int64) -> Caller? {
    guard let index = find(key, hash: hash(key)), let known = entries[index].caller else {
      misses &+= 1
      return nil
    }
    if now >= known.expiresAt || !known.proof.holds(in: nil, at: now) {
      if now >= min(known.expiresAt, known.keptUntil) { remove(index) }
      misses &+= 1
      return nil
    }
    if entries[index].hitCount < 3 { entries[index].hitCount += 1 }
    hits &+= 1
    return known
  }

  /// Whether the store's next answer about the session can be compared with what it said before.
  package func isComparable(_ session: SessionKey) -> Bool {
    let key = session.bytes
    return find(key.span, hash: hash(key.span)).flatMap { entries[$0].caller?.storedValue } != nil
  }

  /// Whose the session is, if the store has just said the very same that it said before. Whatever else it has said, the
  /// session is forgotten.
  /// - Parameter value: all that the store has of it.
  package func lookUp(_ session: SessionKey, stored value: Span<UInt8>, now: Int64) -> Caller? {
    let key = session.bytes
    guard let index = find(key.span, hash: hash(key.span)), let known = entries[index].caller else { return nil }
    guard let stored = known.storedValue, now < stored.holdsUntil, now < known.expiresAt,
      stored.bytes.span.equals(value)
    else {
      remove(index)
      return nil
    }
    if entries[index].hitCount < 3 { entries[index].hitCount += 1 }
    return known
  }

  /// A session is over, or says something else.
  package func forget(_ session: SessionKey) {
    let key = session.bytes
    if let index = find(key.span, hash: hash(key.span)) { remove(index) }
  }

  /// What was said of these sessions may be wrong by now.
  /// - Parameter isMeant: by their indices in the configuration.
  package func forgetSessions(where isMeant: (Int) -> Bool) {
    for index in entries.indices {
      if case .answer(.session(let session), _)? = entries[index].caller?.proof, isMeant(session) { remove(index) }
    }
  }

  /// The API key in a store with this digest has changed.
  package func forgetAPIKey(digest: [UInt8]) {
    let key = APIKeyCheck.storedCredential(digest)
    if let index = find(key.span, hash: hash(key.span)) { remove(index) }
  }

  /// The API keys of a set have changed.
  package func forgetAPIKeys() {
    for index in entries.indices { if case .apiKey? = entries[index].caller?.proof { remove(index) } }
  }

  /// Asks the proof. What no longer holds is forgotten.
  private func isProved(_ known: Caller, _ index: Int, _ keys: KeySet?, now: Int64) -> Bool {
    guard known.proof.holds(in: keys, at: now) else {
      // Keys that are withdrawn may come back.
      if case .signature = known.proof, keys == nil { return false }
      remove(index)
      return false
    }
    if case .signature = known.proof, let keys { entries[index].keySetGeneration = keys.generation }
    return true
  }

  /// Keeps a caller that was proved just now, unless it alone costs more than the bound or is of no use to the next
  /// request.
  package func insert(_ caller: Caller, now: Int64) {
    let cost = caller.byteCount + Self.overhead
    // LIMIT: `limits.token_cache`.
    if cost > byteCountMax || now >= caller.expiresAt { return }
    if now >= caller.keptUntil { return }
    let bytes = caller.bytes
    let text = bytes.span.extracting(0..<caller.credentialByteCount)
    let hash = hash(text)
    if let index = find(text, hash: hash) { remove(index) }
    makeRoom(for: cost, now: now)
    if (count + 1) * 2 > table.count { growTable() }
    // No set is known to hold the key yet: the first hit looks.
    let entry = Entry(
      caller: caller, bytes: bytes, keySetGeneration: 0, credentialByteCount: UInt32(truncatingIfNeeded: text.count))
    let node = Node(hash: hash, byteCount: cost)
    let index: Int
    if let known = free.popLast() {
      index = Int(known)
      entries[index] = entry
      nodes[index] = node
    } else {
      index = entries.count
      entries.append(entry)
      nodes.append(node)
    }
    put(index)
    append(index, isKept: false)
    count += 1
  }

  /// A remembered caller keeps more memory than before, or less. It goes where there is no room.
  package func weigh(_ caller: Caller, now: Int64) {
    let bytes = caller.bytes
    let text = bytes.span.extracting(0..<caller.credentialByteCount)
    guard let index = find(text, hash: hash(text)), entries[index].caller === caller else { return }
    let cost = caller.byteCount + Self.overhead
    if cost > byteCountMax { return remove(index) }
    let difference = cost - nodes[index].byteCount
    nodes[index].byteCount = cost
    if entries[index].isKept { kept.byteCount += difference } else { probation.byteCount += difference }
    makeRoom(for: 0, now: now)
  }

  /// Forgets everything: for a new configuration, with its bound.
  package func removeAll(byteCountMax: Int) {
    self.byteCountMax = byteCountMax
    entries.removeAll()
    nodes.removeAll()
    free.removeAll()
    probation = List()
    kept = List()
    table = [UInt64](repeating: 0, count: 64)
    count = 0
  }

  /// Of the last bytes only, which are a signature's, or at random: only an issuer could make many good credentials
  /// that end alike. What is found is compared whole.
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
        if token.count == Int(entries[index].credentialByteCount),
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
    let hash = nodes[index].hash
    var slot = Int(truncatingIfNeeded: hash) & mask
    while table[slot] != 0 { slot = (slot + 1) & mask }
    table[slot] = (hash & 0xFFFF_FFFF_0000_0000) | UInt64(index + 1)
  }

  /// Takes the entry's cell out and moves back those behind it that it had pushed on.
  private func take(_ index: Int) {
    let mask = table.count - 1
    var hole = Int(truncatingIfNeeded: nodes[index].hash) & mask
    while table[hole] & 0xFFFF_FFFF != UInt64(index + 1) {
      if table[hole] == 0 { return }
      hole = (hole + 1) & mask
    }
    var slot = (hole + 1) & mask
    while table[slot] != 0 {
      let home = Int(truncatingIfNeeded: nodes[Int(table[slot] & 0xFFFF_FFFF) - 1].hash) & mask
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
    nodes[index].previous = list.last
    nodes[index].next = -1
    let node = Int32(truncatingIfNeeded: index)
    if list.last >= 0 { nodes[Int(list.last)].next = node } else { list.first = node }
    list.last = node
    list.byteCount += nodes[index].byteCount
    if isKept { kept = list } else { probation = list }
  }

  private func unlink(_ index: Int) {
    let node = nodes[index]
    let isKept = entries[index].isKept
    var list = isKept ? kept : probation
    if node.previous >= 0 { nodes[Int(node.previous)].next = node.next } else { list.first = node.next }
    if node.next >= 0 { nodes[Int(node.next)].previous = node.previous } else { list.last = node.previous }
    list.byteCount -= node.byteCount
    if isKept { kept = list } else { probation = list }
  }

  private func remove(_ index: Int) {
    take(index)
    unlink(index)
    entries[index].caller = nil
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
      let isDead = entries[oldest].caller.map { now >= $0.expiresAt } ?? true
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
