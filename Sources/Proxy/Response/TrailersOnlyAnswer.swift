// How the gateway refuses a call of gRPC. Its client reads `grpc-status` and nothing else, so a refusal is a 200 whose
// head is its trailers. The code says no more than the body of any other refusal.

import Bytes
import HTTPWire

extension Exchange {
  func trailersOnlyAnswer(for refusal: Refusal) -> GatewayAnswer {
    request.ensureID(from: &worker.randomIdentifiers)
    let status = refusal.record.grpcStatus.rawValue
    self.answer.grpcStatus = status
    var answer = GatewayAnswer(status: 200)
    answer.isTrailersOnly = true
    // A code needs no percent-encoding: it is made of letters and underscores.
    let lines =
      "Content-Type: application/grpc\r\nGrpc-Status: \(status)\r\nGrpc-Message: \(refusal.code)\r\n"
      + "X-Request-Id: \(request.id.text())\r\n"
    answer.fieldLines = Array(lines.utf8)
    return answer
  }

  /// Notes for the log how the server says that the call ended: in trailers, or in a head that is all there is.
  func noteGRPCStatus(_ field: FieldLine, _ value: Span<UInt8>) {
    // LIMIT: two digits. What is not a status is left out of the log.
    guard field.known == .grpcStatus, !value.isEmpty, value.count <= 2 else { return }
    var status = 0
    for index in value.indices {
      let digit = value[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return }
      status = status * 10 + Int(digit)
    }
    answer.grpcStatus = status
  }

  /// What the log says of the call: also for one that was cut short, where the client learned nothing.
  var loggedGRPCStatus: Int? {
    guard request.head.isGRPC else { return nil }
    return answer.grpcStatus ?? answer.refusal?.record.grpcStatus.rawValue
  }
}
