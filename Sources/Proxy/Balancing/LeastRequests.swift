// The server with the fewest requests under way for its share: of all servers, or of two that chance has picked. Each
// worker counts its own requests.

extension UpstreamServer {
  /// Requests under way for the share, against the other's: negative where there are fewer here.
  func busyness(against other: UpstreamServer) -> Int { activeCount * other.share - other.activeCount * share }
}

extension UpstreamPool {
  /// Among equals in turn, by weight.
  func leastRequests(leavingOut tried: [UpstreamServer]) -> UpstreamServer? {
    var turn = turn + 1 < rotation.count ? turn + 1 : 0
    // A retry does not take the next one's turn. See `atRandom`.
    if tried.isEmpty {
      self.turn = turn
    } else {
      turn = place(worker.randomIdentifiers.next(), below: rotation.count)
    }
    var best: UpstreamServer?
    // In two runs, from the turn to the end and from the beginning to the turn.
    for index in turn..<rotation.count { choose(rotation[index], over: &best, tried) }
    for index in 0..<turn { choose(rotation[index], over: &best, tried) }
    guard let best else { return rotation[turn] }
    return hasEqualShares ? best : inTurn(leavingOut: tried) { $0.busyness(against: best) == 0 } ?? best
  }

  private func choose(_ server: UpstreamServer, over best: inout UpstreamServer?, _ tried: [UpstreamServer]) {
    if isOne(server, of: tried) { return }
    if let known = best, server.busyness(against: known) >= 0 { return }
    best = server
  }

  /// The power of two choices: nearly as even as looking at all of them, at the cost of two. And workers that know
  /// nothing of each other do not all choose the same one.
  func randomTwo(leavingOut tried: [UpstreamServer]) -> UpstreamServer? {
    if !tried.isEmpty { return leastRequests(leavingOut: tried) }
    let first = randomPlace()
    var second = randomPlace()
    // Heavy servers are drawn twice more often than light ones: after three draws the neighbour will do.
    for _ in 0..<3 where second == first { second = randomPlace() }
    if second == first { second = first + 1 < rotation.count ? first + 1 : 0 }
    return rotation[second].busyness(against: rotation[first]) < 0 ? rotation[second] : rotation[first]
  }

  /// A place in the rotation, by share.
  private func randomPlace() -> Int {
    let number = worker.randomIdentifiers.next()
    if shareEnds.isEmpty { return place(number, below: rotation.count) }
    let wanted = place(number, below: shareSum)
    var (low, high) = (0, shareEnds.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if shareEnds[middle] <= wanted { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
