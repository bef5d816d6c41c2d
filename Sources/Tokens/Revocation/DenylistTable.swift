// Tokens that count no more, as a denylist names them: 16 bytes for each entry and a third more for the gaps between
// them, so that a million take some 21 MB whatever their names. No name is kept, only a keyed hash of it.
//
// Two names may have one hash. The chance that a token meets one of a million entries so is one in 2^44, and a token
// that does is refused: never the other way round.

import Bytes

/// What an entry of a denylist is about.
package enum DenylistSelector: UInt8, Sendable, CaseIterable {
  /// One token, by `jti` (RFC 7519 §4.1.7).
  case token
  /// All tokens of somebody, by `sub`.
  case subject
  /// All tokens of a session at the issuer, by `sid`.
  case session
  /// All tokens that a key has signed, by the key's `kid`.
  case key
  /// All tokens of the issuer.
  case issuer

  /// The member's name.
  package var name: StaticString {
    switch self {
    case .token: "jti"
    case .subject: "sub"
    case .session: "sid"
    case .key: "kid"
    case .issuer: ""
    }
  }
}

/// When an entry counts.
package struct DenylistTimes: Sendable, Equatable {
  /// Tokens that were issued before this second, since 1970. Int64.max are all of them.
  package var issuedBefore = Int64.max
  /// The first second in which the entry counts no more. Int64.max is never.
  package var until = Int64.max

  package init(issuedBefore: Int64 = .max, until: Int64 = .max) {
    self.issuedBefore = issuedBefore
    self.until = until
  }

  /// Whether a token is meant that was issued then. One that does not say when may have been issued at any time.
  func includes(issuedAt: Int64?, now: Int64) -> Bool {
    now < until && (issuedBefore == .max || issuedAt.map { $0 < issuedBefore } ?? true)
  }
}

/// A value: who changes a copy leaves the others alone, and copies share their memory until then.
package struct DenylistTable: Sendable {
  private struct Slot: Sendable {
    /// 0 is an empty slot.
    var hash: UInt64 = 0
    var issuedBefore: UInt32 = 0
    var until: UInt32 = 0
  }

  /// Open addressing, at most three quarters full.
  private var slots: [Slot] = []
  package private(set) var count = 0
  /// Selectors that some entry has, as bits: who asks for others need not look.
  private var selectors: UInt8 = 0
  /// Random, so that nobody can make names that collide.
  private let key0 = UInt64.random(in: .min ... .max)
  private let key1 = UInt64.random(in: .min ... .max)

  package init() {}

  /// Bytes of memory.
  package var byteCount: Int { slots.capacity * MemoryLayout<Slot>.stride }

  /// - Parameter count: of entries that will be inserted, where that is known.
  package mutating func reserve(_ count: Int) {
    let wanted = Self.slotCount(for: count)
    if wanted > slots.count { rebuild(slotCount: wanted) }
  }

  private static func slotCount(for count: Int) -> Int { count + count / 3 + 8 }

  /// Two entries with one name become one that refuses what either does.
  package mutating func insert(_ selector: DenylistSelector, _ name: Span<UInt8>, _ times: DenylistTimes) {
    if (count + 1) * 4 > slots.count * 3 { rebuild(slotCount: Self.slotCount(for: max(16, count * 2))) }
    selectors |= 1 << selector.rawValue
    put(
      Slot(
        hash: hash(selector, name), issuedBefore: Self.packed(times.issuedBefore), until: Self.packed(times.until)))
  }

  private mutating func put(_ slot: Slot) {
    var index = firstIndex(of: slot.hash)
    while slots[index].hash != 0 {
      if slots[index].hash == slot.hash {
        slots[index].issuedBefore = max(slots[index].issuedBefore, slot.issuedBefore)
        slots[index].until = max(slots[index].until, slot.until)
        return
      }
      index = index + 1 == slots.count ? 0 : index + 1
    }
    slots[index] = slot
    count += 1
  }

  private mutating func rebuild(slotCount: Int) {
    let old = slots
    slots = [Slot](repeating: Slot(), count: slotCount)
    count = 0
    for slot in old where slot.hash != 0 { put(slot) }
  }

  /// Whether an entry of this selector means a token that was issued then.
  package func includes(_ selector: DenylistSelector, _ name: Span<UInt8>, issuedAt: Int64?, now: Int64) -> Bool {
    if !has(selector) { return false }
    let hash = hash(selector, name)
    var index = firstIndex(of: hash)
    while slots[index].hash != 0 {
      if slots[index].hash == hash {
        let times = DenylistTimes(
          issuedBefore: Self.unpacked(slots[index].issuedBefore), until: Self.unpacked(slots[index].until))
        return times.includes(issuedAt: issuedAt, now: now)
      }
      index = index + 1 == slots.count ? 0 : index + 1
    }
    return false
  }

  package func has(_ selector: DenylistSelector) -> Bool { selectors & 1 << selector.rawValue != 0 }

  private func hash(_ selector: DenylistSelector, _ name: Span<UInt8>) -> UInt64 {
    max(1, keyedHash(of: name.keyedHash(key0, key1), UInt64(selector.rawValue), key1, key0))
  }

  /// The upper bits of the hash, spread over as many slots as there are.
  private func firstIndex(of hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(slots.count)).high)
  }

  /// LIMIT: seconds up to the year 2106. What is later is never, or all, which refuses no less.
  private static func packed(_ seconds: Int64) -> UInt32 { UInt32(clamping: seconds) }
  private static func unpacked(_ seconds: UInt32) -> Int64 { seconds == .max ? .max : Int64(seconds) }
}

/// A whole denylist: what was read at once, and what has come since, so that one more entry does not copy a million.
package struct Denylist: Sendable {
  private var base: DenylistTable
  private var recent = DenylistTable()
  /// What is in ``recent``, which keeps no names.
  private var additions: [DenylistEntry] = []

  // LIMIT: so many entries are beside the others before all are put together.
  private static let recentCountMax = 4096

  package init(_ table: DenylistTable = DenylistTable()) { base = table }

  package var count: Int { base.count + recent.count }
  package var byteCount: Int { base.byteCount + recent.byteCount }

  /// One more entry.
  package mutating func insert(_ entry: DenylistEntry) {
    if recent.count >= Self.recentCountMax { settle() }
    entry.insert(into: &recent)
    additions.append(entry)
  }

  private mutating func settle() {
    for entry in additions { entry.insert(into: &base) }
    additions = []
    recent = DenylistTable()
  }

  package func includes(_ selector: DenylistSelector, _ name: Span<UInt8>, issuedAt: Int64?, now: Int64) -> Bool {
    base.includes(selector, name, issuedAt: issuedAt, now: now)
      || recent.includes(selector, name, issuedAt: issuedAt, now: now)
  }

  package func has(_ selector: DenylistSelector) -> Bool { base.has(selector) || recent.has(selector) }
}
