// One socket of the bench: what the worker writes ends here, what the peer does begins here. How far bytes have got is
// in the connection's own `TransferState`, by the methods that the transport calls.

import Bytes

@testable import Proxy

final class FakeSocket {
  private(set) var connection: Connection
  private unowned let bench: Bench
  /// What the peer has been sent so far.
  private(set) var bytes: [UInt8] = []
  /// Bytes that the kernel takes before it is full.
  var room = Int.max
  var isPaused = false
  var isOpen = false
  var isConnecting = false
  /// `host:port`, for a socket to a server.
  var address = ""
  /// The worker closed its writing side. All that was written has arrived.
  private(set) var isOutputClosed = false
  /// The worker closed the socket in order.
  private(set) var isClosed = false
  /// The worker threw the socket away: unwritten bytes are lost.
  private(set) var isAborted = false

  private var incoming: [[UInt8]] = []
  private var hasIncomingEnd = false
  private var inTransport: [UInt8] = []
  private var pendingClose: Bool?

  init(_ connection: Connection, _ bench: Bench) {
    self.connection = connection
    self.bench = bench
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }
  /// Whether the worker ended the connection in one way or another.
  var isGone: Bool { isClosed || isAborted || isOutputClosed }
  var unreadByteCount: Int { incoming.reduce(0) { $0 + $1.count } }

  /// Gives what was received so far and forgets it.
  func take() -> String {
    defer { bytes = [] }
    return text
  }

  func takeBytes() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }

  func take(over successor: Connection) { connection = successor }

  // MARK: The peer

  func send(_ bytes: [UInt8]) {
    if !isOpen || bytes.isEmpty { return }
    incoming.append(bytes)
    bench.pump()
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// The peer closes its writing side.
  func end() {
    if !isOpen { return }
    hasIncomingEnd = true
    if isPaused { tellUnreadEnd() }
    bench.pump()
  }

  /// Reports an end behind unread input to the worker, as the transport does.
  func tellUnreadEnd() {
    if hasIncomingEnd { bench.report { [self] in if isOpen { bench.worker.endedUnread(connection, at: bench.now) } } }
  }

  /// The connection is lost.
  func reset() {
    if !isOpen && !isConnecting { return }
    lose()
    bench.pump()
  }

  /// The peer takes `count` bytes that were held up.
  func read(_ count: Int) {
    room = room > Int.max - count ? Int.max : room + count
    if !inTransport.isEmpty { moveFromTransport() }
    bench.pump()
  }

  var hasInput: Bool { isOpen && !isPaused && (!incoming.isEmpty || hasIncomingEnd) }

  /// Hands over one read.
  func deliver() {
    if !incoming.isEmpty {
      let piece = incoming.removeFirst()
      var next = ByteQueue()
      // As the transport leaves it. What is moved and what is copied must come out the same.
      next.reserve(BodyBlock.headroom + piece.count)
      next.leaveRoom(BodyBlock.headroom)
      next.append(piece)
      bench.worker.received(&next, on: connection, at: bench.now)
      if let successor = connection.successor { bench.replace(connection, by: successor, of: self) }
    } else {
      hasIncomingEnd = false
      bench.worker.receivedEnd(on: connection, at: bench.now)
    }
  }

  // MARK: The worker's commands

  func flush() {
    connection.transfer.beginFlush()
    if !inTransport.isEmpty { return connection.settleHeld() }
    if !isOpen { return }
    connection.fillOutput()
    let count = min(room, connection.output.count)
    if count > 0 {
      let written = Array(connection.output.copied()[..<count])
      connection.transfer.wrote(count)
      arrive(written)
    }
    if connection.output.isEmpty { return count > 0 ? flush() : outputIsEmpty() }
    inTransport = Array(connection.output.copied().prefix(32 * 1024))
    connection.transfer.took(inTransport.count, waiting: inTransport.count)
    connection.outputBlocked()
  }

  private func arrive(_ written: [UInt8]) {
    bytes += written
    if room != Int.max { room -= written.count }
  }

  private func moveFromTransport() {
    let count = min(room, inTransport.count)
    arrive(Array(inTransport[..<count]))
    inTransport.removeFirst(count)
    connection.transfer.wroteTaken(count, waiting: inTransport.count)
    if inTransport.isEmpty { flush() }
  }

  private func outputIsEmpty() {
    if connection.outputEmptied() {
      bench.report { [self] in if isOpen { bench.worker.drained(connection, at: bench.now) } }
    }
    if let isOutputOnly = pendingClose {
      pendingClose = nil
      closeNow(output: isOutputOnly)
    }
  }

  func close(output isOutputOnly: Bool) {
    if !isOpen { return abort() }
    if connection.output.isEmpty, inTransport.isEmpty {
      closeNow(output: isOutputOnly)
    } else {
      pendingClose = isOutputOnly
      flush()
    }
  }

  private func closeNow(output isOutputOnly: Bool) {
    if isOutputOnly {
      isOutputClosed = true
    } else {
      isClosed = true
      lose()
    }
  }

  func abort() {
    if !isOpen && !isConnecting { return }
    isAborted = true
    lose()
  }

  private func lose() {
    isOpen = false
    isConnecting = false
    incoming = []
    bench.forget(self)
    bench.report { [self] in bench.worker.disconnected(connection, at: bench.now) }
  }
}
