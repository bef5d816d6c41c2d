// Commands on their way out, and who waits for their replies.

import Bytes
import Testing

@testable import Redis

@Suite("Commands for Redis")
struct CommandTests {
  @Test("A command is a list of bulk strings, whatever bytes are in them")
  func command() {
    var output = ByteQueue()
    output.beginCommand(partCount: 6)
    output.append(part: "SET")
    output.append(part: "k:".utf8.span, "a\r\n\0".utf8.span)
    output.append(part: "".utf8.span)
    output.append(part: -120)
    output.append(part: Int64.min)
    output.append(part: 7)
    #expect(
      output.text()
        == "*6\r\n$3\r\nSET\r\n$6\r\nk:a\r\n\0\r\n$0\r\n\r\n$4\r\n-120\r\n$20\r\n-9223372036854775808\r\n$1\r\n7\r\n")
    #expect(reading(output.text()) == "[\"SET\", \"k:a\r\n\0\", \"\", \"-120\", \"-9223372036854775808\", \"7\"]")
  }
}

@Suite("Those who wait for replies")
struct ReplyRingTests {
  /// What a reply finds, as text.
  private func taken(_ ring: inout ReplyRing<String>) -> String {
    switch ring.takeFirst() {
    case .asker(let asker): asker
    case .nobody: "nobody"
    case .nothingAsked: "nothing asked"
    }
  }

  @Test("Replies belong to those who asked, in their order, over many turns")
  func order() {
    var ring = ReplyRing<String>(countMax: 100)
    var asked = 0
    var answered = 0
    for turn in 0..<200 {
      for _ in 0..<(turn % 40) where ring.append("\(asked)", until: .max) != nil { asked += 1 }
      for _ in 0..<(turn % 37) where ring.count > 0 {
        #expect(taken(&ring) == "\(answered)")
        answered += 1
      }
    }
    #expect(asked > 100 && asked - answered == ring.count)
    #expect(ring.takeAll() == (answered..<asked).map { "\($0)" })
    #expect(taken(&ring) == "nothing asked")
  }

  @Test("T110 One who waits no more leaves a place, so that a late reply is nobody else's")
  func places() throws {
    var ring = ReplyRing<String>(countMax: 8)
    _ = ring.append("a", until: 10)
    let ticket = ring.append("b", until: 30)
    let second = try #require(ticket)
    _ = ring.append("c", until: 20)
    _ = ring.append("d", until: 30)
    #expect(ring.takeLate(at: 9) == [])
    #expect(ring.takeLate(at: 20) == ["a", "c"])
    #expect(ring.takeLate(at: 20) == [])
    ring.leave(second)
    #expect(ring.count == 4)
    #expect(taken(&ring) == "nobody")
    #expect(taken(&ring) == "nobody")
    ring.leave(second)
    #expect(taken(&ring) == "nobody")
    #expect(taken(&ring) == "d")
    #expect(ring.count == 0)
  }

  @Test("No more wait than may, and those who left still count")
  func bound() {
    var ring = ReplyRing<String>(countMax: 3)
    let tickets = (0..<3).compactMap { ring.append("\($0)", until: 5) }
    #expect(tickets.count == 3)
    ring.leave(tickets[0])
    #expect(ring.append("3", until: 5) == nil)
    #expect(taken(&ring) == "nobody")
    #expect(ring.append("3", until: 5) != nil)
    #expect(ring.takeAll() == ["1", "2", "3"])
  }
}
