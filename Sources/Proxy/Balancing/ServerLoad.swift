// What balancing knows of a server, in one worker.

import Configuration

struct ServerLoad {
  /// Exchanges that this worker has at the server now.
  var activeCount = 0
  /// Whether requests may go to it.
  var isInRotation = false
  /// Its part of the requests, against the other servers' in rotation.
  var share: Int
  /// What ``ServerQueue`` knows of it: where it is, when its turn comes, and how long it is until the one behind that.
  var queueIndex = -1
  var due: UInt64 = 0
  var dueStep: UInt64 = 1
  /// When it came into rotation, while its share grows. Else `min`.
  var slowStartedAt = Int64.min

  init(_ server: Upstream.Server) { share = Self.wholeShare(of: server) }

  /// In thousandths of a weight, so that a share can grow in small steps.
  static func wholeShare(of server: Upstream.Server) -> Int { server.weight * 1000 }

  var isStartingSlowly: Bool { slowStartedAt != .min }

  /// Whether it has fewer requests for its share.
  func isLessBusy(than other: ServerLoad) -> Bool { activeCount * other.share < other.activeCount * share }

  /// Its share at this moment. At the end of its slow start it has the whole.
  mutating func updateShare(of server: Upstream.Server, at now: Int64, slowStart: Int64) {
    let whole = Self.wholeShare(of: server)
    share = whole
    if !isStartingSlowly { return }
    let elapsed = now &- slowStartedAt
    if elapsed >= slowStart {
      slowStartedAt = .min
    } else {
      share = max(1, Int(Double(whole) * Double(max(0, elapsed)) / Double(slowStart)))
    }
  }
}
