// A worker's connections to one upstream. Nothing is shared with other workers: each keeps its own.

import Configuration

final class UpstreamPool {
  let configuration: Upstream
  let servers: [UpstreamServer]
  /// The upstream's id in the counters.
  let counterID: Int
  private unowned let worker: Worker
  private var idleCount = 0
  /// The configuration has no such upstream any more: connections are not kept after their exchange.
  private(set) var isRetired = false

  let connectTimeout: Int64
  let responseTimeout: Int64
  /// A connection that was not used for this long is closed; most servers close theirs after 60 s or more.
  static let idleNanoseconds: Int64 = 55_000_000_000

  init(_ configuration: Upstream, counterID: Int, worker: Worker) {
    self.configuration = configuration
    self.counterID = counterID
    self.worker = worker
    servers = configuration.servers.map(UpstreamServer.init)
    connectTimeout = configuration.connectTimeout.nanoseconds
    responseTimeout = configuration.responseTimeout.nanoseconds
  }

  /// The kept connection that was used last: the one most likely to be alive.
  func takeKept(_ server: UpstreamServer) -> (any UpstreamStream)? {
    guard let connection = server.idle.popLast() else { return nil }
    idleCount -= 1
    return connection
  }

  /// A new connection's stream.
  func open(_ server: UpstreamServer) -> any UpstreamStream {
    let connection = HTTP1UpstreamConnection(worker: worker, pool: self, server: server)
    worker.openConnection(connection, to: server.configuration.address)
    connection.deadline = worker.time.nanoseconds &+ connectTimeout
    return connection
  }

  /// Takes a connection back. False when it cannot be kept.
  func keep(_ connection: HTTP1UpstreamConnection) -> Bool {
    // LIMIT: `idle_connections` in each worker.
    if isRetired || worker.isDraining || idleCount >= configuration.idleConnections { return false }
    connection.server.idle.append(connection)
    idleCount += 1
    return true
  }

  /// An idle connection was closed.
  func forget(_ connection: HTTP1UpstreamConnection) {
    guard let place = connection.server.idle.lastIndex(where: { $0 === connection }) else { return }
    connection.server.idle.remove(at: place)
    idleCount -= 1
  }

  func retire() {
    isRetired = true
    for server in servers {
      for connection in server.idle { connection.abort() }
      server.idle.removeAll()
    }
    idleCount = 0
  }
}
