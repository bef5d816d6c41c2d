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
      pool = worker.pools[index]
      server = pool?.nextServer()
      return .next
    default: return .refuse(.gateway(.routeNotFound))
    }
  }
}

/// One server of an upstream, as one worker sees it.
final class UpstreamServer {
  let configuration: Upstream.Server
  let addressText: [UInt8]
  /// Kept connections that no exchange uses, the latest last.
  var idle: [HTTP1UpstreamConnection] = []
  /// Connections that serve many exchanges at once, the latest last.
  var multiplexed: [HTTP2UpstreamConnection] = []
  /// Streams that such a connection takes, as the last one said; until the first one does, a guess.
  var streamCountMax = 100
  /// Exchanges that this worker has at the server now.
  var activeCount = 0
  /// Smooth round robin's running score.
  fileprivate var score = 0

  init(_ configuration: Upstream.Server) {
    self.configuration = configuration
    addressText = Array(configuration.address.description.utf8)
  }
}

extension UpstreamPool {
  /// The server that stands behind one that could not be reached. In the file's order, whatever the weights: so none is
  /// tried twice for one request while another is left.
  func server(after failed: UpstreamServer) -> UpstreamServer {
    let place = rotation.firstIndex { $0 === failed } ?? -1
    return rotation[(place + 1) % rotation.count]
  }

  func nextServer() -> UpstreamServer {
    if rotation.count == 1 { return rotation[0] }
    var best = rotation[0]
    var total = 0
    for server in rotation {
      server.score += server.configuration.weight
      total += server.configuration.weight
      if server.score > best.score { best = server }
    }
    best.score -= total
    return best
  }
}
