// How many sockets the process may have, over all workers: `limits.connections` for clients, and for clients and
// servers together what descriptors there are. A worker takes a slot before it makes a socket. A worker that finds none
// left closes an idle connection, or waits until a slot is returned.

import Synchronization

/// One a process.
final class DescriptorBudget: Sendable {
  /// What is full.
  enum Shortage: Sendable {
    /// `limits.connections`.
    case connections
    /// Descriptors. Some are kept back for the admin listener and the gateway's own work.
    case sockets
  }

  private let clients = Atomic<Int>(0)
  private let servers = Atomic<Int>(0)
  private let sockets = Atomic<Int>(0)
  private let clientsMax = Atomic<Int>(.max)
  private let socketsMax: Int
  /// A part of the sockets is never servers': new clients are accepted, and learn that there is no budget.
  private var serversMax: Int { socketsMax - socketsMax / 8 }
  private let isWaitedFor = Atomic<Bool>(false)
  private let lastReportAt = Atomic<Int64>(.min)
  private let workers = Mutex<[Mailbox]>([])

  /// LIMIT: a word in so long about room being short.
  private static let reportNanoseconds: Int64 = 60_000_000_000

  init(socketsMax: Int) { self.socketsMax = socketsMax }

  func set(clientsMax: Int) { self.clientsMax.store(clientsMax, ordering: .relaxed) }

  /// Workers that wait for a slot learn of it by their mailboxes.
  func set(workers: [Mailbox]) { self.workers.withLock { $0 = workers } }

  func clientSlot() -> Result<ConnectionSlot, Shortage> {
    guard Self.take(clients, below: clientsMax.load(ordering: .relaxed)) else { return .failure(.connections) }
    guard Self.take(sockets, below: socketsMax) else {
      clients.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      return .failure(.sockets)
    }
    return .success(ConnectionSlot(self, isClient: true))
  }

  /// Nil when there is none.
  func serverSlot() -> ConnectionSlot? {
    guard Self.take(servers, below: serversMax) else { return nil }
    guard Self.take(sockets, below: socketsMax) else {
      servers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      return nil
    }
    return ConnectionSlot(self, isClient: false)
  }

  private static func take(_ count: borrowing Atomic<Int>, below max: Int) -> Bool {
    var seen = count.load(ordering: .sequentiallyConsistent)
    while seen < max {
      let (isTaken, now) = count.weakCompareExchange(
        expected: seen, desired: seen + 1, ordering: .sequentiallyConsistent)
      if isTaken { return true }
      seen = now
    }
    return false
  }

  fileprivate func leave(isClient: Bool) {
    if isClient {
      clients.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    } else {
      servers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
    sockets.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    // Nearly always nobody waits.
    guard isWaitedFor.load(ordering: .sequentiallyConsistent), isWaitedFor.exchange(false, ordering: .relaxed) else {
      return
    }
    for worker in workers.withLock(\.self) { worker.post { $0.lookForSlots() } }
  }

  /// A worker waits for a slot: the next one that is returned is announced to all.
  func noteWaiting() { isWaitedFor.store(true, ordering: .sequentiallyConsistent) }

  /// True for the worker that reports that room is short.
  func mayReport(at now: Int64) -> Bool {
    let last = lastReportAt.load(ordering: .relaxed)
    if last != .min, now &- last < Self.reportNanoseconds { return false }
    return lastReportAt.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
  }
}

extension DescriptorBudget.Shortage: Error {}

/// The right to one socket: given back when the last holder lets go of it.
final class ConnectionSlot: Sendable {
  private let budget: DescriptorBudget
  private let isClient: Bool

  fileprivate init(_ budget: DescriptorBudget, isClient: Bool) {
    self.budget = budget
    self.isClient = isClient
  }

  deinit { budget.leave(isClient: isClient) }
}
