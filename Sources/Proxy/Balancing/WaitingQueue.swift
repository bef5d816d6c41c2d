// The queue before an upstream that has limits: first come, first served.

/// Requests of one worker that wait for a permit of one upstream, the oldest first.
struct WaitingQueue {
  private var exchanges: [Exchange?] = []
  private var head = 0
  /// Entries that were in front of these and are gone.
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
    let index = position - goneCount
    guard exchanges.indices.contains(index), exchanges[index] === exchange else { return }
    exchanges[index] = nil
    count -= 1
  }
}
