// The last refusals, for the status page: what a client quotes is found there by its request id.

/// A ring. It costs nothing until something is refused.
package struct LastRefusals: Sendable, Equatable {
  package struct Entry: Sendable, Equatable {
    package var unixMilliseconds: Int64
    package var refusal: Refusal
    /// The id of ``CounterNames``. Nil when none took the request.
    package var route: Int?
    package var requestID: String
  }

  /// LIMIT: of a worker, and of all together.
  package static let countMax = 20

  private var ring: [Entry] = []
  private var next = 0

  mutating func note(_ entry: Entry) {
    if ring.count < Self.countMax {
      ring.append(entry)
    } else {
      ring[next] = entry
      next = (next + 1) % Self.countMax
    }
  }

  /// The newest first.
  package var entries: [Entry] { (ring[next...] + ring[..<next]).reversed() }

  /// The newest of both.
  mutating func merge(_ other: LastRefusals) {
    let all = (entries + other.entries).sorted { $0.unixMilliseconds > $1.unixMilliseconds }
    ring = all.prefix(Self.countMax).reversed()
    next = 0
  }
}
