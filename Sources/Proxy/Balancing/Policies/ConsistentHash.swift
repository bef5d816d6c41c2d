// `balance: hash`: consistent hashing with bounded load. Each server has points on a ring of numbers. A caller goes to
// the server of the next point. A server that goes leaves its callers to those behind its points and moves nobody
// else's.
//
// Invariant: the points depend on addresses and weights alone, so that all workers and all gateways have the same ring.

import Bytes
import Configuration

struct ConsistentHash {
  /// What tells callers apart.
  private(set) var key: RequestValue?
  private var ring = HashRing()
  /// For requests without the value.
  private var roundRobin = RoundRobin()

  /// Requests that a worker may have at one server before the bound counts: below, two more or less are no load, and a
  /// caller with a few requests at once would be torn apart.
  private static let unboundedCount = 16

  mutating func configure(_ key: RequestValue?, _ servers: [UpstreamServer]) {
    self.key = key
    ring = HashRing(servers)
  }

  mutating func rotationChanged(_ rotation: borrowing Rotation) { roundRobin.rotationChanged(rotation) }

  /// - Parameters:
  ///   - number: the caller's. Nil where the request does not have the value.
  ///   - passed: servers that others are taken in place of, while any is left.
  mutating func next(
    for number: UInt64?, leavingOut passed: PassedOver, in rotation: borrowing Rotation,
    _ random: inout RandomIdentifiers
  ) -> UpstreamServer? {
    if let number, let server = next(behind: number, leavingOut: passed, in: rotation) { return server }
    return roundRobin.next(leavingOut: passed, in: rotation, &random)
  }

  /// The first server behind the number that accepts the request. Those further on are the caller's next ones, the same
  /// each time.
  private func next(
    behind number: UInt64, leavingOut passed: PassedOver, in rotation: borrowing Rotation
  ) -> UpstreamServer? {
    var fallback: UpstreamServer?
    var index = ring.start(of: number)
    for _ in ring.owners.indices {
      let server = ring.servers[Int(ring.owners[index])]
      index = index + 1 < ring.owners.count ? index + 1 : 0
      if !server.load.isInRotation || passed.contains(server) { continue }
      if fallback == nil { fallback = server }
      if server.load.isStartingSlowly, !Self.isTaken(number, by: server) { continue }
      if server.load.activeCount < Self.unboundedCount || server.load.activeCount < rotation.bound(of: server) {
        return server
      }
    }
    return fallback
  }

  /// While a server starts slowly, a growing part of its callers: those that have moved to it stay.
  private static func isTaken(_ number: UInt64, by server: UpstreamServer) -> Bool {
    scaled(mixed(number), below: ServerLoad.wholeShare(of: server.configuration)) < server.load.share
  }
}

extension Rotation {
  /// 1.25 of the server's share of all requests, this one among them, rounded up.
  fileprivate func bound(of server: UpstreamServer) -> Int {
    (5 * (activeCount + 1) * server.load.share + 4 * shareSum - 1) / (4 * shareSum)
  }
}

struct HashRing {
  /// All of the upstream's, those that are out of rotation among them.
  private(set) var servers: [UpstreamServer] = []
  /// In ascending order.
  private(set) var points: [UInt64] = []
  /// The server of each point: an index into ``servers``.
  private(set) var owners: [Int32] = []

  /// LIMIT: points of a whole ring, which takes some milliseconds to sort.
  private static let pointCountMax = 65_536
  /// Of a server of average weight: the shares of callers then differ by some 8 %.
  private static let pointsPerServer = 160

  init() {}

  init(_ servers: [UpstreamServer]) {
    self.servers = servers
    let average = servers.isEmpty ? 1 : max(1, min(Self.pointsPerServer, Self.pointCountMax / servers.count))
    let weights = servers.reduce(0) { $0 + $1.configuration.weight }
    var marks: [(point: UInt64, owner: Int32)] = []
    for (index, server) in servers.enumerated() {
      let count = max(1, average * servers.count * server.configuration.weight / max(1, weights))
      let text = server.addressText
      let start = text.span.placementHash
      for number in 0..<count { marks.append((mixed(start &+ UInt64(number)), Int32(truncatingIfNeeded: index))) }
    }
    marks.sort { $0.point < $1.point }
    points = marks.map(\.point)
    owners = marks.map(\.owner)
  }

  /// The index of the first point that is not before the number. Behind the last one comes the first.
  func start(of number: UInt64) -> Int {
    var (low, high) = (0, points.count)
    while low < high {
      let middle = (low + high) / 2
      if points[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low == points.count ? 0 : low
  }
}
