// What every client connection has, whichever protocol it speaks: who is at its other end, and its state in the
// counters.

import Bytes
import Configuration

/// A verified client certificate, in text.
package struct ClientCertificateFacts: Sendable {
  /// RFC 2253.
  let subject: String
  let alternativeNames: String
  /// SHA-256 in base64url, as in `x5t#S256` (RFC 8705 §3.1).
  let thumbprint: String

  package init(subject: String, alternativeNames: String, thumbprint: String) {
    self.subject = subject
    self.alternativeNames = alternativeNames
    self.thumbprint = thumbprint
  }

  func text(of fact: ClientCertificateFact) -> String {
    switch fact {
    case .subject: subject
    case .alternativeNames: alternativeNames
    case .thumbprint: thumbprint
    }
  }
}

/// The base of client connections. Each request that one carries is an ``Exchange``.
package class DownstreamConnection: Connection {
  package final let client: Client
  private final var countedState: ConnectionState?
  /// When it became idle, in steady nanoseconds. Of no meaning while it is not.
  final var idleSince: Int64 = 0
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

  /// Requests that are under way.
  func forEachExchange(_ body: (Exchange) -> Void) {}

  /// The gateway stops: open tunnels are ended with a close frame. False when there was none: the connection may be
  /// closed at once.
  func endTunnels() -> Bool { false }

  /// Requests that are under way.
  var requestCount: Int { 0 }

  /// No request is under way, and nothing of one has come.
  var isUnused: Bool { false }

  /// It is about to be closed for lack of room: where its protocol can say so, the client learns of it.
  func announceClose() {}

  /// Idle connections are closed, the others after what they are at.
  func drain() {}
}
