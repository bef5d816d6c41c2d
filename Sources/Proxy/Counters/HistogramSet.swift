// Histograms with fixed buckets, one for each of a run of ids, in one flat array.
//
// Invariant: `cells.count` is a multiple of `stride`. A cell counts one bucket alone (they are summed up when shown).

/// Durations by id. Bounds are in nanoseconds, inclusive as in `le`.
package struct HistogramSet: Sendable, Equatable {
  package let bounds: [UInt64]
  /// For each id: a count for every bound, one for what is longer than all of them, and the sum in nanoseconds.
  private var cells: [UInt64] = []

  init(bounds: [UInt64]) { self.bounds = bounds }

  private var stride: Int { bounds.count + 2 }

  /// Ids from 0 that may have observations.
  package var idCount: Int { cells.count / stride }

  mutating func observe(_ nanoseconds: UInt64, id: Int) {
    // LIMIT: as for CounterKey. Ids are given by configurations, never by a peer.
    guard id >= 0, id <= 0xFF_FFFF else { return }
    if (id + 1) * stride > cells.count { grow(to: id + 1) }
    let bucket = bucket(of: nanoseconds)
    let base = id * stride
    let sum = base + stride - 1
    var cells = cells.mutableSpan
    cells[base + bucket] &+= 1
    cells[sum] &+= nanoseconds
  }

  /// The last bucket has no bound.
  @inline(__always)
  func bucket(of nanoseconds: UInt64) -> Int {
    var bucket = 0
    while bucket < bounds.count, nanoseconds > bounds[bucket] { bucket += 1 }
    return bucket
  }

  /// Observations per bucket, the last one without bound, and the sum of all in nanoseconds. Nil without observations.
  package func histogram(id: Int) -> (buckets: [UInt64], sum: UInt64)? {
    guard id >= 0, id < idCount else { return nil }
    let base = id * stride
    let buckets = Array(cells[base..<base + stride - 1])
    return buckets.contains { $0 != 0 } ? (buckets, cells[base + stride - 1]) : nil
  }

  mutating func merge(_ other: HistogramSet) {
    if other.idCount > idCount { grow(to: other.idCount) }
    for index in other.cells.indices { cells[index] &+= other.cells[index] }
  }

  private mutating func grow(to idCount: Int) {
    // Doubled, so that many routes seen one after the other are not copied each time.
    let wanted = max(idCount, self.idCount * 2) * stride
    cells.append(contentsOf: repeatElement(0, count: wanted - cells.count))
  }
}
