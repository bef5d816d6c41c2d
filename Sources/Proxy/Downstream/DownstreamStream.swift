// The client's side of one exchange, whatever carries it: an HTTP/1 connection is the one stream of itself, an HTTP/2
// connection has many. What the stages need of it, and nothing of either codec.

import Bytes
import HTTPWire

/// Where an exchange's request comes from and its response goes. Every call is made on the worker's loop.
protocol DownstreamStream: AnyObject {
  var client: Client { get }
  /// Whether the request is a client's: it is logged and counted.
  var isClientRequest: Bool { get }
  /// Whether the request is sent again where that helps.
  var isSentAgain: Bool { get }
  /// Whether a server may receive the request twice, whatever its method.
  var isRepeatable: Bool { get }
  /// The client's, without a reference to it.
  var peerAddress: PeerAddress { get }
  /// The steady time at which the exchange is looked at. See ``Connection/deadline``.
  var deadline: Int64 { get set }
  /// So much of the response waits to be taken that the upstream has to be held back. See ``Connection/isOutputFull``.
  var isOutputFull: Bool { get }

  // What ``Exchange/checkProgress()`` asks, to distinguish a slow client from a stalled one.
  /// More of the request's body is due, and there is somewhere for it to go.
  var isBodyAwaited: Bool { get }
  var lastBodyReadAt: Int64 { get }
  /// Bytes of the response that the client did not take yet, and those that it took.
  var unsentByteCount: Int { get }
  var sentByteCount: UInt64 { get }
  /// The request's rest will not come as announced: nothing else can follow on the connection, where it has no streams.
  func endAfterResponse()

  /// Requests ``Exchange/downstreamDrained()`` once what waits is taken.
  func awaitDrain()
  /// No more of the request's body is read until ``resumeInput()``.
  func pauseReading()
  /// More of the request's body may be taken now: the upstream has room, or has been chosen.
  func resumeInput()

  /// The exchange keeps more of the request's body, or none: it counts for the connection.
  func settleKeptBody()

  /// Writes an interim head (RFC 9110 §15.2).
  func writeInformational(_ response: borrowing ResponseHead, of exchange: Exchange)
  /// Writes an upstream's final head. Its framing is made again for this client.
  func writeHead(_ response: borrowing ResponseHead, framing: BodyFraming, of exchange: Exchange)
  /// Says that the server has agreed to a tunnel: from now on both bodies are its bytes.
  func openTunnel(_ response: borrowing ResponseHead, of exchange: Exchange)
  func writeBody(_ bytes: Span<UInt8>)
  /// As ``writeBody(_:)``. The memory may be taken.
  func writeBody(moving bytes: inout ByteQueue)
  func writeEnd(trailers: borrowing FieldSection)
  /// Writes a whole answer of the gateway's own.
  func write(_ answer: GatewayAnswer, of exchange: Exchange)

  /// The last call of an exchange: it is given back to the worker, and the stream ends or lives on.
  func exchangeFinished(_ finished: Exchange, _ ending: ExchangeEnding)
}

extension DownstreamStream {
  var isClientRequest: Bool { true }
  var isSentAgain: Bool { isClientRequest }
  var isRepeatable: Bool { false }
  var peerAddress: PeerAddress { client.address }
  func settleKeptBody() {}
  func writeBody(moving bytes: inout ByteQueue) { writeBody(bytes.span) }
}
