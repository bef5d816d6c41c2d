// Listening sockets. Every worker has its own for each address (SO_REUSEPORT), so the kernel spreads connections and
// nothing is handed from one loop to another.

import Configuration
import NIOCore
import NIOPosix
import Proxy

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A listener's socket on one loop.
struct LoopListener {
  var channel: any Channel
  /// The listener's id in the counters.
  var counterID: Int
  var isAccepting = true
}

extension WorkerLoop {
  /// Binds one address on this loop; the caller puts the channel into ``listeners``.
  func bind(_ address: Address, port: Int, counterID: Int, connectionsMax: Int) throws -> EventLoopFuture<any Channel> {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    return try ServerBootstrap(group: eventLoop, listeningOn: address)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.socketOption(NIOBSDSocket.Option(rawValue: CInt(SO_REUSEPORT))), value: 1)
      // With a small limit one accept at a time, so that it is kept to the letter.
      .serverChannelOption(.maxMessagesPerRead, value: UInt(connectionsMax < 256 ? 1 : 16))
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        let loop = bound.value
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            Socket(loop: loop) { loop.accepted($0, listener: counterID) })
        }
      }
      .bind(to: SocketAddress(ipAddress: address.host, port: port))
  }

  private func accepted(_ channel: any Channel, listener: Int) -> Connection {
    let connection = worker.accepted(from: PeerAddress(channel.remoteAddress), listener: listener, at: now())
    updateAccepting()
    return connection
  }

  /// LIMIT: `limits.connections`, an equal share for each worker: past it new ones wait in the kernel's accept queue.
  func updateAccepting() {
    let isRoomLeft = worker.downstreamConnectionCount < connectionsMax
    for (address, listener) in listeners where listener.isAccepting != isRoomLeft {
      listeners[address]?.isAccepting = isRoomLeft
      try? listener.channel.syncOptions?.setOption(.autoRead, value: isRoomLeft)
    }
  }

  /// Stops listening on an address; its connections end after their exchange.
  func close(_ listener: Listener) {
    guard let closed = listeners.removeValue(forKey: listener) else { return }
    closed.channel.close(promise: nil)
    worker.retireListener(closed.counterID)
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
