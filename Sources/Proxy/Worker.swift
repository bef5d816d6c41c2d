// One worker: one event loop's share of the gateway. Events come in by the methods below, commands go out by
// `commands`. Nothing here is shared with another worker, locked, or waits.

package import Bytes
import Configuration
import HTTP2
package import Tokens

/// The data plane of one event loop. Not Sendable: every call is made on that loop.
package final class Worker {
  /// What is to be done, in order. The transport drains it after each event, when ``flushes`` are done.
  package var commands: [Command] = []
  /// Places of connections whose `output` is to be written. One that is gone meanwhile may have left its place to
  /// another, which is then written a little early.
  package var flushes: [Int] = []
  package internal(set) var time: Time
  package private(set) var snapshot: Snapshot
  package internal(set) var keySets: [KeySet?]
  var revocations: WorkerRevocations
  package let counters: Counters
  /// Access log lines that were not handed to the log's writer yet.
  package var logBuffer = ByteQueue()
  var logEntry = AccessLogEntry()
  /// Spans of traced requests, and records of the log, that were not handed to their exporters yet.
  package var spans = RecordBuffer()
  package var logRecords = RecordBuffer()
  /// True from the drain's beginning: connections end after their exchange.
  package private(set) var isDraining = false

  var table = ConnectionTable()
  /// What the connections hold of what all workers' may.
  var memory: MemoryShare
  /// ``settleMemory(isTick:)`` has something to do.
  package internal(set) final var isMemoryDue = false
  /// See ``Connection/outputHighWater``.
  var outputHighWater = Connection.outputHighWater
  /// Memory for heads and small bodies on their way out, which lasts until they are written.
  // LIMIT: as many blocks are kept as there are often answers to be written in one turn of the loop.
  var outputBlocks = BlockPool(byteCount: 4096, countMax: 64)
  /// Memory that is received into, and that bodies go out from.
  // LIMIT: some clients at a time that do not take a piece of a body at once.
  private var bodyBlocks = BlockPool(byteCount: BodyBlock.byteCount, countMax: 4)
  let verifier: TokenVerifier
  /// Measures how long something takes within one event, and nothing else: decisions use ``time``.
  let steadyClock: () -> Int64
  let tokenCache: TokenCache
  var pools: [UpstreamPool] = []
  /// Pools where requests wait for a permit, those of earlier configurations included.
  var poolsInDemand: [UpstreamPool] = []
  /// In the one worker that checks servers for all.
  private var healthChecks: HealthChecks?
  var questions: Questions
  var sessions = WorkerSessions()
  /// The one of the request that is looked at, and those that are looked for in stores.
  var apiKeys = WorkerAPIKeys()
  var refusalNotices: RefusalNotices
  var randomIdentifiers: RandomIdentifiers
  /// `Date` field's value, made again once a second.
  var dateField = DateField()
  /// For the writer of a head in HTTP/2: filled and handed over within one call.
  var headerList = HeaderList()
  var compressors = CompressorPool()
  /// Exchanges whose compressors hold something of the upstream's read that is being worked on.
  var unflushed: [Exchange] = []
  var stores: [Store] = []
  var storeTickets = StoreTicket()
  var leases = LeaseTable()
  var operations = OperationReader()
  var proofs = ProofReader()
  private var spareExchanges: [Exchange] = []
  var idleClients = IdleClients()
  /// Copies of requests that are under way.
  var mirrors: [MirrorStream] = []
  /// Requests of its own whose answers it reads.
  var sideRequests: [SideRequest] = []
  var authorizations = Authorizations()
  var introspections = Introspections()
  var circuits = ServiceCircuits()

  /// - Parameter checksServers: one worker of the process does.
  package init(
    snapshot: Snapshot, keySets: [KeySet?], time: Time, steadyClock: @escaping () -> Int64, seed: (UInt64, UInt64),
    checksServers: Bool, memory: MemoryBound = MemoryBound(byteCountMax: .max, workerCount: 1)
  ) {
    self.memory = MemoryShare(of: memory)
    self.steadyClock = steadyClock
    self.snapshot = snapshot
    self.keySets = keySets
    revocations = WorkerRevocations(snapshot)
    self.time = time
    counters = Counters()
    verifier = TokenVerifier(tokenByteCountMax: snapshot.configuration.limits.tokenSize)
    tokenCache = TokenCache(byteCountMax: snapshot.configuration.limits.tokenCache ?? Limits.tokenCacheDefault)
    questions = Questions(issuerCount: snapshot.configuration.issuers.count)
    refusalNotices = RefusalNotices(issuerCount: snapshot.configuration.issuers.count)
    randomIdentifiers = RandomIdentifiers(seed: seed)
    dateField.update(unixSeconds: time.unixSeconds)
    pools = snapshot.configuration.upstreams.enumerated().map { index, upstream in
      UpstreamPool(
        upstream, sharing: snapshot.sharing[index], counterID: snapshot.counterNames.upstreamID(index), worker: self)
    }
    if checksServers {
      healthChecks = HealthChecks(worker: self)
      healthChecks?.install(snapshot)
    }
    if !snapshot.configuration.stores.isEmpty { installStores(of: snapshot) }
  }

  // MARK: Events

  /// A client connected. The transport keeps the result and hands it back with every event of that socket.
  package func accepted(
    from peer: PeerAddress, listener: Int, security: ClientSecurity? = nil, at time: Time
  ) -> DownstreamConnection {
    self.time = time
    let client = Client(address: peer, listener: listener, security: security)
    let connection: DownstreamConnection
    if security?.applicationProtocol == .http2,
      let multiplexed = HTTP2DownstreamConnection.open(worker: self, client: client)
    {
      connection = multiplexed
    } else {
      connection = HTTP1DownstreamConnection(worker: self, client: client)
    }
    table.insert(connection)
    connection.opened()
    return connection
  }

  /// - Parameter bytes: all that was received. What is left of them nobody needs. The memory may be another than
  ///   before.
  package func received(_ bytes: inout ByteQueue, on connection: Connection, at time: Time) {
    if bytes.count < Connection.movedByteCountMin { return received(bytes.span, on: connection, at: time) }
    self.time = time
    if !connection.isClosed { connection.received(moving: &bytes) }
    if !unflushed.isEmpty { flushCompressed() }
  }

  /// Takes memory back from an empty queue.
  @inline(__always)
  func takeMemory(of queue: inout ByteQueue) {
    if queue.allocatedByteCount == BodyBlock.byteCount {
      bodyBlocks.take(from: &queue)
    } else {
      outputBlocks.take(from: &queue)
    }
  }

  /// Gives an empty queue memory to receive into, for what it has.
  package func exchangeForBodyBlock(_ queue: inout ByteQueue) {
    takeMemory(of: &queue)
    bodyBlocks.lend(to: &queue)
  }

  package func received(_ bytes: Span<UInt8>, on connection: Connection, at time: Time) {
    self.time = time
    if !connection.isClosed { connection.received(bytes) }
    if !unflushed.isEmpty { flushCompressed() }
  }

  /// So many bytes of a body went past this process's memory to the target of the connection's ``Connection/relay()``.
  package func relayed(_ byteCount: Int, on connection: Connection, at time: Time) {
    self.time = time
    if !connection.isClosed { connection.relayed(byteCount) }
  }

  private func flushCompressed() {
    for exchange in unflushed { exchange.flushCompressed() }
    unflushed.removeAll(keepingCapacity: true)
  }

  package func receivedEnd(on connection: Connection, at time: Time) {
    self.time = time
    if !connection.isClosed { connection.receivedEnd() }
  }

  /// As ``receivedEnd(on:at:)``, of a peer that is not read now: what it has sent before its end waits.
  package func endedUnread(_ connection: Connection, at time: Time) {
    self.time = time
    if !connection.isClosed { connection.endedUnread() }
  }

  /// All that was flushed has reached the kernel.
  package func drained(_ connection: Connection, at time: Time) {
    self.time = time
    connection.transfer.isDrainAwaited = false
    if !connection.isClosed { connection.outputDrained() }
  }

  package func connected(_ connection: ServerConnection, at time: Time) {
    self.time = time
    if !connection.isClosed { connection.connected() }
  }

  /// - Parameter isOwnShortage: it was the gateway that had no means of connecting. Nothing was learned about the
  ///   server.
  package func connectFailed(_ connection: ServerConnection, isOwnShortage: Bool = false, at time: Time) {
    self.time = time
    if !connection.isClosed { connection.connectFailed(isOwnShortage ? .resourcesExhausted : .upstreamConnectFailed) }
    disconnect(connection)
  }

  /// The socket is gone, whichever side closed it.
  package func disconnected(_ connection: Connection, at time: Time) {
    self.time = time
    disconnect(connection)
  }

  /// Called some ten times a second: deadlines, the date, and the flush of the log.
  package func tick(at time: Time) {
    if time.unixSeconds != self.time.unixSeconds { dateField.update(unixSeconds: time.unixSeconds) }
    self.time = time
    for index in table.connections.indices {
      guard let connection = table.connections[index], connection.deadline <= time.nanoseconds else { continue }
      connection.deadline = .max
      if connection.isClosed {
        connection.closeTimedOut()
      } else {
        connection.deadlinePassed()
      }
    }
    tickPools()
    if !stores.isEmpty { tickStores() }
    if sessions.looks.isReviewDue(at: time.nanoseconds) { reviewSessions() }
    if questions.count > 0 { questions.forgetUnanswered(at: time.nanoseconds) }
    if !isDraining { healthChecks?.tick() }
    if !mirrors.isEmpty { endLateMirrors() }
    if !sideRequests.isEmpty { tickSideRequests() }
    finishDrainIfIdle()
  }

  /// A new configuration takes over. Exchanges under way end with the one they began with.
  package func install(_ snapshot: Snapshot, keySets: [KeySet?], revocations: [Revocations?] = []) {
    var kept = Dictionary(uniqueKeysWithValues: pools.map { ($0.configuration.name, $0) })
    let fresh = snapshot.configuration.upstreams.enumerated().map { index, upstream -> UpstreamPool in
      if let pool = kept[upstream.name], pool.isKept(for: upstream) {
        kept[upstream.name] = nil
        if pool.configuration != upstream { pool.configure(upstream, sharing: snapshot.sharing[index]) }
        return pool
      }
      return UpstreamPool(
        upstream, sharing: snapshot.sharing[index], counterID: snapshot.counterNames.upstreamID(index), worker: self)
    }
    self.snapshot = snapshot
    self.keySets = keySets
    self.revocations = WorkerRevocations(snapshot, revocations)
    pools = fresh
    spareExchanges.removeAll()
    for pool in kept.values { pool.retire() }
    installStores(of: snapshot)
    healthChecks?.install(snapshot)
    forgetAnswers()
    // Rules may have changed under every remembered token.
    verifier.tokenByteCountMax = snapshot.configuration.limits.tokenSize
    tokenCache.removeAll(byteCountMax: snapshot.configuration.limits.tokenCache ?? Limits.tokenCacheDefault)
    refusalNotices = RefusalNotices(issuerCount: snapshot.configuration.issuers.count)
    reviewStreams()
    for exchange in questions.takeForKeys(issuerCount: snapshot.configuration.issuers.count) { exchange.answered(nil) }
  }

  /// Names of servers lead elsewhere, or files of API keys have changed: the same configuration but for these.
  package func installParts(of snapshot: Snapshot) {
    let hasNewKeys = snapshot.configuration.apiKeys != self.snapshot.configuration.apiKeys
    self.snapshot = snapshot
    if hasNewKeys { reviewAPIKeys() }
    configurePools()
    installStores(of: snapshot)
    healthChecks?.install(snapshot)
  }

  /// A key set changed, appeared or was withdrawn. Remembered tokens of keys that are gone die at their next use,
  /// streams at once.
  package func install(_ keySet: KeySet?, issuer: Int) {
    guard keySets.indices.contains(issuer), keySets[issuer] !== keySet else { return }
    keySets[issuer] = keySet
    questions.noteNewKeys(Question(.keySet(issuer: issuer), generation: snapshot.generation))
    reviewStreams()
  }

  func reviewStreams() {
    let snapshot = snapshot
    forEachExchange { $0.review(snapshot) }
  }

  /// Of clients.
  func forEachExchange(_ body: (Exchange) -> Void) {
    for case let connection as DownstreamConnection in table.connections { connection.forEachExchange(body) }
  }

  /// What was asked by ``Command/ask(_:credential:)`` has its answer: requests that wait go on. After the deadline it
  /// is for nobody.
  package func answered(_ question: Question, _ answer: Answer, at time: Time) {
    self.time = time
    conclude(question, answer)
  }

  /// Another worker has returned permits of an upstream.
  package func wakeWaiters(upstream: String, at time: Time) {
    self.time = time
    for pool in poolsInDemand where pool.configuration.name == upstream { pool.serveQueue() }
  }

  /// Answers from now on ask clients to connect again.
  package func announceEnd() { isDraining = true }

  /// No new exchange begins on a kept connection. Idle ones are closed. Reports ``Command/drained`` when all is done.
  package func drain() {
    isDraining = true
    for case let connection as DownstreamConnection in table.connections { connection.drain() }
    finishDrainIfIdle()
  }

  /// A listener was closed: its idle connections are, too, and the others after their exchange.
  package func retireListener(_ listener: Int) {
    for case let connection as DownstreamConnection in table.connections where connection.client.listener == listener {
      connection.drain()
    }
  }

  /// Ends what is left after the drain's deadline.
  package func abortAll() {
    for pool in pools { pool.retire() }
    for case let connection? in table.connections {
      if let client = connection as? DownstreamConnection, client.endTunnels() { continue }
      // It ends with its client, and the server learns of it then.
      if let server = connection as? HTTP1UpstreamConnection, server.isTunnel { continue }
      connection.cutOff()
    }
  }

  /// Client connections that are open.
  package var downstreamConnectionCount: Int { counters.openDownstreamConnections }

  // MARK: For the stages

  func takeExchange(for stream: any DownstreamStream) -> Exchange {
    let exchange = spareExchanges.popLast() ?? Exchange(worker: self, snapshot: snapshot)
    exchange.begin(on: stream, snapshot: snapshot)
    return exchange
  }

  func giveBack(_ exchange: Exchange) {
    exchange.reset()
    // A spare one must not keep a configuration that was replaced.
    if exchange.snapshot !== snapshot { exchange.snapshot = snapshot }
    // LIMIT: as many spare exchanges as are often under way at once. More are freed.
    if spareExchanges.count < 256 { spareExchanges.append(exchange) }
  }

  func open(_ connection: ServerConnection) {
    table.insert(connection)
    commands.append(.connect(connection))
  }

  /// Another protocol takes over a connection that carried nothing yet.
  func replace(_ connection: Connection, by successor: Connection) {
    connection.letGo()
    table.replace(connection, by: successor)
    connection.successor = successor
  }

  /// Nobody was there to write the output of the connection at this place: it will ask again.
  package func flushFailed(at index: Int) {
    if table.connections.indices.contains(index) { table.connections[index]?.transfer.beginFlush() }
  }

  private func disconnect(_ connection: Connection) {
    if connection.index < 0 { return }
    connection.disconnected()
    connection.isClosed = true
    connection.letGo()
    table.remove(connection)
    finishDrainIfIdle()
  }

  private func finishDrainIfIdle() {
    if isDraining, counters.openDownstreamConnections == 0 { commands.append(.drained) }
  }
}
