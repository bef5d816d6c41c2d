// Routes that take clients of some addresses only. An address that cannot be known is none that is allowed.

import Configuration

extension ClientList {
  /// - Parameter address: nil where it cannot be known.
  func allows(_ address: PeerAddress?) -> Bool {
    guard let address, !address.isUnix else { return false }
    if denied.contains(where: { $0.contains(high: address.high, low: address.low) }) { return false }
    return allowed.isEmpty || allowed.contains { $0.contains(high: address.high, low: address.low) }
  }
}
