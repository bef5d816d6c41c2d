// What all connections of the process may hold together (`limits.memory`, T94): output that a peer does not take, input
// that nobody takes yet, frames and heads that wait. Each worker counts what its own connections hold, and reports it
// to the others when that has moved by a piece. Beyond the limit it closes its largest holders, as far as it has more
// than its part.
//
// Invariant: nothing here is touched for a connection whose bytes go on at once.

import Synchronization

/// One a process: the workers' shares together.
package final class MemoryBound: Sendable {
  private let used = Atomic<Int>(0)
  private let limit: Atomic<Int>
  let workerCount: Int

  package init(byteCountMax: Int, workerCount: Int) {
    limit = Atomic(byteCountMax)
    self.workerCount = workerCount
  }

  package var byteCount: Int { used.load(ordering: .relaxed) }

  /// LIMIT: `limits.memory`. Another one holds from the next look on.
  package var byteCountMax: Int {
    get { limit.load(ordering: .relaxed) }
    set { limit.store(newValue, ordering: .relaxed) }
  }

  fileprivate func move(by byteCount: Int) -> Int { used.add(byteCount, ordering: .relaxed).newValue }
}

/// One worker's share.
struct MemoryShare {
  let bound: MemoryBound
  /// What this worker's connections hold.
  private(set) var byteCount = 0
  private var reportedByteCount = 0
  /// New work is turned away: from seven eighths of the bound on, until three quarters are left.
  private(set) var isFull = false
  /// For so many ticks.
  private var fullTickCount = 0

  // LIMIT: so much of each worker's share the others do not know of.
  private static let pieceByteCount = 64 * 1024

  init(of bound: MemoryBound) { self.bound = bound }

  mutating func move(by difference: Int) { byteCount += difference }

  /// Whether there may be something to do.
  var hasMoved: Bool { isFull || abs(byteCount - reportedByteCount) >= Self.pieceByteCount }

  /// Reports to the others, and looks at the sum.
  mutating func settle(isTick: Bool = false) {
    let used = bound.move(by: byteCount - reportedByteCount)
    reportedByteCount = byteCount
    let max = bound.byteCountMax
    isFull = isFull ? used > max / 4 * 3 : used > max / 8 * 7
    if !isFull { fullTickCount = 0 } else if isTick { fullTickCount += 1 }
  }

  /// The bound is reached, or it was nearly for a second: peers that take a byte now and then must not keep all others
  /// out.
  var isUrgent: Bool { isOver || fullTickCount > 10 }

  /// Half of the bound is used: nobody gets far ahead of a peer that is slow.
  var isShort: Bool { bound.byteCount > bound.byteCountMax / 2 }
  /// The bound is reached.
  var isOver: Bool { bound.byteCount > bound.byteCountMax }
  /// More is used than may stay, and this worker has more than its part of it.
  func isAbovePart(of byteCountMax: Int) -> Bool {
    bound.byteCount > byteCountMax && byteCount > byteCountMax / bound.workerCount
  }
}

extension Worker {
  /// Counts what a connection holds more, or less.
  func holdMemory(_ difference: Int) {
    memory.move(by: difference)
    isMemoryDue = memory.hasMoved
  }

  /// To be called when ``isMemoryDue``.
  /// - Parameter isTick: what other workers' hold may have moved as well.
  /// - Returns: whether there are commands to be carried out.
  package func settleMemory(isTick: Bool = false) -> Bool {
    memory.settle(isTick: isTick)
    defer { isMemoryDue = memory.hasMoved }
    let isShort = memory.isShort
    outputHighWater = isShort ? Connection.shortOutputHighWater : Connection.outputHighWater
    guard memory.isFull else {
      if isTick, isShort { markHolders() }
      return false
    }
    // Who takes nothing is known from tick to tick. The bound itself waits for none.
    let isCleared = isTick || memory.isOver ? makeRoom() : false
    if isTick { markHolders() }
    return isCleared
  }

  /// Whether new work is to be turned away.
  var isMemoryFull: Bool { memory.isFull }

  /// Remembers what each holder's peer has taken, to see at the next look whether it has taken any.
  private func markHolders() {
    for connection in table.connections {
      guard let connection, connection.heldByteCount > 0 else { continue }
      connection.bytesWrittenAtMark = connection.transfer.bytesWritten
    }
  }

  /// The largest holders go until three quarters of the bound are left: those whose peers take nothing first, the
  /// others only where it is urgent.
  private func makeRoom() -> Bool {
    let target = memory.bound.byteCountMax / 4 * 3
    if !memory.isAbovePart(of: target) { return false }
    let holders = table.connections.compactMap { $0 }.filter { $0.heldByteCount > 0 }
      .sorted { $0.heldByteCount > $1.heldByteCount }
    let isUrgent = memory.isUrgent
    var isCleared = false
    for isStill in isUrgent ? [true, false] : [true] {
      for holder in holders where holder.heldByteCount > 0 {
        guard memory.isAbovePart(of: target) else { return isCleared }
        if isStill, holder.transfer.bytesWritten != holder.bytesWrittenAtMark { continue }
        giveUp(holder)
        isCleared = true
        memory.settle()
      }
    }
    return isCleared
  }

  private func giveUp(_ holder: Connection) {
    counters.countError(.gateway(.memoryExhausted))
    holder.letGo()
    if holder is DownstreamConnection {
      holder.cutOff()
    } else {
      // Its exchanges learn of it when the socket is gone.
      commands.append(.abort(holder))
    }
  }
}
