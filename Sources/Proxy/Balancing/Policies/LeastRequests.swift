// `balance: least_requests`: the server with the fewest requests in flight for its share, by turns among equals. Each
// worker counts its own requests.

struct LeastRequests {
  private var queue = ServerQueue(isByLoad: true)

  mutating func rotationChanged(_ rotation: borrowing Rotation) { queue.rotationChanged(rotation) }

  mutating func chosen(_ server: UpstreamServer) { queue.count(at: server) }

  mutating func loadChanged(of server: UpstreamServer) { queue.loadChanged(of: server) }

  mutating func next(
    leavingOut passed: PassedOver, in rotation: borrowing Rotation, _ random: inout RandomIdentifiers
  ) -> UpstreamServer? {
    guard passed.tried.isEmpty, let server = queue.first, !passed.contains(server) else {
      let other = rotation.leastBusy(leavingOut: passed, &random)
      if let other { queue.count(at: other) }
      return other
    }
    queue.take(server)
    return server
  }
}
