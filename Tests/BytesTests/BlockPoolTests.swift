import Testing

@testable import Bytes

private func place(of queue: borrowing ByteQueue) -> Int { unsafe Int(bitPattern: queue.base) }

@Suite("Blocks of memory")
struct BlockPoolTests {
  @Test("A block goes from queue to queue, the one that was used last first, and a queue that has memory gets none")
  func lending() {
    var pool = BlockPool(byteCount: 1024, countMax: 2)
    var first = ByteQueue()
    var second = ByteQueue()
    var third = ByteQueue()
    pool.lend(to: &first)
    pool.lend(to: &second)
    pool.lend(to: &third)
    first.append("text")
    pool.take(from: &first)
    let waiting = first.text()
    #expect(waiting == "text", "what waits to be written stays where it is")
    first.removeAll()
    let (placeOfFirst, placeOfSecond) = (place(of: first), place(of: second))
    pool.take(from: &first)
    pool.take(from: &second)
    pool.take(from: &third)
    let (kept, left) = (pool.count, first.allocatedByteCount + second.allocatedByteCount + third.allocatedByteCount)
    #expect(kept == 2 && left == 0, "no more are kept")
    pool.lend(to: &first)
    pool.lend(to: &first)
    pool.lend(to: &third)
    let places = [place(of: first), place(of: third)]
    #expect(places == [placeOfSecond, placeOfFirst])
    first.append("whole again")
    let text = first.text()
    #expect(text == "whole again")
  }

  @Test("Memory that is not a block is freed, and a queue without any leaves nothing")
  func foreignMemory() {
    var pool = BlockPool(byteCount: 1024, countMax: 2)
    var queue = ByteQueue()
    pool.take(from: &queue)
    queue.reserve(2000)
    pool.take(from: &queue)
    let (kept, left) = (pool.count, queue.allocatedByteCount)
    #expect(kept == 0 && left == 0)
  }
}

@Suite("Moved bytes")
struct MovedBytesTests {
  @Test(
    "Bytes are moved with their memory where there is room for what is before them, and copied where there is none",
    arguments: [(0, 0, true), (0, 7, true), (7, 7, true), (8, 7, false), (3, 100, true)])
  func moving(before: Int, room: Int, isMoved: Bool) {
    var target = ByteQueue()
    var source = ByteQueue()
    let (first, rest) = ([UInt8](repeating: 1, count: before), [UInt8](repeating: 2, count: 5000))
    target.append(first)
    source.reserve(6000)
    source.leaveRoom(room)
    source.append(rest)
    let memory = place(of: source)
    target.append(moving: &source)
    let (joined, isEmpty, newPlace) = (target.copied(), source.isEmpty, place(of: target))
    #expect(joined == first + rest && isEmpty)
    #expect((newPlace == memory) == isMoved)
    source.append("still good")
    target.removeFirst(before + 4990)
    target.append(moving: &source)
    let text = target.text()
    #expect(text == String(repeating: "\u{2}", count: 10) + "still good")
  }
}
