// A worker's connections to one upstream. Nothing is shared with other workers: each keeps its own.

import Configuration

final class UpstreamPool {
  let configuration: Upstream
  let servers: [UpstreamServer]
  /// The servers that requests go to now; empty only when there are no servers. Whoever changes it says so by
  /// ``rotationChanged()``.
  var rotation: [UpstreamServer]
  /// Whether all servers in rotation have the same share.
  var hasEqualShares = true
  /// Round robin's place in the rotation, where shares are equal.
  var turn = -1
  /// Exchanges that this worker has at any of the servers now.
  var activeCount = 0
  /// The upstream's id in the counters.
  let counterID: Int
  unowned let worker: Worker
  /// What all workers know together.
  let shared: SharedUpstream
  private var idleCount = 0
  /// The configuration has no such upstream any more: connections are not kept after their exchange.
  private(set) var isRetired = false

  /// Whether a connection serves many exchanges at once (HTTP/2).
  let isMultiplexed: Bool
  /// Whether TLS is spoken to the servers.
  let isSecure: Bool
  /// Nil where failures take no server out.
  let ejection: EjectionRules?
  /// Whether a server can be out of rotation at all.
  let isWatched: Bool
  /// Whether requests can be too many.
  let isLimited: Bool
  let requestsPerServerMax: Int?
  let adaptiveLimit: AdaptiveLimit?
  /// As ``SharedUpstream/changeCount`` was when the rotation was made.
  var seenChangeCount = 0
  /// No server is fit, and the configuration does not want one that is not.
  var isUnavailable = false
  /// This worker's requests that wait for a place.
  var line = WaitingLine()
  /// The next place that this worker gives back is left to the others'.
  var isOthersTurn = false
  var isServing = false
  let connectTimeout: Int64
  let responseTimeout: Int64
  /// A connection that was not used for this long is closed; most servers close theirs after 60 s or more.
  static let idleNanoseconds: Int64 = 55_000_000_000

  init(_ configuration: Upstream, sharing: UpstreamSharing, counterID: Int, worker: Worker) {
    self.configuration = configuration
    self.counterID = counterID
    self.worker = worker
    shared = sharing.upstream
    servers = zip(configuration.servers, sharing.servers).map { UpstreamServer($0, shared: $1) }
    rotation = servers
    ejection = configuration.ejection.map(EjectionRules.init)
    isWatched = configuration.healthCheck != nil || configuration.ejection != nil
    isLimited =
      configuration.maxRequests != nil || configuration.maxRequestsPerServer != nil
      || configuration.adaptiveLimit != nil
    requestsPerServerMax = configuration.maxRequestsPerServer
    adaptiveLimit = configuration.adaptiveLimit
    isMultiplexed = configuration.protocol == .http2
    isSecure = configuration.tls != nil
    connectTimeout = configuration.connectTimeout.nanoseconds
    responseTimeout = configuration.responseTimeout.nanoseconds
    rotationChanged()
  }

  /// A stream of a connection that is there: of those that serve one exchange at a time the one that was used last, which is
  /// the most likely to be alive.
  func takeKept(_ server: UpstreamServer) -> (any UpstreamStream)? {
    if isMultiplexed {
      return server.multiplexed.last { $0.hasRoom }?.takeStream()
    }
    guard let connection = server.idle.popLast() else { return nil }
    idleCount -= 1
    return connection
  }

  /// A new connection's stream; nil when there is no memory for one.
  func open(_ server: UpstreamServer) -> (any UpstreamStream)? {
    if isMultiplexed {
      guard let connection = HTTP2UpstreamConnection.open(worker: worker, pool: self, server: server) else {
        return nil
      }
      server.multiplexed.append(connection)
      worker.openConnection(connection, to: server.configuration.address)
      connection.startConnectTimer()
      return connection.takeStream()
    }
    let connection = HTTP1UpstreamConnection(worker: worker, pool: self, server: server)
    worker.openConnection(connection, to: server.configuration.address)
    connection.deadline = worker.time.nanoseconds &+ connectTimeout
    return connection
  }

  /// For an exchange whose connection went: an idle one that is left may be gone the same way.
  func openAnew(_ server: UpstreamServer) -> (any UpstreamStream)? {
    isMultiplexed ? takeKept(server) ?? open(server) : open(server)
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

  func forget(_ connection: HTTP2UpstreamConnection) {
    connection.server.multiplexed.removeAll { $0 === connection }
  }

  func retire() {
    isRetired = true
    for server in servers {
      for connection in server.multiplexed { connection.retire() }
      for connection in server.idle { connection.abort() }
      server.idle.removeAll()
    }
    idleCount = 0
  }
}
