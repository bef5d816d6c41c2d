// A socket's life as a value: events go in, and what to do comes out. It makes no call of the system, so that every
// event can be tested in every state. `Socket` carries the actions out.
//
// The poller reports changes only. That there is input is therefore remembered until all of it was read, and room for
// output is watched for only after the kernel had none.

/// The state of one socket: how far it has come (``Phase``), and what can be read and written.
struct SocketState: Hashable {
  /// Who is at the other end.
  enum Side {
    case client, server
  }

  /// How far the socket has come.
  enum Phase {
    /// To a server, whose answer to the connect is awaited. Exits: `handshaking` with TLS, `open` without, `closed`.
    case connecting
    /// Of a client whose PROXY header is awaited. Exits: `handshaking` with TLS, `open` without, `closed`.
    case header
    /// Exits: `open`, `refused` for a client whose handshake failed, `closed`.
    case handshaking
    /// Of a client that has been refused. What it still sends is discarded until its deadline. Exit: `closed`.
    case refused
    /// The connection's bytes go both ways. Exit: `closed`.
    case open
    /// The descriptor is closed. No exit.
    case closed
  }

  /// What can be written.
  enum Output {
    /// Exits: `blocked`, `shutDown`.
    case ready
    /// The kernel takes nothing for now. Exits: `ready` when the poller reports room, `shutDown`.
    case blocked
    /// The peer was sent the end. No exit.
    case shutDown
  }

  /// What ends when a close is ordered.
  enum CloseMode {
    case all, output
  }

  /// What is to be done next.
  enum Action: Hashable {
    case nothing
    /// Ask the system how the connect went.
    case finishConnecting
    case startHandshake
    /// The connection is the data plane's from here on.
    case begin
    /// Receive until ``mayRead`` is false, or others have their turn.
    case read
    /// Read in the loop's next turn.
    case readLater
    /// Send what waits, until nothing does or the kernel takes no more.
    case write
    /// Have the poller report room for output.
    case watchOutput
    /// Report that the peer sends no more.
    case reportEnd
    case reportEndAndClose
    /// Report that the peer sends no more behind what is not read now.
    case reportUnreadEnd
    /// End the TLS session, and then close by ``closeOutput()`` or ``close()``.
    case finish(CloseMode)
    case shutDownOutput
    /// Close the descriptor: ``close()`` says what is reported.
    case close
    /// As `close`, after a reset where the connection asks for one.
    case abort
  }

  /// What follows from a TLS session that is dead.
  enum SessionFailure {
    case nothing
    /// Answer the client why it is refused, and then ``closeOutput()``.
    case refuseClient
    /// The server was not reached.
    case failHandshake
    case abort
  }

  /// What is reported of a socket's end.
  enum Ending: Hashable {
    /// Nothing: the client was refused, or its PROXY header never came.
    case silent
    case headerTimedOut
    /// A client left, or took too long, within its handshake.
    case handshakeUnfinished
    case handshakeTimedOut
    /// A server was not reached.
    case connectFailed(isOwnShortage: Bool)
    /// A server's handshake was cut off.
    case upstreamHandshakeCut
    /// The connection is gone.
    case disconnected
  }

  let side: Side
  let isSecure: Bool
  private(set) var phase: Phase
  private(set) var output = Output.ready
  /// The poller reports room for output. Watching is never ended: it costs nothing.
  private var isOutputWatched: Bool
  /// There may be input that was not read.
  private(set) var hasInput = false
  /// The poller reported the peer's end: a short read is not the last one.
  private var isEndSeen = false
  private var isEndRead = false
  private(set) var isReadingPaused = false
  /// Among the loop's sockets that are to read on.
  private(set) var isReadDue = false
  /// A close that was ordered, once all output is written.
  private var pendingClose: CloseMode?

  /// Of a socket that connects to a server.
  static func connecting(isSecure: Bool) -> SocketState {
    SocketState(side: .server, isSecure: isSecure, phase: .connecting, isOutputWatched: true)
  }

  /// Of a socket that was accepted.
  static func accepted(isHeaderDue: Bool, isSecure: Bool) -> SocketState {
    let phase: Phase = isHeaderDue ? .header : isSecure ? .handshaking : .open
    return SocketState(side: .client, isSecure: isSecure, phase: phase, isOutputWatched: false)
  }

  private init(side: Side, isSecure: Bool, phase: Phase, isOutputWatched: Bool) {
    self.side = side
    self.isSecure = isSecure
    self.phase = phase
    self.isOutputWatched = isOutputWatched
  }

  var isClosed: Bool { phase == .closed }
  /// A server's connection is there before its socket, a client's comes with `open`.
  private var hasConnection: Bool { phase == .open || side == .server && phase != .closed }
  /// Another turn of reading is due now.
  var mayRead: Bool { hasInput && !isReadingPaused && phase != .closed }
  /// Output may be sent now.
  var mayWrite: Bool { output != .blocked && phase != .connecting && phase != .closed }
  /// Another connection's bytes may be written past this one's output, which is empty.
  var takesRelayed: Bool { phase == .open && !isSecure && output == .ready && pendingClose == nil }

  // MARK: What the poller reports

  /// Anything was reported: room for output comes first.
  @inline(__always)
  mutating func outputReady(_ readiness: Readiness) -> Action {
    if phase == .connecting { return .finishConnecting }
    guard output == .blocked, readiness.contains(.output) else { return .nothing }
    output = .ready
    return mayWrite ? .write : .nothing
  }

  /// Anything was reported: input comes second.
  @inline(__always)
  mutating func inputReady(_ readiness: Readiness) -> Action {
    if phase == .closed || readiness.isDisjoint(with: [.input, .inputEnd, .end]) { return .nothing }
    hasInput = true
    if !readiness.isDisjoint(with: [.inputEnd, .end]) { isEndSeen = true }
    if !isReadingPaused { return .read }
    // A client that has reset the connection takes no answer. What a server has sent before that may be whole.
    if side == .client, readiness.contains(.failure) { return .close }
    return unreadEnd
  }

  // MARK: Opening

  /// The server has taken the connection.
  mutating func connected() -> Action {
    guard phase == .connecting else { return .nothing }
    phase = isSecure ? .handshaking : .open
    return isSecure ? .startHandshake : .begin
  }

  /// The PROXY header was read, and the client is let in.
  mutating func headerRead() -> Action {
    guard phase == .header else { return .nothing }
    phase = isSecure ? .handshaking : .open
    return isSecure ? .nothing : .begin
  }

  mutating func handshakeCompleted() -> Action {
    guard phase == .handshaking else { return .nothing }
    phase = .open
    return .begin
  }

  /// The TLS session is dead. It made an alert already, which is sent first.
  mutating func sessionFailed() -> SessionFailure {
    switch (phase, side) {
    case (.handshaking, .client):
      phase = .refused
      return .refuseClient
    case (.handshaking, .server): return .failHandshake
    case (.open, _): return .abort
    default: return .nothing
    }
  }

  // MARK: Input

  /// A receive brought bytes.
  /// - Parameter isAll: fewer than were asked for. RFC 9293 has no end of a message, so no more is there now.
  @inline(__always)
  mutating func received(isAll: Bool) {
    if isAll, !isEndSeen { hasInput = false }
  }

  /// The kernel had nothing.
  mutating func inputEmptied() { hasInput = false }

  /// The peer sends no more.
  /// - Parameter isCut: TLS did not say so: without its word anybody may have cut off what came (RFC 8446 §6.1).
  mutating func endReceived(isCut: Bool) -> Action {
    hasInput = false
    if phase == .closed || isEndRead { return .nothing }
    isEndRead = true
    if !hasConnection || isCut && side == .server { return .close }
    return output == .shutDown ? .reportEndAndClose : .reportEnd
  }

  mutating func receiveFailed() -> Action {
    hasInput = false
    return phase == .closed ? .nothing : .close
  }

  /// It has read for long enough, or may read again.
  mutating func postponeReading() -> Action {
    if isReadDue || phase == .closed { return .nothing }
    isReadDue = true
    return .readLater
  }

  /// The loop's next turn is here.
  mutating func readingResumed() { isReadDue = false }

  mutating func setReading(_ isOn: Bool) -> Action {
    isReadingPaused = !isOn
    // The poller does not report again what came meanwhile.
    return isOn ? hasInput ? postponeReading() : .nothing : unreadEnd
  }

  /// A peer that is not read may have left all the same.
  private var unreadEnd: Action { isEndSeen && !isEndRead && hasConnection ? .reportUnreadEnd : .nothing }

  // MARK: Output

  /// The kernel takes nothing for now.
  mutating func outputBlocked() -> Action {
    if phase == .closed { return .nothing }
    if output == .ready { output = .blocked }
    if isOutputWatched { return .nothing }
    isOutputWatched = true
    return .watchOutput
  }

  /// An upstream may have answered before it closed: that is read first, and its end comes without our doing.
  func sendFailed() -> Action { side == .client && phase != .closed ? .close : .nothing }

  /// Everything was written.
  @inline(__always)
  mutating func outputEmptied() -> Action {
    guard let mode = pendingClose, phase != .closed else { return .nothing }
    pendingClose = nil
    return .finish(mode)
  }

  // MARK: The end

  /// The data plane orders a close, which waits until all output is written.
  /// - Parameter isAllWritten: no output waits.
  mutating func closeOrdered(_ mode: CloseMode, isAllWritten: Bool) -> Action {
    if phase == .closed { return .nothing }
    if phase == .connecting || !hasConnection { return .abort }
    // TLS may have records that the connection knows nothing of.
    if isAllWritten, output != .blocked, !isSecure { return .finish(mode) }
    pendingClose = mode
    return .write
  }

  /// The peer is sent the end. Its own end may still come.
  mutating func closeOutput() -> Action {
    if output == .shutDown || phase == .closed { return .nothing }
    output = .shutDown
    return isEndRead ? .close : .shutDownOutput
  }

  /// A client took too long to become a connection.
  mutating func openingTimedOut() -> Ending? {
    switch phase {
    case .header: end(.headerTimedOut)
    case .handshaking: end(.handshakeTimedOut)
    default: close()
    }
  }

  /// The descriptor is closed now.
  /// - Returns: what is reported of it, or nil when it was closed before.
  mutating func close() -> Ending? {
    switch (phase, side) {
    case (.closed, _): nil
    case (.header, _), (.refused, _): end(.silent)
    case (.handshaking, .client): end(.handshakeUnfinished)
    case (.connecting, _) where isSecure, (.handshaking, .server): end(.upstreamHandshakeCut)
    case (.connecting, _), (.open, _): end(.disconnected)
    }
  }

  private mutating func end(_ ending: Ending) -> Ending {
    phase = .closed
    return ending
  }
}
