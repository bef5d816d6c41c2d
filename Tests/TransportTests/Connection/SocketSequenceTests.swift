// Sequences of events on a modelled kernel: whatever comes in whatever order, nothing is done to a closed descriptor,
// it is closed once, and nothing waits for a wake-up that never comes.

import TestBasics
import Testing

@testable import Transport

@Suite("Sequences of a socket's events")
struct SocketSequenceTests {
  /// One event by chance.
  private func happen(to socket: ModelSocket, _ generator: inout SeededGenerator) -> String {
    let count = Int.random(in: 1...14, using: &generator)
    switch Int.random(in: 0..<24, using: &generator) {
    case 0...4:
      socket.send(count)
      return "send \(count)"
    case 5...9:
      socket.write(count)
      return "write \(count)"
    case 10...13:
      socket.take(count)
      return "take \(count)"
    case 14:
      socket.setReading(false)
      return "pause"
    case 15, 16:
      socket.setReading(true)
      return "resume"
    case 17:
      socket.end()
      return "end"
    case 18:
      socket.answerConnect(count == 1)
      return "answer, refused: \(count == 1)"
    case 19 where count > 10:
      socket.reset()
      return "reset"
    case 20 where count > 6:
      socket.close(count > 10 ? .all : .output)
      return "close"
    case 21 where count > 12:
      socket.failSession()
      return "session failed"
    case 22 where count > 12:
      count == 13 ? socket.abort() : socket.timeOut()
      return count == 13 ? "abort" : "deadline"
    case 23 where count > 13:
      socket.giveUp()
      return "give up"
    default: return "nothing"
    }
  }

  @Test("Nothing is done to a closed descriptor, and no wake-up is lost, in any order of events", arguments: 0..<6)
  func randomSequences(_ beginning: Int) {
    var closed = 0
    for seed in 0..<1500 {
      var generator = SeededGenerator(seed: UInt64(beginning * 10_000 + seed))
      let room = [0, 5, 20, Int.max].randomElement(using: &generator) ?? 0
      let socket = ModelSocket(SocketState.beginnings[beginning], room: room)
      if Bool.random(using: &generator) { socket.answerConnect() }
      var events: [String] = []
      for _ in 0..<40 {
        events.append(happen(to: socket, &generator))
        // Some events come together, before the loop has its turn.
        if Bool.random(using: &generator) {
          socket.settle()
          if let lost = socket.lostWakeUp {
            Issue.record("seed \(seed), room \(room): \(lost) after \(events) in \(socket.state)")
            return
          }
        }
      }
      socket.settle()
      socket.abort()
      socket.settle()
      let isWrong = !socket.violations.isEmpty || socket.closeCount != 1 || socket.endings.count != 1
      if isWrong || socket.endCount > 1 || socket.shutDownCount > 1 || socket.beginCount > 1 {
        Issue.record(
          "seed \(seed): \(socket.violations), closed \(socket.closeCount), ended \(socket.endCount) after \(events)")
        return
      }
      closed += socket.closeCount
    }
    #expect(closed == 1500)
  }

  @Test("What is written arrives in whole, in whatever pieces the kernel takes it")
  func pieces() {
    for piece in 1...7 {
      let socket = ModelSocket(.accepted(isHeaderDue: false, isSecure: false), room: 3)
      for _ in 0..<5 { socket.write(9) }
      socket.close(.all)
      var turns = 0
      while socket.closeCount == 0, turns < 100 {
        socket.take(piece)
        socket.settle()
        turns += 1
      }
      #expect(socket.sentByteCount == 45)
      #expect(socket.endings == [.disconnected])
    }
  }

  @Test("A send is tried again once the kernel has room, and not before")
  func roomAgain() {
    let socket = ModelSocket(.accepted(isHeaderDue: false, isSecure: false), room: 2)
    socket.write(5)
    #expect(socket.sentByteCount == 2)
    socket.write(1)
    socket.settle()
    #expect(socket.sentByteCount == 2)
    socket.take(10)
    socket.settle()
    #expect(socket.sentByteCount == 6)
    #expect(socket.outputByteCount == 0)
  }

  @Test("A handshake that is cut after any byte closes the socket once", arguments: [false, true])
  func cutHandshake(isClient: Bool) {
    for byteCount in 0...2 {
      for isReset in [false, true] {
        let socket = ModelSocket(isClient ? .accepted(isHeaderDue: false, isSecure: true) : .connecting(isSecure: true))
        socket.answerConnect()
        socket.settle()
        socket.send(byteCount)
        socket.settle()
        if isReset { socket.reset() } else { socket.end() }
        socket.settle()
        #expect(socket.endings == [isClient ? .handshakeUnfinished : .upstreamHandshakeCut])
        #expect(socket.beginCount == 0)
      }
    }
  }

  @Test("A PROXY header that is cut after any byte closes the socket, and nothing is reported")
  func cutHeader() {
    for byteCount in 0...1 {
      let socket = ModelSocket(.accepted(isHeaderDue: true, isSecure: true))
      socket.send(byteCount)
      socket.end()
      socket.settle()
      #expect(socket.endings == [.silent])
    }
  }

  @Test("A client that was refused is read until it leaves, and nothing of that is a request")
  func refused() {
    let socket = ModelSocket(.accepted(isHeaderDue: false, isSecure: true))
    socket.send(2)
    socket.settle()
    socket.failSession()
    #expect(socket.shutDownCount == 1)
    socket.send(50)
    socket.settle()
    #expect(socket.arrivedByteCount == 0)
    #expect(socket.receivedByteCount == 0)
    socket.end()
    socket.settle()
    #expect(socket.endings == [.silent])
  }

  @Test("A client that closed its half gets its answer, and is closed behind it")
  func halfClose() {
    let socket = ModelSocket(.accepted(isHeaderDue: false, isSecure: false), room: 4)
    socket.send(6)
    socket.end()
    socket.settle()
    #expect(socket.receivedByteCount == 6)
    #expect(socket.endCount == 1)
    socket.write(10)
    socket.close(.output)
    #expect(socket.closeCount == 0)
    socket.take(10)
    socket.settle()
    #expect(socket.sentByteCount == 10)
    #expect(socket.endings == [.disconnected])
  }

  @Test("More than one turn's input is read on in the next turns, and its end behind it")
  func longInput() {
    let socket = ModelSocket(.accepted(isHeaderDue: false, isSecure: false))
    socket.send(101)
    socket.end()
    socket.settle()
    #expect(socket.receivedByteCount == 101)
    #expect(socket.endCount == 1)
  }

  @Test("What came while reading was paused is read when it goes on, without another event")
  func pausedInput() {
    let socket = ModelSocket(.accepted(isHeaderDue: false, isSecure: false))
    socket.setReading(false)
    socket.send(9)
    socket.end()
    socket.settle()
    #expect(socket.receivedByteCount == 0)
    #expect(socket.unreadEndCount == 1)
    socket.setReading(true)
    socket.settle()
    #expect(socket.receivedByteCount == 9)
    #expect(socket.endCount == 1)
  }

  @Test("A body is relayed past a socket only while it could be written, and again when it can")
  func relayEnds() {
    let socket = ModelSocket(.accepted(isHeaderDue: false, isSecure: false), room: 3)
    #expect(socket.state.takesRelayed)
    socket.write(4)
    #expect(!socket.state.takesRelayed)
    socket.take(4)
    socket.settle()
    #expect(socket.state.takesRelayed)
    socket.close(.output)
    #expect(!socket.state.takesRelayed)
  }
}
