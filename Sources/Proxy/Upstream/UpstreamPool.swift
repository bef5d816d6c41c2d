// A worker's connections to one upstream. Nothing is shared with other workers: each keeps its own.

import Configuration
import HTTPWire

final class UpstreamPool {
  private(set) var configuration: Upstream
  /// One for each address of each name.
  private(set) var servers: [UpstreamServer] = []
  // Balancing's.
  var rotation = Rotation()
  var policy = ServerPolicy()
  var admission = Admission()
  var sticky: PreparedSticky?
  /// Exchanges that this worker has at any of the servers now.
  var activeCount: Int { rotation.activeCount }
  /// Exchanges of this worker that are on a retry which the budget counts.
  var retryCount = 0
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
  /// The Host of a request that came without one (HTTP/1.0): the first server.
  private(set) var defaultHost: [UInt8] = []
  /// Whether requests do not keep the client's Host.
  private(set) var hasOwnHost = false
  /// What they have instead. Empty where that is the name of the server that gets the request.
  private(set) var host: [UInt8] = []
  /// Whether TLS is spoken to the servers.
  let isSecure: Bool
  private(set) var connectTimeout: Int64 = 0
  private(set) var responseTimeout: Int64 = 0
  private(set) var readTimeout: Int64 = 0
  private(set) var retry = RetryPolicy(nil)
  /// Of answers.
  private(set) var headLimits = HeadLimits()
  private(set) var idleTimeout: Int64 = 0
  /// How long a connection takes new requests, and how many.
  private(set) var connectionAgeMax = Int64.max
  private(set) var connectionRequestCountMax = Int.max

  init(_ configuration: Upstream, sharing: UpstreamSharing, counterID: Int, worker: Worker) {
    self.configuration = configuration
    self.counterID = counterID
    self.worker = worker
    shared = sharing.upstream
    isMultiplexed = configuration.protocol == .http2
    isSecure = configuration.tls != nil
    configure(configuration, sharing: sharing)
  }

  /// What requests to the server have as their Host in place of the client's. Nil where they keep that.
  func ownHost(at server: UpstreamServer) -> [UInt8]? {
    if !hasOwnHost { return nil }
    return host.isEmpty ? server.authority : host
  }

  /// Whether a reload may go on with this pool: the connections that are there would be made the same way.
  func isKept(for fresh: Upstream) -> Bool {
    configuration.name == fresh.name && configuration.protocol == fresh.protocol && configuration.tls == fresh.tls
  }

  /// Takes over what a reload brought, or other addresses of a name. Servers that are still there stay, with their
  /// connections. Requests at the others end where they are.
  func configure(_ fresh: Upstream, sharing: UpstreamSharing) {
    configuration = fresh
    defaultHost = Array((fresh.servers.first?.authority ?? "localhost").utf8)
    hasOwnHost = fresh.host != .client
    host = if case .name(let name) = fresh.host { Array(name.utf8) } else { [] }
    connectTimeout = fresh.connectTimeout.nanoseconds
    responseTimeout = fresh.responseTimeout.nanoseconds
    readTimeout = fresh.readTimeout.nanoseconds
    headLimits = HeadLimits(byteCountMax: fresh.headerSize, fieldCountMax: fresh.headers)
    idleTimeout = fresh.idleTimeout.nanoseconds
    connectionAgeMax = fresh.connectionMaxAge?.nanoseconds ?? .max
    connectionRequestCountMax = fresh.connectionMaxRequests ?? .max
    retry = RetryPolicy(fresh.retry)
    renewServers(sharing)
    configureBalancing()
  }

  private func renewServers(_ sharing: UpstreamSharing) {
    let before = servers
    var left = Dictionary(before.map { ($0.configuration.place, $0) }, uniquingKeysWith: { first, _ in first })
    servers = zip(configuration.servers, sharing.servers).map { server, shared in
      guard let kept = left.removeValue(forKey: server.place), kept.shared === shared else {
        return UpstreamServer(server, shared: shared, isSecure: isSecure)
      }
      kept.configuration = server
      return kept
    }
    let kept = Set(servers.map(ObjectIdentifier.init))
    for server in before where !kept.contains(ObjectIdentifier(server)) { retire(server) }
  }

  private func retire(_ server: UpstreamServer) {
    server.isRetired = true
    for connection in server.connections.multiplexed { connection.retire() }
    idleCount -= server.connections.idle.count
    for connection in server.connections.idle { connection.abort() }
    server.connections.idle.removeAll()
  }

  /// A stream of a connection that is there: of those that serve one exchange at a time the one that was used last,
  /// which is the most likely to be alive.
  func takeKept(_ server: UpstreamServer) -> (any UpstreamStream)? {
    if isMultiplexed {
      return server.connections.multiplexed.last { $0.hasRoom }?.takeStream()
    }
    guard let connection = server.connections.idle.popLast() else { return nil }
    idleCount -= 1
    return connection
  }

  /// A new connection's stream. Nil when there is no memory for one.
  func open(_ server: UpstreamServer) -> (any UpstreamStream)? {
    if isMultiplexed {
      guard let connection = HTTP2UpstreamConnection.open(worker: worker, pool: self, server: server) else {
        return nil
      }
      server.connections.multiplexed.append(connection)
      worker.open(connection)
      connection.startConnectTimer()
      return connection.takeStream()
    }
    let connection = HTTP1UpstreamConnection(worker: worker, pool: self, server: server)
    worker.open(connection)
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
    if isRetired || connection.server.isRetired || connection.worker.isDraining { return false }
    if idleCount >= configuration.idleConnections { return false }
    connection.server.connections.idle.append(connection)
    idleCount += 1
    return true
  }

  /// An idle connection was closed.
  func forget(_ connection: HTTP1UpstreamConnection) {
    guard let index = connection.server.connections.idle.lastIndex(where: { $0 === connection }) else { return }
    connection.server.connections.idle.remove(at: index)
    idleCount -= 1
  }

  func forget(_ connection: HTTP2UpstreamConnection) {
    connection.server.connections.multiplexed.removeAll { $0 === connection }
  }

  /// The idle connection that was not used for the longest time.
  var longestIdle: HTTP1UpstreamConnection? {
    // The latest last.
    servers.lazy.compactMap(\.connections.idle.first).min { $0.deadline < $1.deadline }
  }

  func retire() {
    isRetired = true
    for server in servers { retire(server) }
  }
}
