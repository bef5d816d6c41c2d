// A long body that is passed on byte for byte, from one HTTP/1 connection to another, need not pass through this
// process's memory. The data plane names the connection that it is for, and the transport reports how much was moved.

import Bytes

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
