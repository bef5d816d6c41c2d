// The request as the upstream gets it.

import Bytes

/// Request line and fields, complete.
struct UpstreamHead: ~Copyable {
  var bytes = ByteQueue()
  /// Where the fields with the remaining time are, which are written again for each attempt. 0 without such.
  var deadlineStart = 0

  mutating func reset() {
    bytes.removeAll()
    if bytes.allocatedByteCount > Exchange.keptByteCount { bytes.releaseStorage() }
    deadlineStart = 0
  }
}
