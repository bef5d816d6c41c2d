// Redis Sentinel: who is the master now? One sentinel after the other is asked, over a connection of its own, until one
// knows.

import Bytes
import Configuration
import Redis

final class SentinelLook {
  private unowned let store: Store
  private let master: [UInt8]
  private var connection: SentinelConnection?
  /// The sentinel that answered last is asked first.
  private var place = 0
  private var askedCount = 0
  private var isEnded = false

  init(_ store: Store, master: String) {
    self.store = store
    self.master = Array(master.utf8)
  }

  /// Asks, unless that is under way.
  func begin() {
    if connection != nil || isEnded { return }
    askedCount = 0
    askNext()
  }

  private func askNext() {
    let sentinels = store.configuration.servers
    if isEnded || store.worker.isDraining { return }
    if askedCount >= sentinels.count { return store.main.goDown(sentinels.isEmpty ? .unresolved : .noMaster) }
    askedCount += 1
    place %= sentinels.count
    let fresh = SentinelConnection(
      self, of: master, worker: store.worker, store: store.configuration, server: sentinels[place])
    connection = fresh
    store.worker.open(fresh)
  }

  /// - Parameter node: nil where the sentinel does not know, or does not answer.
  func answered(_ connection: SentinelConnection, _ node: NodeAddress?) {
    guard connection === self.connection else { return }
    self.connection = nil
    guard let node else {
      place += 1
      return askNext()
    }
    store.moveMaster(to: node)
  }

  func end() {
    isEnded = true
    connection?.abort()
    connection = nil
  }
}

/// Asks one sentinel once.
final class SentinelConnection: RedisConnection {
  private let look: SentinelLook
  private let store: RedisStore
  private let master: [UInt8]
  /// Whether the next reply is that to the password, which a sentinel may have no use for.
  private var isAuthenticating: Bool

  // LIMIT: for the connection and the reply together. Then the next one is asked.
  private static let nanoseconds: Int64 = 1_000_000_000

  init(
    _ look: SentinelLook, of master: [UInt8], worker: Worker, store: RedisStore, server: Upstream.Server
  ) {
    self.look = look
    self.master = master
    self.store = store
    isAuthenticating = store.password != nil
    super.init(worker: worker, store: store, server: server)
    deadline = worker.time.nanoseconds &+ Self.nanoseconds
  }

  override func connected() {
    let master = master
    authenticate(store)
    prepareOutput()
    output.beginCommand(partCount: 3)
    output.append(part: "SENTINEL")
    output.append(part: "get-master-addr-by-name")
    output.append(part: master.span)
    flush()
  }

  override func received(_ reply: borrowing Reply) {
    if isAuthenticating {
      isAuthenticating = false
    } else {
      end(NodeAddress(reply))
    }
  }

  override func receivedNonsense() { end(nil) }
  override func receivedEnd() { end(nil) }
  override func connectFailed(_ refusal: GatewayRefusal) { end(nil) }
  override func deadlinePassed() { end(nil) }

  override func disconnected() {
    if !isClosed { end(nil) }
  }

  private func end(_ node: NodeAddress?) {
    if isClosed { return }
    abort()
    look.answered(self, node)
  }
}
