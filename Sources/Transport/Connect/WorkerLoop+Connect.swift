// Connections to upstream servers, opened on the worker's own loop.

import Configuration
import NIOCore
import NIOPosix
import Proxy
import TLS

extension WorkerLoop {
  func connect(_ connection: UpstreamConnection, to address: Address) {
    // Given up in the same breath, as by a client that resets what it has just asked for (T54): not worth a socket.
    if connection.isClosed { return noteAborted(connection) }
    var secure: SecureLayer?
    if connection.configuration.tls != nil {
      do {
        secure = try secureLayer(for: connection)
      } catch {
        reportUpstreamHandshake(connection, "\(error)")
        return noteFailed(connection)
      }
    }
    let socket = Socket(loop: self, connection: connection, secure: secure)
    attach(socket, to: connection)
    let bound = NIOLoopBound(socket, eventLoop: eventLoop)
    // TCP_NODELAY is on by default.
    let bootstrap = ClientBootstrap(group: eventLoop)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
      }
    // A literal needs no look-up; a name is resolved by NIO, off the loop, both address families tried.
    let connected: EventLoopFuture<any Channel>
    switch address {
    case .unix(let path): connected = bootstrap.connect(unixDomainSocketPath: path)
    case .network(let host, let port):
      if let literal = try? SocketAddress(ipAddress: host, port: Int(port)) {
        connected = bootstrap.connect(to: literal)
      } else {
        connected = bootstrap.connect(host: host, port: Int(port))
      }
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

  /// TLS towards the server, where the upstream has it.
  private func secureLayer(for connection: UpstreamConnection) throws -> SecureLayer {
    let upstream = connection.configuration
    // Never in plain text instead.
    guard let context = contexts.upstreams[upstream.name] else { throw ChannelError.inappropriateOperationForState }
    let address = connection.address
    let key = "\(upstream.name) \(address)"
    return try SecureLayer(
      client: context, host: upstream.tls?.serverName ?? address.host, resuming: resumptions[key], resumptionKey: key,
      requiredProtocol: upstream.protocol == .http2 ? ApplicationProtocol.http2.rawValue : nil)
  }
}
