// A socket whose kernel is a few numbers: it takes the events of `SocketState` and carries its actions out as `Socket`
// does, and counts each call that a kernel would see. Its poller speaks of changes only, as epoll does with edges.

import Testing

@testable import Transport

final class ModelSocket {
  var state: SocketState
  // The kernel's side.
  private(set) var arrivedByteCount = 0
  private(set) var hasPeerEnded = false
  private(set) var isReset = false
  /// Bytes that the kernel takes before it has no room.
  private(set) var room: Int
  private var isConnectAnswered = false
  private var isRefused = false
  /// Something changed that the poller has not reported.
  private var hasEdge = false
  private var isOutputWatched: Bool
  private var isDue = false
  // The data plane's side.
  private(set) var outputByteCount = 0
  private(set) var hasConnection: Bool
  private var isCloseOrdered = false
  /// Bytes of the PROXY header, and then of the handshake, that are still to come.
  private var headerLeft: Int
  private var handshakeLeft: Int
  // What happened.
  private(set) var receivedByteCount = 0
  private(set) var sentByteCount = 0
  private(set) var closeCount = 0
  private(set) var shutDownCount = 0
  private(set) var endCount = 0
  private(set) var unreadEndCount = 0
  private(set) var beginCount = 0
  private(set) var endings: [SocketState.Ending] = []
  /// A call of the system that must not be made, such as one on a closed descriptor.
  private(set) var violations: [String] = []

  init(_ state: SocketState, room: Int = .max) {
    self.state = state
    self.room = room
    isOutputWatched = state.phase == .connecting
    hasConnection = state.phase == .connecting || state.phase == .open
    headerLeft = state.phase == .header ? 2 : 0
    handshakeLeft = state.isSecure ? 3 : 0
  }

  private func expectDescriptor(_ call: String) {
    if closeCount > 0 { violations.append("\(call) on a closed descriptor") }
  }

  // MARK: The peer

  func answerConnect(_ isRefused: Bool = false) {
    if isConnectAnswered { return }
    isConnectAnswered = true
    self.isRefused = isRefused
    hasEdge = true
  }

  func send(_ byteCount: Int) {
    if hasPeerEnded || isReset || !isReachable { return }
    arrivedByteCount += byteCount
    hasEdge = true
  }

  func end() {
    if hasPeerEnded || isReset || !isReachable { return }
    hasPeerEnded = true
    hasEdge = true
  }

  func reset() {
    if isReset || !isReachable { return }
    isReset = true
    arrivedByteCount = 0
    hasEdge = true
  }

  func take(_ byteCount: Int) {
    if room == 0, isOutputWatched, isReachable { hasEdge = true }
    room = room > .max - byteCount ? .max : room + byteCount
  }

  private var isReachable: Bool { state.side == .client || isConnectAnswered && !isRefused }

  // MARK: The data plane

  func write(_ byteCount: Int) {
    if !hasConnection || isCloseOrdered || state.phase == .connecting { return }
    outputByteCount += byteCount
    flush()
  }

  func setReading(_ isOn: Bool) {
    if hasConnection { perform(state.setReading(isOn)) }
  }

  func close(_ mode: SocketState.CloseMode) {
    if !hasConnection || isCloseOrdered { return }
    isCloseOrdered = true
    perform(state.closeOrdered(mode, isAllWritten: outputByteCount == 0))
  }

  func giveUp() {
    flush()
    if !state.isClosed { perform(.finish(.all)) }
  }

  func abort() { perform(.abort) }

  func timeOut() {
    if !hasConnection, let ending = state.openingTimedOut() { note(ending) }
  }

  func failSession() {
    if !state.isSecure { return }
    switch state.sessionFailed() {
    case .nothing: break
    case .refuseClient: perform(state.closeOutput())
    case .failHandshake: if state.close() != nil { note(.connectFailed(isOwnShortage: false)) }
    case .abort: perform(.abort)
    }
  }

  // MARK: The loop

  /// Turns until nothing is to be done.
  func settle() {
    for _ in 0..<1000 {
      if hasEdge {
        hasEdge = false
        poll()
      } else if isDue {
        isDue = false
        state.readingResumed()
        read()
      } else {
        return
      }
    }
    violations.append("it never comes to rest")
  }

  private func poll() {
    if closeCount > 0 { return }
    var readiness: Readiness = []
    if arrivedByteCount > 0 || hasPeerEnded || isReset || isRefused { readiness.insert(.input) }
    if hasPeerEnded || isReset || isRefused { readiness.insert(.inputEnd) }
    if isReset || isRefused { readiness.formUnion(.end) }
    if hasPeerEnded, shutDownCount > 0 { readiness.formUnion(Readiness.end.subtracting(.failure)) }
    if isOutputWatched, room > 0 || isReset || isRefused { readiness.insert(.output) }
    perform(state.outputReady(readiness))
    perform(state.inputReady(readiness))
  }

  private func perform(_ action: SocketState.Action) {
    switch action {
    case .nothing: break
    case .finishConnecting: finishConnecting()
    case .startHandshake: flush()
    case .begin:
      beginCount += 1
      hasConnection = true
    case .read: read()
    case .readLater:
      if isDue { violations.append("it is due to read twice") }
      isDue = true
    case .write: flush()
    case .watchOutput:
      expectDescriptor("a change of what is watched")
      isOutputWatched = true
      // The kernel reports what is there already.
      if room > 0 { hasEdge = true }
    case .reportEnd: reportEnd()
    case .reportEndAndClose:
      reportEnd()
      perform(.close)
    case .reportUnreadEnd: unreadEndCount += 1
    case .finish(.all): perform(.close)
    case .finish(.output): perform(state.closeOutput())
    case .shutDownOutput:
      expectDescriptor("a shutdown")
      shutDownCount += 1
    case .close, .abort: if let ending = state.close() { note(ending) }
    }
  }

  private func finishConnecting() {
    if !isRefused { return perform(state.connected()) }
    if state.close() != nil { note(.connectFailed(isOwnShortage: false)) }
  }

  private func reportEnd() {
    if !hasConnection { violations.append("an end is reported of no connection") }
    endCount += 1
  }

  private func note(_ ending: SocketState.Ending) {
    endings.append(ending)
    closeCount += 1
    hasConnection = false
  }

  private func read() {
    var reads = 0
    while state.mayRead {
      if reads == 3 { return perform(state.postponeReading()) }
      reads += 1
      expectDescriptor("a receive")
      if isReset {
        perform(state.receiveFailed())
      } else if arrivedByteCount > 0 {
        let count = min(arrivedByteCount, 4)
        arrivedByteCount -= count
        received(count)
        state.received(isAll: count < 4)
      } else if hasPeerEnded {
        perform(state.endReceived(isCut: state.isSecure))
      } else {
        state.inputEmptied()
      }
    }
  }

  private func received(_ byteCount: Int) {
    for _ in 0..<byteCount {
      switch state.phase {
      case .connecting: violations.append("a server that is not connected is read")
      case .header:
        headerLeft -= 1
        if headerLeft == 0 { perform(state.headerRead()) }
      case .handshaking:
        handshakeLeft -= 1
        if handshakeLeft == 0 { perform(state.handshakeCompleted()) }
      case .open: receivedByteCount += 1
      case .refused, .closed: break
      }
    }
  }

  private func flush() {
    if !state.mayWrite { return }
    while outputByteCount > 0 {
      expectDescriptor("a send")
      if isReset { return perform(state.sendFailed()) }
      if room == 0 { return perform(state.outputBlocked()) }
      let count = min(room, outputByteCount)
      outputByteCount -= count
      sentByteCount += count
      if room != .max { room -= count }
    }
    if hasConnection { perform(state.outputEmptied()) }
  }

  // MARK: At rest

  /// What an event of the kernel should have woken up, and did not.
  var lostWakeUp: String? {
    if closeCount > 0 || state.phase == .connecting && !isConnectAnswered { return nil }
    let hasInput = arrivedByteCount > 0 || isReset || hasPeerEnded && endCount == 0
    if hasInput, !state.isReadingPaused { return "input waits that nobody reads" }
    // A close that a lost server holds up has a deadline of the data plane's.
    if isReset { return nil }
    if outputByteCount > 0, room > 0 { return "output waits though there is room" }
    if outputByteCount > 0, !isOutputWatched { return "output waits for room that nobody watches for" }
    if isCloseOrdered, outputByteCount == 0, shutDownCount == 0 { return "a close waits for nothing" }
    if hasPeerEnded, shutDownCount > 0, !state.isReadingPaused { return "both halves are closed, and the socket stays" }
    return nil
  }
}
