// The queue of bytes: what goes in comes out, in order, however it grows and moves.

import Bytes
import TestBasics
import Testing

private func copy(_ queue: borrowing ByteQueue) -> [UInt8] { queue.span.copied() }

struct ByteQueueTests {
  @Test("A new queue is empty and owns no memory")
  func empty() {
    var queue = ByteQueue()
    let (count, allocated, isEmpty) = (queue.count, queue.allocatedByteCount, queue.isEmpty)
    #expect(count == 0 && allocated == 0 && isEmpty)
    #expect(copy(queue) == [])
    queue.removeFirst(5)
    queue.truncate(to: 3)
    queue.append("")
    queue.append([UInt8]())
    #expect(copy(queue) == [])
  }

  @Test("Whatever is appended and removed, the queue holds what an array would")
  func againstArray() {
    var generator = SeededGenerator(seed: 1)
    var queue = ByteQueue()
    var model: [UInt8] = []
    for _ in 0..<5_000 {
      switch Int.random(in: 0..<10, using: &generator) {
      case 0:
        let byte = UInt8.random(in: 0...255, using: &generator)
        queue.append(byte)
        model.append(byte)
      case 1...4:
        let count = Int.random(in: 0...700, using: &generator)
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        queue.append(bytes)
        model += bytes
      case 5...7:
        let count = Int.random(in: 0...900, using: &generator)
        queue.removeFirst(count)
        model.removeFirst(min(count, model.count))
      case 8:
        let count = Int.random(in: 0...2_000, using: &generator)
        queue.truncate(to: count)
        model = Array(model.prefix(count))
      default:
        queue.reserve(Int.random(in: 0...100, using: &generator))
      }
      let (count, isEmpty) = (queue.count, queue.isEmpty)
      if copy(queue) != model || count != model.count || isEmpty != model.isEmpty {
        Issue.record("differs after \(model.count) bytes")
        return
      }
    }
  }

  @Test("Removing takes at most what is there, and less than nothing takes nothing")
  func removal() {
    var queue = ByteQueue()
    queue.append("abc")
    queue.removeFirst(-1)
    #expect(copy(queue) == Array("abc".utf8))
    queue.truncate(to: -1)
    #expect(copy(queue) == [])
    queue.append("de")
    queue.removeFirst(9)
    #expect(copy(queue) == [])
  }

  @Test("A warm queue takes no new memory, and gives all of it back when asked")
  func memory() {
    var queue = ByteQueue()
    let block = [UInt8](repeating: 7, count: 1_000)
    queue.append(block)
    let warm = queue.allocatedByteCount
    #expect(warm >= 1_000)
    for _ in 0..<100 {
      queue.removeAll()
      queue.append(block)
    }
    // A queue whose front moves reuses the room in front of it.
    for _ in 0..<100 {
      queue.removeFirst(900)
      queue.append([UInt8](repeating: 8, count: 10))
      queue.removeFirst(100)
    }
    let after = queue.allocatedByteCount
    #expect(after == warm)
    queue.releaseStorage()
    let released = queue.allocatedByteCount
    #expect(released == 0)
    queue.append(9 as UInt8)
    #expect(copy(queue) == [9])
  }

  @Test("Texts and literals of any length are appended as their UTF-8")
  func texts() {
    var queue = ByteQueue()
    queue.append("HTTP/1.1 ")
    queue.append("x")
    queue.append("é")
    queue.append(text: "grün")
    #expect(copy(queue) == Array("HTTP/1.1 xégrün".utf8))
  }

  @Test("Of any bytes, letters alone are lowered, and only those appended")
  func lowering() {
    let all = (0...255).map { UInt8($0) }
    for count in [0, 1, 7, 8, 9, 16, 255, 256] {
      for start in stride(from: 0, through: 256 - count, by: max(1, count)) {
        let bytes = Array(all[start..<start + count])
        var queue = ByteQueue()
        queue.append("AB")
        queue.append(lowering: bytes.span)
        #expect(copy(queue) == Array("AB".utf8) + bytes.map { $0 >= 0x41 && $0 <= 0x5A ? $0 + 0x20 : $0 })
      }
    }
    var moved = ByteQueue()
    moved.append([UInt8](repeating: 0x41, count: 500))
    moved.removeFirst(490)
    moved.append(lowering: [UInt8](repeating: 0x42, count: 100).span)
    #expect(copy(moved) == [UInt8](repeating: 0x41, count: 10) + [UInt8](repeating: 0x62, count: 100))
  }

  @Test("Decimal numbers are written as Swift writes them")
  func decimal() {
    var values: [UInt64] = [
      0, 1, 9, 10, 99, 100, 255, UInt64(UInt32.max), UInt64.max, UInt64.max - 1, 10_000_000_000_000_000_000,
    ]
    var power: UInt64 = 1
    for _ in 0..<19 {
      power *= 10
      values += [power - 1, power, power + 1]
    }
    for value in values {
      var queue = ByteQueue()
      queue.append(decimal: value)
      #expect(copy(queue) == Array(String(value).utf8))
    }
  }

  @Test("Hexadecimal numbers are written in lower case, padded to a width")
  func hexadecimal() {
    for value: UInt64 in [0, 1, 15, 16, 255, 256, 0xABCDEF, UInt64.max, 1 << 63] {
      for width in [1, 2, 8, 16, 20] {
        var queue = ByteQueue()
        queue.append(hexadecimal: value, width: width)
        let digits = String(value, radix: 16)
        // 64 bits have 16 digits, and no more are written.
        let padding = String(repeating: "0", count: max(0, min(width, 16) - digits.count))
        #expect(copy(queue) == Array((padding + digits).utf8))
      }
    }
  }

  @Test("Numbers are appended with their lowest byte first, and one byte can be replaced by another")
  func littleEndian() {
    var queue = ByteQueue()
    queue.append(UInt8(9))
    queue.append(littleEndian: UInt32(0x0403_0201))
    queue.append(littleEndian: UInt64(0x0807_0605_0403_0201))
    #expect(copy(queue) == [9, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8])
    queue.removeFirst(1)
    queue.replace(at: 0, with: 7)
    queue.replace(at: 11, with: 0)
    // There are no such places.
    queue.replace(at: 12, with: 5)
    queue.replace(at: -1, with: 5)
    #expect(copy(queue) == [7, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 0])
  }
}
