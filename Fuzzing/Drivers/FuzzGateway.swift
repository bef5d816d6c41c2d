// The data plane without sockets: bytes of clients and servers go in, and what would be written comes out. It does what
// the transport does, as far as one request after the other needs it.

import Bytes
import Configuration
import Proxy
import Tokens

final class FuzzGateway {
  /// One connection, with all that was written to its peer.
  final class Peer {
    fileprivate(set) var connection: Connection
    fileprivate(set) var received: [UInt8] = []
    fileprivate(set) var isOpen = true
    /// The worker does not read: what comes waits, as it would in the kernel.
    fileprivate var isPaused = false
    fileprivate var waiting: [[UInt8]] = []

    fileprivate init(_ connection: Connection) { self.connection = connection }
  }

  private let worker: Worker
  private var clients: [Peer] = []
  /// In the order in which they were connected.
  private(set) var servers: [Peer] = []
  private var nanoseconds: Int64 = 1_000_000_000

  init(_ snapshot: Snapshot) {
    worker = Worker(
      snapshot: snapshot, keySets: snapshot.configuration.issuers.map { _ in nil },
      time: Time(nanoseconds: 1_000_000_000, unixMilliseconds: 1_700_000_000_000), steadyClock: { 0 }, seed: (1, 2),
      checksServers: false)
  }

  /// The configuration of a driver, made once.
  static func snapshot(_ text: String) -> Result<Snapshot, any Error> {
    Result { Snapshot(try configuration(text), generation: 1) }
  }

  private static func configuration(_ text: String) throws -> GatewayConfiguration {
    switch ConfigurationReader.read(
      text: text, file: "gateway.conf", folder: "", environment: [:],
      readFile: { _ in throw Fault("not there") })
    {
    case .success(let loaded): return loaded.configuration
    case .failure(let errors): throw errors
    }
  }

  /// The lines of the access log.
  var log: [UInt8] { worker.logBuffer.copied() }

  private var now: Time {
    Time(nanoseconds: nanoseconds, unixMilliseconds: 1_700_000_000_000 + nanoseconds / 1_000_000)
  }

  // MARK: Peers

  func connect(from address: String) -> Peer {
    let peer = PeerAddress(Array(address.utf8).span) ?? PeerAddress(high: 0, low: 0)
    let client = Peer(worker.accepted(from: peer, listener: 0, at: now))
    clients.append(client)
    work()
    return client
  }

  func send(_ bytes: [UInt8], on peer: Peer) {
    if !peer.isOpen || bytes.isEmpty { return }
    peer.waiting.append(bytes)
    work()
  }

  /// Hands in what waits for a reader. False where nothing does.
  private func deliver() -> Bool {
    guard let peer = (clients + servers).first(where: { $0.isOpen && !$0.isPaused && !$0.waiting.isEmpty }) else {
      return false
    }
    var queue = ByteQueue()
    queue.append(peer.waiting.removeFirst())
    worker.received(&queue, on: peer.connection, at: now)
    if let successor = peer.connection.successor { peer.connection = successor }
    return true
  }

  func wait(seconds: Int) {
    for _ in 0..<seconds {
      nanoseconds += 1_000_000_000
      worker.tick(at: now)
      work()
    }
  }

  /// All peers leave: nothing may be left of them.
  func endAll() throws {
    for peer in clients + servers { lose(peer) }
    work()
    for peer in servers { lose(peer) }
    // Spare exchanges hold their worker, which is to be freed.
    worker.install(worker.snapshot, keySets: worker.keySets)
    try expect(worker.downstreamConnectionCount == 0, "a client is kept that is gone")
    for load in worker.upstreamLoads {
      try expect(load.waitingCount == 0 && load.activeCounts.allSatisfy { $0 == 0 }, "a request is kept that is gone")
    }
  }

  private func lose(_ peer: Peer) {
    if !peer.isOpen { return }
    peer.isOpen = false
    worker.disconnected(peer.connection, at: now)
    work()
  }

  // MARK: Commands

  private func work() {
    // LIMIT: of turns, so that an endless conversation of the worker with itself would be found.
    for _ in 0..<10_000 {
      let flushes = worker.flushes
      let commands = worker.commands
      worker.flushes.removeAll()
      worker.commands.removeAll()
      if flushes.isEmpty, commands.isEmpty, !deliver() { return }
      for index in flushes { flush(index) }
      for command in commands { run(command) }
    }
    fatalError("the worker goes round in circles")
  }

  private func peer(_ connection: Connection) -> Peer? {
    (clients + servers).first { $0.isOpen && $0.connection === connection }
  }

  private func flush(_ index: Int) {
    guard let peer = (clients + servers).first(where: { $0.isOpen && $0.connection.index == index }) else {
      return worker.flushFailed(at: index)
    }
    peer.connection.transfer.beginFlush()
    write(peer)
  }

  private func write(_ peer: Peer) {
    let connection = peer.connection
    while true {
      connection.fillOutput()
      let bytes = connection.transfer.output.copied()
      if bytes.isEmpty { break }
      connection.transfer.wrote(bytes.count)
      peer.received += bytes
    }
    if connection.outputEmptied() { worker.drained(connection, at: now) }
  }

  private func run(_ command: Command) {
    switch command {
    case .close(let connection), .closeOutput(let connection):
      guard let peer = peer(connection) else { return }
      write(peer)
      lose(peer)
    case .abort(let connection):
      if let peer = peer(connection) { lose(peer) }
    case .connect(let connection):
      servers.append(Peer(connection))
      worker.connected(connection, at: now)
    case .ask(let question, _): worker.answered(question, .keys(haveChanged: true), at: now)
    case .pauseReading(let connection): peer(connection)?.isPaused = true
    case .resumeReading(let connection): peer(connection)?.isPaused = false
    case .changeSession(_, let id): worker.sessionChanged(id, isDone: true, at: now)
    case .refreshSession(let question, _): worker.answered(question, .renewed, at: now)
    case .login(_, let id): worker.loginReplied(id, .redirect(to: "/", cookies: []), at: now)
    case .wakeWaiters, .reportUpstream, .reportStore, .reportRefusal, .exportRecords, .drained: break
    }
  }
}
