// Which server of an upstream takes the request: round robin by weight, spread smoothly (each step every server gains
// its weight, the one with the most is taken and pays the sum, three servers of weights 5, 1, 1 give a a b a c a a).

import Configuration

extension Exchange {
  /// Where the request ends: at a server, or at an answer that the configuration gives.
  func chooseServer() -> StageOutcome {
    if let pool, route?.isProxied ?? false { return seekPlace(at: pool) }
    switch route?.action {
    case .respond(let response): return .answer(fixedAnswer(response))
    case .redirect(let redirect): return redirectOutcome(redirect)
    case .upstream, .split, nil: return .refuse(.gateway(.routeNotFound))
    }
  }
}

/// One server of an upstream, as one worker sees it.
final class UpstreamServer {
  /// Of the reload that came last, or of a change of addresses.
  var configuration: Upstream.Server
  let shared: SharedServer
  /// The upstream has it no more: connections are not kept after their exchange.
  var isRetired = false
  let addressText: [UInt8]
  /// Kept connections that no exchange uses, the latest last.
  var idle: [HTTP1UpstreamConnection] = []
  /// Connections that serve many exchanges at once, the latest last.
  var multiplexed: [HTTP2UpstreamConnection] = []
  /// Streams that such a connection takes, as the last one said. Until the first one does, a guess.
  var streamCountMax = 100
  /// Exchanges that this worker has at the server now.
  var activeCount = 0
  var isInRotation = false
  /// Before the rotation changed last.
  var wasInRotation = false
  /// Its part of the requests, against the other servers' in rotation.
  var share: Int
  /// When it came into rotation, while its share grows. Else `min`.
  var slowStartedAt = Int64.min
  /// So that a share can grow in small steps.
  static let shareOfWeightOne = 1000
  /// The sticky cookie that names it, in clear text and over TLS.
  var bindingLines: [UInt8] = []
  var secureBindingLines: [UInt8] = []
  /// Smooth round robin's running score.
  var score = 0

  init(_ configuration: Upstream.Server, shared: SharedServer) {
    self.configuration = configuration
    self.shared = shared
    share = configuration.weight * Self.shareOfWeightOne
    addressText = Array(configuration.address.description.utf8)
  }
}

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
