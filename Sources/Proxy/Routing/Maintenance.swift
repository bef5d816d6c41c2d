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

  /// Whether the route is closed for the client at this address. Nil for one that is not known.
  func isClosed(for address: PeerAddress?) -> Bool {
    guard let address, !address.isUnix else { return true }
    return !allow.contains { $0.contains(high: address.high, low: address.low) }
  }
}
