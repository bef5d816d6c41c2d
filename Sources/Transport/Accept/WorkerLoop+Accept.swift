// Listening sockets. Every worker has its own for each address (SO_REUSEPORT), so the kernel spreads connections and
// nothing is handed from one loop to another. A Unix socket can be bound once only: one loop accepts for all of them.

import Configuration
import NIOCore
import NIOPosix
import Proxy
import TLS

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A listener's socket on one loop.
struct LoopListener {
  /// Nil where another loop accepts for this one.
  var channel: (any Channel)?
  /// The listener's id in the counters.
  var counterID: Int
  var listener: Listener
  var isAccepting = true
}

extension WorkerLoop {
  /// Binds an address of the network on this loop; the caller puts the channel into ``listeners``.
  func bind(_ key: ListenerKey, port: Int, connectionsMax: Int) throws -> EventLoopFuture<any Channel> {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    return try ServerBootstrap(group: eventLoop, listeningOn: key.address)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.socketOption(NIOBSDSocket.Option(rawValue: CInt(SO_REUSEPORT))), value: 1)
      // With a small limit one accept at a time, so that it is kept to the letter.
      .serverChannelOption(.maxMessagesPerRead, value: UInt(connectionsMax < 256 ? 1 : 16))
      // TCP_NODELAY is on by default for the listener, and accepted sockets inherit it.
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try bound.value.add(channel, at: key) }
      }
      .bind(to: SocketAddress(ipAddress: key.address.host, port: port))
  }

  /// Binds a Unix socket on this loop, for all loops of the group.
  func bind(
    path: String, key: ListenerKey, connectionsMax: Int, for loops: [NIOLoopBound<WorkerLoop>],
    of group: any EventLoopGroup
  ) -> EventLoopFuture<any Channel> {
    ServerBootstrap(group: eventLoop, childGroup: group)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.maxMessagesPerRead, value: UInt(connectionsMax < 256 ? 1 : 16))
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let bound = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
            throw ChannelError.inappropriateOperationForState
          }
          try bound.value.add(channel, at: key)
        }
      }
      .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true)
  }

  private func add(_ channel: any Channel, at key: ListenerKey) throws {
    try channel.pipeline.syncOperations.addHandler(Socket(loop: self) { try self.accepted($0, at: key) })
  }

  /// What a client that just connected has before it, by the listener as it is now.
  private func accepted(_ channel: any Channel, at key: ListenerKey) throws -> Opening {
    guard let known = listeners[key] else { throw ChannelError.alreadyClosed }
    var timeout = worker.snapshot.headerTimeoutNanoseconds
    var context: ServerContext?
    if let tls = known.listener.tls {
      // A listener of TLS without a context serves nobody: never in plain text instead.
      guard let found = contexts.listeners[key] else {
        throw ChannelError.inappropriateOperationForState
      }
      context = found
      timeout = tls.handshakeTimeout.nanoseconds
    }
    let peer = PeerAddress(channel.remoteAddress)
    if known.listener.hasProxyProtocol, !worker.snapshot.isTrusted(peer) {
      worker.counters.countError("proxy_header_untrusted")
      throw ChannelError.inappropriateOperationForState
    }
    return Opening(
      counterID: known.counterID, isHeaderDue: known.listener.hasProxyProtocol, context: context, peer: peer,
      deadline: now().nanoseconds &+ timeout)
  }

  /// LIMIT: `limits.connections`, an equal share for each worker: past it new ones wait in the kernel's accept queue.
  func updateAccepting() {
    let isRoomLeft = clientCount < connectionsMax
    for (key, listener) in listeners where listener.isAccepting != isRoomLeft {
      listeners[key]?.isAccepting = isRoomLeft
      try? listener.channel?.syncOptions?.setOption(.autoRead, value: isRoomLeft)
    }
  }

  /// Takes a listener as the new configuration has it. Who was let in under other rules of TLS than it has now is not kept.
  func replace(_ listener: Listener) {
    guard let old = listeners[listener.key] else { return }
    listeners[listener.key]?.listener = listener
    if let mode = listener.mode, mode != old.listener.mode, case .unix(let path) = listener.address {
      // By every loop: the same mode, and the file is this process's own.
      _ = SocketFile.setMode(mode, of: path)
    }
    let (before, now) = (old.listener.tls, listener.tls)
    if (before == nil) == (now == nil), before?.clientCertificates == now?.clientCertificates { return }
    retire(old.counterID)
  }

  /// Stops listening; the connections live on until ``retire(_:)``.
  /// - Returns: the listener's id in the counters; nil when nobody listens there.
  func stopListening(_ key: ListenerKey) -> Int? {
    guard let closed = listeners.removeValue(forKey: key) else { return nil }
    closed.channel?.close(promise: nil)
    if case .unix(let path) = key.address, closed.channel != nil { SocketFile.remove(path) }
    return closed.counterID
  }

  /// Whoever came in by a listener is not kept: handshakes end, and connections after their exchange.
  func retire(_ counterID: Int) {
    endOpenings(of: counterID)
    worker.retireListener(counterID)
    runCommands()
  }
}

extension ServerBootstrap {
  /// `[::]` takes IPv6 only, whatever the system's default: then it stands beside `0.0.0.0` on one port, and every client
  /// has one address.
  convenience init(group: any EventLoopGroup, listeningOn address: Address) {
    self.init(group: group)
    if address.host.contains(":") {
      _ = serverChannelOption(ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: 1)
    }
  }
}

extension PeerAddress {
  /// All zero where the socket has no IP address.
  init(_ address: SocketAddress?) {
    let text = address?.ipAddress ?? ""
    self = PeerAddress(text.utf8.span) ?? PeerAddress(high: 0, low: 0)
  }
}
