// Which server of an upstream takes the request: round robin by weight, spread smoothly (each step every server gains
// its weight, the one with the most is taken and pays the sum, three servers of weights 5, 1, 1 give a a b a c a a).

import Configuration

extension UpstreamPool {
  /// - Parameter tried: servers that are passed over while any other is left.
  func roundRobin(leavingOut tried: [UpstreamServer]) -> UpstreamServer? {
    if !tried.isEmpty { return atRandom(leavingOut: tried) }
    if hasEqualShares {
      turn = turn + 1 < rotation.count ? turn + 1 : 0
      return rotation[turn]
    }
    return inTurn(leavingOut: tried) { _ in true } ?? rotation.first
  }

  /// By weight, out of turn: a retry that took the next one's turn would bring the order into step with the server that
  /// fails, so that more than its share of requests meets it first.
  private func atRandom(leavingOut tried: [UpstreamServer]) -> UpstreamServer? {
    let left = rotation.filter { !isOne($0, of: tried) }
    let sum = left.reduce(0) { $0 + $1.share }
    if sum == 0 { return left.first ?? rotation.first }
    var wanted = place(worker.randomIdentifiers.next(), below: sum)
    for server in left {
      if wanted < server.share { return server }
      wanted -= server.share
    }
    return left.last
  }

  /// By weight, spread smoothly over those that may be chosen.
  func inTurn(leavingOut tried: [UpstreamServer], where mayBeChosen: (UpstreamServer) -> Bool) -> UpstreamServer? {
    var best: UpstreamServer?
    var total = 0
    for server in rotation where !isOne(server, of: tried) && mayBeChosen(server) {
      server.score += server.share
      total += server.share
      if server.score > best?.score ?? .min { best = server }
    }
    best?.score -= total
    return best
  }
}
