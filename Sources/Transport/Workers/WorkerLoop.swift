// One worker's event loop: the place where events meet the data plane and its commands are carried out.

import Bytes
import Configuration
import Proxy
import TLS
import Tokens

/// Bound to its thread: made there, used there. Others send it work through its mailbox.
final class WorkerLoop {
  let worker: Worker
  let mailbox: Mailbox
  /// Shared by all loops.
  let clientConnections: ClientConnections
  /// Shared by all loops.
  let budget: DescriptorBudget
  let outlets: WorkerOutlets
  private let poller: Poller
  private var watched = WatchTable()
  /// Sockets that stopped reading before they came to the end of what is there, so that others have their turn.
  private var unfinished: [Socket] = []
  private var sockets: [Socket?] = []
  private var drained: [Connection] = []
  private var failed: [(connection: ServerConnection, isOwnShortage: Bool)] = []
  private var isRunningCommands = false
  private var isStopped = false
  private var time: Time
  private var clockOffsetMilliseconds: Int64
  private var nextTick: Int64
  var listeners: [ListenerKey: LoopListener] = [:]
  /// What TLS sessions are made of: replaced when a configuration or a certificate is.
  private(set) var contexts: TLSContexts
  /// Sessions that servers let us resume, by upstream or store, and server. Of no use to contexts other than their own.
  var resumptions: [String: TLSResumption] = [:]
  /// Clients on their way to being connections.
  private var openings: [ObjectIdentifier: Socket] = [:]
  /// What one receive fills: shared, as it is used up, or handed on with its memory, before the next.
  var inbox = ByteQueue()
  /// What one read decrypts to: shared, as it is empty between two events.
  private var plaintext = ByteQueue()
  /// What one flush encrypts to: lent to its session, and empty between two flushes.
  var ciphertext = ByteQueue()
  /// What bodies are relayed through: empty between two events. nil where the system gave none.
  lazy var relayPipe = Pipe()
  private var handshakeReports: [ServerGroup: Int64] = [:]
  /// The other workers.
  var peers: [Mailbox] = []
  var isAccepting = true
  /// There is no room for another client. Checked again at the next tick at the latest.
  var isWaitingForSlot = false
  private let memory: MemoryBound
  /// In one of the loops.
  private var memoryTrimmer: MemoryTrimmer?
  private var drainDeadline = Int64.max
  private var isDrainCut = false
  private var onDrained: [@Sendable () -> Void] = []

  /// LIMIT: access log lines are handed over when this much waits, and at every tick.
  private static let logFlushByteCount = 32 * 1024
  private static let tickNanoseconds: Int64 = 100_000_000
  /// The mailbox's bell, which no descriptor's token is.
  private static let bellToken = UInt64.max

  init(
    mailbox: Mailbox, snapshot: Snapshot, keySets: [KeySet?], contexts: TLSContexts, outlets: WorkerOutlets,
    clientConnections: ClientConnections, budget: DescriptorBudget, memory: MemoryBound, isFirst: Bool
  ) throws(SystemError) {
    self.mailbox = mailbox
    self.budget = budget
    self.clientConnections = clientConnections
    self.contexts = contexts
    self.outlets = outlets
    self.memory = memory
    memoryTrimmer = isFirst ? MemoryTrimmer() : nil
    poller = try Poller()
    clockOffsetMilliseconds = Self.wallClockOffset()
    time = Self.time(offset: clockOffsetMilliseconds)
    nextTick = time.nanoseconds &+ Self.tickNanoseconds
    var random = SystemRandomNumberGenerator()
    worker = Worker(
      snapshot: snapshot, keySets: keySets, time: time, steadyClock: { Clock.steadyNanoseconds() },
      seed: (random.next(), random.next()), checksServers: isFirst, memory: memory)
    _ = poller.add(mailbox.bell.descriptor, token: Self.bellToken, .input)
  }

  // MARK: The loop

  /// Runs until ``stop()``.
  func run() {
    while !isStopped {
      let count = poller.wait(milliseconds: waitMilliseconds)
      // Read once for all that woke the loop up: what they began to wait for, they began to wait for before it.
      time = Self.time(offset: clockOffsetMilliseconds)
      for index in 0..<count {
        let (token, readiness) = poller[index]
        if token == Self.bellToken {
          for job in mailbox.take() { job(self) }
        } else {
          watched.find(token)?.ready(readiness)
        }
        // LIMIT: so many commands wait. More are carried out at once, so that the first is not held up for long.
        if worker.flushes.count + worker.commands.count >= 64 { runCommands() }
      }
      readRest()
      // All writes go out in one go: a peer that sleeps is woken once for many requests and not for each, which costs
      // the kernel some 2 µs of this process's time.
      runCommands()
      if time.nanoseconds >= nextTick { tick() }
    }
    for job in mailbox.close() { job(self) }
  }

  func stop() { isStopped = true }

  private var waitMilliseconds: CInt {
    if !unfinished.isEmpty { return 0 }
    return CInt(clamping: max(0, (nextTick &- time.nanoseconds &+ 999_999) / 1_000_000))
  }

  /// Deadlines, the date and the log are looked after ten times a second.
  private func tick() {
    nextTick = time.nanoseconds &+ Self.tickNanoseconds
    clockOffsetMilliseconds = Self.wallClockOffset()
    worker.tick(at: time)
    _ = worker.settleMemory(isTick: true)
    memoryTrimmer?.look(at: memory.byteCount)
    endLateOpenings()
    if isWaitingForSlot { lookForSlots() }
    if time.nanoseconds >= drainDeadline {
      drainDeadline = .max
      worker.abortAll()
    }
    runCommands()
    flushLog()
    flushRecords()
  }

  /// The time of the events that are being handled.
  func now() -> Time { time }

  private static func time(offset: Int64) -> Time {
    let steady = Clock.steadyNanoseconds()
    return Time(nanoseconds: steady, unixMilliseconds: steady / 1_000_000 + offset)
  }

  /// Read ten times a second, so that a turn of the loop costs one look at the clock and not two.
  private static func wallClockOffset() -> Int64 {
    Clock.unixMilliseconds() - Clock.steadyNanoseconds() / 1_000_000
  }

  // MARK: Sockets

  /// - Returns: false when the system has no memory for it. Then it is the caller's to close.
  func watch(_ watched: Watched, _ readiness: Readiness) -> Bool {
    self.watched.insert(watched)
    if poller.add(watched.descriptor, token: watched.token, readiness) { return true }
    self.watched.remove(watched)
    return false
  }

  func change(_ watched: Watched, to readiness: Readiness) {
    poller.change(watched.descriptor, token: watched.token, readiness)
  }

  /// To be called before its descriptor is closed.
  func forget(_ watched: Watched) { self.watched.remove(watched) }

  func readLater(_ socket: Socket) { unfinished.append(socket) }

  private func readRest() {
    if unfinished.isEmpty { return }
    let due = unfinished
    unfinished.removeAll(keepingCapacity: true)
    for socket in due { socket.readOn() }
  }

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

  func opening(_ socket: Socket) { openings[ObjectIdentifier(socket)] = socket }

  func opened(_ socket: Socket) {
    if !openings.isEmpty { openings[ObjectIdentifier(socket)] = nil }
  }

  private func endLateOpenings() {
    if openings.isEmpty { return }
    let nanoseconds = worker.time.nanoseconds
    for socket in openings.values where (socket.opening?.deadline ?? 0) <= nanoseconds { socket.openingTimedOut() }
  }

  /// A client that began to open its connection long ago. LIMIT: of some, for there may be very many.
  func longestOpening(since moment: Int64) -> Socket? {
    let some = openings.values.prefix(64).filter { $0.opening?.since ?? .max <= moment }
    return some.min { $0.opening?.since ?? .max < $1.opening?.since ?? .max }
  }

  /// Who has not asked for anything yet is not waited for.
  func endOpenings(of listener: Int) {
    for socket in openings.values where socket.opening?.counterID == listener { socket.abort() }
  }

  /// Before each receive.
  func prepareInbox() {
    if inbox.allocatedByteCount != BodyBlock.byteCount { worker.exchangeForBodyBlock(&inbox) }
    inbox.leaveRoom(BodyBlock.headroom)
  }

  func takePlaintext() -> ByteQueue {
    var taken = ByteQueue()
    swap(&taken, &plaintext)
    return taken
  }

  func giveBackPlaintext(_ queue: inout ByteQueue) {
    if queue.allocatedByteCount <= 256 * 1024 { swap(&queue, &plaintext) }
  }

  func reportHandshake(_ connection: ServerConnection, _ reason: String) {
    worker.counters.countError(.upstreamHandshakeFailed)
    let group = connection.group
    let now = worker.time.nanoseconds
    // LIMIT: a word in ten seconds for each upstream or store. A server that is down would fill the log.
    if let last = handshakeReports[group], now &- last < 10_000_000_000 { return }
    handshakeReports[group] = now
    outlets.serverHandshakeFailed(
      ServerHandshakeFailure(
        group: group, server: "\(connection.address)", serverName: connection.security?.serverName ?? "",
        reason: reason))
  }

  func noteDrained(_ connection: Connection) { drained.append(connection) }

  /// - Parameter isOwnShortage: the gateway had no means of connecting, whatever the server.
  func noteFailed(_ connection: ServerConnection, isOwnShortage: Bool = false) {
    failed.append((connection, isOwnShortage))
  }

  // MARK: Commands

  /// Carries out what the last event asked for, and reports the result to the worker, until both have nothing to say.
  func runCommands() {
    // A socket may report its end from inside a command. That event's commands are taken by the loop below.
    if isRunningCommands { return }
    isRunningCommands = true
    defer { isRunningCommands = false }
    while true {
      runFlushes()
      if !worker.commands.isEmpty { runQueue() }
      if let connection = drained.popLast() {
        worker.drained(connection, at: now())
      } else if let (connection, isOwnShortage) = failed.popLast() {
        worker.connectFailed(connection, isOwnShortage: isOwnShortage, at: now())
      } else if worker.commands.isEmpty, worker.flushes.isEmpty, !worker.isMemoryDue || !worker.settleMemory() {
        break
      }
    }
    if worker.logBuffer.count >= Self.logFlushByteCount { flushLog() }
  }

  private func runFlushes() {
    var next = 0
    while next < worker.flushes.count {
      let index = worker.flushes[next]
      next += 1
      if sockets.indices.contains(index), let socket = sockets[index] {
        socket.flush()
      } else {
        worker.flushFailed(at: index)
      }
    }
    worker.flushes.removeFew()
  }

  private func runQueue() {
    var next = 0
    while next < worker.commands.count {
      let command = worker.commands[next]
      next += 1
      run(command)
    }
    worker.commands.removeFew()
  }

  private func run(_ command: Command) {
    switch command {
    case .close(let connection): socket(of: connection)?.close(.all)
    case .closeOutput(let connection): socket(of: connection)?.close(.output)
    case .abort(let connection): socket(of: connection)?.abort()
    case .pauseReading(let connection): socket(of: connection)?.setReading(false)
    case .resumeReading(let connection): socket(of: connection)?.setReading(true)
    case .connect(let connection): connect(connection)
    case .ask(let question, let credential): ask(question, credential)
    case .changeSession(let change, let id): changeSession(change, id)
    case .login(let request, let id): login(request, id)
    case .refreshSession(let question, let session): refreshSession(question, session)
    case .wakeWaiters(let upstream): wakePeers(upstream)
    case .reportUpstream(let upstream, let change): outlets.upstreamChanged(upstream, change)
    case .reportStore(let report): outlets.storeChanged(report)
    case .reportRefusal(let notice): outlets.tokenRefused(notice)
    case .exportRecords: flushRecords()
    case .drained: finishDrain()
    }
  }

  private func ask(_ question: Question, _ credential: [UInt8]) {
    outlets.ask(question, credential, answer(to: question))
  }

  private func refreshSession(_ question: Question, _ session: String) {
    outlets.refreshSession(question, session, answer(to: question))
  }

  private func answer(to question: Question) -> @Sendable (Answer) -> Void {
    { [mailbox] answer in
      mailbox.post { loop in
        loop.worker.answered(question, answer, at: loop.now())
        loop.runCommands()
      }
    }
  }

  private func login(_ request: LoginRequest, _ id: UInt64) {
    outlets.login(request) { [mailbox] reply in
      mailbox.post { loop in
        loop.worker.loginReplied(id, reply, at: loop.now())
        loop.runCommands()
      }
    }
  }

  private func changeSession(_ change: SessionChange, _ id: UInt64) {
    outlets.changeSession(change) { [mailbox] isDone in
      mailbox.post { loop in
        loop.worker.sessionChanged(id, isDone: isDone, at: loop.now())
        loop.runCommands()
      }
    }
  }

  private func wakePeers(_ upstream: String) {
    for peer in peers {
      peer.post { loop in
        loop.worker.wakeWaiters(upstream: upstream, at: loop.now())
        loop.runCommands()
      }
    }
  }

  func socket(of connection: Connection) -> Socket? {
    sockets.indices.contains(connection.index) ? sockets[connection.index] : nil
  }

  private func flushRecords() {
    if worker.spans.count > 0 { outlets.spans(worker.spans.take()) }
    if worker.logRecords.count > 0 { outlets.logRecords(worker.logRecords.take()) }
  }

  func flushLog() {
    if worker.logBuffer.isEmpty { return }
    outlets.log(worker.logBuffer.copied())
    worker.logBuffer.removeAll()
  }

  // MARK: Drain

  /// Begins to end: `whenDone` is called when no client's connection is left, which is soon after the deadline.
  func drain(until deadline: Int64, whenDone: @escaping @Sendable () -> Void) {
    drainDeadline = isDrainCut ? 0 : deadline
    onDrained.append(whenDone)
    worker.drain()
    runCommands()
  }

  /// Cuts off what a drain waits for, or will wait for when it begins.
  func endDrain() {
    isDrainCut = true
    if drainDeadline != .max { drainDeadline = 0 }
  }

  private func finishDrain() {
    flushLog()
    flushRecords()
    for call in onDrained { call() }
    onDrained = []
  }
}
