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
    on group: MultiThreadedEventLoopGroup, snapshot: Snapshot, keySets: [KeySet?], outlets: WorkerOutlets,
    tokenCacheByteCountMax: Int = 32 * 1024 * 1024
  ) async throws -> Gateway {
    var loops: [NIOLoopBound<WorkerLoop>] = []
    for eventLoop in group.makeIterator() {
      let bound = try await eventLoop.submit {
        let loop = WorkerLoop(
          eventLoop: eventLoop, snapshot: snapshot, keySets: keySets, outlets: outlets,
          tokenCacheByteCountMax: tokenCacheByteCountMax)
        loop.startTicking()
        return NIOLoopBound(loop, eventLoop: eventLoop)
      }.get()
      loops.append(bound)
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
  /// - Returns: each listener with the port that it really has.
  package func openListeners(of snapshot: Snapshot) async throws -> [(Listener, port: Int)] {
    let limits = snapshot.configuration.limits
    let share = max(1, (limits.connections + loops.count - 1) / loops.count)
    var opened: [(Listener, port: Int)] = []
    var fresh: [Listener] = []
    do {
      for (index, listener) in snapshot.configuration.listeners.enumerated() {
        if let port = try await openPort(of: listener) {
          opened.append((listener, port))
          continue
        }
        fresh.append(listener)
        var port = Int(listener.address.port)
        if try await !isPortOurs(port) { try await probe(listener.address) }
        for bound in loops {
          port = try await open(
            listener, port: port, counterID: snapshot.counterNames.listenerID(index), share: share, on: bound)
        }
        opened.append((listener, port))
      }
    } catch {
      for listener in fresh { await close(listener) }
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

  /// Throws when another process has the address. The workers' own sockets share theirs (SO_REUSEPORT) and would share it
  /// with a second gateway of the same user without a word, so it is bound once without that.
  private func probe(_ address: Address) async throws {
    if address.port == 0 { return }
    do {
      let channel = try await ServerBootstrap(group: group, listeningOn: address)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(to: try SocketAddress(ipAddress: address.host, port: Int(address.port))).get()
      try await channel.close()
    } catch {
      throw ListenError(address, error)
    }
  }

  /// Whether a listener of ours has this port on some address, which may include a new one.
  private func isPortOurs(_ port: Int) async throws -> Bool {
    guard let first = loops.first else { return false }
    return try await first.eventLoop.submit {
      first.value.listeners.values.contains { $0.channel.localAddress?.port == port }
    }.get()
  }

  private func openPort(of listener: Listener) async throws -> Int? {
    guard let first = loops.first else { return nil }
    return try await first.eventLoop.submit { first.value.listeners[listener]?.channel.localAddress?.port }.get()
  }

  private func open(
    _ listener: Listener, port: Int, counterID: Int, share: Int, on bound: NIOLoopBound<WorkerLoop>
  ) async throws -> Int {
    try await bound.eventLoop.flatSubmit {
      let loop = bound.value
      do {
        return try loop.bind(listener.address, port: port, counterID: counterID, connectionsMax: share).map { channel in
          bound.value.listeners[listener] = LoopListener(channel: channel, counterID: counterID)
          return channel.localAddress?.port ?? port
        }.flatMapErrorThrowing { throw ListenError(listener.address, $0) }
      } catch {
        return bound.eventLoop.makeFailedFuture(ListenError(listener.address, error))
      }
    }.get()
  }

  /// Closes listeners that are not in the list; their connections end after their exchange.
  package func closeListeners(except kept: [Listener]) async {
    for bound in loops {
      try? await bound.eventLoop.submit {
        for listener in bound.value.listeners.keys where !kept.contains(listener) { bound.value.close(listener) }
      }.get()
    }
  }

  private func close(_ listener: Listener) async {
    for bound in loops {
      try? await bound.eventLoop.submit { bound.value.close(listener) }.get()
    }
  }

  // MARK: Snapshots

  /// Every worker takes over a new configuration. Returns when the last one has.
  package func install(_ snapshot: Snapshot, keySets: [KeySet?]) async {
    for bound in loops {
      try? await bound.eventLoop.submit {
        bound.value.worker.install(snapshot, keySets: keySets)
        bound.value.runCommands()
      }.get()
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
