// The upstream's side of one exchange, whatever carries it: an HTTP/1 connection serves one exchange at a time, an
// HTTP/2 connection has a stream for each.

import Bytes

/// Where an exchange's request goes and its response comes from. Every call is made on the worker's loop.
protocol UpstreamStream: AnyObject {
  /// The connection is there: a request's body may be written. Before, only the head is taken.
  var isConnected: Bool { get }
  /// So much of the request waits to be taken that the client has to be held back. See ``Connection/isOutputFull``.
  var isOutputFull: Bool { get }

  /// Sends the exchange's head, now or once connected.
  func begin(_ exchange: Exchange)
  func writeBody(_ bytes: Span<UInt8>)
  /// As ``writeBody(_:)``. The memory may be taken.
  func writeBody(moving bytes: inout ByteQueue)
  /// The request is complete. `trailers` are those that may pass, as field lines.
  func writeEnd(trailers: Span<UInt8>)
  /// Requests ``Exchange/upstreamDrained()`` once what waits is taken.
  func awaitDrain()
  func pauseReading()
  func resumeReading()
  /// The exchange is through with this stream.
  /// - Parameter isReusable: request and response are whole, so that the connection may serve another exchange.
  func release(isReusable: Bool)
}

extension UpstreamStream {
  func writeBody(moving bytes: inout ByteQueue) { writeBody(bytes.span) }
}
