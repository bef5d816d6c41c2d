// All workers together: what the control plane holds in its hands. Every call goes to each worker's own loop; nothing is
// shared between them but immutable snapshots.

package import Configuration
import NIOCore
package import NIOPosix
package import Proxy
package import Tokens

/// The running data plane.
package final class Gateway: Sendable {
  private let group: MultiThreadedEventLoopGroup
  private let loops: [NIOLoopBound<WorkerLoop>]

  /// Starts the workers, one on each loop of the group. Nothing listens yet.
  ///
  /// - Parameter tokenCacheByteCountMax: LIMIT of each worker's cache of verified tokens, in bytes.
  package static func start(
    on group: MultiThreadedEventLoopGroup, snapshot: Snapshot, keySets: [KeySet?], contexts: TLSContexts,
    outlets: WorkerOutlets, tokenCacheByteCountMax: Int = 32 * 1024 * 1024
  ) async throws -> Gateway {
    var loops: [NIOLoopBound<WorkerLoop>] = []
    for eventLoop in group.makeIterator() {
      let isFirst = loops.isEmpty
      let bound = try await eventLoop.submit {
        let loop = WorkerLoop(
          eventLoop: eventLoop, snapshot: snapshot, keySets: keySets, contexts: contexts, outlets: outlets,
          tokenCacheByteCountMax: tokenCacheByteCountMax, isFirst: isFirst)
        loop.startTicking()
        return NIOLoopBound(loop, eventLoop: eventLoop)
      }.get()
      loops.append(bound)
    }
    for (index, bound) in loops.enumerated() {
      let peers = loops.indices.filter { $0 != index }.map { loops[$0] }
      try await bound.eventLoop.submit { bound.value.peers = peers }.get()
    }
    return Gateway(group: group, loops: loops)
  }

  private init(group: MultiThreadedEventLoopGroup, loops: [NIOLoopBound<WorkerLoop>]) {
    self.group = group
    self.loops = loops
  }

  package var workerCount: Int { loops.count }

  // MARK: Listeners

  /// Opens the listeners that are not open yet, on every worker; when one cannot be opened, none is. Those that the
  /// configuration does not name any more are closed by ``closeListeners(except:)``, once the new snapshot is in.
  ///
  /// - Returns: each listener with the port that it really has; 0 for a Unix socket.
  package func openListeners(of snapshot: Snapshot) async throws -> [(Listener, port: Int)] {
    let limits = snapshot.configuration.limits
    let share = max(1, (limits.connections + loops.count - 1) / loops.count)
    var opened: [(Listener, port: Int)] = []
    var fresh: [ListenerKey] = []
    do {
      for (index, listener) in snapshot.configuration.listeners.enumerated() {
        if let port = try await openPort(of: listener.key) {
          opened.append((listener, port))
          continue
        }
        fresh.append(listener.key)
        let counterID = snapshot.counterNames.listenerID(index)
        opened.append((listener, try await open(listener, counterID: counterID, share: share)))
      }
    } catch {
      let begun = fresh
      await closeListeners { begun.contains($0) }
      throw error
    }
    for bound in loops {
      try await bound.eventLoop.submit {
        bound.value.connectionsMax = share
        bound.value.updateAccepting()
      }.get()
    }
    return opened
  }

  private func openPort(of key: ListenerKey) async throws -> Int? {
    guard let first = loops.first else { return nil }
    return try await first.eventLoop.submit {
      first.value.listeners[key].map { $0.channel?.localAddress?.port ?? 0 }
    }.get()
  }

  private func open(_ listener: Listener, counterID: Int, share: Int) async throws -> Int {
    do {
      if try await !isPortOurs(listener.address) { try await probe(listener.address) }
      if case .unix(let path) = listener.address {
        try await open(path, of: listener, counterID: counterID, share: share)
        return 0
      }
      var port = Int(listener.address.port)
      for bound in loops {
        port = try await open(listener, port: port, counterID: counterID, share: share, on: bound)
      }
      return port
    } catch let error as ListenError {
      throw error
    } catch {
      throw ListenError(listener.address, error)
    }
  }

  /// Throws when another process has the address. The workers' own sockets share theirs (SO_REUSEPORT) and would share it
  /// with a second gateway of the same user without a word, so it is bound once without that. The file of a Unix socket
  /// that nobody answers on is left over, and taken away.
  private func probe(_ address: Address) async throws {
    switch address {
    case .network(_, port: 0): return
    case .network(let host, let port):
      let channel = try await ServerBootstrap(group: group, listeningOn: address)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(to: try SocketAddress(ipAddress: host, port: Int(port))).get()
      try await channel.close()
    case .unix(let path):
      guard let channel = try? await ClientBootstrap(group: group).connect(unixDomainSocketPath: path).get() else {
        return
      }
      try? await channel.close()
      throw ListenError(address, reason: "another process listens there")
    }
  }

  /// Whether a listener of ours has this port on some address, which may include a new one.
  private func isPortOurs(_ address: Address) async throws -> Bool {
    guard case .network(_, let port) = address, let first = loops.first else { return false }
    return try await first.eventLoop.submit {
      first.value.listeners.values.contains { $0.channel?.localAddress?.port == Int(port) }
    }.get()
  }

  private func open(
    _ listener: Listener, port: Int, counterID: Int, share: Int, on bound: NIOLoopBound<WorkerLoop>
  ) async throws -> Int {
    try await bound.eventLoop.flatSubmit {
      do {
        return try bound.value.bind(listener.key, port: port, connectionsMax: share).map { channel in
          bound.value.listeners[listener.key] = LoopListener(
            channel: channel, counterID: counterID, listener: listener)
          return channel.localAddress?.port ?? port
        }
      } catch {
        return bound.eventLoop.makeFailedFuture(error)
      }
    }.get()
  }

  /// The first loop accepts for all.
  private func open(_ path: String, of listener: Listener, counterID: Int, share: Int) async throws {
    let loops = loops
    let group = group
    for (index, bound) in loops.enumerated() {
      try await bound.eventLoop.flatSubmit { () -> EventLoopFuture<Void> in
        bound.value.listeners[listener.key] = LoopListener(
          channel: nil, counterID: counterID, listener: listener)
        if index > 0 { return bound.eventLoop.makeSucceededVoidFuture() }
        return bound.value.bind(path: path, key: listener.key, connectionsMax: share, for: loops, of: group)
          .map { channel in bound.value.listeners[listener.key]?.channel = channel }
      }.get()
    }
    if let mode = listener.mode, !SocketFile.setMode(mode, of: path) {
      throw ListenError(listener.address, reason: "the mode of the socket's file cannot be set")
    }
  }

  /// Closes listeners that are not in the list; their connections end after their exchange.
  package func closeListeners(except kept: [Listener]) async {
    await closeListeners { key in !kept.contains { $0.key == key } }
  }

  /// On all loops before the first client is sent away: it may come again at once, and another loop would let it in.
  private func closeListeners(where isClosed: @escaping @Sendable (ListenerKey) -> Bool) async {
    var ids: Set<Int> = []
    for bound in loops {
      let closed = try? await bound.eventLoop.submit {
        bound.value.listeners.keys.filter(isClosed).compactMap { bound.value.stopListening($0) }
      }.get()
      ids.formUnion(closed ?? [])
    }
    let closed = ids
    for bound in loops { try? await bound.eventLoop.submit { closed.forEach(bound.value.retire) }.get() }
  }

  // MARK: Snapshots

  /// Every worker takes over a new configuration. Returns when the last one has.
  package func install(_ snapshot: Snapshot, keySets: [KeySet?], contexts: TLSContexts) async {
    for bound in loops {
      try? await bound.eventLoop.submit {
        bound.value.install(contexts)
        for listener in snapshot.configuration.listeners { bound.value.replace(listener) }
        bound.value.worker.install(snapshot, keySets: keySets)
        bound.value.runCommands()
      }.get()
    }
  }

  /// Certificates or keys of TLS were renewed: handshakes from now on take the new ones.
  package func install(_ contexts: TLSContexts, generation: UInt64) {
    for bound in loops {
      bound.eventLoop.execute {
        if bound.value.worker.snapshot.generation == generation { bound.value.install(contexts) }
      }
    }
  }

  /// Hands one issuer's new key set to every worker; ignored by those that have another configuration by then.
  package func install(_ keySet: KeySet?, issuer: Int, generation: UInt64) {
    for bound in loops {
      bound.eventLoop.execute {
        let worker = bound.value.worker
        if worker.snapshot.generation == generation { worker.install(keySet, issuer: issuer) }
      }
    }
  }

  /// The look for unknown keys is over: requests that wait for it go on.
  package func keysRefreshed(issuer: Int, generation: UInt64) {
    for bound in loops {
      bound.eventLoop.execute {
        let loop = bound.value
        if loop.worker.snapshot.generation != generation { return }
        loop.worker.keysRefreshed(issuer: issuer, at: loop.now())
        loop.runCommands()
      }
    }
  }

  /// A copy of every worker's counters.
  package func counters() async -> [CountersSnapshot] {
    var copies: [CountersSnapshot] = []
    for bound in loops {
      if let copy = try? await bound.eventLoop.submit({ bound.value.worker.counters.copy() }).get() {
        copies.append(copy)
      }
    }
    return copies
  }

  /// Requests of each worker at the upstreams.
  package func upstreamLoads() async -> [[UpstreamLoad]] {
    var loads: [[UpstreamLoad]] = []
    for bound in loops {
      if let load = try? await bound.eventLoop.submit({ bound.value.worker.upstreamLoads }).get() { loads.append(load) }
    }
    return loads
  }

  // MARK: The end

  /// Closes the listeners and idle connections, and lets the others finish; after `timeout` they are cut off. Log lines
  /// are all handed over when this returns.
  package func drain(timeout: Duration) async {
    await closeListeners(except: [])
    let nanoseconds =
      Int64(clamping: timeout.components.seconds) * 1_000_000_000
      + timeout.components.attoseconds / 1_000_000_000
    for bound in loops {
      bound.eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) { bound.value.abortAll() }
    }
    for bound in loops {
      try? await bound.eventLoop.flatSubmit { bound.value.drain() }.get()
      try? await bound.eventLoop.submit { bound.value.flushLog() }.get()
    }
  }
}
