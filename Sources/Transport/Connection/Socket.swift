// One socket: the system's descriptor on one side, a connection of the data plane on the other. It hands events in and
// carries commands out, and decides nothing. What comes before a client's connection stands in Socket+Opening.swift, how long
// bodies pass in Socket+Relaying.swift.
//
// The poller speaks of changes only: that there is input is remembered until it was read to its end, and room for output is
// waited for only once there was none.

import Bytes
import Proxy
import TLS

/// Bound to its loop's thread, as everything here is.
final class Socket: Watched {
  enum CloseMode {
    case all, output
  }

  let loop: WorkerLoop
  private let worker: Worker
  private(set) var connection: Connection?
  /// Set while a client is on its way to being a connection.
  var opening: Opening?
  /// Of a client, until the socket is gone.
  var admission: Admission?
  /// Until the socket is gone.
  private var seat: Seat?
  var secure: SecureLayer?
  /// To a server that has not answered yet.
  private var isConnecting = false
  /// The poller tells when there is room for output.
  private var isOutputWatched: Bool
  /// The kernel takes nothing more for now.
  private var isOutputBlocked = false
  private var isOutputClosed = false
  /// There may be input that was not read.
  var isInputWaiting = false
  /// The peer sends no more behind what waits: a short read is not the end of it.
  private var isInputEndSeen = false
  private var isInputEnded = false
  private var isReadingPaused = false
  /// So much of a body is relayed at a time: more as long as the other side takes all of it.
  var relayByteCount = BodyBlock.contentByteCount
  /// Among the loop's unfinished ones.
  var isReadDue = false
  private var isGone = false
  private var pendingClose: CloseMode?

  /// Larger pieces of bodies are passed on at once: they would only pile up.
  private static let batchedByteCountMax = 16 * 1024

  // LIMIT: so often is read from one socket before others have their turn.
  private static let readsMax = 16

  /// A socket whose connection exists already: one to an upstream, which is being connected.
  init(_ descriptor: Descriptor, loop: WorkerLoop, connection: Connection, seat: Seat, secure: SecureLayer?) {
    self.loop = loop
    self.seat = seat
    worker = loop.worker
    self.connection = connection
    self.secure = secure
    isConnecting = true
    isOutputWatched = true
    super.init(descriptor)
  }

  /// A socket that was accepted; its connection is made when all that comes before it, if anything does, is through.
  init(
    _ descriptor: Descriptor, loop: WorkerLoop, opening: Opening?, admission: Admission, seat: Seat,
    secure: SecureLayer?
  ) {
    self.admission = admission
    self.seat = seat
    self.loop = loop
    worker = loop.worker
    self.opening = opening
    self.secure = secure
    isOutputWatched = false
    super.init(descriptor)
  }

  func attach(_ connection: Connection) {
    self.connection = connection
    loop.attach(self, to: connection)
  }

  /// A server was not reached, or not by TLS.
  func giveUp(_ upstream: UpstreamConnection, isOwnWant: Bool = false) {
    connection = nil
    loop.detach(upstream)
    end()
    loop.worker.connectFailed(upstream, isOwnWant: isOwnWant, at: loop.now())
  }

  // MARK: Events

  override func ready(_ readiness: Readiness) {
    if isConnecting {
      guard finishConnecting() else { return }
    } else if isOutputBlocked, readiness.contains(.output) {
      isOutputBlocked = false
      flush()
      if isGone { return }
    }
    if readiness.isDisjoint(with: [.input, .inputEnd, .end]) { return }
    isInputWaiting = true
    if !readiness.isDisjoint(with: [.inputEnd, .end]) { isInputEndSeen = true }
    // A client that is not read now and has reset the connection wants no answer; what a server has sent before may be whole.
    if isReadingPaused, readiness.contains(.failure), !(connection is UpstreamConnection) { return end() }
    if isReadingPaused { return tellUnreadEnd() }
    read()
  }

  /// - Returns: false when there is nothing more to be done with the event.
  private func finishConnecting() -> Bool {
    isConnecting = false
    guard let upstream = connection as? UpstreamConnection else { return false }
    let code = descriptor.connectError()
    if code != 0 {
      giveUp(upstream, isOwnWant: SystemError(code: code).isOwnWant)
      return false
    }
    if secure != nil { beginHandshake() } else { loop.worker.connected(upstream, at: loop.now()) }
    return !isGone
  }

  /// Reads what is there, for as long as it is wanted.
  func read() {
    var reads = 0
    while isInputWaiting, !isReadingPaused, !isGone {
      if reads >= Self.readsMax { return loop.readLater(self) }
      if let relayed = relayInput() {
        reads += relayed
        continue
      }
      reads += 1
      loop.prepareInbox()
      let outcome = descriptor.receive(into: &loop.inbox, max: BodyBlock.contentByteCount)
      received(&loop.inbox)
      loop.inbox.removeAll()
      switch outcome {
      case .bytes(let count):
        // RFC 9293 has no end of a message: less than was asked for means that no more is there now.
        if count < BodyBlock.contentByteCount, !isInputEndSeen { isInputWaiting = false }
        if count >= Self.batchedByteCountMax { loop.runCommands() }
      case .wouldBlock:
        isInputWaiting = false
      case .end:
        isInputWaiting = false
        inputEnded()
      case .failed:
        isInputWaiting = false
        end()
      }
    }
  }

  func received(_ bytes: inout ByteQueue) {
    if bytes.isEmpty || opening?.isRefused == true { return }
    if opening != nil {
      guard let start = readHeader(bytes.span) else { return }
      bytes.removeFirst(start)
    }
    if secure != nil { return decrypt(bytes.span) }
    guard let connection, !bytes.isEmpty else { return }
    connection.transfer.received(hasMore: bytes.count >= BodyBlock.contentByteCount)
    worker.received(&bytes, on: connection, at: loop.now())
    follow(connection)
  }

  private func deliver(_ bytes: Span<UInt8>, hasMore: Bool) {
    guard let connection, bytes.count > 0 else { return }
    connection.transfer.received(hasMore: hasMore)
    worker.received(bytes, on: connection, at: loop.now())
    follow(connection)
  }

  /// Goes on with what took the connection's place, if anything did.
  private func follow(_ connection: Connection) {
    if let successor = connection.successor { self.connection = successor }
  }

  private func decrypt(_ ciphertext: Span<UInt8>) {
    guard let secure else { return }
    let wasEstablished = secure.session.isEstablished
    var plaintext = loop.takePlaintext()
    var outcome = secure.session.receive(ciphertext, into: &plaintext, max: SecureLayer.ciphertextHighWater)
    if secure.session.isEstablished, !wasEstablished { handshakeCompleted() }
    // Nothing may be left in the session: no event would come for it.
    while true {
      var hasMore = false
      if case .more = outcome { hasMore = true }
      deliver(plaintext.span, hasMore: hasMore)
      plaintext.removeAll()
      if !hasMore { break }
      outcome = secure.session.read(into: &plaintext, max: SecureLayer.ciphertextHighWater)
    }
    loop.giveBackPlaintext(&plaintext)
    if secure.session.ciphertext.count > 0 { flush() }
    keepResumption()
    switch outcome {
    case .failed(let error): sessionFailed(error)
    case .closed: if let connection { loop.worker.receivedEnd(on: connection, at: loop.now()) } else { abort() }
    case .complete, .incomplete, .more: break
    }
  }

  /// Servers send what a session can be resumed with when they like, mostly behind the handshake.
  private func keepResumption() {
    guard let secure, let key = secure.resumptionKey, let resumption = secure.session.takeResumption() else { return }
    loop.resumptions[key] = resumption
  }

  private func inputEnded() {
    isInputEnded = true
    guard let connection else { return end() }
    if let secure, !secure.session.isClosedByPeer, connection is UpstreamConnection {
      // RFC 8446 §6.1: without a word that it is whole, what came may have been cut off by anybody.
      return end()
    }
    loop.worker.receivedEnd(on: connection, at: loop.now())
    if isOutputClosed { end() }
  }

  /// The socket goes, whoever wanted it, and everybody is told.
  private func end() {
    if isGone { return }
    isGone = true
    loop.forget(self)
    descriptor.close()
    admission = nil
    seat = nil
    if opening != nil { endOpening(.closed) }
    guard let connection else { return }
    self.connection = nil
    loop.detach(connection)
    if let upstream = connection as? UpstreamConnection, let secure, !secure.session.isEstablished {
      loop.reportUpstreamHandshake(upstream, "the connection was closed during the handshake")
      loop.worker.connectFailed(upstream, at: loop.now())
    } else {
      loop.worker.disconnected(connection, at: loop.now())
    }
  }

  // MARK: Commands

  func flush() {
    guard let connection else { return flushHandshake() }
    connection.transfer.beginFlush()
    // What is written meanwhile stays.
    if isOutputBlocked { return connection.settleHeld() }
    if isConnecting || isGone { return }
    guard let secure else { return flushPlain(connection) }
    defer { secure.session.giveBack(&loop.ciphertext) }
    while true {
      if secure.session.isEstablished, !secure.encrypt(connection, in: &loop.ciphertext) { return end() }
      if secure.session.ciphertext.count == 0 { return outputIsEmpty(connection) }
      switch secure.send(to: descriptor) {
      case .wrote(let count):
        connection.transfer.wroteTaken(count, waiting: secure.session.ciphertext.count)
      case .wouldBlock: return awaitRoom(for: connection)
      case .failed: return sendFailed(connection)
      }
    }
  }

  private func flushPlain(_ connection: Connection) {
    while true {
      connection.fillOutput()
      if connection.transfer.output.isEmpty { return outputIsEmpty(connection) }
      switch descriptor.send(connection.transfer.output.span) {
      case .wrote(let count): connection.transfer.wrote(count)
      case .wouldBlock: return awaitRoom(for: connection)
      case .failed: return sendFailed(connection)
      }
    }
  }

  /// Of a client that is no connection yet.
  private func flushHandshake() {
    guard let secure else { return }
    while !isOutputBlocked, !isGone, secure.session.ciphertext.count > 0 {
      switch secure.send(to: descriptor) {
      case .wrote: break
      case .wouldBlock: awaitRoom()
      case .failed: end()
      }
    }
  }

  private func sendFailed(_ connection: Connection) {
    // An upstream may have answered before it closed: that is read first. Then its end comes by itself.
    if !(connection is UpstreamConnection) { end() }
  }

  /// Whether bytes can be written to it past its connection's output, which is empty.
  var takesRelayed: Bool {
    secure == nil && connection != nil && !isConnecting && !isOutputBlocked && !isOutputClosed && pendingClose == nil
      && !isGone
  }

  private func awaitRoom(for connection: Connection) {
    connection.outputBlocked()
    awaitRoom()
  }

  private func awaitRoom() {
    isOutputBlocked = true
    if isOutputWatched { return }
    isOutputWatched = true
    loop.change(self, to: [.input, .inputEnd, .output, .edge])
  }

  /// One attempt, for a last word.
  func writeOnce(_ bytes: [UInt8]) { _ = descriptor.send(bytes.span) }

  func closeOutput() {
    if isOutputClosed || isGone { return }
    isOutputClosed = true
    descriptor.closeOutput()
    if isInputEnded { end() }
  }

  private func outputIsEmpty(_ connection: Connection) {
    if connection.outputEmptied() { loop.noteDrained(connection) }
    if let mode = pendingClose {
      pendingClose = nil
      closeNow(mode)
    }
  }

  func close(_ mode: CloseMode) {
    guard let connection, !isConnecting else { return abort() }
    if connection.transfer.output.isEmpty, !isOutputBlocked, secure == nil {
      closeNow(mode)
    } else {
      pendingClose = mode
      flush()
    }
  }

  private func closeNow(_ mode: CloseMode) {
    if let secure {
      secure.session.close()
      // Where the kernel has no room for these few bytes, nobody reads them.
      _ = secure.send(to: descriptor)
    }
    if mode == .output { closeOutput() } else { end() }
  }

  /// Closes an idle connection at once, with the last word that waits in it, if the kernel takes that.
  func giveUp() {
    flush()
    if !isGone { closeNow(.all) }
  }

  func abort() {
    if connection?.isResetWanted == true, !isGone { descriptor.resetWhenClosed() }
    end()
  }

  func setReading(_ isOn: Bool) {
    isReadingPaused = !isOn
    // What came meanwhile made itself heard already.
    if isOn, isInputWaiting { loop.readLater(self) }
    if !isOn { tellUnreadEnd() }
  }

  /// Whoever is not read now may have left all the same.
  private func tellUnreadEnd() {
    guard isInputEndSeen, !isInputEnded, let connection else { return }
    worker.endedUnread(connection, at: loop.now())
  }
}
