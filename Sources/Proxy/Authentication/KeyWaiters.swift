// Requests whose token names a key that is not in the issuer's set. They wait together for one look at the issuer, at most
// a second; how often the issuer is asked at all is bounded here and, over all workers, by the control plane (T21).

/// The waiting exchanges of one worker, by issuer.
struct KeyWaiters {
  private var waiting: [[Exchange]]
  private var budgets: [LookBudget]

  /// LIMIT: a request waits no longer than a second: this, and the tenth of one in which deadlines are looked at.
  static let waitNanoseconds: Int64 = 900_000_000
  /// LIMIT: so many requests wait for one issuer.
  static let countMax = 10_000

  init(issuerCount: Int) {
    waiting = Array(repeating: [], count: issuerCount)
    budgets = Array(repeating: LookBudget(), count: issuerCount)
  }

  /// Lets an exchange wait, and asks if nobody has. False when all looks are spent: the answer is known.
  mutating func wait(_ exchange: Exchange, issuer: Int) -> Bool {
    guard waiting.indices.contains(issuer) else { return false }
    let now = exchange.worker.time.nanoseconds
    if waiting[issuer].isEmpty {
      guard budgets[issuer].take(at: now) else { return false }
      exchange.worker.commands.append(.refreshKeys(issuer: issuer))
    }
    exchange.keyWaitingPlace = waiting[issuer].count
    waiting[issuer].append(exchange)
    if let downstream = exchange.downstream {
      downstream.deadline = min(downstream.deadline, now &+ Self.waitNanoseconds)
    }
    return true
  }

  /// Whether no more may wait.
  func isFull(issuer: Int) -> Bool { waiting.indices.contains(issuer) && waiting[issuer].count >= Self.countMax }

  /// The look is over, whatever it brought: each is checked again, and now for good.
  mutating func take(issuer: Int) -> [Exchange] {
    guard waiting.indices.contains(issuer) else { return [] }
    defer { waiting[issuer] = [] }
    return waiting[issuer]
  }

  mutating func takeAll() -> [Exchange] {
    defer { waiting = waiting.map { _ in [] } }
    return waiting.flatMap { $0 }
  }

  /// An exchange ended while it waited. Returns whether it did wait.
  @discardableResult
  mutating func remove(_ exchange: Exchange) -> Bool {
    let place = exchange.keyWaitingPlace
    guard let issuer = exchange.issuer, waiting.indices.contains(issuer), waiting[issuer].indices.contains(place),
      waiting[issuer][place] === exchange
    else { return false }
    // The last one takes its place, so that the cost does not grow with those that wait.
    waiting[issuer][waiting[issuer].count - 1].keyWaitingPlace = place
    waiting[issuer].swapAt(place, waiting[issuer].count - 1)
    waiting[issuer].removeLast()
    return true
  }
}
