// How much time is left, for the server: in the header that the route names, and in `grpc-timeout` of a call that came
// with one. They are the last fields of the head, so that another attempt can have its own.

import Bytes
import HTTPWire

extension UpstreamHead {
  /// Writes how much time is left now.
  /// - Parameters:
  ///   - left: nanoseconds.
  ///   - isCallTimed: whether it is the rest of a call's own timeout.
  mutating func writeDeadline(left: Int64, isCallTimed: Bool, _ route: CompiledRoute) {
    if !route.deadlinePrefix.isEmpty {
      bytes.append(route.deadlinePrefix)
      bytes.append(decimal: UInt64(clamping: left / 1_000_000))
      bytes.append("\r\n")
    }
    if isCallTimed, !route.isRuled(.grpcTimeout) {
      bytes.append("Grpc-Timeout: ")
      bytes.append(grpcTimeout: left)
      bytes.append("\r\n")
    }
  }
}

extension ByteQueue {
  /// At most eight digits and a unit, rounded down, never more than is left.
  mutating func append(grpcTimeout nanoseconds: Int64) {
    let units: [(Int64, StaticString)] = [
      (1000, "u"), (1_000_000, "m"), (1_000_000_000, "S"), (60_000_000_000, "M"), (3_600_000_000_000, "H"),
    ]
    // From a second on, milliseconds are fine enough.
    for (size, unit) in units[(nanoseconds < 1_000_000_000 ? 0 : 1)...] where nanoseconds / size < 100_000_000 {
      append(decimal: UInt64(clamping: nanoseconds / size))
      append(unit)
      return
    }
  }
}
