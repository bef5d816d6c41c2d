// Sockets on a real loop: the client is one end of a pair of sockets, whose other end the loop has accepted.

import Configuration
import Glibc
import Proxy
import Testing

@testable import Transport

@Suite("A socket on its loop")
struct SocketTests {
  private static let bodyByteCount = 60_000

  /// A client of a loop that runs on a thread of its own.
  private final class Client {
    /// A hang is a failure and not a hang of the run.
    private static let hangSeconds: CInt = 300
    private let mailbox: Mailbox
    let budget = DescriptorBudget(socketsMax: 1)
    private let number: CInt
    private var isClosed = false

    init() async throws {
      var pair: [CInt] = [-1, -1]
      let status = unsafe pair.withUnsafeMutableBufferPointer {
        unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, $0.baseAddress)
      }
      guard status == 0, fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0 else { throw LoopFailure(reason: "no sockets") }
      let server = Descriptor(number: pair[1])
      // A tenth of the answer: the kernel takes it in pieces.
      server.set(SOL_SOCKET, SO_SNDBUF, CInt(SocketTests.bodyByteCount / 10))
      Descriptor(number: pair[0]).set(SOL_SOCKET, SO_RCVTIMEO, timeval(tv_sec: Int(Self.hangSeconds), tv_usec: 0))
      number = pair[0]
      let mailbox = try Mailbox()
      self.mailbox = mailbox
      try WorkerThread.start(name: "socket-test") {
        try? makeLoop(mailbox, bodyByteCount: SocketTests.bodyByteCount).run()
        _ = mailbox.close()
      }
      let slot = try budget.clientSlot().get()
      let isAccepted = await mailbox.submit { loop in
        guard let listener = loop.worker.snapshot.configuration.listeners.first else { return false }
        let known = LoopListener(sockets: [], counterID: 0, listener: listener)
        loop.accepted(server, from: PeerAddress(high: 0, low: 0xFFFF_7F00_0001), at: listener.key, known, slot)
        loop.runCommands()
        return true
      }
      guard isAccepted == true else { throw LoopFailure(reason: "the loop did not start") }
    }

    deinit {
      close()
      mailbox.post { $0.stop() }
    }

    func send(_ text: String) { _ = Descriptor(number: number).send(Array(text.utf8).span) }
    func endSending() { Descriptor(number: number).closeOutput() }

    /// At most so many bytes, and none at the end.
    func receive(_ byteCountMax: Int) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: byteCountMax)
      let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(number, $0.baseAddress, $0.count, 0) }
      return Array(bytes.prefix(max(0, count)))
    }

    /// All that comes until the end.
    func receiveAll() -> [UInt8] {
      var all: [UInt8] = []
      while true {
        let piece = receive(777)
        if piece.isEmpty { return all }
        all += piece
      }
    }

    func close() {
      if !isClosed { Descriptor(number: number).close() }
      isClosed = true
    }

    /// Returns once the gateway's socket has given its slot back. False when it does not.
    func isSeatGivenBack() throws -> Bool {
      let waiter = try Mailbox()
      budget.set(workers: [waiter])
      budget.noteWaiting()
      // It may have been given back before there was somebody who waits.
      if case .success = budget.clientSlot() { return true }
      var bell = pollfd(fd: waiter.bell.descriptor.number, events: Int16(POLLIN), revents: 0)
      return unsafe poll(&bell, 1, Self.hangSeconds * 1000) == 1
    }
  }

  private static let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
  private static let lastRequest = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

  private func body(of answer: [UInt8]) -> ArraySlice<UInt8> {
    answer[(answer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound ?? 0)...]
  }

  @Test("An answer that the kernel takes in pieces arrives whole, and the end behind it")
  func pieces() async throws {
    let client = try await Client()
    client.send(Self.lastRequest)
    let answer = client.receiveAll()
    #expect(body(of: answer) == ArraySlice([UInt8](repeating: UInt8(ascii: "x"), count: Self.bodyByteCount)))
  }

  @Test("A client that ends its half behind its request gets the answer that was begun")
  func halfClose() async throws {
    let client = try await Client()
    client.send(Self.request)
    #expect(client.receive(8) == Array("HTTP/1.1".utf8))
    client.endSending()
    #expect(client.receiveAll().count > Self.bodyByteCount)
    #expect(try client.isSeatGivenBack())
  }

  @Test("A client that leaves in the middle of an answer gives its slot back")
  func leaves() async throws {
    let client = try await Client()
    client.send(Self.request)
    #expect(client.receive(8) == Array("HTTP/1.1".utf8))
    client.close()
    #expect(try client.isSeatGivenBack())
  }

  @Test("A client that leaves without a word gives its slot back")
  func leavesAtOnce() async throws {
    let client = try await Client()
    client.close()
    #expect(try client.isSeatGivenBack())
  }
}
