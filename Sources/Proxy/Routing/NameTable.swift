// An open-addressing hash table from (parent, name) to a number, built once and then only read: the edges of the route
// table's tree and its host names. Flat arrays, no object per entry, no allocation in a look-up.
//
// Invariant: the slot count is a power of two and at least twice the entry count, so every probe meets an empty slot.

import Bytes

struct NameTable: Sendable {
  private struct Slot: Sendable {
    var parent: UInt32
    /// Where the name lies in `names`.
    var start: UInt32
    var count: UInt32
    /// `UInt32.max` in an empty slot.
    var value: UInt32
    /// All 64 bits, so that other names are distinguished without touching their bytes.
    var hash: UInt64
  }

  private static let empty = Slot(parent: 0, start: 0, count: 0, value: .max, hash: 0)

  private var slots: [Slot] = []
  private var names: [UInt8] = []
  private var mask = 0

  /// - Parameter entries: pairwise different in (parent, name).
  init(_ entries: [(parent: Int, name: [UInt8], value: Int)]) {
    if entries.isEmpty { return }
    var slotCount = 4
    while slotCount < entries.count * 2 { slotCount *= 2 }
    mask = slotCount - 1
    slots = Array(repeating: Self.empty, count: slotCount)
    names.reserveCapacity(entries.reduce(0) { $0 + $1.name.count })
    for entry in entries {
      let hash = Self.hash(parent: entry.parent, name: entry.name.span)
      var index = Int(truncatingIfNeeded: hash) & mask
      while slots[index].value != .max { index = (index + 1) & mask }
      slots[index] = Slot(
        parent: UInt32(truncatingIfNeeded: entry.parent), start: UInt32(truncatingIfNeeded: names.count),
        count: UInt32(truncatingIfNeeded: entry.name.count), value: UInt32(truncatingIfNeeded: entry.value), hash: hash)
      names.append(contentsOf: entry.name)
    }
  }

  var isEmpty: Bool { slots.isEmpty }

  /// The value stored under a name, or nil. A name that only collides is distinguished by a full compare.
  func value(parent: Int, name: Span<UInt8>) -> Int? {
    if slots.isEmpty { return nil }
    let hash = Self.hash(parent: parent, name: name)
    var index = Int(truncatingIfNeeded: hash) & mask
    // LIMIT: ends at the first empty slot. What a client sends is never inserted, so it cannot lengthen a probe.
    while true {
      let slot = slots[index]
      if slot.value == .max { return nil }
      if slot.hash == hash, Int(slot.parent) == parent, Int(slot.count) == name.count {
        let start = Int(slot.start)
        if names.span.extracting(start..<start + name.count).equals(name) { return Int(slot.value) }
      }
      index = (index + 1) & mask
    }
  }

  private static func hash(parent: Int, name: Span<UInt8>) -> UInt64 {
    name.keyedHash(UInt64(truncatingIfNeeded: parent) &* 0xD6E8_FEB8_6659_FD93, 0xA076_1D64_78BD_642F)
  }
}
