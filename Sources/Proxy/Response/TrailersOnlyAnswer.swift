// How the gateway refuses a call of gRPC. Its client reads `grpc-status` and nothing else, so a refusal is a 200 whose
// head is its trailers, for gRPC-Web as well. The code says no more than the body of any other refusal.

import Bytes
import HTTPWire

extension GatewayAnswer {
  /// - Parameters:
  ///   - webCall: nil for gRPC itself.
  ///   - status: in place of the refusal's.
  init(refusingCall refusal: Refusal, _ webCall: WebCall?, as status: GRPCStatus? = nil) {
    // HTTP/1 ends what has no length with the connection.
    self.init(status: 200, isTrailersOnly: webCall == nil)
    let type =
      switch webCall {
      case nil: "application/grpc"
      case .binary: "application/grpc-web+proto"
      case .text: "application/grpc-web-text+proto"
      }
    // A code needs no percent-encoding: it is made of letters and underscores.
    let lines =
      "Content-Type: \(type)\r\nGrpc-Status: \((status ?? refusal.record.grpcStatus).rawValue)\r\n"
      + "Grpc-Message: \(refusal.code)\r\n"
    // Without this a page of another origin reads neither.
    let exposed = webCall == nil ? "" : "Access-Control-Expose-Headers: Grpc-Status, Grpc-Message\r\n"
    fieldLines = Array((lines + exposed).utf8)
  }
}

extension ClientAnswer {
  /// Notes for the log how the server says that the call ended: in trailers, or in a head that is all there is.
  mutating func noteGRPCStatus(_ value: Span<UInt8>) {
    // LIMIT: two digits. What is not a status is left out of the log.
    guard !value.isEmpty, value.count <= 2 else { return }
    var status = 0
    for index in value.indices {
      let digit = value[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return }
      status = status * 10 + Int(digit)
    }
    grpcStatus = status
  }

  /// What the log says of a call: also of one that was cut short, where the client learned nothing.
  var loggedGRPCStatus: Int? { grpcStatus ?? refusal?.record.grpcStatus.rawValue }
}
