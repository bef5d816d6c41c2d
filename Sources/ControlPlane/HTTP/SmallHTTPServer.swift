// A small HTTP/1.1 server for what the gateway itself has to say: the admin listener, and the demo's issuer and echo.
// Invariant: everything of it lives on one loop, apart from the workers' own. Nothing here is in the request path.

package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A server that runs from ``start(host:port:on:group:bodyByteCountMax:connectionCountMax:handler:)`` until
/// ``stop(within:)``.
package final class SmallHTTPServer: Sendable {
  /// Runs off the loop. Cancelled when the connection is gone.
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
  /// - Parameter descriptor: a socket that listens already, in place of host and port. It is the server's from now on.
  package static func start(
    host: String = "127.0.0.1", port: Int = 0, on descriptor: Int32? = nil, group: any EventLoopGroup,
    bodyByteCountMax: Int = 64 * 1024,
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
          try pipeline.addHandler(
            SmallConnection(handler: handler, bodyByteCountMax: bodyByteCountMax) { isAnswering in
              connections.note(channel, isAnswering: isAnswering)
            })
        }
      }
    let listener =
      if let descriptor {
        try await bootstrap.withBoundSocket(descriptor).get()
      } else {
        try await bootstrap.bind(host: host, port: port).get()
      }
    return SmallHTTPServer(
      port: listener.localAddress?.port ?? port, listener: listener, connections: connections)
  }

  /// Takes no new connections. The address is free for another process.
  package func stopListening() async { try? await listener.close() }

  /// Takes no new connections, lets running requests finish, and comes back when every connection is closed. Those that
  /// are still there after `within` are cut.
  package func stop(within: Duration = .seconds(5)) async {
    await stopListening()
    await connections.drain(within: within)
  }
}

/// Without a descriptor for a waiting client, the system reports that client again and again. So accepting pauses for a
/// moment.
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
  private struct Entry {
    let channel: any Channel
    /// The count of all that happened when it came, or asked for something the last time.
    var lastSeen: UInt64
    var isAnswering = false
  }

  private struct State {
    var entries: [ObjectIdentifier: Entry] = [:]
    var eventCount: UInt64 = 0
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
    var silent: (any Channel)?
    let isTaken = state.withLock { state in
      guard !state.isDraining else { return false }
      // LIMIT: countMax: the one that has been silent for longest makes room, so that nobody shuts others out by
      // holding connections. Where each is being answered, the new one is closed.
      if state.entries.count >= countMax {
        let idle = state.entries.filter { !$0.value.isAnswering }
        guard let oldest = idle.min(by: { $0.value.lastSeen < $1.value.lastSeen }) else { return false }
        silent = state.entries.removeValue(forKey: oldest.key)?.channel
      }
      state.eventCount += 1
      state.entries[id] = Entry(channel: channel, lastSeen: state.eventCount)
      return true
    }
    silent?.close(promise: nil)
    if isTaken { channel.closeFuture.whenComplete { _ in self.remove(id) } }
    return isTaken
  }

  func note(_ channel: any Channel, isAnswering: Bool) {
    state.withLock { state in
      state.eventCount += 1
      state.entries[ObjectIdentifier(channel)]?.lastSeen = state.eventCount
      state.entries[ObjectIdentifier(channel)]?.isAnswering = isAnswering
    }
  }

  private func remove(_ id: ObjectIdentifier) {
    let promises = state.withLock { state in
      state.entries[id] = nil
      guard state.entries.isEmpty else { return [EventLoopPromise<Void>]() }
      defer { state.whenEmpty = [] }
      return state.whenEmpty
    }
    for promise in promises { promise.succeed() }
  }

  func drain(within: Duration) async {
    let empty = loop.makePromise(of: Void.self)
    let open = state.withLock { state in
      state.isDraining = true
      if !state.entries.isEmpty { state.whenEmpty.append(empty) }
      return state.entries.values.map(\.channel)
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
