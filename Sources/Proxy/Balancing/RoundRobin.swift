// Which server of an upstream takes the request: round robin by weight, spread smoothly (each step every server gains its
// weight, the one with the most is taken and pays the sum; three servers of weights 5, 1, 1 give a a b a c a a).

import Configuration

extension Exchange {
  /// Where the request ends: at a server, or at an answer that the configuration gives.
  func chooseServer() -> StageOutcome {
    switch route?.action {
    case .respond(let response): return .answer(fixedAnswer(response))
    case .redirect(let redirect): return .answer(redirectAnswer(redirect))
    case .upstream(let index) where worker.pools.indices.contains(index):
      let pool = worker.pools[index]
      self.pool = pool
      return seekPlace(at: pool)
    default: return .refuse(.gateway(.routeNotFound))
    }
  }
}

/// One server of an upstream, as one worker sees it.
final class UpstreamServer {
  let configuration: Upstream.Server
  let shared: SharedServer
  let addressText: [UInt8]
  /// Kept connections that no exchange uses, the latest last.
  var idle: [HTTP1UpstreamConnection] = []
  /// Connections that serve many exchanges at once, the latest last.
  var multiplexed: [HTTP2UpstreamConnection] = []
  /// Streams that such a connection takes, as the last one said; until the first one does, a guess.
  var streamCountMax = 100
  /// Exchanges that this worker has at the server now.
  var activeCount = 0
  /// Its part of the requests, against the other servers' in rotation.
  var share: Int
  /// Smooth round robin's running score.
  var score = 0

  init(_ configuration: Upstream.Server, shared: SharedServer) {
    self.configuration = configuration
    self.shared = shared
    share = configuration.weight
    addressText = Array(configuration.address.description.utf8)
  }
}

extension UpstreamPool {
  /// - Parameter tried: servers that are passed over while any other is left.
  func roundRobin(leavingOut tried: [UpstreamServer]) -> UpstreamServer? {
    if hasEqualShares {
      for _ in rotation.indices {
        turn = turn + 1 < rotation.count ? turn + 1 : 0
        if !tried.contains(where: { $0 === rotation[turn] }) { return rotation[turn] }
      }
      return rotation[turn]
    }
    var best: UpstreamServer?
    var total = 0
    for server in rotation where tried.isEmpty || !tried.contains(where: { $0 === server }) {
      server.score += server.share
      total += server.share
      if server.score > best?.score ?? .min { best = server }
    }
    best?.score -= total
    return best ?? rotation.first
  }
}
