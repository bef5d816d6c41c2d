// A long body that is passed on byte for byte, from one HTTP/1 connection to another, need not pass through this
// process's memory. The data plane names the connection that it is for, and the transport reports how much was moved.

import Bytes
import HTTPWire

/// Where the next bytes of a body go.
package struct Relay {
  package let target: Connection
  package let byteCountMax: Int

  /// Shorter ones are received: to find out whether they can be relayed would cost more than it saves.
  static let bodyByteCountMin = UInt64(2 * BodyBlock.contentByteCount)
}

extension Connection {
  /// Where the next bytes of a body can go unseen. Nil when they have to be received. A body's last bytes always are,
  /// and fewer than fit one receive: so what comes behind them is seen with them.
  package final func relay() -> Relay? {
    guard let left = knownBodyLeft, left >= Relay.bodyByteCountMin else {
      transfer.isRelaySource = false
      return nil
    }
    guard let target = relayTarget, target.isOutputIdle else { return nil }
    return Relay(target: target, byteCountMax: Int(clamping: left) - BodyBlock.contentByteCount / 2)
  }
}

extension Exchange {
  /// The server's connection, if the request's body goes there as it comes.
  var requestRelayTarget: Connection? {
    guard tunnel == nil, delivery.mirror == nil, isAcceptingBody,
      let server = delivery.stream as? HTTP1UpstreamConnection,
      server.takesBodyAsIs
    else { return nil }
    return server
  }

  /// The client's connection, if the answer's body goes there as it comes.
  var responseRelayTarget: Connection? {
    guard tunnel == nil, answer.compression.compressor == nil, let client = downstream as? HTTP1DownstreamConnection,
      client.takesBodyAsIs
    else { return nil }
    return client
  }

  func relayedBody(_ byteCount: Int) {
    if isOverBodyLimit(adding: byteCount) { refuse(.gateway(.bodyTooLarge)) }
  }
}
