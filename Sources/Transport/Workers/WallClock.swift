// The time of day. Monotonic time comes from NIO.

import NIOCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

package enum WallClock {
  /// Milliseconds since 1970-01-01T00:00:00Z.
  package static func unixMilliseconds() -> Int64 {
    var now = timespec()
    // SAFETY: the call fills the structure that it is given and keeps nothing.
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }
}
