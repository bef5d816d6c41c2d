// Servers that a request does not go to while others are left, and the choice among those others. That is rare, so it
// looks at all of them.

/// What keeps one request from a server.
struct PassedOver {
  /// Those that failed it already. Almost always there are none.
  let tried: [UpstreamServer]
  /// `max_requests_per_server`. Nil where there is no such limit.
  let requestsMax: Int?

  func contains(_ server: UpstreamServer) -> Bool {
    if !tried.isEmpty, isOne(server, of: tried) { return true }
    guard let requestsMax else { return false }
    return server.shared.requests.count >= requestsMax
  }
}

/// Whether the server failed a request already.
func isOne(_ server: UpstreamServer, of tried: [UpstreamServer]) -> Bool { tried.contains { $0 === server } }

extension Rotation {
  /// By share, out of order. A retry that took the next request's turn would bring the order into step with the server
  /// that fails, so that more than its share of requests would meet it first.
  func drawn(leavingOut passed: PassedOver, _ random: inout RandomIdentifiers) -> UpstreamServer? {
    let left = servers.filter { !passed.contains($0) }
    let sum = left.reduce(0) { $0 + $1.load.share }
    if sum == 0 { return left.first ?? full(passed) }
    var rest = scaled(random.next(), below: sum)
    for server in left {
      if rest < server.load.share { return server }
      rest -= server.load.share
    }
    return left.last
  }

  /// The one with the fewest requests for its share. Chance decides among equals.
  func leastBusy(leavingOut passed: PassedOver, _ random: inout RandomIdentifiers) -> UpstreamServer? {
    let start = scaled(random.next(), below: max(1, servers.count))
    var best: UpstreamServer?
    for offset in servers.indices {
      let index = start + offset
      let server = servers[index < servers.count ? index : index - servers.count]
      if passed.contains(server) { continue }
      if let known = best, !server.load.isLessBusy(than: known.load) { continue }
      best = server
    }
    return best ?? full(passed)
  }

  /// Where none is left: one that is full, so that the request waits or is refused, before one that failed it.
  private func full(_ passed: PassedOver) -> UpstreamServer? {
    servers.first { !isOne($0, of: passed.tried) } ?? servers.first
  }
}
