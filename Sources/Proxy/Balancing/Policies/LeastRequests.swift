// `balance: least_requests`: the server with the fewest requests in flight for its share. Each worker counts its own
// requests.

struct LeastRequests {
  /// Where the last look began: an index into the rotation.
  private var position = -1
  /// Decides among equals where shares differ.
  private var roundRobin = RoundRobin()

  mutating func rotationChanged(_ rotation: borrowing Rotation) { roundRobin.rotationChanged(rotation) }

  /// - Parameter tried: servers that are passed over while any other is left.
  mutating func next(
    leavingOut tried: [UpstreamServer], in rotation: borrowing Rotation, _ random: inout RandomIdentifiers
  ) -> UpstreamServer? {
    let count = rotation.servers.count
    var start = position + 1 < count ? position + 1 : 0
    // A retry does not take the next request's position. See ``RoundRobin``.
    if tried.isEmpty {
      position = start
    } else {
      start = scaled(random.next(), below: count)
    }
    var best: UpstreamServer?
    // In two runs, from the start to the end and from the beginning to the start.
    for index in start..<count { Self.choose(rotation.servers[index], over: &best, tried) }
    for index in 0..<start { Self.choose(rotation.servers[index], over: &best, tried) }
    guard let best else { return rotation.servers[start] }
    if rotation.hasEqualShares { return best }
    return roundRobin.nextByShare(leavingOut: tried, in: rotation) { $0.load.isAsBusy(as: best.load) } ?? best
  }

  private static func choose(
    _ server: UpstreamServer, over best: inout UpstreamServer?, _ tried: [UpstreamServer]
  ) {
    if isOne(server, of: tried) { return }
    if let known = best, !server.load.isLessBusy(than: known.load) { return }
    best = server
  }
}
