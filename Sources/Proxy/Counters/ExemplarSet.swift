// A traced request for each bucket of a histogram, so that who looks at a slow one finds its trace.

/// The newest request of a bucket that was traced.
package struct Exemplar: Sendable, Equatable {
  package var traceHigh: UInt64
  package var traceLow: UInt64
  package var spanID: UInt64
  package var nanoseconds: UInt64
  package var unixMilliseconds: Int64

  package init(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, nanoseconds: UInt64, unixMilliseconds: Int64) {
    self.traceHigh = traceHigh
    self.traceLow = traceLow
    self.spanID = spanID
    self.nanoseconds = nanoseconds
    self.unixMilliseconds = unixMilliseconds
  }
}

/// Beside a ``HistogramSet``, by id and bucket. It has no memory until a request is traced.
package struct ExemplarSet: Sendable, Equatable {
  private let bucketCount: Int
  /// LIMIT: one a bucket and id. Ids are given by configurations, never by a peer.
  private var cells: [Exemplar?] = []

  init(bucketCount: Int) { self.bucketCount = bucketCount }

  mutating func note(_ exemplar: Exemplar, id: Int, bucket: Int) {
    guard id >= 0, id <= 0xFF_FFFF, bucket >= 0, bucket < bucketCount else { return }
    if (id + 1) * bucketCount > cells.count { grow(to: max((id + 1) * bucketCount, cells.count * 2)) }
    cells[id * bucketCount + bucket] = exemplar
  }

  /// One for each bucket of the id. Empty without any.
  package func exemplars(id: Int) -> [Exemplar?] {
    let end = (id + 1) * bucketCount
    guard id >= 0, end <= cells.count else { return [] }
    let found = cells[end - bucketCount..<end]
    return found.contains { $0 != nil } ? Array(found) : []
  }

  /// The newest of both.
  mutating func merge(_ other: ExemplarSet) {
    if other.cells.count > cells.count { grow(to: other.cells.count) }
    for index in other.cells.indices {
      guard let theirs = other.cells[index] else { continue }
      if let ours = cells[index], ours.unixMilliseconds >= theirs.unixMilliseconds { continue }
      cells[index] = theirs
    }
  }

  private mutating func grow(to count: Int) {
    cells.append(contentsOf: repeatElement(nil, count: count - cells.count))
  }
}
