// The one door to Redis: a worker's view of one entry of `redis`. Who asks gets a ticket, and later exactly one reply
// or failure for it. Where nobody would answer there is no ticket, and nobody waits.

import Bytes
import Configuration
import Redis
import Tokens

final class Store {
  private(set) var configuration: RedisStore
  private let counterID: Int
  let worker: Worker
  /// The only server, or the master that sentinels watch, or the server of a cluster that knows the others.
  private(set) lazy var main = StoreNode(self, worker: worker, servers: sentinels == nil ? configuration.servers : [])
  /// With Sentinel alone.
  private var sentinels: SentinelLook?
  /// As a sentinel has named it.
  private var master: NodeAddress?
  /// With a cluster alone.
  var cluster: ClusterView?
  private var timeout: Int64 = 0

  /// What every key begins with.
  let prefix: [UInt8]
  /// Whether its servers are to report what changes: sessions are kept there, API keys, or a denylist.
  let isTracked: Bool
  /// What the control plane is told of once, by key.
  private var watchers: [[UInt8]: @Sendable () -> Void] = [:]

  init(_ configuration: RedisStore, isTracked: Bool, counterID: Int, worker: Worker) {
    self.configuration = configuration
    self.isTracked = isTracked
    self.counterID = counterID
    self.worker = worker
    prefix = Array(configuration.prefix.utf8)
    timeout = configuration.timeout.nanoseconds
    switch configuration.topology {
    case .single: break
    case .sentinel(let master): sentinels = SentinelLook(self, master: master)
    case .cluster: cluster = ClusterView()
    }
  }

  // MARK: Asking

  /// Asks, unless nobody would answer: then there is no ticket, and the asker hears nothing.
  /// - Parameters:
  ///   - command: as `ByteQueue` writes it.
  ///   - key: the one that the command is about, with the store's prefix.
  ///   - isTracked: whether a change of the key is to be reported from now on, once.
  func ask(
    _ command: Span<UInt8>, about key: Span<UInt8>, for asker: any StoreAsker, isTracked: Bool = false
  ) -> StoreTicket? {
    var pending = pending(asker)
    pending.isTracked = isTracked
    let isSent: Bool
    if cluster == nil {
      isSent = main.send(command, pending)
    } else {
      pending.command = command.copied()
      isSent = node(of: key)?.send(command, pending) ?? false
    }
    if isSent { return pending.ticket }
    count(pending, .unavailable)
    return nil
  }

  func pending(_ asker: any StoreAsker, isCounted: Bool = true) -> PendingCommand {
    let now = worker.time.nanoseconds
    return PendingCommand(
      asker: asker, ticket: worker.storeTickets.next(), begin: now, end: end, isCounted: isCounted)
  }

  /// When a command that is given now has had its time.
  var end: Int64 { worker.time.nanoseconds &+ timeout }

  func fail(_ pending: PendingCommand, _ failure: StoreFailure) {
    count(pending, failure)
    pending.asker.storeFailed(pending.ticket, failure)
  }

  /// - Parameter failure: nil for a reply.
  func count(_ pending: PendingCommand, _ failure: StoreFailure?) {
    guard pending.isCounted else { return }
    worker.counters.countStore(
      counterID, failure, nanoseconds: UInt64(clamping: worker.time.nanoseconds &- pending.begin))
  }

  /// A value there is not what the gateway writes, or cannot be opened.
  func reportUnreadable() {
    worker.counters.countUnreadable(store: counterID)
    report(.unreadable, of: main)
  }

  // MARK: What happens to its servers

  /// A server sent something that nobody asked for: what has changed of that which it was asked for before.
  func receivedPush(_ push: borrowing Reply) {
    guard isTracked, let name = push.first(in: push.root), push.kind(name) == .text,
      push.text(name).equals(Self.invalidation), let keys = push.next(after: name, in: push.root)
    else { return }
    // Without keys it is all of them: the server was flushed.
    if push.kind(keys) != .list { return doubtAll() }
    var key = push.first(in: keys)
    while let place = key {
      if push.kind(place) == .text {
        if let digest = SessionStoreKey.digest(of: push.text(place), prefix: prefix) {
          worker.doubtSession(digest)
        } else if let digest = APIKeyStoreKey.digest(of: push.text(place), prefix: prefix) {
          worker.doubtAPIKey(digest)
        } else if !watchers.isEmpty {
          watchers.removeValue(forKey: push.text(place).copied())?()
        }
      }
      key = push.next(after: place, in: keys)
    }
  }

  private static let invalidation = Array("invalidate".utf8)

  /// What a server would have reported may be lost.
  func lostConnection() {
    if isTracked { doubtAll() }
  }

  private func doubtAll() {
    worker.doubtSessions(of: self)
    worker.doubtAPIKeys(of: self)
    let changed = watchers
    watchers = [:]
    for call in changed.values { call() }
  }

  /// LIMIT: one a key, and the control plane has as many as there are denylists.
  /// - Parameter changed: is called once, when the key has changed after it was asked for, or may have.
  func watch(_ key: [UInt8], _ changed: @escaping @Sendable () -> Void) { watchers[key] = changed }

  func becameReady(_ node: StoreNode) {
    if cluster?.isMapDue == true { askForMap() }
  }

  func wentDown(_ node: StoreNode) { cluster?.isMapDue = true }

  /// What was thought to be a master is none.
  func foundReplica(_ node: StoreNode) {
    if cluster != nil { return wentDown(node) }
    if let sentinels { return sentinels.begin() }
    // Its name may lead to another server by now.
    node.renew()
  }

  /// A server that is down is tried again.
  func revive(_ node: StoreNode) {
    if let sentinels { return sentinels.begin() }
    if node.server == nil, let address = cluster?.nodes.first(where: { $0.value === node })?.key {
      node.move(to: servers(at: address))
    } else {
      node.connect()
    }
  }

  func report(_ change: StoreChange, of node: StoreNode, at address: Address? = nil) {
    let server = (address ?? node.server?.address)?.description ?? ""
    worker.commands.append(
      .reportStore(
        StoreReport(
          store: configuration.name, node: node === main ? "" : server, server: server, change: change)))
  }

  // MARK: Its life

  /// Connects, before anybody asks.
  func start() {
    if let sentinels { return sentinels.begin() }
    if main.server == nil { main.goDown(.unresolved) }
    main.connect()
  }

  func tick() {
    main.tick()
    if cluster != nil { tickCluster() }
  }

  /// Whether a reload may go on with it, its connections and what is under way there.
  func isKept(for fresh: RedisStore, isTracked: Bool) -> Bool {
    if isTracked != self.isTracked { return false }
    var same = configuration
    same.servers = fresh.servers
    same.names = fresh.names
    return same == fresh && same.servers.map(\.host) == fresh.servers.map(\.host)
  }

  /// Names of servers may lead elsewhere.
  func configure(_ fresh: RedisStore) {
    let isSame = configuration.servers == fresh.servers
    configuration = fresh
    if sentinels == nil {
      if !isSame { main.move(to: fresh.servers) }
    } else if let master {
      moveMaster(to: master)
    }
    for (address, node) in cluster?.nodes ?? [:] {
      if isMain(address) {
        cluster?.nodes[address] = nil
        node.retire()
        continue
      }
      let servers = servers(at: address)
      if servers != node.servers { node.move(to: servers) }
    }
  }

  /// Where a node is that a cluster or a sentinel has named. A name that is new has to be resolved first.
  func servers(at node: NodeAddress) -> [Upstream.Server] {
    let servers = configuration.servers(host: node.host, port: node.port)
    if servers.isEmpty {
      worker.commands.append(
        .reportStore(StoreReport(store: configuration.name, node: "", server: node.host, change: .named)))
    }
    return servers
  }

  func moveMaster(to node: NodeAddress) {
    master = node
    let servers = servers(at: node)
    if servers != main.servers || main.connection == nil { main.move(to: servers) }
  }

  func retire() {
    sentinels?.end()
    main.retire()
    retireCluster()
  }

  /// Each server that this worker has to do with.
  var states: [StoreState.Server] {
    ([main] + (cluster?.nodes.values.map { $0 } ?? [])).compactMap { node in
      guard let server = node.server else { return nil }
      return StoreState.Server(
        address: server.address.description, isUp: !node.isDown && node.isReady,
        pendingCount: node.connection?.pendingCount ?? 0)
    }
  }
}

/// A worker's view of one store, for metrics and the status.
package struct StoreState: Sendable, Equatable {
  package struct Server: Sendable, Equatable {
    package var address: String
    package var isUp: Bool
    /// Commands under way.
    package var pendingCount: Int
  }

  package var name: String
  package var servers: [Server]
}

/// What the log has about a store's server.
package struct StoreReport: Sendable {
  package var store: String
  /// Tells a cluster's servers apart. Empty for a store's one server, wherever it is.
  package var node: String
  package var server: String
  package var change: StoreChange
}

package enum StoreChange: Sendable, Equatable {
  case up
  /// Why.
  case down(String)
  /// In its words.
  case refuses(String)
  /// It does not report changes. In its words.
  case untracked(String)
  /// A session there is not as the gateway writes it, or sealed with other secrets.
  case unreadable
  /// One that was down is not needed any more.
  case gone
  /// The store calls it by a name that has no address yet.
  case named
}
