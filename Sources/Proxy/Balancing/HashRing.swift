// Consistent hashing with bounded load. Each server has points on a ring of numbers. A caller goes to the server of the
// next point. A server that goes leaves its callers to those behind its points and moves nobody else's.
//
// Invariant: the points depend on addresses and weights alone, so that all workers and all gateways have the same ring.

import Bytes
import Configuration

struct HashRing {
  /// In ascending order.
  private(set) var points: [UInt64] = []
  /// The server of each point: an index into the pool's servers.
  private(set) var owners: [Int32] = []

  /// LIMIT: points of a whole ring, which takes some milliseconds to sort.
  private static let pointCountMax = 65_536
  /// Of a server of average weight: the shares of callers then differ by some 8 %.
  private static let pointsPerServer = 160

  init() {}

  init(_ servers: [UpstreamServer]) {
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

extension UpstreamPool {
  /// Requests that a worker may have at one server before the bound counts: below, two more or less are no load, and a
  /// caller with a few requests at once would be torn apart.
  private static let unboundedCount = 16

  /// The first server behind the number that accepts the request. Those further on are the caller's next ones, the same
  /// each time.
  func ringServer(for number: UInt64, leavingOut tried: [UpstreamServer]) -> UpstreamServer? {
    var fallback: UpstreamServer?
    var index = ring.start(of: number)
    for _ in ring.owners.indices {
      let server = servers[Int(ring.owners[index])]
      index = index + 1 < ring.owners.count ? index + 1 : 0
      if !server.isInRotation || isOne(server, of: tried) { continue }
      if fallback == nil { fallback = server }
      if server.slowStartedAt != .min, !isTaken(number, by: server) { continue }
      if server.activeCount < Self.unboundedCount || server.activeCount < bound(of: server) { return server }
    }
    return fallback ?? roundRobin(leavingOut: tried)
  }

  /// While a server starts slowly, a growing part of its callers: those that have moved to it stay.
  private func isTaken(_ number: UInt64, by server: UpstreamServer) -> Bool {
    place(mixed(number), below: server.configuration.weight * UpstreamServer.shareOfWeightOne) < server.share
  }

  /// 1.25 of the server's share of all requests, this one among them, rounded up.
  private func bound(of server: UpstreamServer) -> Int {
    (5 * (activeCount + 1) * server.share + 4 * shareSum - 1) / (4 * shareSum)
  }
}
