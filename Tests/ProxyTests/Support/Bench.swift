// The data plane without a socket: events go in as a transport would report them, commands are carried out on fake
// sockets, and time is a value. Whatever a peer sends while it is not read waits, as it would in the kernel.

import Bytes
import Configuration
import Testing
import Tokens

@testable import Proxy

/// A worker with its clients and servers.
final class Bench {
  let worker: Worker
  private(set) var snapshot: Snapshot
  private(set) var sockets: [FakeSocket] = []
  /// Sockets to upstream servers, in the order in which they were asked for.
  private(set) var servers: [FakeSocket] = []
  private var socketOf: [ObjectIdentifier: FakeSocket] = [:]
  private var events: [() -> Void] = []
  private var isPumping = false
  /// Addresses that refuse connections.
  var refusing: Set<String> = []
  /// For these the gateway has no means of connecting.
  var wanting: Set<String> = []
  /// Whether connects stay under way until ``connectAll()``.
  var holdsConnects = false
  /// What the worker has asked, and what about.
  private(set) var asked: [(question: Question, credential: [UInt8])] = []
  /// What the worker has asked of the store of its sessions.
  private(set) var sessionChanges: [(change: SessionChange, id: UInt64)] = []
  var logins: [(LoginRequest, id: UInt64)] = []
  var refreshes: [(question: Question, session: String)] = []
  private(set) var isDrained = false
  private(set) var upstreamChanges: [UpstreamChange] = []
  private(set) var storeReports: [StoreReport] = []
  private(set) var refusalNotices: [RefusalNotice] = []
  /// Another worker of the same process.
  weak var peer: Bench?
  private var nanoseconds: Int64 = 5_000_000_000
  private let steady = SteadyCounter()

  static let unixMilliseconds: Int64 = 1_700_000_000_000

  init(_ snapshot: Snapshot, keySets: [KeySet?] = [], checksServers: Bool = true) {
    self.snapshot = snapshot
    let keySets = keySets + Array(repeating: nil, count: max(0, snapshot.configuration.issuers.count - keySets.count))
    let steady = steady
    worker = Worker(
      snapshot: snapshot, keySets: keySets,
      time: Time(nanoseconds: 5_000_000_000, unixMilliseconds: Self.unixMilliseconds),
      steadyClock: { steady.next() }, seed: (1, 2), checksServers: checksServers)
  }

  convenience init(_ text: String, keySets: [KeySet?] = []) throws {
    self.init(Snapshot(try configuration(text), generation: 1), keySets: keySets)
  }

  var now: Time {
    Time(nanoseconds: nanoseconds, unixMilliseconds: Self.unixMilliseconds + (nanoseconds - 5_000_000_000) / 1_000_000)
  }

  // MARK: Peers

  func connect(from address: String = "192.0.2.7", listener: Int = 0) -> FakeSocket {
    let peer = PeerAddress(Array(address.utf8).span) ?? PeerAddress(high: 0, low: 0)
    let connection = worker.accepted(from: peer, listener: listener, at: now)
    let socket = FakeSocket(connection, self)
    socket.isOpen = true
    add(socket)
    pump()
    return socket
  }

  private func add(_ socket: FakeSocket) {
    sockets.append(socket)
    socketOf[ObjectIdentifier(socket.connection)] = socket
  }

  /// The server socket that was asked for last.
  func server() throws -> FakeSocket { try #require(servers.last) }

  func connectAll() {
    for socket in servers where socket.isConnecting { finishConnect(socket) }
    pump()
  }

  private func finishConnect(_ socket: FakeSocket) {
    guard socket.isConnecting, let upstream = socket.connection as? ServerConnection else { return }
    socket.isConnecting = false
    if refusing.contains(socket.address) || wanting.contains(socket.address) {
      worker.connectFailed(upstream, isOwnShortage: wanting.contains(socket.address), at: now)
      forget(socket)
    } else {
      socket.isOpen = true
      worker.connected(upstream, at: now)
    }
  }

  // MARK: Time and configuration

  /// Moves time on in ticks of a tenth of a second, as the transport does.
  func wait(_ duration: Duration) {
    let end = nanoseconds + duration.nanoseconds
    while nanoseconds < end {
      nanoseconds = min(end, nanoseconds + 100_000_000)
      steady.advance(to: nanoseconds)
      worker.tick(at: now)
      pump()
    }
  }

  /// Installs another configuration, as a reload does.
  func reload(_ text: String, keySets: [KeySet?] = []) throws {
    reload(try configuration(text), keySets: keySets)
  }

  func reload(_ configuration: GatewayConfiguration, keySets: [KeySet?] = []) {
    snapshot = Snapshot(configuration, generation: snapshot.generation + 1, after: snapshot)
    let missing = max(0, configuration.issuers.count - keySets.count)
    worker.install(snapshot, keySets: keySets + Array(repeating: nil, count: missing))
    pump()
  }

  /// Issuers whose keys were asked for.
  var refreshedIssuers: [Int] {
    asked.compactMap { if case .keySet(let issuer) = $0.question.source { issuer } else { nil } }
  }

  /// Answers what was asked last, of whatever is left to answer.
  func answer(_ answer: Answer) throws {
    let question = try #require(asked.last).question
    act { $0.answered(question, answer, at: now) }
  }

  func act(_ body: (Worker) -> Void) {
    body(worker)
    pump()
  }

  // MARK: Commands

  /// Carries out commands and reports what comes of them, until all is quiet.
  func pump() {
    if isPumping { return }
    isPumping = true
    defer { isPumping = false }
    while true {
      var place = 0
      while place < worker.flushes.count {
        let flushed = worker.table.connections[worker.flushes[place]]
        place += 1
        if let socket = flushed.flatMap({ socket($0) }) { socket.flush() } else { flushed?.transfer.beginFlush() }
      }
      worker.flushes.removeAll()
      var index = 0
      while index < worker.commands.count {
        let command = worker.commands[index]
        index += 1
        run(command)
      }
      worker.commands.removeAll()
      if !events.isEmpty {
        events.removeFirst()()
      } else if let socket = sockets.first(where: \.hasInput) {
        socket.deliver()
      } else if worker.commands.isEmpty, worker.flushes.isEmpty {
        return
      }
    }
  }

  func report(_ event: @escaping () -> Void) { events.append(event) }

  private func run(_ command: Command) {
    switch command {
    case .close(let connection): socket(connection)?.close(output: false)
    case .closeOutput(let connection): socket(connection)?.close(output: true)
    case .abort(let connection): socket(connection)?.abort()
    case .pauseReading(let connection):
      socket(connection)?.isPaused = true
      socket(connection)?.tellUnreadEnd()
    case .resumeReading(let connection): socket(connection)?.isPaused = false
    case .ask(let question, let credential): asked.append((question, credential))
    case .changeSession(let change, let id): sessionChanges.append((change, id))
    case .refreshSession(let question, let session): refreshes.append((question, session))
    case .login(let request, let id): logins.append((request, id))
    case .wakeWaiters(let upstream): peer?.act { $0.wakeWaiters(upstream: upstream, at: now) }
    case .reportUpstream(_, let change): upstreamChanges.append(change)
    case .reportRefusal(let notice): refusalNotices.append(notice)
    case .exportRecords: break
    case .reportStore(let report): storeReports.append(report)
    case .drained: isDrained = true
    case .connect(let connection):
      let socket = FakeSocket(connection, self)
      socket.address = connection.address.description
      socket.isConnecting = true
      add(socket)
      servers.append(socket)
      if !holdsConnects { report { [self] in finishConnect(socket) } }
    }
  }

  private func socket(_ connection: Connection) -> FakeSocket? { socketOf[ObjectIdentifier(connection)] }

  /// The socket is gone: it takes no more part. It stays in ``servers`` to be looked at.
  func forget(_ socket: FakeSocket) {
    socketOf[ObjectIdentifier(socket.connection)] = nil
    sockets.removeAll { $0 === socket }
  }

  /// Another protocol took over a client's connection.
  func replace(_ connection: Connection, by successor: Connection, of socket: FakeSocket) {
    socketOf[ObjectIdentifier(connection)] = nil
    socketOf[ObjectIdentifier(successor)] = socket
    socket.take(over: successor)
  }

  // MARK: The end

  /// Lets go of the servers that are gone.
  func forgetServers() { servers.removeAll { !$0.isOpen && !$0.isConnecting } }

  /// Ends all peers and expects that the worker holds nothing any more.
  func expectNothingHeld(_ place: SourceLocation = #_sourceLocation) {
    for socket in sockets where socket.connection is DownstreamConnection { socket.reset() }
    for socket in sockets { socket.reset() }
    #expect(worker.table.count == 0, "connections", sourceLocation: place)
    #expect(worker.memory.byteCount == 0, "bytes", sourceLocation: place)
    #expect(worker.downstreamConnectionCount == 0, sourceLocation: place)
    let counts = worker.counters.copy()
    for state in ConnectionState.allCases {
      #expect(counts.connections(listener: 0, state) == 0, "listener, \(state)", sourceLocation: place)
      for upstream in snapshot.configuration.upstreams.indices {
        #expect(counts.connections(upstream: upstream, state) == 0, "upstream, \(state)", sourceLocation: place)
      }
    }
    let servers = worker.pools.flatMap(\.servers).map(\.connections)
    #expect(servers.allSatisfy { $0.idle.isEmpty && $0.multiplexed.isEmpty }, "pools", sourceLocation: place)
    #expect(worker.questions.askerCount == 0, "askers", sourceLocation: place)
  }

  /// Access log lines so far.
  var logLines: [String] { worker.logBuffer.text().split(separator: "\n").map(String.init) }

  func errorCount(_ code: String) -> UInt64 { worker.counters.copy().errors[code] ?? 0 }
}

/// A clock that moves one microsecond a look.
private final class SteadyCounter {
  private var value: Int64 = 5_000_000_000

  func next() -> Int64 {
    value += 1000
    return value
  }

  func advance(to moment: Int64) { value = max(value, moment) }
}
