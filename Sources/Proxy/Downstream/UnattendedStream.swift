// The client's side of an exchange that the gateway itself began: no socket, nothing that could be full or slow, nobody
// who reads an answer of the gateway's own.

import HTTPWire

/// A stream without a client. Its users say what they need of a request and its answer. The rest is nothing.
protocol UnattendedStream: DownstreamStream {}

extension UnattendedStream {
  var isClientRequest: Bool { false }
  var isOutputFull: Bool { false }
  var isBodyAwaited: Bool { false }
  var lastBodyReadAt: Int64 { 0 }
  var unsentByteCount: Int { 0 }
  var sentByteCount: UInt64 { 0 }

  func endAfterResponse() {}
  func awaitDrain() {}
  func openTunnel(_ response: borrowing ResponseHead, of exchange: Exchange) {}
  func writeInformational(_ response: borrowing ResponseHead, of exchange: Exchange) {}
  func writeEnd(trailers: borrowing FieldSection) {}
  /// The gateway's own refusal, which the exchange knows.
  func write(_ answer: GatewayAnswer, of exchange: Exchange) {}
}
