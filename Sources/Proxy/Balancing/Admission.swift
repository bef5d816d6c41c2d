// Whether an upstream takes one more request: its limits, and what becomes of requests past them. Permits are counted
// over all workers. Each worker has a queue of its own.

import Configuration

/// The limits of one upstream, and one worker's requests that wait for them.
struct Admission {
  /// Whether requests can be too many.
  private(set) var isLimited = false
  private(set) var requestsMax: Int?
  private(set) var requestsPerServerMax: Int?
  private(set) var adaptiveLimit: AdaptiveLimit?
  /// Nil where nothing waits.
  private(set) var queueRules: RequestQueue?
  var queue = WaitingQueue()
  /// The queue is being looked through.
  var isServing = false
  /// The permit that this worker returned last was left to the others.
  private var wasLeft = false

  /// Takes over what a reload brought. Requests that wait go on waiting.
  mutating func configure(_ upstream: Upstream) {
    isLimited = upstream.maxRequests != nil || upstream.maxRequestsPerServer != nil || upstream.adaptiveLimit != nil
    requestsMax = upstream.maxRequests
    requestsPerServerMax = upstream.maxRequestsPerServer
    adaptiveLimit = upstream.adaptiveLimit
    queueRules = upstream.queue
  }

  /// Whether the permit that is returned now is left to other workers' requests: every second one is.
  mutating func isNextForOthers() -> Bool {
    wasLeft.toggle()
    return wasLeft
  }
}

extension UpstreamPool {
  /// For a request that never waits: false when it cannot be sent now. Where there is no server at all it has none.
  func admitNow(_ exchange: Exchange) -> Bool {
    if rotation.isWatched {
      reviewRotation()
      if rotation.isUnavailable { return false }
    }
    if admission.isLimited { return admit(exchange) }
    exchange.delivery.server = nextServer(for: exchange)
    return true
  }

  /// A permit and a server for the exchange, both or none.
  func admit(_ exchange: Exchange) -> Bool {
    // LIMIT: `max_requests` and `adaptive`, over all workers.
    if let max = shared.requestsMax(admission.requestsMax, admission.adaptiveLimit) {
      guard shared.requests.take(below: max) else { return false }
      exchange.delivery.attempts.holdsPermit = true
      if admission.adaptiveLimit != nil { shared.concurrency.noteRequests(shared.requests.count, limit: max) }
    }
    if enter(exchange) { return true }
    if exchange.delivery.attempts.holdsPermit {
      exchange.delivery.attempts.holdsPermit = false
      shared.requests.giveBack()
    }
    return false
  }

  /// Chooses a server and takes a permit there. Other workers may take the last one in between: then it chooses again,
  /// a few times.
  private func enter(_ exchange: Exchange) -> Bool {
    for _ in 0..<3 {
      guard let server = nextServer(for: exchange) else { return false }
      if exchange.delivery.enter(server) { return true }
    }
    return false
  }

  /// Puts the exchange into the queue. False when that is full, or there is none.
  func enqueue(_ exchange: Exchange) -> Bool {
    // LIMIT: `queue`, its length over all workers.
    guard let rules = admission.queueRules, shared.waiting.take(below: rules.length) else { return false }
    let end = worker.time.nanoseconds &+ rules.timeout.nanoseconds
    exchange.wait = .permit(position: admission.queue.append(exchange), until: end)
    if let downstream = exchange.downstream { downstream.deadline = min(downstream.deadline, end) }
    if !worker.poolsInDemand.contains(where: { $0 === self }) { worker.poolsInDemand.append(self) }
    // A permit that another worker returned before this one was seen to wait is announced to nobody.
    if shared.waiting.count == 1, admit(exchange) { leaveQueue(exchange) }
    return true
  }

  func leaveQueue(_ exchange: Exchange) {
    guard case .permit(let position, _) = exchange.wait else { return }
    exchange.wait = nil
    admission.queue.remove(exchange, at: position)
    shared.waiting.giveBack()
  }

  /// A request has ended: another may begin. Where other workers' wait, too, every second permit is theirs.
  func permitFreed() {
    let waitingCount = shared.waiting.count
    if waitingCount == 0 { return }
    if waitingCount > worker.waitingCount(at: shared) {
      worker.commands.append(.wakeWaiters(upstream: configuration.name))
      if admission.isNextForOthers() { return }
    }
    worker.serveQueues(of: shared)
  }

  /// Lets in those that there are permits for.
  func serveQueue() {
    // One that is let in may end at once, and call this again.
    if admission.isServing { return }
    admission.isServing = true
    defer { admission.isServing = false }
    if rotation.isWatched { reviewRotation() }
    while let exchange = admission.queue.first, rotation.isUnavailable || admit(exchange) {
      leaveQueue(exchange)
      if rotation.isUnavailable { exchange.serversLost() } else { exchange.permitGranted() }
    }
  }
}
