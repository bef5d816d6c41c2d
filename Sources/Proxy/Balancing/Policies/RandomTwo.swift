// `balance: random_two`: of two servers that chance picks, the one with fewer requests in flight for its share (the
// power of two choices). It is nearly as even as a look at all of them, at the cost of two. And workers that know
// nothing of each other do not all choose the same server.

struct RandomTwo {
  /// The sum of each server's share and of those before it. Empty where the shares are equal.
  private var shareEnds: [Int] = []

  mutating func rotationChanged(_ rotation: borrowing Rotation) {
    var sum = 0
    let servers = rotation.hasEqualShares ? [] : rotation.servers
    shareEnds = servers.map { server in
      sum += server.load.share
      return sum
    }
  }

  mutating func next(
    leavingOut passed: PassedOver, in rotation: borrowing Rotation, _ random: inout RandomIdentifiers
  ) -> UpstreamServer? {
    if !passed.tried.isEmpty { return rotation.leastBusy(leavingOut: passed, &random) }
    let first = draw(rotation, &random)
    var second = draw(rotation, &random)
    // Heavy servers are drawn twice more often than light ones. After three more draws the neighbour is taken.
    for _ in 0..<3 where second == first { second = draw(rotation, &random) }
    if second == first { second = first + 1 < rotation.servers.count ? first + 1 : 0 }
    let (one, other) = (rotation.servers[first], rotation.servers[second])
    let chosen = other.load.isLessBusy(than: one.load) ? other : one
    return passed.contains(chosen) ? rotation.leastBusy(leavingOut: passed, &random) : chosen
  }

  /// A server by its share, as an index into the rotation.
  private func draw(_ rotation: borrowing Rotation, _ random: inout RandomIdentifiers) -> Int {
    let number = random.next()
    if shareEnds.isEmpty { return scaled(number, below: rotation.servers.count) }
    let point = scaled(number, below: rotation.shareSum)
    var (low, high) = (0, shareEnds.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if shareEnds[middle] <= point { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
