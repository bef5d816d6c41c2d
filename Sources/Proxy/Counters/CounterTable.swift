// A hash table from a packed label set to a count. Open addressing on one integer: an increment is a multiplication and
// most often one probe. Memory grows only at the first sight of a combination.
//
// Invariant: the slot count is 0 or a power of two, and fewer than half the slots are used.

/// Counts by key. Keys are non-zero: see ``CounterKey``.
struct CounterTable: Sendable, Equatable {
  private var keys: [UInt64] = []
  private var counts: [UInt64] = []
  private(set) var count = 0

  mutating func add(_ amount: UInt64, for key: UInt64) {
    if count * 2 >= keys.count { grow() }
    let mask = keys.count - 1
    var index = Self.start(key, mask)
    while keys[index] != key {
      if keys[index] == 0 {
        keys[index] = key
        count += 1
        break
      }
      index = (index + 1) & mask
    }
    counts[index] &+= amount
  }

  mutating func merge(_ other: CounterTable) {
    for index in other.keys.indices where other.keys[index] != 0 { add(other.counts[index], for: other.keys[index]) }
  }

  /// All counts, in the order of their keys.
  var sorted: [(key: UInt64, count: UInt64)] {
    keys.indices.filter { keys[$0] != 0 }.map { (key: keys[$0], count: counts[$0]) }.sorted { $0.key < $1.key }
  }

  private static func start(_ key: UInt64, _ mask: Int) -> Int {
    Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
  }

  private mutating func grow() {
    let old = self
    keys = Array(repeating: 0, count: max(16, old.keys.count * 2))
    counts = Array(repeating: 0, count: keys.count)
    count = 0
    merge(old)
  }

  static func == (a: CounterTable, b: CounterTable) -> Bool {
    a.sorted.elementsEqual(b.sorted) { $0.key == $1.key && $0.count == $1.count }
  }
}

/// Packs up to three labels into a table's key, and unpacks them.
enum CounterKey {
  // LIMIT: 2^24 routes, 2^20 issuers or 2^4 methods with 2^16 codes. Larger numbers are counted under the largest.
  static func pack(_ high: Int?, _ middle: Int?, _ low: Int) -> UInt64 {
    let high = UInt64(clamping: min((high ?? -1) + 1, 0xFF_FFFF))
    let middle = UInt64(clamping: min((middle ?? -1) + 1, 0xF_FFFF))
    let low = UInt64(clamping: min(low, 0xFFFF))
    return 1 << 63 | high << 36 | middle << 16 | low
  }

  static func unpack(_ key: UInt64) -> (high: Int?, middle: Int?, low: Int) {
    let high = Int(truncatingIfNeeded: key >> 36 & 0xFF_FFFF)
    let middle = Int(truncatingIfNeeded: key >> 16 & 0xF_FFFF)
    return (high == 0 ? nil : high - 1, middle == 0 ? nil : middle - 1, Int(truncatingIfNeeded: key & 0xFFFF))
  }
}
