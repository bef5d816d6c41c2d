// All workers together: what the control plane holds in its hands. Every call goes to each worker's own loop. Nothing
// is shared between them but immutable snapshots.

package import Configuration
package import Proxy
package import Tokens

/// The running data plane.
package final class Gateway: Sendable {
  let workers: [Mailbox]
  private let budget: DescriptorBudget
  private let inherited: InheritedSockets
  /// What all connections hold, and may.
  package let memory: MemoryBound

  /// Starts the workers, each on a thread of its own. Nothing listens yet.
  /// - Parameter socketsMax: of clients and servers together.
  package static func start(
    workers count: Int, snapshot: Snapshot, keySets: [KeySet?], contexts: TLSContexts, outlets: WorkerOutlets,
    socketsMax: Int, memoryByteCountMax: Int = .max, inherited: InheritedSockets = .none
  ) async throws -> Gateway {
    var workers: [Mailbox] = []
    let budget = DescriptorBudget(socketsMax: socketsMax)
    let memory = MemoryBound(byteCountMax: memoryByteCountMax, workerCount: count)
    let clientConnections = ClientConnections()
    for number in 0..<count {
      let mailbox = try Mailbox()
      try WorkerThread.start(name: "worker-\(number)") {
        let loop = try? WorkerLoop(
          mailbox: mailbox, snapshot: snapshot, keySets: keySets, contexts: contexts, outlets: outlets,
          clientConnections: clientConnections, budget: budget, memory: memory, isFirst: number == 0)
        loop?.run()
        _ = mailbox.close()
      }
      workers.append(mailbox)
    }
    for worker in workers {
      let peers = workers.filter { $0 !== worker }
      worker.post { $0.peers = peers }
    }
    budget.set(workers: workers)
    return Gateway(workers, budget, memory, inherited)
  }

  private init(_ workers: [Mailbox], _ budget: DescriptorBudget, _ memory: MemoryBound, _ inherited: InheritedSockets) {
    self.workers = workers
    self.budget = budget
    self.memory = memory
    self.inherited = inherited
  }

  package var workerCount: Int { workers.count }

  /// Ends all workers, with whatever they still have.
  package func stop() {
    for worker in workers { worker.post { $0.stop() } }
  }

  // MARK: Listeners

  /// Opens the listeners that are not open yet, on every worker. When one cannot be opened, none is. Those that the
  /// configuration does not name any more are closed by ``closeListeners(except:)``, once the new snapshot is in.
  ///
  /// - Returns: each listener with the port that it really has. 0 for a Unix socket.
  package func openListeners(of snapshot: Snapshot) async throws(ListenError) -> [(Listener, port: Int)] {
    var opened: [(Listener, port: Int)] = []
    var fresh: [ListenerKey] = []
    do {
      for (index, listener) in snapshot.configuration.listeners.enumerated() {
        if let port = await openPort(of: listener.key) {
          opened.append((listener, port))
          continue
        }
        fresh.append(listener.key)
        let counterID = snapshot.counterNames.listenerID(index)
        opened.append((listener, try await open(listener, counterID: counterID)))
      }
    } catch {
      let begun = fresh
      await closeListeners { begun.contains($0) }
      throw error
    }
    // LIMIT: `limits.connections`, over all workers: past it new ones wait in the kernel's accept queue.
    budget.set(clientsMax: snapshot.configuration.limits.connections)
    for worker in workers { worker.post { $0.lookForSlots() } }
    return opened
  }

  private func openPort(of key: ListenerKey) async -> Int? {
    await workers.first?.submit { loop in loop.listeners[key].map { $0.sockets.first?.descriptor.localPort() ?? 0 } }
      ?? nil
  }

  private func open(_ listener: Listener, counterID: Int) async throws(ListenError) -> Int {
    let inherited = inherited.take(listener.address, "\(listener.ordinal)")
    if inherited.isEmpty, await !isPortOurs(listener.address) { try probe(listener.address) }
    if case .unix(let path) = listener.address {
      try await open(path, of: listener, on: inherited, counterID: counterID)
      return 0
    }
    if !inherited.isEmpty { return try await open(listener, on: inherited, counterID: counterID) }
    var port = Int(listener.address.port)
    for worker in workers {
      let wanted = port
      port = try await Self.result(listener, worker) { $0.listen(listener, port: wanted, counterID: counterID) }
    }
    return port
  }

  /// Sockets that are there already, spread over the workers: each accepts from some of them. Where they are fewer,
  /// the others open more on the address, or share one that allows no more.
  private func open(
    _ listener: Listener, on inherited: [Descriptor], counterID: Int
  ) async throws(ListenError) -> Int {
    var port = 0
    for (index, worker) in workers.enumerated() {
      let own = stride(from: index, to: inherited.count, by: workers.count).map { inherited[$0] }
      let shared = inherited[index % inherited.count]
      let known = port
      port = try await Self.result(listener, worker) { loop in
        if !own.isEmpty { return loop.listen(listener, on: own, counterID: counterID) }
        if shared.sharesAddress { return loop.listen(listener, port: known, counterID: counterID) }
        guard let copy = shared.duplicate() else {
          return .failure(ListenError(listener.address, reason: "no descriptor is left"))
        }
        return loop.listen(listener, on: [copy], counterID: counterID)
      }
    }
    return port
  }

  private static func result(
    _ listener: Listener, _ worker: Mailbox, _ job: @escaping @Sendable (WorkerLoop) -> Result<Int, ListenError>
  ) async throws(ListenError) -> Int {
    guard let result = await worker.submit(job) else {
      throw ListenError(listener.address, reason: "a worker could not be started")
    }
    return try result.get()
  }

  /// Throws when another process has the address. The workers' own sockets share theirs (SO_REUSEPORT) and would share
  /// it with a second gateway of the same user without a word, so it is bound once without that. The file of a Unix
  /// socket that nobody answers on is left over, and taken away.
  private func probe(_ address: Address) throws(ListenError) {
    guard let target = SocketAddress(address) else {
      throw ListenError(address, reason: "it is not an address of this machine")
    }
    switch address {
    case .network(_, port: 0): return
    case .network:
      do throws(SystemError) {
        try Descriptor.listening(on: target, isShared: false).close()
      } catch {
        throw ListenError(address, code: error.code)
      }
    case .unix(let path):
      if Descriptor.isAnswered(target) { throw ListenError(address, reason: "another process listens there") }
      SocketFile.removeSocket(path)
    }
  }

  /// Whether a listener of ours has this port on some address, which may include a new one.
  private func isPortOurs(_ address: Address) async -> Bool {
    guard case .network(_, let port) = address else { return false }
    return await workers.first?.submit { loop in
      loop.listeners.values.contains { listener in
        listener.sockets.contains { $0.descriptor.localPort() == Int(port) }
      }
    } ?? false
  }

  /// The first loop accepts for all.
  private func open(
    _ path: String, of listener: Listener, on inherited: [Descriptor], counterID: Int
  ) async throws(ListenError) {
    let workers = workers
    for (index, worker) in workers.enumerated() {
      _ = try await Self.result(listener, worker) { loop in
        if index == 0, inherited.isEmpty {
          return loop.listen(listener, port: 0, counterID: counterID, spreadOver: workers)
        }
        if index == 0 { return loop.listen(listener, on: inherited, counterID: counterID, spreadOver: workers) }
        loop.listeners[listener.key] = LoopListener(sockets: [], counterID: counterID, listener: listener)
        return .success(0)
      }
    }
    if let mode = listener.mode, !SocketFile.setMode(mode, of: path) {
      throw ListenError(listener.address, reason: "the mode of the socket's file cannot be set")
    }
  }

  /// Closes listeners that are not in the list. Their connections end after their exchange.
  package func closeListeners(except kept: [Listener]) async {
    await closeListeners { key in !kept.contains { $0.key == key } }
  }

  /// On all loops before the first client is sent away: it may come again at once, and another loop would let it in.
  private func closeListeners(where isClosed: @escaping @Sendable (ListenerKey) -> Bool) async {
    let closed = await stopListening(isHandedOver: false, where: isClosed)
    for worker in workers { _ = await worker.submit { loop in closed.forEach(loop.retire) } }
  }

  /// - Returns: the listeners' ids in the counters.
  private func stopListening(
    isHandedOver: Bool, where isClosed: @escaping @Sendable (ListenerKey) -> Bool
  ) async -> Set<Int> {
    var ids: Set<Int> = []
    for worker in workers {
      let closed = await worker.submit { loop in
        loop.listeners.keys.filter(isClosed).compactMap { loop.stopListening($0, isHandedOver: isHandedOver) }
      }
      ids.formUnion(closed ?? [])
    }
    return ids
  }

  /// Every socket that listens, with its ``InheritedSockets/name(_:_:)``. They stay this process's until
  /// ``handOver()``.
  package func listeningSockets() async -> [(name: String, number: Int32)] {
    var sockets: [(name: String, number: Int32)] = []
    for worker in workers {
      let own = await worker.submit { loop in
        loop.listeners.flatMap { key, listener in
          listener.sockets.map { socket in
            (name: InheritedSockets.name(key.address, "\(key.ordinal)"), number: socket.descriptor.number)
          }
        }
      }
      sockets += own ?? []
    }
    return sockets
  }

  // MARK: Snapshots

  /// Every worker takes over a new configuration. Returns when the last one has.
  package func install(
    _ snapshot: Snapshot, keySets: [KeySet?], revocations: [Revocations?] = [], contexts: TLSContexts
  ) async {
    for worker in workers {
      _ = await worker.submit { loop in
        loop.install(contexts)
        for listener in snapshot.configuration.listeners { loop.replace(listener) }
        loop.worker.install(snapshot, keySets: keySets, revocations: revocations)
        loop.runCommands()
      }
    }
  }

  /// Every worker takes over other servers. Returns when the last one has.
  package func installParts(of snapshot: Snapshot) async {
    for worker in workers {
      _ = await worker.submit { loop in
        guard loop.worker.snapshot.generation == snapshot.generation else { return }
        loop.worker.installParts(of: snapshot)
        loop.runCommands()
      }
    }
  }

  /// Certificates or keys of TLS were renewed: handshakes from now on take the new ones.
  package func install(_ contexts: TLSContexts, generation: UInt64) {
    forAll(of: generation) { $0.install(contexts) }
  }

  /// Hands one issuer's new key set to every worker. Ignored by those that have another configuration by then.
  package func install(_ keySet: KeySet?, issuer: Int, generation: UInt64) {
    forAll(of: generation) { loop in
      loop.worker.install(keySet, issuer: issuer)
      loop.runCommands()
    }
  }

  /// The same with an issuer's lists of revoked tokens.
  package func install(_ revocations: Revocations, issuer: Int, generation: UInt64) {
    forAll(of: generation) { loop in
      loop.worker.install(revocations, issuer: issuer, at: loop.now())
      loop.runCommands()
    }
  }

  /// A session is over, or says something else from now on.
  /// - Parameter digest: of its cookie.
  package func forgetSession(_ digest: [UInt8], isOver: Bool) {
    for worker in workers {
      worker.post { loop in
        loop.worker.forgetSession(digest, isOver: isOver, at: loop.now())
        loop.runCommands()
      }
    }
  }

  /// Asks a store. Workers have the connections, and the first of them asks for the control plane.
  /// - Parameters:
  ///   - parts: of the command.
  ///   - place: the server that is asked.
  ///   - changed: is called once, when the place's key has changed since, or may have.
  /// - Returns: nil where the store does not answer.
  package func ask(
    _ store: String, _ parts: [[UInt8]], at place: StorePlace, changed: (@Sendable () -> Void)? = nil
  ) async -> StoreReply? {
    guard let worker = workers.first else { return nil }
    return await withCheckedContinuation { continuation in
      let isTaken = worker.post { loop in
        loop.worker.ask(store, parts, at: place, loop.now(), changed: changed) { continuation.resume(returning: $0) }
        loop.runCommands()
      }
      if !isTaken { continuation.resume(returning: nil) }
    }
  }

  private func forAll(of generation: UInt64, _ job: @escaping Mailbox.Job) {
    for worker in workers {
      worker.post { loop in
        if loop.worker.snapshot.generation == generation { job(loop) }
      }
    }
  }

  /// A copy of every worker's counters.
  package func counters() async -> [CountersSnapshot] {
    var copies: [CountersSnapshot] = []
    for worker in workers {
      if let copy = await worker.submit({ $0.worker.countersCopy }) { copies.append(copy) }
    }
    return copies
  }

  /// Requests of each worker at the upstreams.
  package func upstreamLoads() async -> [[UpstreamLoad]] {
    var loads: [[UpstreamLoad]] = []
    for worker in workers {
      if let load = await worker.submit({ $0.worker.upstreamLoads }) { loads.append(load) }
    }
    return loads
  }

  /// What each worker has to do with the stores.
  package func storeStates() async -> [[StoreState]] {
    var states: [[StoreState]] = []
    for worker in workers {
      if let own = await worker.submit({ $0.worker.storeStates }) { states.append(own) }
    }
    return states
  }

  // MARK: The end

  /// Another process accepts from the same sockets from now on. Clients that are connected are asked with their next
  /// answer to connect again. Those that are idle stay until ``drain(timeout:)``.
  package func handOver() async {
    _ = await stopListening(isHandedOver: true) { _ in true }
    for worker in workers { _ = await worker.submit { $0.worker.announceEnd() } }
  }

  /// Whether every worker still takes up work.
  package func isAlive() async -> Bool {
    for worker in workers where await worker.submit({ _ in true }) == nil { return false }
    return true
  }

  /// The drain that is under way ends now, with whatever is left.
  package func endDrain() {
    for worker in workers { worker.post { $0.endDrain() } }
  }

  /// Closes the listeners and idle connections, and lets the others finish. After `timeout` they are cut off. Log lines
  /// are all handed over when this returns.
  package func drain(timeout: Duration) async {
    await closeListeners(except: [])
    let deadline = Clock.steadyNanoseconds() &+ timeout.nanoseconds
    await withDiscardingTaskGroup { group in
      for worker in workers {
        group.addTask {
          await withCheckedContinuation { continuation in
            let isTaken = worker.post { loop in loop.drain(until: deadline) { continuation.resume() } }
            if !isTaken { continuation.resume() }
          }
        }
      }
    }
  }
}
