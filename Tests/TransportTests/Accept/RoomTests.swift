// Seats for sockets: as many as there may be, given back with their sockets, and a message for the workers that wait.

import Synchronization
import Testing

@testable import Transport

@Suite("Seats for sockets")
struct RoomTests {
  private func shortage(_ room: Room) -> Room.Shortage? {
    if case .failure(let shortage) = room.clientSeat() { return shortage }
    return nil
  }

  @Test("Clients get as many seats as are configured, and one more when one is given back")
  func clients() throws {
    let room = Room(socketsMax: 100)
    room.set(clientsMax: 2)
    var seats = [try room.clientSeat().get(), try room.clientSeat().get()]
    #expect(shortage(room) == .connections)
    seats.removeLast()
    #expect(shortage(room) == nil)
    _ = seats
  }

  @Test("Clients and servers share the sockets, and an eighth is kept for clients")
  func sockets() throws {
    let room = Room(socketsMax: 16)
    var servers: [Seat] = []
    while let seat = room.serverSeat() { servers.append(seat) }
    #expect(servers.count == 14)
    let clients = [try room.clientSeat().get(), try room.clientSeat().get()]
    #expect(shortage(room) == .sockets)
    // A refused client's count is given back: another is refused for sockets again, not for connections.
    room.set(clientsMax: 3)
    #expect(shortage(room) == .sockets)
    servers.removeLast()
    #expect(shortage(room) == nil)
    _ = clients
  }

  /// Seats that threads hold at a time.
  private final class Counts: Sendable {
    let held = Atomic<Int>(0)
    let isOver = Atomic<Bool>(false)
  }

  @Test("Seats that are taken and given back by many threads at once are never more than there may be")
  func threads() async throws {
    let room = Room(socketsMax: 8)
    room.set(clientsMax: 5)
    let counts = Counts()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<2000 {
            guard case .success(let seat) = room.clientSeat() else { continue }
            if counts.held.add(1, ordering: .relaxed).newValue > 5 { counts.isOver.store(true, ordering: .relaxed) }
            counts.held.subtract(1, ordering: .relaxed)
            withExtendedLifetime(seat) {}
          }
        }
      }
    }
    let wasOver = counts.isOver.load(ordering: .relaxed)
    #expect(!wasOver)
    // All are back.
    let seats = (0..<5).compactMap { _ in try? room.clientSeat().get() }
    #expect(seats.count == 5)
    #expect(shortage(room) == .connections)
  }

  @Test("The first seat that is given back wakes all workers, and only if somebody waits")
  func waiters() throws {
    let room = Room(socketsMax: 4)
    let workers = [try Mailbox(), try Mailbox()]
    room.set(workers: workers)
    var seats = [try room.clientSeat().get(), try room.clientSeat().get(), try room.clientSeat().get()]
    seats.removeLast()
    #expect(workers.allSatisfy { $0.take().isEmpty })
    room.noteWaiting()
    seats.removeLast()
    #expect(workers.allSatisfy { $0.take().count == 1 })
    seats.removeLast()
    #expect(workers.allSatisfy { $0.take().isEmpty })
  }

  @Test("That room is short is reported once a minute")
  func reports() {
    let room = Room(socketsMax: 1)
    let second: Int64 = 1_000_000_000
    #expect(room.mayReport(at: 5 * second))
    #expect(!room.mayReport(at: 5 * second))
    #expect(!room.mayReport(at: 64 * second))
    #expect(room.mayReport(at: 65 * second))
  }
}
