// Listening sockets. Every worker has its own for each address (SO_REUSEPORT), so the kernel spreads connections and
// nothing is handed from one loop to another. A Unix socket can be bound once only: one loop accepts for all of them.
// Sockets that the process was started with may be more than there are workers, or fewer.

import Configuration
import Proxy
import TLS

/// A listener on one loop. An object, so that a connection finds it without a look into a table.
final class LoopListener {
  /// Empty where another loop accepts for this one.
  let sockets: [ListeningSocket]
  /// The listener's id in the counters.
  let counterID: Int
  var listener: Listener

  init(sockets: [ListeningSocket], counterID: Int, listener: Listener) {
    self.sockets = sockets
    self.counterID = counterID
    self.listener = listener
    for socket in sockets { socket.known = self }
  }

  /// Nothing comes before a client's first request.
  var isPlain: Bool { !listener.hasProxyProtocol && listener.tls == nil }
}

/// Accepts for one loop, or for all of them in turn.
final class ListeningSocket: Watched {
  private unowned let loop: WorkerLoop
  private let key: ListenerKey
  fileprivate weak var known: LoopListener?
  /// The loops that clients are spread over. Empty: they stay here.
  private let mailboxes: [Mailbox]
  private var lastMailbox = 0

  init(_ descriptor: Descriptor, key: ListenerKey, loop: WorkerLoop, mailboxes: [Mailbox] = []) {
    self.loop = loop
    self.key = key
    self.mailboxes = mailboxes
    super.init(descriptor)
  }

  override func ready(_ readiness: Readiness) {
    // LIMIT: so many are accepted before others have their turn.
    for round in 0..<16 where loop.isAccepting && token != 0 {
      guard let slot = loop.slotForClient(isFirst: round == 0) else { return }
      switch descriptor.accept() {
      case .client(let client, let peer): take(client, peer, slot)
      case .none: return
      case .starved: return loop.starve()
      }
    }
  }

  private func take(_ client: Descriptor, _ peer: PeerAddress, _ slot: ConnectionSlot) {
    if mailboxes.isEmpty { return loop.accepted(client, from: peer, at: key, known, slot) }
    lastMailbox = (lastMailbox + 1) % mailboxes.count
    let key = key
    if !mailboxes[lastMailbox].post({ $0.accepted(client, from: peer, at: key, $0.listeners[key], slot) }) {
      client.close()
    }
  }
}

extension WorkerLoop {
  /// Listens on an address. Port 0 takes a free one.
  /// - Parameter mailboxes: of the loops that clients are spread over. Empty: each loop has a socket of its own.
  /// - Returns: the port that it has. 0 for a Unix socket.
  func listen(
    _ listener: Listener, port: Int, counterID: Int, spreadOver mailboxes: [Mailbox] = []
  ) -> Result<Int, ListenError> {
    do throws(SystemError) {
      guard let address = SocketAddress(listener.address.withPort(port)) else {
        return .failure(ListenError(listener.address, reason: "it is not an address of this machine"))
      }
      let descriptor = try Descriptor.listening(on: address, isShared: mailboxes.isEmpty)
      return listen(listener, on: [descriptor], counterID: counterID, spreadOver: mailboxes)
    } catch {
      return .failure(ListenError(listener.address, code: error.code))
    }
  }

  /// Accepts from sockets that listen already, which are this loop's from now on.
  func listen(
    _ listener: Listener, on descriptors: [Descriptor], counterID: Int, spreadOver mailboxes: [Mailbox] = []
  ) -> Result<Int, ListenError> {
    var sockets: [ListeningSocket] = []
    for descriptor in descriptors {
      let socket = ListeningSocket(descriptor, key: listener.key, loop: self, mailboxes: mailboxes)
      guard watch(socket, isAccepting ? .input : []) else {
        sockets.forEach(forget)
        for descriptor in descriptors { descriptor.close() }
        return .failure(ListenError(listener.address, reason: "out of memory"))
      }
      sockets.append(socket)
    }
    listeners[listener.key] = LoopListener(sockets: sockets, counterID: counterID, listener: listener)
    return .success(descriptors.first?.localPort() ?? 0)
  }

  /// A client connected.
  func accepted(
    _ client: Descriptor, from peer: PeerAddress, at key: ListenerKey, _ known: LoopListener?, _ slot: ConnectionSlot
  ) {
    guard let known else { return client.close() }
    // What follows a PROXY header comes from the client that it names.
    let isPlain = known.isPlain
    guard let admission = known.listener.hasProxyProtocol ? .uncounted : admit(peer) else { return client.close() }
    guard let (opening, secure) = isPlain ? (nil, nil) : opening(of: peer, at: key, known) else {
      return client.close()
    }
    let socket = Socket(
      client, loop: self, opening: opening, isHeaderDue: known.listener.hasProxyProtocol, admission: admission,
      slot: slot, secure: secure)
    guard watch(socket, [.input, .inputEnd, .edge]) else { return client.close() }
    if isPlain {
      socket.becomeConnection(of: peer, listener: known.counterID, security: nil)
    } else {
      self.opening(socket)
    }
  }

  /// What a client that just connected has before it, by the listener as it is now. Nil for one who is not let in.
  private func opening(
    of peer: PeerAddress, at key: ListenerKey, _ known: LoopListener
  ) -> (Opening?, SecureLayer?)? {
    var timeout = worker.snapshot.headerTimeoutNanoseconds
    var secure: SecureLayer?
    if known.listener.hasProxyProtocol, !worker.snapshot.isTrusted(peer) {
      worker.counters.countError(.proxyHeaderUntrusted)
      return nil
    }
    if let tls = known.listener.tls {
      // A listener of TLS without a context serves nobody: never in plain text instead.
      guard let context = contexts.listeners[key] else { return nil }
      do throws(TLSError) {
        secure = try SecureLayer(server: context)
      } catch {
        worker.counters.countHandshake(error.result.rawValue)
        return nil
      }
      timeout = tls.handshakeTimeout.nanoseconds
    }
    let opening = Opening(
      counterID: known.counterID, peer: peer, since: now().nanoseconds, deadline: now().nanoseconds &+ timeout)
    return (opening, secure)
  }

  /// Takes a listener as the new configuration has it. Who was let in under other rules of TLS than it has now is not
  /// kept.
  func replace(_ listener: Listener) {
    guard let old = listeners[listener.key] else { return }
    let before = old.listener.tls
    let oldMode = old.listener.mode
    old.listener = listener
    if let mode = listener.mode, mode != oldMode, case .unix(let path) = listener.address {
      // By every loop: the same mode, and the file is this process's own.
      _ = SocketFile.setMode(mode, of: path)
    }
    let now = listener.tls
    if (before == nil) == (now == nil), before?.clientCertificates == now?.clientCertificates,
      before?.clientRevocations == now?.clientRevocations
    {
      return
    }
    retire(old.counterID)
  }

  /// Stops listening. The connections live on until ``retire(_:)``.
  /// - Parameter isHandedOver: another process has the sockets, too, and listens on.
  /// - Returns: the listener's id in the counters. Nil when nobody listens there.
  func stopListening(_ key: ListenerKey, isHandedOver: Bool) -> Int? {
    guard let closed = listeners.removeValue(forKey: key) else { return nil }
    for socket in closed.sockets {
      forget(socket)
      socket.descriptor.close()
      if !isHandedOver, case .unix(let path) = key.address { SocketFile.remove(path) }
    }
    return closed.counterID
  }

  /// Clients of this listener are not kept: handshakes end, and connections after their exchange.
  func retire(_ counterID: Int) {
    endOpenings(of: counterID)
    worker.retireListener(counterID)
    runCommands()
  }
}
