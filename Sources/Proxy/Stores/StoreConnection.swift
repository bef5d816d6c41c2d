// A worker's one connection to a server of a store. All that the worker asks goes out on it in one line, and the
// replies come back in the same order.

import Bytes
import Configuration
import Redis

final class StoreConnection: RedisConnection {
  private enum Phase {
    /// How far the greeting is: replies to it are awaited.
    case greeting
    /// The server knows no greeting: what older ones take was sent.
    case authenticating
    /// Whether it reports changes is awaited.
    case tracking
    /// Whether it can serve is awaited.
    case pinging
    case ready
  }

  private let node: StoreNode
  private var phase = Phase.greeting
  /// Whether the server reports changes of what it is asked for.
  private var isTracking = false
  /// What was asked before the server was ready.
  private var held = ByteQueue()
  private var ring = ReplyRing<PendingCommand>(countMax: pendingCountMax)
  /// When the connection has to be ready.
  private let connectEnd: Int64
  private var receivedAt: Int64

  /// LIMIT: so many commands wait for their replies. With more, nobody is asked.
  static let pendingCountMax = 4096

  /// LIMIT: what a connection may take to be made, with TLS and the greeting.
  private static let connectNanoseconds: Int64 = 1_000_000_000
  /// An idle connection is tried so often, so that one that is dead does not wait for a request to find it out.
  private static let idleNanoseconds: Int64 = 5_000_000_000

  init(_ node: StoreNode, worker: Worker, store: RedisStore, server: Upstream.Server) {
    self.node = node
    receivedAt = worker.time.nanoseconds
    connectEnd = receivedAt &+ max(Self.connectNanoseconds, store.timeout.nanoseconds)
    super.init(worker: worker, store: store, server: server)
    deadline = connectEnd
  }

  var isReady: Bool { phase == .ready }
  /// Commands under way.
  var pendingCount: Int { ring.count }

  // MARK: The greeting

  override func connected() {
    greet(node.store.configuration)
    flush()
  }

  override func connectFailed(_ refusal: GatewayRefusal) {
    fail(refusal == .resourcesExhausted ? .shortage : .connect)
  }

  private func receivedGreeting(_ reply: borrowing Reply) {
    switch (phase, reply.error) {
    case (.greeting, .unknownCommand):
      phase = .authenticating
      if node.store.isTracked { node.store.report(.untracked("it does not know HELLO"), of: node) }
      if node.store.configuration.password == nil { return sendPing() }
      authenticate(node.store.configuration)
      flush()
    case (.tracking, .some):
      node.store.report(.untracked(reply.text(reply.root).text()), of: node)
      sendPing()
    case (_, .some): fail(.refused(reply.text(reply.root).text()))
    case (.pinging, nil): becomeReady()
    case (.greeting, nil) where node.store.isTracked:
      phase = .tracking
      track()
      flush()
    default:
      isTracking = phase == .tracking
      sendPing()
    }
  }

  private func sendPing() {
    phase = .pinging
    ping()
    flush()
  }

  private func becomeReady() {
    phase = .ready
    expectReplies()
    node.becameReady(self)
    if held.isEmpty { return }
    prepareOutput()
    output.append(held.span)
    held.removeAll()
    flush()
  }

  // MARK: Commands

  /// - Parameter isAsked: `ASKING` goes before it.
  /// - Returns: false where too much is under way.
  func send(_ command: Span<UInt8>, _ pending: PendingCommand, isAsked: Bool = false) -> Bool {
    // Whether it tracks is known only when it is ready. If it does not, it refuses the order, which does no harm.
    let isTracked = pending.isTracked && (isTracking || phase != .ready)
    if ring.count + (isAsked || isTracked ? 2 : 1) > Self.pendingCountMax { return false }
    if isAsked || isTracked, let ticket = ring.append(pending, until: pending.end) {
      // The reply to the order before the command is for nobody.
      ring.leave(ticket)
    }
    _ = ring.append(pending, until: pending.end)
    deadline = min(deadline, pending.end)
    if phase == .ready {
      prepareOutput()
      Self.append(command, isAsked: isAsked, isTracked: isTracked, to: &output)
      flush()
    } else {
      Self.append(command, isAsked: isAsked, isTracked: isTracked, to: &held)
    }
    return true
  }

  private static func append(_ command: Span<UInt8>, isAsked: Bool, isTracked: Bool, to queue: inout ByteQueue) {
    if isAsked {
      queue.beginCommand(partCount: 1)
      queue.append(part: "ASKING")
    } else if isTracked {
      queue.beginCommand(partCount: 3)
      queue.append(part: "CLIENT")
      queue.append(part: "CACHING")
      queue.append(part: "YES")
    }
    queue.append(command)
  }

  override func received(_ reply: borrowing Reply) {
    receivedAt = worker.time.nanoseconds
    if reply.kind(reply.root) == .push { return node.store.receivedPush(reply) }
    if phase != .ready { return receivedGreeting(reply) }
    switch ring.takeFirst() {
    case .asker(let pending): node.answered(pending, reply)
    case .nobody: break
    case .nothingAsked: fail(.malformed)
    }
  }

  override func receivedNonsense() { fail(.malformed) }

  // MARK: Deadlines

  override func deadlinePassed() {
    let now = worker.time.nanoseconds
    if phase != .ready, now >= connectEnd { return fail(.connectTimeout) }
    let late = ring.takeLate(at: now)
    if phase == .ready, ring.count == 0, now &- receivedAt >= Self.idleNanoseconds { node.probe(self) }
    expectReplies()
    node.failed(late)
  }

  /// The deadlines of commands are looked at ten times a second while something is under way.
  private func expectReplies() {
    let now = worker.time.nanoseconds
    deadline = ring.count > 0 ? now &+ 1 : phase == .ready ? now &+ Self.idleNanoseconds : connectEnd
  }

  // MARK: The end

  override func receivedEnd() { fail(.closed) }

  override func disconnected() {
    if !isClosed { end(.closed) }
  }

  /// The connection is of no use.
  func fail(_ reason: StoreLoss) {
    if isClosed { return }
    abort()
    end(reason)
  }

  private func end(_ reason: StoreLoss) { node.lost(self, ring.takeAll(), reason) }
}
