// One socket: the system's descriptor on one side, a connection of the data plane on the other. `SocketState` says what
// is done with an event, and this carries it out. What comes before a client's connection is in Socket+Opening.swift,
// how long bodies pass in Socket+Relaying.swift.

import Bytes
import Proxy
import TLS

/// Bound to its loop's thread, as everything here is.
final class Socket: Watched {
  let loop: WorkerLoop
  private let worker: Worker
  var state: SocketState
  private(set) var connection: Connection?
  /// The connection, where it leads to a server.
  let server: ServerConnection?
  /// Set while a client is on its way to being a connection.
  var opening: Opening?
  /// Of a client, until the socket is gone.
  var admission: Admission?
  /// Until the socket is gone.
  private var slot: ConnectionSlot?
  var secure: SecureLayer?
  /// So much of a body is relayed at a time: more as long as the other side takes all of it.
  var relayByteCount = BodyBlock.contentByteCount

  /// Larger pieces of bodies are passed on at once: they would only pile up.
  private static let batchedByteCountMax = 16 * 1024

  // LIMIT: so often is read from one socket before others have their turn.
  private static let readsMax = 16

  /// A socket whose connection exists already: one to a server, which is being connected.
  init(
    _ descriptor: Descriptor, loop: WorkerLoop, connection: ServerConnection, slot: ConnectionSlot,
    secure: SecureLayer?
  ) {
    self.loop = loop
    self.slot = slot
    worker = loop.worker
    self.connection = connection
    server = connection
    self.secure = secure
    state = .connecting(isSecure: secure != nil)
    super.init(descriptor)
  }

  /// A socket that was accepted. Its connection is made when the PROXY header and the handshake are through.
  init(
    _ descriptor: Descriptor, loop: WorkerLoop, opening: Opening?, isHeaderDue: Bool, admission: Admission,
    slot: ConnectionSlot,
    secure: SecureLayer?
  ) {
    self.admission = admission
    self.slot = slot
    self.loop = loop
    worker = loop.worker
    server = nil
    self.opening = opening
    self.secure = secure
    state = .accepted(isHeaderDue: isHeaderDue, isSecure: secure != nil)
    super.init(descriptor)
  }

  func attach(_ connection: Connection) {
    self.connection = connection
    loop.attach(self, to: connection)
  }

  // MARK: Events

  override func ready(_ readiness: Readiness) {
    perform(state.outputReady(readiness))
    perform(state.inputReady(readiness))
  }

  /// Mostly there is nothing to do, which costs no call.
  @inline(__always)
  func perform(_ action: SocketState.Action) {
    if case .nothing = action { return }
    carryOut(action)
  }

  private func carryOut(_ action: SocketState.Action) {
    switch action {
    case .nothing: break
    case .finishConnecting: finishConnecting()
    case .startHandshake: startHandshake()
    case .begin: begin()
    case .read: read()
    case .readLater: loop.readLater(self)
    case .write: flush()
    case .watchOutput: loop.change(self, to: [.input, .inputEnd, .output, .edge])
    case .reportEnd: reportEnd()
    case .reportEndAndClose:
      reportEnd()
      end()
    case .reportUnreadEnd: if let connection { worker.endedUnread(connection, at: loop.now()) }
    case .finish(let mode): finish(mode)
    case .shutDownOutput: descriptor.closeOutput()
    case .close: end()
    case .abort: abort()
    }
  }

  private func finishConnecting() {
    let code = descriptor.connectError()
    if code == 0 { return perform(state.connected()) }
    connectFailed(isOwnShortage: SystemError(code: code).isOwnShortage)
  }

  /// Reads what is there, for as long as the connection accepts it.
  func read() {
    var reads = 0
    while state.mayRead {
      if reads >= Self.readsMax { return perform(state.postponeReading()) }
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
        state.received(isAll: count < BodyBlock.contentByteCount)
        if count >= Self.batchedByteCountMax { loop.runCommands() }
      case .wouldBlock: state.inputEmptied()
      case .end: perform(state.endReceived(isCut: secure?.session.isClosedByPeer == false))
      case .failed: perform(state.receiveFailed())
      }
    }
  }

  /// It is this socket's turn again.
  func readOn() {
    state.readingResumed()
    read()
  }

  func received(_ bytes: inout ByteQueue) {
    if bytes.isEmpty || state.phase == .refused { return }
    if state.phase == .header {
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
    case .closed: reportEnd()
    case .complete, .incomplete, .more: break
    }
  }

  /// Servers send what a session can be resumed with when they like, mostly behind the handshake.
  private func keepResumption() {
    guard let secure, let key = secure.resumptionKey, let resumption = secure.session.takeResumption() else { return }
    loop.resumptions[key] = resumption
  }

  private func reportEnd() {
    if let connection { worker.receivedEnd(on: connection, at: loop.now()) } else { abort() }
  }

  // MARK: Commands

  func flush() {
    guard let connection else { return flushHandshake() }
    connection.transfer.beginFlush()
    // What is written meanwhile stays.
    if state.output == .blocked { return connection.settleHeld() }
    if !state.mayWrite { return }
    guard let secure else { return flushPlain(connection) }
    defer { secure.session.giveBack(&loop.ciphertext) }
    while true {
      if secure.session.isEstablished, !secure.encrypt(connection, in: &loop.ciphertext) { return end() }
      if secure.session.ciphertext.count == 0 { return outputIsEmpty(connection) }
      switch secure.send(to: descriptor) {
      case .wrote(let count):
        connection.transfer.wroteTaken(count, waiting: secure.session.ciphertext.count)
      case .wouldBlock: return awaitRoom(for: connection)
      case .failed: return perform(state.sendFailed())
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
      case .failed: return perform(state.sendFailed())
      }
    }
  }

  /// Of a client that is not a connection yet.
  private func flushHandshake() {
    guard let secure else { return }
    while state.mayWrite, secure.session.ciphertext.count > 0 {
      switch secure.send(to: descriptor) {
      case .wrote: break
      case .wouldBlock: perform(state.outputBlocked())
      case .failed: perform(state.sendFailed())
      }
    }
  }

  private func awaitRoom(for connection: Connection) {
    connection.outputBlocked()
    perform(state.outputBlocked())
  }

  /// One attempt, for a last word.
  func writeOnce(_ bytes: [UInt8]) { _ = descriptor.send(bytes.span) }

  private func outputIsEmpty(_ connection: Connection) {
    if connection.outputEmptied() { loop.noteDrained(connection) }
    perform(state.outputEmptied())
  }

  func close(_ mode: SocketState.CloseMode) {
    perform(state.closeOrdered(mode, isAllWritten: connection?.transfer.output.isEmpty ?? true))
  }

  private func finish(_ mode: SocketState.CloseMode) {
    if let secure {
      secure.session.close()
      // Where the kernel has no room for these few bytes, nobody reads them.
      if secure.session.ciphertext.count > 0 { _ = secure.send(to: descriptor) }
    }
    if mode == .output { perform(state.closeOutput()) } else { end() }
  }

  func setReading(_ isOn: Bool) { perform(state.setReading(isOn)) }

  /// Closes an idle connection at once, with the last word that waits in it, if the kernel takes that.
  func giveUp() {
    flush()
    if !state.isClosed { finish(.all) }
  }

  func abort() {
    if connection?.isResetWanted == true, !state.isClosed { descriptor.resetWhenClosed() }
    end()
  }

  // MARK: The end

  private func end() {
    if let ending = state.close() { end(ending) }
  }

  /// A server was not reached, or not by TLS.
  func connectFailed(isOwnShortage: Bool = false) {
    if state.close() != nil { end(.connectFailed(isOwnShortage: isOwnShortage)) }
  }

  /// The socket goes, whichever side closed it, and everybody learns of it.
  func end(_ ending: SocketState.Ending) {
    loop.forget(self)
    descriptor.close()
    admission = nil
    slot = nil
    if opening != nil { endOpening(ending) }
    guard let connection else { return }
    self.connection = nil
    loop.detach(connection)
    guard let server else { return worker.disconnected(connection, at: loop.now()) }
    switch ending {
    case .connectFailed(let isOwnShortage):
      worker.connectFailed(server, isOwnShortage: isOwnShortage, at: loop.now())
    case .upstreamHandshakeCut:
      loop.reportHandshake(server, "the connection was closed during the handshake")
      worker.connectFailed(server, at: loop.now())
    default: worker.disconnected(server, at: loop.now())
    }
  }
}
