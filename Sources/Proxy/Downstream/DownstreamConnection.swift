// What every client connection has, whichever protocol it speaks: who is at its other end, and its place in the counters.

import Bytes

/// Who is at the other end of a client connection, and how it came in. Immutable; shared by all of its exchanges.
package final class Client: Sendable {
  let address: PeerAddress
  let addressText: [UInt8]
  /// Id of the listener in the counters.
  let listener: Int

  init(address: PeerAddress, listener: Int) {
    self.address = address
    addressText = address.bytes
    self.listener = listener
  }
}

/// The base of client connections. Each request that one carries is an ``Exchange``.
package class DownstreamConnection: Connection {
  package final let client: Client
  private final var countedState: ConnectionState?
  /// The listener was taken away, or the gateway stops: what runs now is the last.
  final var isRetiring = false

  init(worker: Worker, client: Client) {
    self.client = client
    super.init(worker: worker)
  }

  final func moveCounted(to state: ConnectionState?) {
    worker.counters.moveConnection(listener: client.listener, from: countedState, to: state)
    countedState = state
  }

  /// Nothing of the protocol was read yet.
  func opened() {}

  /// Idle connections are closed, the others after what they are at.
  func drain() {}
}
