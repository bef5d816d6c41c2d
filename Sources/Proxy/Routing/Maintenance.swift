// A route that is closed for maintenance: all clients but those in `allow` are asked to come back later.

import Bytes
import Configuration

/// `maintenance:` of a route, prepared.
struct MaintenanceClosure: Sendable {
  let page: ErrorPage?
  let retryAfterSeconds: Int64
  private let allow: [AddressRange]

  init(_ maintenance: Maintenance) {
    page = maintenance.page.map(ErrorPage.init)
    retryAfterSeconds = maintenance.retryAfterSeconds
    allow = maintenance.allow
  }

  func letsThrough(_ address: PeerAddress) -> Bool {
    !address.isUnix && allow.contains { $0.contains(high: address.high, low: address.low) }
  }
}

extension Exchange {
  /// Whether the route is closed for this client: the one that a trusted proxy names, or the peer itself.
  func isClosed(by maintenance: MaintenanceClosure) -> Bool {
    guard let address = clientAddress else { return true }
    return !maintenance.letsThrough(address)
  }
}
