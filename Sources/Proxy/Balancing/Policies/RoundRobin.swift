// `balance: round_robin`: by weight, spread evenly. Three servers of weights 5, 1, 1 give a b a a a c a.

struct RoundRobin {
  /// Where the last request went: an index into the rotation. Used where the shares are equal.
  private var position = -1
  /// Empty where the shares are equal.
  private var queue = ServerQueue(isByLoad: false)

  mutating func rotationChanged(_ rotation: borrowing Rotation) {
    if rotation.hasEqualShares { queue = ServerQueue(isByLoad: false) } else { queue.rotationChanged(rotation) }
  }

  mutating func next(
    leavingOut passed: PassedOver, in rotation: borrowing Rotation, _ random: inout RandomIdentifiers
  ) -> UpstreamServer? {
    if passed.tried.isEmpty, let server = next(in: rotation), !passed.contains(server) { return server }
    return rotation.drawn(leavingOut: passed, &random)
  }

  private mutating func next(in rotation: borrowing Rotation) -> UpstreamServer? {
    if rotation.hasEqualShares {
      position = position + 1 < rotation.servers.count ? position + 1 : 0
      return rotation.servers[position]
    }
    guard let server = queue.first else { return nil }
    queue.take(server)
    return server
  }
}
