// The time of day, and the time that only goes forward.

import Glibc

package enum Clock {
  /// Milliseconds since 1970-01-01T00:00:00Z.
  package static func unixMilliseconds() -> Int64 { read(CLOCK_REALTIME) / 1_000_000 }

  /// Nanoseconds since some moment before the process began.
  package static func steadyNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var now = timespec()
    // SAFETY: the call fills the structure that it is given and keeps nothing.
    unsafe clock_gettime(clock, &now)
    return Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
  }
}
