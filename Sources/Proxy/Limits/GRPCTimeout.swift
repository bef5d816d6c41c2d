// How long a gRPC call may take, as its client says: `grpc-timeout` is one to eight digits and a unit. It goes on to
// the server unchanged, and only ever shortens what the route allows.

import Bytes
import HTTPWire

extension ExchangeTimes {
  /// Moves the deadline forward to the one that a call brings.
  mutating func shorten(by head: borrowing RequestHead) -> GatewayRefusal? {
    guard head.count(of: .grpcTimeout) == 1, let field = head.first(.grpcTimeout),
      let timeout = readGRPCTimeout(head.bytes.span.extracting(field.value))
    else { return .grpcTimeoutInvalid }
    // A client whose time is up sends zero.
    if timeout == 0 { return .grpcDeadlineExceeded }
    let (moment, isBeyond) = startedAt.addingReportingOverflow(timeout)
    if !isBeyond, moment < routeDeadline {
      routeDeadline = moment
      deadlineRefusal = .grpcDeadlineExceeded
    }
    return nil
  }
}

/// Nanoseconds. The largest number for a longer timeout, nil for a value that is not a timeout.
func readGRPCTimeout(_ text: Span<UInt8>) -> Int64? {
  // LIMIT: eight digits, as gRPC has it.
  guard text.count >= 2, text.count <= 9 else { return nil }
  var number: Int64 = 0
  for index in 0..<text.count - 1 {
    let digit = text[index] &- UInt8(ascii: "0")
    guard digit < 10 else { return nil }
    number = number * 10 + Int64(digit)
  }
  let unit: Int64
  switch text[text.count - 1] {
  case UInt8(ascii: "H"): unit = 3_600_000_000_000
  case UInt8(ascii: "M"): unit = 60_000_000_000
  case UInt8(ascii: "S"): unit = 1_000_000_000
  case UInt8(ascii: "m"): unit = 1_000_000
  case UInt8(ascii: "u"): unit = 1000
  case UInt8(ascii: "n"): unit = 1
  default: return nil
  }
  let (nanoseconds, isBeyond) = number.multipliedReportingOverflow(by: unit)
  return isBeyond ? .max : nanoseconds
}
