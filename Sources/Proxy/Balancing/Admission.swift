// Whether an upstream takes one more request: its limits, the line of those that wait for a place, and the word for
// those that are turned away. Places are counted over all workers. Each worker has a line of its own, first come, first
// served.

import Configuration

/// Requests of one worker that wait for a place at one upstream, the oldest first.
struct WaitingLine {
  private var exchanges: [Exchange?] = []
  private var head = 0
  /// Places that were in front of these and are gone.
  private var goneCount = 0
  private(set) var count = 0

  var first: Exchange? {
    mutating get {
      while head < exchanges.count, exchanges[head] == nil { head += 1 }
      if head < exchanges.count { return exchanges[head] }
      exchanges.removeAll(keepingCapacity: true)
      head = 0
      return nil
    }
  }

  /// - Returns: the exchange's position, by which it is found when it leaves.
  mutating func append(_ exchange: Exchange) -> Int {
    // What was served in front is freed once it is more than what waits.
    if head > 64, head * 2 > exchanges.count {
      exchanges.removeFirst(head)
      goneCount += head
      head = 0
    }
    exchanges.append(exchange)
    count += 1
    return goneCount + exchanges.count - 1
  }

  mutating func remove(_ exchange: Exchange, at position: Int) {
    let place = position - goneCount
    guard exchanges.indices.contains(place), exchanges[place] === exchange else { return }
    exchanges[place] = nil
    count -= 1
  }
}

extension Exchange {
  /// Takes a place at the upstream and a server there, waits for them, or is turned away.
  @inline(__always)
  func seekPlace(at pool: UpstreamPool) -> StageOutcome {
    if pool.isWatched {
      pool.reviewRotation()
      if pool.isUnavailable { return turnedAway(from: pool, .upstreamUnavailable) }
    }
    if pool.servers.isEmpty { return .refuse(.gateway(.upstreamUnresolved)) }
    guard pool.isLimited else {
      guard let chosen = pool.nextServer(for: self) else { return .refuse(.gateway(.upstreamConnectFailed)) }
      delivery.server = chosen
      return .next
    }
    // Nobody overtakes those who wait, on this worker or another.
    if pool.shared.waiting.count == 0, pool.admit(self) { return .next }
    guard pool.wait(self) else { return turnedAway(from: pool, .upstreamOverloaded) }
    return wait == nil ? .next : .wait
  }

  private func turnedAway(from pool: UpstreamPool, _ reason: GatewayRefusal) -> StageOutcome {
    worker.counters.countRejection(upstream: pool.counterID, reason)
    return .refuse(.gateway(reason))
  }

  /// Nothing was free for as long as one may wait.
  func placeTimedOut() {
    if let pool = delivery.pool { worker.counters.countRejection(upstream: pool.counterID, .upstreamQueueTimeout) }
    refuse(.gateway(.upstreamQueueTimeout))
  }

  /// While it waited the last server went out.
  func serversLost() {
    if let pool = delivery.pool { worker.counters.countRejection(upstream: pool.counterID, .upstreamUnavailable) }
    refuse(.gateway(.upstreamUnavailable))
  }

  /// The exchange is over: the permit that it has at the upstream is for others.
  func leavePool() {
    guard delivery.attempts.holdsPermit, let pool = delivery.pool else { return }
    delivery.attempts.holdsPermit = false
    pool.shared.requests.giveBack()
    pool.placeFreed()
  }
}

extension UpstreamPool {
  /// A place and a server for the exchange, both or none.
  func admit(_ exchange: Exchange) -> Bool {
    // LIMIT: `max_requests` and `adaptive`, over all workers.
    if let max = shared.requestsMax(configuration) {
      guard shared.requests.take(below: max) else { return false }
      exchange.delivery.attempts.holdsPermit = true
      if adaptiveLimit != nil { shared.concurrency.noteRequests(shared.requests.count, limit: max) }
    }
    if enter(exchange) { return true }
    if exchange.delivery.attempts.holdsPermit {
      exchange.delivery.attempts.holdsPermit = false
      shared.requests.giveBack()
    }
    return false
  }

  /// Chooses a server, those that are full passed over.
  private func enter(_ exchange: Exchange) -> Bool {
    let triedCount = exchange.delivery.attempts.triedServers.count
    defer {
      exchange.delivery.attempts.triedServers.removeLast(exchange.delivery.attempts.triedServers.count - triedCount)
    }
    for _ in rotation {
      guard let server = nextServer(for: exchange) else { return false }
      if exchange.delivery.enter(server) { return true }
      exchange.delivery.attempts.triedServers.append(server)
    }
    return false
  }

  /// Puts the exchange into the line. False when that is full, or there is none.
  func wait(_ exchange: Exchange) -> Bool {
    // LIMIT: `queue`, its length over all workers.
    guard let queue = configuration.queue, shared.waiting.take(below: queue.length) else { return false }
    let end = worker.time.nanoseconds &+ queue.timeout.nanoseconds
    exchange.wait = .permit(position: line.append(exchange), until: end)
    if let downstream = exchange.downstream { downstream.deadline = min(downstream.deadline, end) }
    if !worker.poolsInDemand.contains(where: { $0 === self }) { worker.poolsInDemand.append(self) }
    // A permit that another worker returned before this one was seen to wait is announced to nobody.
    if shared.waiting.count == 1, admit(exchange) { leaveLine(exchange) }
    return true
  }

  func leaveLine(_ exchange: Exchange) {
    guard case .permit(let position, _) = exchange.wait else { return }
    exchange.wait = nil
    line.remove(exchange, at: position)
    shared.waiting.giveBack()
  }

  /// A request has ended: another may begin. Where other workers' wait, too, every second place is theirs.
  func placeFreed() {
    let waitingCount = shared.waiting.count
    if waitingCount == 0 { return }
    if waitingCount > worker.waitingCount(at: shared) {
      worker.commands.append(.wakeWaiters(upstream: configuration.name))
      isOthersTurn.toggle()
      if isOthersTurn { return }
    }
    worker.serveLines(of: shared)
  }

  /// Lets in whom there is room for.
  func serveLine() {
    // One that is let in may end at once, and call this again.
    if isServing { return }
    isServing = true
    defer { isServing = false }
    if isWatched { reviewRotation() }
    while let exchange = line.first, isUnavailable || admit(exchange) {
      leaveLine(exchange)
      if isUnavailable { exchange.serversLost() } else { exchange.placeGranted() }
    }
  }
}
