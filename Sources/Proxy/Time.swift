// The data plane has no clock: every event brings the time with it.

/// A moment, as the transport read it before it handed over an event.
package struct Time: Sendable, Equatable {
  /// Steady nanoseconds since some fixed moment.
  package var nanoseconds: Int64
  /// Milliseconds since 1970-01-01T00:00:00Z, leap seconds left out.
  package var unixMilliseconds: Int64

  package init(nanoseconds: Int64, unixMilliseconds: Int64) {
    self.nanoseconds = nanoseconds
    self.unixMilliseconds = unixMilliseconds
  }

  var unixSeconds: Int64 { unixMilliseconds / 1000 }
}

extension Duration {
  /// Whole nanoseconds, saturating at some 292 years.
  package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (scaled, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return isTooLong ? Int64.max : scaled &+ attoseconds / 1_000_000_000
  }
}
