// Between a client's connect and its connection: the PROXY header where the listener wants one, then the TLS handshake. Until
// both are through the data plane knows nothing of the client; a deadline and `limits.connections` bound it.

import Bytes
import Configuration
import Proxy
import TLS

/// What a socket that was accepted has before it. An object, which goes when the client has become a connection.
final class Opening {
  let counterID: Int
  /// A PROXY header is due.
  var isHeaderDue: Bool
  /// The peer, or whom the header names.
  var peer: PeerAddress
  /// Bytes of an unfinished PROXY header; at most one header's.
  var header: [UInt8] = []
  let since: Int64
  var deadline: Int64
  /// The client was told why it does not become a connection; what it still sends is thrown away.
  var isRefused = false

  init(counterID: Int, isHeaderDue: Bool, peer: PeerAddress, since: Int64, deadline: Int64) {
    self.counterID = counterID
    self.isHeaderDue = isHeaderDue
    self.peer = peer
    self.since = since
    self.deadline = deadline
  }
}

extension Socket {
  /// Works on the first bytes of a client. Returns how many of them belong to what comes before TLS and HTTP; nil when
  /// nothing else is to be done with them.
  func readHeader(_ bytes: Span<UInt8>) -> Int? {
    guard let opening, opening.isHeaderDue else { return 0 }
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
      // It stays one whose header is due: no handshake was begun.
      admission = loop.admit(opening.peer)
      if admission == nil {
        abort()
        return nil
      }
      opening.isHeaderDue = false
      opening.header = []
      if secure == nil { openingEnded(opening, security: nil) }
      return byteCount - before
    }
  }

  private func openingEnded(_ opening: Opening, security: ClientSecurity?) {
    self.opening = nil
    loop.opened(self)
    becomeConnection(of: opening.peer, listener: opening.counterID, security: security)
  }

  /// The client may send requests from now on.
  func becomeConnection(of peer: PeerAddress, listener: Int, security: ClientSecurity?) {
    attach(loop.worker.accepted(from: peer, listener: listener, security: security, at: loop.now()))
  }

  // MARK: Handshakes

  /// The first bytes of an upstream's session, or nothing.
  func beginHandshake() {
    guard let secure else { return }
    _ = secure.session.handshake()
    flush()
  }

  func handshakeCompleted() {
    guard let secure else { return }
    if let opening {
      let security = secure.clientSecurity()
      loop.worker.counters.countHandshake(security.isResumed ? TLSResult.resumed.rawValue : TLSResult.ok.rawValue)
      openingEnded(opening, security: security)
    } else if let upstream = connection as? UpstreamConnection {
      if let wanted = secure.requiredProtocol, secure.session.facts().applicationProtocol != wanted.rawValue {
        return handshakeFailed("the server does not speak \(wanted.rawValue)")
      }
      loop.worker.connected(upstream, at: loop.now())
    }
  }

  /// The session is dead: what it says about that is sent, and the socket goes.
  func sessionFailed(_ error: TLSError) {
    guard let secure else { return }
    if opening != nil { return refuse(error) }
    flush()
    if !secure.session.isEstablished { return handshakeFailed(error.reason) }
    abort()
  }

  /// Tells the client why it is not let in, and reads on for a moment: a close with unread input would reset the
  /// connection, and the client could lose the alert or the answer.
  private func refuse(_ error: TLSError) {
    if error.isPlainHTTP { writeOnce(Self.plainHTTPAnswer) } else { flush() }
    loop.worker.counters.countHandshake(error.result.rawValue)
    opening?.isRefused = true
    opening?.deadline = loop.now().nanoseconds &+ Self.lingerNanoseconds
    closeOutput()
  }

  /// LIMIT: how long the input of a client that was refused is thrown away.
  private static let lingerNanoseconds: Int64 = 2_000_000_000

  /// The client does not become a connection.
  func endOpening(_ result: TLSResult) {
    if let opening, !opening.isHeaderDue, !opening.isRefused {
      loop.worker.counters.countHandshake(result.rawValue)
    }
    opening = nil
    loop.opened(self)
  }

  func openingTimedOut() {
    if opening?.isHeaderDue == true { loop.worker.counters.countError(.proxyHeaderTimeout) }
    endOpening(.timeout)
    abort()
  }

  private func handshakeFailed(_ reason: String) {
    guard let upstream = connection as? UpstreamConnection else { return abort() }
    loop.reportUpstreamHandshake(upstream, reason)
    giveUp(upstream)
  }

  /// A word for who speaks HTTP where TLS is expected, as other servers have it.
  private static let plainHTTPAnswer: [UInt8] = {
    let body =
      "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"code\":\"\(GatewayRefusal.tlsRequired.rawValue)\","
      + "\"detail\":\"This port speaks HTTPS: write https:// in front of the address.\"}\n"
    let head =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
      + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
    return Array((head + body).utf8)
  }()
}
