// What a worker does when there is no room for another socket: an idle connection is closed for it, the one that has
// been idle longest first. Where none is idle, clients wait in the kernel's queue.

import Proxy

/// Why the gateway has no room, for its log.
package enum SlotShortage: Sendable {
  /// `limits.connections` is reached.
  case connections
  /// All descriptors that are meant for clients and servers are taken, or the system gives no more.
  case descriptors
}

extension WorkerLoop {
  /// How long a connection must have been idle to be closed: one that has just been answered may be about to ask again.
  private static let idleNanoseconds: Int64 = 250_000_000
  /// How long a handshake may take before it is ended, where no idle connection is left.
  private static let openingNanoseconds: Int64 = 1_000_000_000

  /// A slot for a client who waits to be accepted. Nil when there is none: then clients wait.
  /// - Parameter isFirst: a client waits for certain, so that a connection may be closed for it.
  func slotForClient(isFirst: Bool) -> ConnectionSlot? {
    switch budget.clientSlot() {
    case .success(let slot): return slot
    case .failure(let shortage):
      guard isFirst else { return nil }
      let kind: SlotShortage = shortage == .connections ? .connections : .descriptors
      report(kind)
      if giveUpIdleClient() || shortage == .sockets && giveUpIdleServer(), case .success(let slot) = budget.clientSlot()
      {
        return slot
      }
      waitForRoom()
      return nil
    }
  }

  /// A slot for a connection to a server. Nil when there is none.
  func slotForServer() -> ConnectionSlot? {
    if let slot = budget.serverSlot() { return slot }
    report(.descriptors)
    return giveUpIdleServer() || giveUpIdleClient() ? budget.serverSlot() : nil
  }

  /// There is no descriptor for another client, whatever was calculated.
  func starve() {
    worker.counters.countError(.acceptStarved)
    report(.descriptors)
    if !giveUpIdleClient() { _ = giveUpIdleServer() }
    waitForRoom()
  }

  /// Stops accepting until a slot is given back, or the next tick. Other workers may have connections that are idle.
  private func waitForRoom() {
    isWaitingForSlot = true
    updateAccepting()
    budget.noteWaiting()
    for peer in peers {
      peer.post { loop in
        _ = loop.giveUpIdleClient()
        loop.runCommands()
      }
    }
  }

  /// A slot was given back, or it is time to look again.
  func lookForSlots() {
    isWaitingForSlot = false
    updateAccepting()
  }

  /// Stops or goes on accepting.
  func updateAccepting() {
    let isAccepting = !isWaitingForSlot
    if isAccepting == self.isAccepting { return }
    self.isAccepting = isAccepting
    for listener in listeners.values {
      for socket in listener.sockets { change(socket, to: isAccepting ? .input : []) }
    }
  }

  /// False when no client is idle.
  private func giveUpIdleClient() -> Bool {
    let now = worker.time.nanoseconds
    if let idle = worker.longestIdleClient(since: now &- Self.idleNanoseconds), let socket = socket(of: idle) {
      worker.counters.countError(.idleGivenUp)
      worker.announceClose(of: idle)
      socket.giveUp()
      return true
    }
    guard let opening = longestOpening(since: now &- Self.openingNanoseconds) else { return false }
    worker.counters.countError(.idleGivenUp)
    opening.abort()
    return true
  }

  /// False when no connection to a server is idle.
  private func giveUpIdleServer() -> Bool {
    guard let idle = worker.longestIdleServer(), let socket = socket(of: idle) else { return false }
    socket.abort()
    return true
  }

  private func report(_ shortage: SlotShortage) {
    if budget.mayReport(at: worker.time.nanoseconds) { outlets.slotsShort(shortage) }
  }
}
