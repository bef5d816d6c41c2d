// Which proofs were seen, over all workers of the process: each counts once (RFC 9449 §11.1, T101). A proof is kept
// until it would be too old anyway, and none is forgotten before. Where there is no room, the next one is refused.

import Bytes

/// A table of words that all workers share. A slot holds a mark of a proof and the second at which it may be forgotten,
/// so nothing is ever swept. A mark has its place by a secret hash of a digest, and another one of 38 bits is compared.
package final class ReplayMemory: Sendable {
  package enum Outcome: Sendable { case fresh, seen, full }

  private let words: AtomicWords
  private let setMask: UInt64
  private let key0 = UInt64.random(in: .min ... .max)
  private let key1 = UInt64.random(in: .min ... .max)
  /// The one before a reload that changed the size. It still knows what was seen.
  private let older: ReplayMemory?
  package let byteCount: Int

  private static let slotCount = 16
  private static let timeBits: UInt64 = 26
  private static let timeMask: UInt64 = 1 << timeBits - 1
  /// Longer than any proof is good. The clock of a slot comes round after two years.
  private static let lifetimeMax: UInt64 = 1 << 13 - 1

  /// - Parameter byteCount: 8 for each proof that is kept, rounded down to a power of two.
  package init(byteCount: Int, after previous: ReplayMemory? = nil) {
    let setCount = max(2, byteCount / (8 * Self.slotCount))
    let bits = Int.bitWidth - 1 - setCount.leadingZeroBitCount
    setMask = UInt64(1) << UInt64(bits) - 1
    words = AtomicWords(count: Int(setMask + 1) * Self.slotCount)
    self.byteCount = byteCount
    older = previous
  }

  /// - Parameters:
  ///   - identity: 32 bytes, see ``CheckedProof/identity``.
  ///   - end: the first second in which the proof is too old.
  package func note(_ identity: [UInt8], until end: Int64, now: Int64) -> Outcome {
    let place = Place(identity, self)
    if older?.hasSeen(identity, now: now) == true { return .seen }
    let word = place.mark << Self.timeBits | UInt64(bitPattern: end) & Self.timeMask
    // Each round that fails was another worker's success. LIMIT: so many in a row are no accident.
    for _ in 0..<64 {
      guard let found = find(place, now: now) else { return .seen }
      if found.index < 0 { return .full }
      if words.exchange(found.index, from: found.word, to: word) != found.word { continue }
      // Where a slot became free between their looks, two workers may have put the same proof into two slots. At least
      // one of them sees the other now. Where both do, both refuse, which no honest client ever meets.
      if isElsewhere(place, than: found.index, now: now) {
        _ = words.exchange(found.index, from: word, to: 0)
        return .seen
      }
      return .fresh
    }
    return .full
  }

  /// Bytes of the table, and how many of them hold a proof that is not too old. Of a large table a part is counted, and
  /// the rest estimated from it: proofs are spread by a hash.
  package func fill(now: Int64) -> (used: Int, limit: Int) {
    let slotCount = Int(setMask + 1) * Self.slotCount
    let lookedAt = min(slotCount, Self.fillSlotCountMax)
    var aliveCount = 0
    for index in 0..<lookedAt where Self.isAlive(words.load(index), now: now) { aliveCount += 1 }
    return (aliveCount * (slotCount / lookedAt) * 8, slotCount * 8)
  }

  // LIMIT: slots that one look at the whole takes.
  private static let fillSlotCountMax = 1 << 16

  private struct Place {
    let mark: UInt64
    let first: Int
    let second: Int

    init(_ identity: [UInt8], _ memory: ReplayMemory) {
      let bytes = identity.span
      let place = bytes.keyedHash(memory.key0, memory.key1)
      let mark = bytes.keyedHash(~memory.key1, memory.key0) >> ReplayMemory.timeBits
      self.mark = mark == 0 ? 1 : mark
      first = Int(place & memory.setMask) * ReplayMemory.slotCount
      second = Int(place >> 32 & memory.setMask) * ReplayMemory.slotCount
    }

    /// The slots of both sets.
    func slot(_ number: Int) -> Int {
      number < ReplayMemory.slotCount ? first + number : second + number - ReplayMemory.slotCount
    }
  }

  private static func isAlive(_ word: UInt64, now: Int64) -> Bool {
    let left = (word &- UInt64(bitPattern: now)) & timeMask
    return word != 0 && left > 0 && left <= lifetimeMax
  }

  /// The slot to write to, and what it holds: below 0 where both sets are full. Nil for a proof that was seen. It is
  /// the first free one, so that workers who look for the same proof write to the same slot, where one is first.
  private func find(_ place: Place, now: Int64) -> (index: Int, word: UInt64)? {
    var free = (index: -1, word: UInt64(0))
    for number in 0..<Self.slotCount * 2 {
      let index = place.slot(number)
      let word = words.load(index)
      if !Self.isAlive(word, now: now) {
        if free.index < 0 { free = (index, word) }
      } else if word >> Self.timeBits == place.mark {
        return nil
      }
    }
    return free
  }

  private func isElsewhere(_ place: Place, than own: Int, now: Int64) -> Bool {
    for number in 0..<Self.slotCount * 2 {
      let index = place.slot(number)
      let word = words.loadInOrder(index)
      if index != own, word >> Self.timeBits == place.mark, Self.isAlive(word, now: now) { return true }
    }
    return false
  }

  private func hasSeen(_ identity: [UInt8], now: Int64) -> Bool {
    find(Place(identity, self), now: now) == nil || older?.hasSeen(identity, now: now) == true
  }
}
