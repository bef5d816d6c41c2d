// One server of a store, as a worker sees it: the connection there, and whether anybody waits for it at all.
//
// Invariant: what has changed is noted before those who wait hear of it, for they may ask again at once.

import Bytes
import Configuration
import Redis

final class StoreNode: StoreAsker {
  unowned let store: Store
  private let worker: Worker
  /// Where it may be, tried in turn.
  private(set) var servers: [Upstream.Server]
  private var place = 0
  private(set) var connection: StoreConnection?
  /// Commands that had no reply, since the last one that had.
  private var failureCount = 0
  /// Nobody is asked, and nobody waits, until a connection is ready again.
  private(set) var isDown = false
  private var retryAt = Int64.min
  /// The store needs it no more.
  private var isRetired = false
  private var refusalReportedAt = Int64.min

  /// So many commands without a reply, one after the other, say that there will be none.
  private static let failureCountMax = 5
  // LIMIT: how often a server that is down is tried, so that it serves again soon after it is back.
  static let retryNanoseconds: Int64 = 1_000_000_000
  // LIMIT: how often the log has why a server refuses commands.
  private static let refusalReportNanoseconds: Int64 = 60_000_000_000

  init(_ store: Store, worker: Worker, servers: [Upstream.Server]) {
    self.store = store
    self.worker = worker
    self.servers = servers
  }

  /// Where it is now. Nil where nobody knows.
  var server: Upstream.Server? { servers.indices.contains(place) ? servers[place] : nil }

  var isReady: Bool { connection?.isReady ?? false }

  // MARK: Asking

  /// - Returns: false where nobody is asked.
  func send(_ command: Span<UInt8>, _ pending: PendingCommand, isAsked: Bool = false) -> Bool {
    if isDown { return false }
    if connection == nil { connect() }
    return connection?.send(command, pending, isAsked: isAsked) ?? false
  }

  /// Asks an idle connection whether it lives.
  func probe(_ connection: StoreConnection) {
    var ping = ByteQueue()
    ping.beginCommand(partCount: 1)
    ping.append(part: "PING")
    _ = connection.send(ping.span, store.pending(self, isCounted: false))
  }

  // Of a probe: that there was a reply, or none, was noted.
  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) {}
  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) {}

  // MARK: What the connection reports

  func answered(_ pending: PendingCommand, _ reply: borrowing Reply) {
    failureCount = 0
    switch reply.error {
    case .moved(let redirection)?: return store.redirect(pending, redirection, from: self, isAsked: false)
    case .ask(let redirection)?: return store.redirect(pending, redirection, from: self, isAsked: true)
    case .readOnly?:
      store.foundReplica(self)
      refused(pending, reply)
    case .unready?, .outOfMemory?, .forbidden?: refused(pending, reply)
    case .scriptMissing?, .unknownCommand?, .other?, nil:
      store.count(pending, nil)
      pending.asker.storeAnswered(pending.ticket, reply)
    }
  }

  private func refused(_ pending: PendingCommand, _ reply: borrowing Reply) {
    let now = worker.time.nanoseconds
    if now &- Self.refusalReportNanoseconds >= refusalReportedAt {
      refusalReportedAt = now
      store.report(.refuses(reply.text(reply.root).text().shortened), of: self)
    }
    store.fail(pending, .refused)
  }

  func becameReady(_ connection: StoreConnection) {
    failureCount = 0
    if isDown {
      isDown = false
      store.report(.up, of: self)
    }
    store.becameReady(self)
  }

  /// So many had no reply in time.
  func failed(_ late: [PendingCommand]) {
    if late.isEmpty { return }
    failureCount += late.contains { $0.asker === self } ? Self.failureCountMax : late.count
    if failureCount >= Self.failureCountMax { connection?.fail(.silent) }
    for pending in late { store.fail(pending, .late) }
  }

  func lost(_ connection: StoreConnection, _ pending: [PendingCommand], _ loss: StoreLoss) {
    if connection === self.connection {
      self.connection = nil
      failureCount += max(1, pending.count)
      if !connection.isReady { place = servers.isEmpty ? 0 : (place + 1) % servers.count }
      if !isRetired, !worker.isDraining {
        if !connection.isReady || failureCount >= Self.failureCountMax {
          goDown(loss, at: connection.address)
        } else {
          connect()
        }
      }
    }
    if connection.isReady { store.lostConnection() }
    for command in pending { store.fail(command, .lost) }
  }

  func goDown(_ loss: StoreLoss, at address: Address? = nil) {
    failureCount = 0
    retryAt = worker.time.nanoseconds &+ Self.retryNanoseconds
    if isDown { return }
    isDown = true
    store.report(.down(loss.words), of: self, at: address ?? server?.address)
    store.wentDown(self)
  }

  // MARK: The connection

  func connect() {
    guard connection == nil, !isRetired, let server else { return }
    let fresh = StoreConnection(self, worker: worker, store: store.configuration, server: server)
    connection = fresh
    worker.open(fresh)
  }

  func tick() {
    if connection == nil, !isRetired, !worker.isDraining, worker.time.nanoseconds >= retryAt {
      retryAt = worker.time.nanoseconds &+ Self.retryNanoseconds
      store.revive(self)
    }
  }

  /// The server is elsewhere, or may be.
  func move(to fresh: [Upstream.Server]) {
    let current = server
    servers = fresh
    if let current, let index = fresh.firstIndex(of: current) {
      place = index
      if connection == nil { connect() }
      return
    }
    place = 0
    leave()
    connect()
  }

  /// What is under way fails.
  func leave() {
    let old = connection
    connection = nil
    old?.fail(.left)
  }

  /// Connects again, at most once a second.
  func renew() {
    if worker.time.nanoseconds < retryAt { return }
    retryAt = worker.time.nanoseconds &+ Self.retryNanoseconds
    leave()
    connect()
  }

  func retire() {
    isRetired = true
    if isDown { store.report(.gone, of: self) }
    leave()
  }
}

/// Why a connection to a store's server is gone, or was never made.
enum StoreLoss {
  case connect
  case connectTimeout
  case shortage
  case unresolved
  case noMaster
  case closed
  case malformed
  case silent
  /// The gateway closed it, for the server is elsewhere or not needed.
  case left
  /// The server does not accept the gateway, in its words.
  case refused(String)

  /// For the log.
  var words: String {
    switch self {
    case .connect: "the connection failed"
    case .connectTimeout: "the server did not greet in time"
    case .shortage: "the gateway has no descriptor, memory or port left"
    case .unresolved: "the name of the server has no address"
    case .noMaster: "no sentinel named a master"
    case .closed: "the server closed the connection"
    case .malformed: "the server sent what is not a reply of Redis"
    case .silent: "commands had no reply in time"
    case .left: "the server is elsewhere"
    case .refused(let text): text.shortened
    }
  }
}

extension String {
  /// LIMIT: so much of a server's words is logged, and nothing that a terminal would obey.
  fileprivate var shortened: String {
    String(String.UnicodeScalarView(unicodeScalars.prefix(200).filter { $0.value >= 0x20 && $0.value != 0x7F }))
  }
}
