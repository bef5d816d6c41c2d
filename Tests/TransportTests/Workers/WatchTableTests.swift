// Descriptors' numbers are used again at once: an event finds the use of a number that it is about, and no other.

import Testing

@testable import Transport

@Suite("Who is watched")
struct WatchTableTests {
  private func watched(_ number: CInt) -> Watched { Watched(Descriptor(number: number)) }

  @Test("An event finds whom it is about")
  func found() {
    var table = WatchTable()
    let few = [watched(3), watched(900), watched(0)]
    for one in few { table.insert(one) }
    #expect(few.allSatisfy { table.find($0.token) === $0 })
  }

  @Test("An event of a descriptor that was closed does not reach the next one with its number")
  func stale() {
    var table = WatchTable()
    let old = watched(5)
    table.insert(old)
    let stale = old.token
    table.remove(old)
    #expect(table.find(stale) == nil)
    #expect(old.token == 0)
    let new = watched(5)
    table.insert(new)
    #expect(table.find(stale) == nil)
    #expect(table.find(new.token) === new)
  }

  @Test("A removal that comes late does not take the next one with the number away")
  func lateRemoval() {
    var table = WatchTable()
    let old = watched(5)
    let new = watched(5)
    table.insert(old)
    table.insert(new)
    table.remove(old)
    #expect(table.find(new.token) === new)
  }

  @Test("Tokens of nobody find nobody", arguments: [0, 7, 1 << 32 | 9, .max] as [UInt64])
  func unknown(_ token: UInt64) {
    var table = WatchTable()
    table.insert(watched(7))
    #expect(table.find(token) == nil)
  }
}
