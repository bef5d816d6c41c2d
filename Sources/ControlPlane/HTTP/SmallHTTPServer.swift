// A small HTTP/1.1 server for what the gateway itself has to say: the admin listener, and the demo's issuer and echo.
// Invariant: everything of it lives on one loop, apart from the workers' own; nothing here is on a request's way.

package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A server that runs from ``start(host:port:group:bodyByteCountMax:handler:)`` until ``stop(within:)``.
package final class SmallHTTPServer: Sendable {
  /// Runs off the loop; cancelled when the connection is gone.
  package typealias Handler = @Sendable (SmallRequest) async -> SmallResponse

  /// Where it listens: the real port, also when 0 was asked for.
  package let port: Int
  private let listener: any Channel
  private let connections: ConnectionRegister

  private init(port: Int, listener: any Channel, connections: ConnectionRegister) {
    self.port = port
    self.listener = listener
    self.connections = connections
  }

  /// Listens at once. Throws what the system says when it may not.
  package static func start(
    host: String = "127.0.0.1", port: Int = 0, group: any EventLoopGroup, bodyByteCountMax: Int = 64 * 1024,
    connectionCountMax: Int = 512, handler: @escaping Handler
  ) async throws -> SmallHTTPServer {
    let connections = ConnectionRegister(loop: group.next(), countMax: connectionCountMax)
    let bootstrap = ServerBootstrap(group: connections.loop)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptPause()) }
      }
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          guard connections.add(channel) else { throw ChannelError.ioOnClosedChannel }
          try pipeline.addHandler(IdleStateHandler(allTimeout: .seconds(60)))
          try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: true)
          try pipeline.addHandler(SmallConnection(handler: handler, bodyByteCountMax: bodyByteCountMax))
        }
      }
    let listener = try await bootstrap.bind(host: host, port: port).get()
    return SmallHTTPServer(
      port: listener.localAddress?.port ?? port, listener: listener, connections: connections)
  }

  /// Takes no new connections, lets running requests finish, and comes back when every connection is closed; those that
  /// are still there after `within` are cut.
  package func stop(within: Duration = .seconds(5)) async {
    try? await listener.close()
    await connections.drain(within: within)
  }
}

/// Without a descriptor for whoever waits, the system says again and again that somebody does: accepting stops for a moment.
private final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let channel = context.channel
    channel.setOption(.autoRead, value: false).whenComplete { _ in
      channel.eventLoop.scheduleTask(in: .milliseconds(100)) {
        channel.setOption(.autoRead, value: true).whenFailure { _ in }
      }
    }
  }
}

/// The open connections of one server. Used on its loop only, but for `drain`.
private final class ConnectionRegister: Sendable {
  private struct State {
    var channels: [ObjectIdentifier: any Channel] = [:]
    var isDraining = false
    var whenEmpty: [EventLoopPromise<Void>] = []
  }

  let loop: any EventLoop
  private let countMax: Int
  private let state = Mutex(State())

  init(loop: any EventLoop, countMax: Int) {
    self.loop = loop
    self.countMax = countMax
  }

  /// False when there are too many, or the server is on its way out.
  func add(_ channel: any Channel) -> Bool {
    let id = ObjectIdentifier(channel)
    let isTaken = state.withLock { state in
      // LIMIT: further connections are closed at once.
      guard !state.isDraining, state.channels.count < countMax else { return false }
      state.channels[id] = channel
      return true
    }
    if isTaken { channel.closeFuture.whenComplete { _ in self.remove(id) } }
    return isTaken
  }

  private func remove(_ id: ObjectIdentifier) {
    let promises = state.withLock { state in
      state.channels[id] = nil
      guard state.channels.isEmpty else { return [EventLoopPromise<Void>]() }
      defer { state.whenEmpty = [] }
      return state.whenEmpty
    }
    for promise in promises { promise.succeed() }
  }

  func drain(within: Duration) async {
    let empty = loop.makePromise(of: Void.self)
    let open = state.withLock { state in
      state.isDraining = true
      if !state.channels.isEmpty { state.whenEmpty.append(empty) }
      return Array(state.channels.values)
    }
    if open.isEmpty { empty.succeed() }
    // The pipelining handler answers this by closing idle connections now and busy ones after their response.
    for channel in open { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    let cut = loop.scheduleTask(in: .init(within)) {
      for channel in open { channel.close(promise: nil) }
    }
    try? await empty.futureResult.get()
    cut.cancel()
  }
}
