// Between a client's connect and its connection: the PROXY header where the listener requires one, then the TLS
// handshake. Until both are through, the data plane knows nothing of the client. A deadline and `limits.connections`
// bound it.

import Bytes
import Configuration
import Proxy
import TLS

/// What a socket that was accepted has before it. An object, which goes when the client has become a connection.
final class Opening {
  let counterID: Int
  /// The peer, or whom the header names.
  var peer: PeerAddress
  /// Bytes of an unfinished PROXY header, at most those of one.
  var header: [UInt8] = []
  let since: Int64
  var deadline: Int64

  init(counterID: Int, peer: PeerAddress, since: Int64, deadline: Int64) {
    self.counterID = counterID
    self.peer = peer
    self.since = since
    self.deadline = deadline
  }
}

extension Socket {
  /// Works on the first bytes of a client.
  /// - Returns: how many of them belong to the PROXY header. Nil when nothing else is to be done with them.
  func readHeader(_ bytes: Span<UInt8>) -> Int? {
    guard let opening else { return 0 }
    let before = opening.header.count
    opening.header += bytes.copied()
    let header = opening.header
    switch ProxyHeader.read(header.span) {
    case .incomplete:
      return nil
    case .malformed:
      loop.worker.counters.countError(.proxyHeaderInvalid)
      abort()
      return nil
    case .complete(let byteCount, let source):
      if let source { opening.peer = source }
      admission = loop.admit(opening.peer)
      if admission == nil {
        abort()
        return nil
      }
      opening.header = []
      perform(state.headerRead())
      return byteCount - before
    }
  }

  /// The connection's own bytes follow.
  func begin() {
    if let server { return loop.worker.connected(server, at: loop.now()) }
    guard let opening else { return }
    self.opening = nil
    loop.opened(self)
    let security = secure?.clientSecurity()
    if let security { loop.worker.counters.countHandshake((security.isResumed ? TLSResult.resumed : .ok).rawValue) }
    becomeConnection(of: opening.peer, listener: opening.counterID, security: security)
  }

  /// The client may send requests from now on.
  func becomeConnection(of peer: PeerAddress, listener: Int, security: ClientSecurity?) {
    attach(loop.worker.accepted(from: peer, listener: listener, security: security, at: loop.now()))
  }

  // MARK: Handshakes

  /// The first bytes of a server's session.
  func startHandshake() {
    _ = secure?.session.handshake()
    flush()
  }

  func handshakeCompleted() {
    if let secure, let wanted = secure.requiredProtocol,
      secure.session.facts().applicationProtocol != wanted.rawValue
    {
      return handshakeFailed("the server does not speak \(wanted.rawValue)")
    }
    perform(state.handshakeCompleted())
  }

  func sessionFailed(_ error: TLSError) {
    switch state.sessionFailed() {
    case .nothing: break
    case .refuseClient: refuse(error)
    case .failHandshake:
      flush()
      handshakeFailed(error.reason)
    case .abort:
      flush()
      abort()
    }
  }

  /// Answers the client why it is not accepted, and reads on for a moment: a close with unread input would reset the
  /// connection, and the client could lose the alert or the answer.
  private func refuse(_ error: TLSError) {
    if error.isPlainHTTP { writeOnce(plainHTTPAnswer) } else { flush() }
    loop.worker.counters.countHandshake(error.result.rawValue)
    opening?.deadline = loop.now().nanoseconds &+ Self.lingerNanoseconds
    perform(state.closeOutput())
  }

  /// LIMIT: how long the input of a client that was refused is thrown away.
  private static let lingerNanoseconds: Int64 = 2_000_000_000

  /// The client does not become a connection.
  func endOpening(_ ending: SocketState.Ending) {
    switch ending {
    case .headerTimedOut: loop.worker.counters.countError(.proxyHeaderTimeout)
    case .handshakeTimedOut: loop.worker.counters.countHandshake(TLSResult.timeout.rawValue)
    case .handshakeUnfinished: loop.worker.counters.countHandshake(TLSResult.closed.rawValue)
    default: break
    }
    opening = nil
    loop.opened(self)
  }

  func openingTimedOut() {
    if let ending = state.openingTimedOut() { end(ending) }
  }

  private func handshakeFailed(_ reason: String) {
    if let server { loop.reportHandshake(server, reason) }
    connectFailed()
  }

  /// A word for who speaks HTTP where TLS is expected, as other servers have it.
  private var plainHTTPAnswer: [UInt8] {
    let body =
      "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"code\":\"\(GatewayRefusal.tlsRequired.rawValue)\","
      + "\"detail\":\"This port speaks HTTPS: write https:// in front of the address.\"}\n"
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
    let end = "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
    return Array(head.utf8) + loop.worker.snapshot.ownAnswerLines + Array((end + body).utf8)
  }
}
