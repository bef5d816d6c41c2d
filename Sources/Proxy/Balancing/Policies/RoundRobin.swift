// `balance: round_robin`: by weight, spread smoothly. With each step every server gains its share, and the one with the
// most is taken and pays the sum of all. Three servers of weights 5, 1, 1 give a a b a c a a.

struct RoundRobin {
  /// Where the last request went: an index into the rotation.
  private var position = -1
  /// What each server in rotation has gained and not yet paid. Used where the shares differ.
  private var scores: [Int] = []
  /// Whose scores these are.
  private var scored: [UpstreamServer] = []

  /// Servers that stay keep their scores.
  mutating func rotationChanged(_ rotation: borrowing Rotation) {
    let servers = rotation.hasEqualShares ? [] : rotation.servers
    if scored.elementsEqual(servers, by: { $0 === $1 }) { return }
    let known = Dictionary(zip(scored.map(ObjectIdentifier.init), scores), uniquingKeysWith: { first, _ in first })
    scores = servers.map { known[ObjectIdentifier($0)] ?? 0 }
    scored = servers
  }

  /// - Parameter tried: servers that are passed over while any other is left.
  mutating func next(
    leavingOut tried: [UpstreamServer], in rotation: borrowing Rotation, _ random: inout RandomIdentifiers
  ) -> UpstreamServer? {
    if !tried.isEmpty { return Self.random(leavingOut: tried, in: rotation, &random) }
    if rotation.hasEqualShares {
      position = position + 1 < rotation.servers.count ? position + 1 : 0
      return rotation.servers[position]
    }
    return nextByShare(leavingOut: tried, in: rotation) { _ in true } ?? rotation.servers.first
  }

  /// By share, among those that may be chosen.
  mutating func nextByShare(
    leavingOut tried: [UpstreamServer], in rotation: borrowing Rotation, where mayBeChosen: (UpstreamServer) -> Bool
  ) -> UpstreamServer? {
    var best: (index: Int, score: Int)?
    var total = 0
    for index in scores.indices {
      let server = rotation.servers[index]
      if isOne(server, of: tried) || !mayBeChosen(server) { continue }
      let score = scores[index] + server.load.share
      scores[index] = score
      total += server.load.share
      if score > best?.score ?? .min { best = (index, score) }
    }
    guard let best else { return nil }
    scores[best.index] -= total
    return rotation.servers[best.index]
  }

  /// By share, out of order. A retry that took the next request's position would bring the order into step with the
  /// server that fails, so that more than its share of requests would meet it first.
  private static func random(
    leavingOut tried: [UpstreamServer], in rotation: borrowing Rotation, _ random: inout RandomIdentifiers
  ) -> UpstreamServer? {
    let left = rotation.servers.filter { !isOne($0, of: tried) }
    let sum = left.reduce(0) { $0 + $1.load.share }
    if sum == 0 { return left.first ?? rotation.servers.first }
    var rest = scaled(random.next(), below: sum)
    for server in left {
      if rest < server.load.share { return server }
      rest -= server.load.share
    }
    return left.last
  }
}
