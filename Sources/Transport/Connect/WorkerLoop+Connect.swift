// Connections to upstream servers, opened on the worker's own loop.

import Configuration
import NIOCore
import NIOPosix
import Proxy

extension WorkerLoop {
  func connect(_ connection: UpstreamConnection, to address: Address) {
    let socket = Socket(loop: self, connection: connection)
    attach(socket, to: connection)
    let bound = NIOLoopBound(socket, eventLoop: eventLoop)
    let bootstrap = ClientBootstrap(group: eventLoop)
      .channelOption(.socketOption(.tcp_nodelay), value: 1)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
      }
    // A literal needs no look-up; a name is resolved by NIO, off the loop, both address families tried.
    let connected: EventLoopFuture<any Channel>
    if let literal = try? SocketAddress(ipAddress: address.host, port: Int(address.port)) {
      connected = bootstrap.connect(to: literal)
    } else {
      connected = bootstrap.connect(host: address.host, port: Int(address.port))
    }
    connected.assumeIsolated().whenComplete { [self] result in
      // Given up meanwhile: the worker has forgotten it already.
      guard socket.connection === connection else {
        if case .success(let channel) = result { channel.close(promise: nil) }
        return
      }
      if case .failure = result {
        detach(connection)
        worker.connectFailed(connection, at: now())
        runCommands()
      }
    }
  }
}
