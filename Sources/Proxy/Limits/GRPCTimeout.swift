// How long a gRPC call may take, as its client says: `grpc-timeout` is one to eight digits and a unit. It goes on to
// the server unchanged, and only ever shortens what the route allows.

import Bytes
import HTTPWire

extension Exchange {
  /// Moves the exchange's deadline forward to the call's own.
  func shortenDeadline() -> GatewayRefusal? {
    if request.head.count(of: .grpcTimeout) == 0 || !request.head.isGRPC { return nil }
    guard let timeout = readTimeout(request.head.bytes.span) else { return .grpcTimeoutInvalid }
    // A client whose time is up sends zero.
    if timeout == 0 { return .grpcDeadlineExceeded }
    let (moment, isBeyond) = times.startedAt.addingReportingOverflow(timeout)
    if !isBeyond, moment < times.routeDeadline {
      times.routeDeadline = moment
      times.deadlineRefusal = .grpcDeadlineExceeded
    }
    return nil
  }

  private func readTimeout(_ bytes: Span<UInt8>) -> Int64? {
    guard request.head.count(of: .grpcTimeout) == 1, let field = request.head.first(.grpcTimeout) else { return nil }
    return readGRPCTimeout(bytes.extracting(field.value))
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
