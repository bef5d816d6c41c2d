// Memory that was freed stays with the process, for what comes next. After a time in which very much was held that
// would be for long, so it goes back to the system then.

import CLinux

/// One a process.
struct MemoryTrimmer {
  /// The most that was held since memory was given back.
  private var peak = 0

  // LIMIT: less is not worth the look through all free memory.
  private static let peakMin = 8 * 1024 * 1024

  /// To be called a few times a second.
  mutating func look(at byteCount: Int) {
    peak = max(peak, byteCount)
    if peak < Self.peakMin || byteCount > peak / 4 { return }
    peak = byteCount
    malloc_trim(0)
  }
}
