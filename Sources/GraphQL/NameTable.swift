// Finds operations and fragments by their names in a time that does not depend on how the names were chosen.

import Bytes

/// Open addressing over definitions: 0 is empty, else an index plus 1.
struct NameTable: Sendable {
  private var slots: [UInt32] = []
  private let key0 = Self.processKey0
  private let key1 = Self.processKey1

  /// Random once a process, or a stranger could choose names that collide (T86).
  private static let processKey0 = UInt64.random(in: .min ... .max)
  private static let processKey1 = UInt64.random(in: .min ... .max)

  /// Forgets what there is, and makes room.
  mutating func begin(count: Int) {
    var capacity = 8
    while capacity < count * 2 { capacity *= 2 }
    if slots.count == capacity {
      for slot in slots.indices { slots[slot] = 0 }
    } else {
      slots = Array(repeating: 0, count: capacity)
    }
  }

  /// False when there is one of that kind and name already.
  mutating func insert(
    _ index: Int, isFragment: Bool, in text: Span<UInt8>, _ definitions: [Definition]
  ) -> Bool {
    let name = definitions[index].name
    var slot = start(name, in: text)
    while slots[slot] != 0 {
      if isMeant(slots[slot], name, isFragment, text, definitions) { return false }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = UInt32(truncatingIfNeeded: index + 1)
    return true
  }

  func find(_ name: TextRange, isFragment: Bool, in text: Span<UInt8>, _ definitions: [Definition]) -> Int? {
    var slot = start(name, in: text)
    while slots[slot] != 0 {
      if isMeant(slots[slot], name, isFragment, text, definitions) { return Int(slots[slot]) - 1 }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  private func start(_ name: TextRange, in text: Span<UInt8>) -> Int {
    Int(truncatingIfNeeded: text.extracting(name.bounds).keyedHash(key0, key1)) & (slots.count - 1)
  }

  private func isMeant(
    _ slot: UInt32, _ name: TextRange, _ isFragment: Bool, _ text: Span<UInt8>, _ definitions: [Definition]
  ) -> Bool {
    let definition = definitions[Int(slot) - 1]
    return (definition.type == nil) == isFragment
      && text.extracting(definition.name.bounds).equals(text.extracting(name.bounds))
  }
}
