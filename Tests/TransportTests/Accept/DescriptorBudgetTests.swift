// Slots for sockets: as many as there may be, given back with their sockets, and a message for the workers that wait.

import Synchronization
import Testing

@testable import Transport

@Suite("Slots for sockets")
struct DescriptorBudgetTests {
  private func shortage(_ budget: DescriptorBudget) -> DescriptorBudget.Shortage? {
    if case .failure(let shortage) = budget.clientSlot() { return shortage }
    return nil
  }

  @Test("Clients get as many slots as are configured, and one more when one is given back")
  func clients() throws {
    let budget = DescriptorBudget(socketsMax: 100)
    budget.set(clientsMax: 2)
    var slots = [try budget.clientSlot().get(), try budget.clientSlot().get()]
    #expect(shortage(budget) == .connections)
    slots.removeLast()
    #expect(shortage(budget) == nil)
    _ = slots
  }

  @Test("Clients and servers share the sockets, and an eighth is kept for clients")
  func sockets() throws {
    let budget = DescriptorBudget(socketsMax: 16)
    var servers: [ConnectionSlot] = []
    while let slot = budget.serverSlot() { servers.append(slot) }
    #expect(servers.count == 14)
    let clients = [try budget.clientSlot().get(), try budget.clientSlot().get()]
    #expect(shortage(budget) == .sockets)
    // A refused client's count is given back: another is refused for sockets again, not for connections.
    budget.set(clientsMax: 3)
    #expect(shortage(budget) == .sockets)
    servers.removeLast()
    #expect(shortage(budget) == nil)
    _ = clients
  }

  /// Slots that threads hold at a time.
  private final class Counts: Sendable {
    let held = Atomic<Int>(0)
    let isOver = Atomic<Bool>(false)
  }

  @Test("Slots that are taken and given back by many threads at once are never more than there may be")
  func threads() async throws {
    let budget = DescriptorBudget(socketsMax: 8)
    budget.set(clientsMax: 5)
    let counts = Counts()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<2000 {
            guard case .success(let slot) = budget.clientSlot() else { continue }
            if counts.held.add(1, ordering: .relaxed).newValue > 5 { counts.isOver.store(true, ordering: .relaxed) }
            counts.held.subtract(1, ordering: .relaxed)
            withExtendedLifetime(slot) {}
          }
        }
      }
    }
    let wasOver = counts.isOver.load(ordering: .relaxed)
    #expect(!wasOver)
    // All are back.
    let slots = (0..<5).compactMap { _ in try? budget.clientSlot().get() }
    #expect(slots.count == 5)
    #expect(shortage(budget) == .connections)
  }

  @Test("The first slot that is given back wakes all workers, and only if somebody waits")
  func waiters() throws {
    let budget = DescriptorBudget(socketsMax: 4)
    let workers = [try Mailbox(), try Mailbox()]
    budget.set(workers: workers)
    var slots = [try budget.clientSlot().get(), try budget.clientSlot().get(), try budget.clientSlot().get()]
    slots.removeLast()
    #expect(workers.allSatisfy { $0.take().isEmpty })
    budget.noteWaiting()
    slots.removeLast()
    #expect(workers.allSatisfy { $0.take().count == 1 })
    slots.removeLast()
    #expect(workers.allSatisfy { $0.take().isEmpty })
  }

  @Test("That budget is short is reported once a minute")
  func reports() {
    let budget = DescriptorBudget(socketsMax: 1)
    let second: Int64 = 1_000_000_000
    #expect(budget.mayReport(at: 5 * second))
    #expect(!budget.mayReport(at: 5 * second))
    #expect(!budget.mayReport(at: 64 * second))
    #expect(budget.mayReport(at: 65 * second))
  }
}
