// One event loop with its worker: the place where events meet the data plane and its commands are carried out.

import Bytes
import Configuration
import NIOCore
import NIOPosix
package import Proxy
import TLS
import Tokens

/// What a worker loop tells the outside. All are called on the worker's loop and must not block.
package struct WorkerOutlets: Sendable {
  /// Access log lines, complete ones only.
  package var log: @Sendable ([UInt8]) -> Void
  /// A token named an unknown key of this issuer; the answer is ``Gateway/keysRefreshed(issuer:)``.
  package var refreshKeys: @Sendable (_ issuer: Int, _ generation: UInt64) -> Void
  /// A server's handshake failed, at most once in ten seconds for each upstream.
  package var upstreamHandshakeFailed: @Sendable (_ upstream: String, _ reason: String) -> Void
  /// A server's state has changed; told once, by whichever worker saw it first.
  package var upstreamChanged: @Sendable (_ upstream: String, _ change: UpstreamChange) -> Void

  package init(
    log: @escaping @Sendable ([UInt8]) -> Void,
    refreshKeys: @escaping @Sendable (_ issuer: Int, _ generation: UInt64) -> Void,
    upstreamHandshakeFailed: @escaping @Sendable (_ upstream: String, _ reason: String) -> Void,
    upstreamChanged: @escaping @Sendable (_ upstream: String, _ change: UpstreamChange) -> Void
  ) {
    self.log = log
    self.refreshKeys = refreshKeys
    self.upstreamHandshakeFailed = upstreamHandshakeFailed
    self.upstreamChanged = upstreamChanged
  }
}

/// Bound to its event loop: made there, used there, handed around only as `NIOLoopBound`.
final class WorkerLoop {
  let eventLoop: any EventLoop
  let worker: Worker
  private let outlets: WorkerOutlets
  private var sockets: [Socket?] = []
  private var drained: [Connection] = []
  private var aborted: [Connection] = []
  private var failed: [UpstreamConnection] = []
  private var isRunningCommands = false
  private var isRunScheduled = false
  private var clockOffsetMilliseconds: Int64
  var listeners: [ListenerKey: LoopListener] = [:]
  /// What TLS sessions are made of: replaced when a configuration or a certificate is.
  private(set) var contexts: TLSContexts
  /// Sessions that servers let us resume, by upstream and server. Of no use to contexts other than their own.
  var resumptions: [String: TLSResumption] = [:]
  /// Clients on their way to being connections.
  private var openings: [ObjectIdentifier: Socket] = [:]
  /// What one read decrypts to: shared, as it is empty between two events.
  private var plaintext = ByteQueue()
  private var handshakeReports: [String: Int64] = [:]
  /// This worker's share of `limits.connections`.
  var connectionsMax = Int.max
  /// The other workers' loops.
  var peers: [NIOLoopBound<WorkerLoop>] = []
  private var drainPromise: EventLoopPromise<Void>?

  /// LIMIT: access log lines are handed over when this much waits, and at every tick.
  private static let logFlushByteCount = 32 * 1024
  private static let tick = TimeAmount.milliseconds(100)

  init(
    eventLoop: any EventLoop, snapshot: Snapshot, keySets: [KeySet?], contexts: TLSContexts, outlets: WorkerOutlets,
    tokenCacheByteCountMax: Int, isFirst: Bool
  ) {
    self.eventLoop = eventLoop
    self.contexts = contexts
    self.outlets = outlets
    clockOffsetMilliseconds = Self.wallClockOffset()
    var random = SystemRandomNumberGenerator()
    worker = Worker(
      snapshot: snapshot, keySets: keySets, time: Self.time(offset: clockOffsetMilliseconds),
      steadyClock: { Int64(clamping: NIODeadline.now().uptimeNanoseconds) },
      tokenCacheByteCountMax: tokenCacheByteCountMax, seed: (random.next(), random.next()),
      checksServers: isFirst)
  }

  /// Deadlines, the date and the log are looked after from now on.
  func startTicking() {
    eventLoop.assumeIsolated().scheduleTask(in: Self.tick) { [self] in
      clockOffsetMilliseconds = Self.wallClockOffset()
      worker.tick(at: now())
      endLateOpenings()
      runCommands()
      flushLog()
      startTicking()
    }
  }

  // MARK: Time

  func now() -> Time { Self.time(offset: clockOffsetMilliseconds) }

  private static func time(offset: Int64) -> Time {
    let steady = Int64(clamping: NIODeadline.now().uptimeNanoseconds)
    return Time(nanoseconds: steady, unixMilliseconds: steady / 1_000_000 + offset)
  }

  /// Read ten times a second, so that an event costs one look at the clock and not two.
  private static func wallClockOffset() -> Int64 {
    WallClock.unixMilliseconds() - Int64(clamping: NIODeadline.now().uptimeNanoseconds) / 1_000_000
  }

  // MARK: Sockets

  func attach(_ socket: Socket, to connection: Connection) {
    while sockets.count <= connection.index { sockets.append(nil) }
    sockets[connection.index] = socket
  }

  func detach(_ connection: Connection) {
    if sockets.indices.contains(connection.index) { sockets[connection.index] = nil }
  }

  func install(_ contexts: TLSContexts) {
    self.contexts = contexts
    resumptions.removeAll()
  }

  // MARK: Openings

  /// Clients that have sockets here, connections or not yet.
  var clientCount: Int { worker.downstreamConnectionCount + openings.count }

  func opening(_ socket: Socket) { openings[ObjectIdentifier(socket)] = socket }

  func opened(_ socket: Socket) { openings[ObjectIdentifier(socket)] = nil }

  private func endLateOpenings() {
    if openings.isEmpty { return }
    let nanoseconds = worker.time.nanoseconds
    for socket in openings.values where (socket.opening?.deadline ?? 0) <= nanoseconds { socket.openingTimedOut() }
  }

  /// Who has not asked for anything yet is not waited for.
  func endOpenings(of listener: Int) {
    for socket in openings.values where socket.opening?.counterID == listener { socket.abort() }
  }

  func takePlaintext() -> ByteQueue {
    var taken = ByteQueue()
    swap(&taken, &plaintext)
    return taken
  }

  func giveBackPlaintext(_ queue: inout ByteQueue) {
    if queue.allocatedByteCount <= 256 * 1024 { swap(&queue, &plaintext) }
  }

  func reportUpstreamHandshake(_ connection: UpstreamConnection, _ reason: String) {
    worker.counters.countError("upstream_handshake_failed")
    let name = connection.configuration.name
    let now = worker.time.nanoseconds
    // LIMIT: a word in ten seconds for each upstream; a server that is down would fill the log.
    if let last = handshakeReports[name], now &- last < 10_000_000_000 { return }
    handshakeReports[name] = now
    outlets.upstreamHandshakeFailed(name, reason)
  }

  func noteDrained(_ connection: Connection) { drained.append(connection) }

  func noteAborted(_ connection: Connection) { aborted.append(connection) }

  func noteFailed(_ connection: UpstreamConnection) { failed.append(connection) }

  // MARK: Commands

  /// Carries the commands out when the loop has handled the events that it woke up for. Writes then go out in one go, and
  /// a peer that sleeps is woken once for many requests and not for each: waking one costs the kernel some 2 µs of this
  /// process's time.
  func runCommandsSoon() {
    // LIMIT: so many commands wait; more are carried out at once, so that the first of them is not held up for long.
    if worker.commands.count >= 64 { return runCommands() }
    if isRunScheduled { return }
    isRunScheduled = true
    eventLoop.assumeIsolated().execute { [self] in
      isRunScheduled = false
      runCommands()
    }
  }

  /// Carries out what the last event asked for, and tells the worker what came of it, until both have nothing to say.
  func runCommands() {
    // A channel may report its closing from inside a command; that event's commands are taken by the loop below.
    if isRunningCommands { return }
    isRunningCommands = true
    defer { isRunningCommands = false }
    var index = 0
    while true {
      while index < worker.commands.count {
        let command = worker.commands[index]
        index += 1
        run(command)
      }
      worker.commands.removeAll(keepingCapacity: true)
      index = 0
      if let connection = drained.popLast() {
        connection.isDrainAwaited = false
        worker.drained(connection, at: now())
      } else if let connection = aborted.popLast() {
        worker.disconnected(connection, at: now())
      } else if let connection = failed.popLast() {
        worker.connectFailed(connection, at: now())
      } else if worker.commands.isEmpty {
        break
      }
    }
    if worker.logBuffer.count >= Self.logFlushByteCount { flushLog() }
  }

  private func run(_ command: Command) {
    switch command {
    case .flush(let connection): socket(of: connection)?.flush()
    case .close(let connection): socket(of: connection)?.close(.all)
    case .closeOutput(let connection): socket(of: connection)?.close(.output)
    case .abort(let connection): socket(of: connection)?.abort()
    case .pauseReading(let connection): socket(of: connection)?.setReading(false)
    case .resumeReading(let connection): socket(of: connection)?.setReading(true)
    case .connect(let connection, let address): connect(connection, to: address)
    case .refreshKeys(let issuer): outlets.refreshKeys(issuer, worker.snapshot.generation)
    case .wakeWaiters(let upstream): wakePeers(upstream)
    case .reportUpstream(let upstream, let change): outlets.upstreamChanged(upstream, change)
    case .drained: finishDrain()
    }
  }

  private func wakePeers(_ upstream: String) {
    for peer in peers {
      peer.eventLoop.execute {
        peer.value.worker.wakeWaiters(upstream: upstream, at: peer.value.now())
        peer.value.runCommands()
      }
    }
  }

  private func socket(of connection: Connection) -> Socket? {
    sockets.indices.contains(connection.index) ? sockets[connection.index] : nil
  }

  func flushLog() {
    if worker.logBuffer.isEmpty { return }
    outlets.log(worker.logBuffer.copied())
    worker.logBuffer.removeAll()
  }

  // MARK: Drain

  /// Completes when no client connection is left.
  func drain() -> EventLoopFuture<Void> {
    let promise = drainPromise ?? eventLoop.makePromise(of: Void.self)
    drainPromise = promise
    worker.drain()
    runCommands()
    return promise.futureResult
  }

  private func finishDrain() {
    drainPromise?.succeed(())
    drainPromise = nil
  }

  func abortAll() {
    worker.abortAll()
    runCommands()
    flushLog()
  }
}
