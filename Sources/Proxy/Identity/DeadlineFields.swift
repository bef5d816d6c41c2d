// How much time is left, for the server: in the header that the route names, and in `grpc-timeout` of a call that came
// with one. They are the last fields of the head, so that another attempt can have its own.

import Bytes
import HTTPWire

extension Exchange {
  /// Whether the server receives the rest of a call's own timeout. One that is longer than can be counted goes on as it
  /// came.
  var isCallTimed: Bool {
    times.routeDeadline < .max && request.head.count(of: .grpcTimeout) == 1 && request.head.isGRPC
  }

  /// Ends the request's head with the time that is left now.
  func writeDeadline() {
    guard let route else { return }
    upstreamHead.bytes.truncate(to: upstreamHead.deadlineStart)
    let left = max(0, times.routeDeadline &- worker.time.nanoseconds)
    if !route.deadlinePrefix.isEmpty {
      upstreamHead.bytes.append(route.deadlinePrefix)
      upstreamHead.bytes.append(decimal: UInt64(clamping: left / 1_000_000))
      upstreamHead.bytes.append("\r\n")
    }
    if isCallTimed, !route.isRuled(.grpcTimeout) {
      upstreamHead.bytes.append("Grpc-Timeout: ")
      upstreamHead.bytes.append(grpcTimeout: left)
      upstreamHead.bytes.append("\r\n")
    }
    upstreamHead.bytes.append("\r\n")
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
