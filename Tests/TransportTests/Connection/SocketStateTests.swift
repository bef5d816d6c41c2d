// The rules of a socket's state: each event in each state that any sequence of events leads to, and the ways that
// matter by name.

import Testing

@testable import Transport

@Suite("The state of a socket")
struct SocketStateTests {
  /// The exits of each phase, as `SocketState.Phase` lists them.
  private static func exits(of phase: SocketState.Phase, isSecure: Bool) -> Set<SocketState.Phase> {
    switch phase {
    case .connecting, .header: isSecure ? [.handshaking, .closed] : [.open, .closed]
    case .handshaking: [.open, .refused, .closed]
    case .refused, .open: [.closed]
    case .closed: []
    }
  }

  private static func exits(of output: SocketState.Output) -> Set<SocketState.Output> {
    switch output {
    case .ready: [.blocked, .shutDown]
    case .blocked: [.ready, .shutDown]
    case .shutDown: []
    }
  }

  /// Applies every event to every state, and gives those for which a rule does not hold.
  private func violations(
    _ holds: (_ before: SocketState, _ event: SocketEvent, _ after: SocketState, _ outcome: SocketEvent.Outcome) -> Bool
  ) -> [String] {
    var found: [String] = []
    for before in SocketState.reachable {
      for event in SocketEvent.allCases {
        var after = before
        let outcome = event.apply(to: &after)
        if !holds(before, event, after, outcome) { found.append("\(event) in \(before) gave \(outcome), \(after)") }
      }
    }
    return found
  }

  @Test("All phases and outputs are reached, so that what follows is tested in each of them")
  func coverage() {
    #expect(Set(SocketState.reachable.map(\.phase)) == [.connecting, .header, .handshaking, .refused, .open, .closed])
    #expect(Set(SocketState.reachable.map(\.output)) == [.ready, .blocked, .shutDown])
    #expect(SocketState.reachable.count > 300)
  }

  @Test("A phase is left by its exits only, whatever happens")
  func phases() {
    let found = violations { before, _, after, _ in
      before.phase == after.phase || Self.exits(of: before.phase, isSecure: before.isSecure).contains(after.phase)
    }
    #expect(found == [])
  }

  @Test("An output is left by its exits only, and is never open again behind the end")
  func outputs() {
    let found = violations { before, _, after, _ in
      before.output == after.output || Self.exits(of: before.output).contains(after.output)
    }
    #expect(found == [])
  }

  @Test("A closed socket asks for nothing, is not read or written, and ends once")
  func closed() {
    let found = violations { before, _, after, outcome in
      guard before.isClosed else { return true }
      let isQuiet =
        switch outcome {
        case .actions(let actions): actions.allSatisfy { $0 == .nothing }
        case .failure(let failure): failure == .nothing
        case .ending(let ending): ending == nil
        }
      return isQuiet && after.isClosed && !after.mayRead && !after.mayWrite && !after.takesRelayed
    }
    #expect(found == [])
  }

  @Test("A socket is closed by close and by a deadline, never by another event on its way")
  func closers() {
    let found = violations { before, event, after, outcome in
      let isCloser = event == .closed || event == .timedOut
      if before.isClosed { return true }
      if case .ending(let ending) = outcome { return isCloser && ending != nil && after.isClosed }
      return !after.isClosed
    }
    #expect(found == [])
  }

  @Test("Nothing is read while reading is paused, and only what the poller reported")
  func reading() {
    let found = violations { before, _, after, outcome in
      if after.isReadingPaused, after.mayRead { return false }
      guard case .actions(let actions) = outcome else { return true }
      if actions.contains(.read) { return after.mayRead }
      // What waited before goes on waiting, unless reading was turned on: then it is read later.
      if before.isReadingPaused, !after.isReadingPaused, after.mayRead {
        return actions == [.readLater] || after.isReadDue
      }
      return true
    }
    #expect(found == [])
  }

  @Test("Input stays known until the kernel had no more, or the end was read")
  func inputKept() {
    let enders: Set<SocketEvent> = [.receivedAll, .inputEmptied, .endReceived, .cutReceived, .receiveFailed]
    let found = violations { before, event, after, _ in !before.hasInput || after.hasInput || enders.contains(event) }
    #expect(found == [])
  }

  @Test("Nothing is written while the kernel takes nothing, and the room that it gets is used at once")
  func writing() {
    let found = violations { before, event, after, outcome in
      if after.output == .blocked, after.mayWrite { return false }
      guard before.output == .blocked, after.output == .ready, !after.isClosed else { return true }
      guard case .actions(let actions) = outcome else { return false }
      return actions.first == .write && [.output, .hangUp, .failure].contains(event)
    }
    #expect(found == [])
  }

  @Test("The poller is asked to watch for room once in a socket's life")
  func watching() {
    let found = violations { _, _, after, outcome in
      guard outcome == .actions([.watchOutput]) else { return true }
      var again = after
      return again.outputBlocked() == .nothing
    }
    #expect(found == [])
  }

  @Test("Bytes of another connection go past the output only where nothing can come between them")
  func relayed() {
    let wrong = SocketState.reachable.filter { state in
      state.takesRelayed && (state.isSecure || state.phase != .open || state.output != .ready || !state.mayWrite)
    }
    #expect(wrong.isEmpty)
  }

  @Test("The peer's end is reported once, and only of a connection that the data plane has")
  func endReports() {
    let ends: Set<SocketState.Action> = [.reportEnd, .reportEndAndClose]
    let found = violations { before, _, after, outcome in
      guard case .actions(let actions) = outcome, !ends.isDisjoint(with: actions) else { return true }
      var again = after
      return before.phase == .open || before.side == .server
        ? again.endReceived(isCut: false) == .nothing && again.setReading(false) == .nothing : false
    }
    #expect(found == [])
  }

  // MARK: By name

  private func open(_ side: SocketState.Side = .client, isSecure: Bool = false) -> SocketState {
    var state: SocketState
    if side == .client {
      state = .accepted(isHeaderDue: false, isSecure: isSecure)
    } else {
      state = .connecting(isSecure: isSecure)
      _ = state.connected()
    }
    if isSecure { _ = state.handshakeCompleted() }
    return state
  }

  @Test("A server's socket asks how its connect went, and then shakes hands or begins", arguments: [false, true])
  func connecting(isSecure: Bool) {
    var state = SocketState.connecting(isSecure: isSecure)
    #expect(!state.mayWrite)
    #expect(state.outputReady(.output) == .finishConnecting)
    #expect(state.connected() == (isSecure ? .startHandshake : .begin))
    #expect(state.phase == (isSecure ? .handshaking : .open))
    if isSecure { #expect(state.handshakeCompleted() == .begin) }
    #expect(state.phase == .open && state.mayWrite)
  }

  @Test("What is reported of the end depends on how far the socket has come")
  func endings() {
    func ending(_ state: SocketState, _ events: [SocketEvent] = []) -> SocketState.Ending? {
      var state = state
      for event in events { _ = event.apply(to: &state) }
      return state.close()
    }
    #expect(ending(.accepted(isHeaderDue: true, isSecure: true)) == .silent)
    #expect(ending(.accepted(isHeaderDue: true, isSecure: true), [.headerRead]) == .handshakeUnfinished)
    #expect(ending(.accepted(isHeaderDue: false, isSecure: true), [.sessionFailed]) == .silent)
    #expect(ending(.accepted(isHeaderDue: false, isSecure: true), [.handshakeCompleted]) == .disconnected)
    #expect(ending(.connecting(isSecure: false)) == .disconnected)
    #expect(ending(.connecting(isSecure: true)) == .upstreamHandshakeCut)
    #expect(ending(.connecting(isSecure: true), [.connected]) == .upstreamHandshakeCut)
    #expect(ending(.connecting(isSecure: true), [.connected, .handshakeCompleted]) == .disconnected)
  }

  @Test("A deadline names what the client was late with")
  func deadlines() {
    var header = SocketState.accepted(isHeaderDue: true, isSecure: true)
    #expect(header.openingTimedOut() == .headerTimedOut)
    var handshake = SocketState.accepted(isHeaderDue: false, isSecure: true)
    #expect(handshake.openingTimedOut() == .handshakeTimedOut)
    var refused = SocketState.accepted(isHeaderDue: false, isSecure: true)
    _ = refused.sessionFailed()
    #expect(refused.openingTimedOut() == .silent)
  }

  @Test("A handshake that fails refuses a client and gives up a server, an open session is aborted")
  func sessionFailures() {
    var client = SocketState.accepted(isHeaderDue: false, isSecure: true)
    #expect(client.sessionFailed() == .refuseClient)
    #expect(client.phase == .refused && client.closeOutput() == .shutDownOutput)
    var server = SocketState.connecting(isSecure: true)
    _ = server.connected()
    #expect(server.sessionFailed() == .failHandshake)
    for side in [SocketState.Side.client, .server] {
      var state = open(side, isSecure: true)
      #expect(state.sessionFailed() == .abort)
    }
  }

  @Test("A half-closed client is still written to, and the socket goes when both halves are closed")
  func halfClosed() {
    var state = open()
    #expect(state.inputReady([.input, .inputEnd]) == .read)
    state.received(isAll: true)
    #expect(state.mayRead, "a short read is not the end of it")
    #expect(state.endReceived(isCut: false) == .reportEnd)
    #expect(state.mayWrite)
    #expect(state.closeOutput() == .close)

    var other = open()
    #expect(other.closeOutput() == .shutDownOutput)
    #expect(other.inputReady([.input, .inputEnd]) == .read)
    #expect(other.endReceived(isCut: false) == .reportEndAndClose)
  }

  @Test("An end without TLS's word closes a server's connection, and is an end to a client's")
  func cutOff() {
    var server = open(.server, isSecure: true)
    #expect(server.endReceived(isCut: true) == .close)
    var client = open(.client, isSecure: true)
    #expect(client.endReceived(isCut: true) == .reportEnd)
  }

  @Test("A client that is not read and resets is gone, a server's answer is kept for who reads it later")
  func resetUnread() {
    var client = open()
    #expect(client.setReading(false) == .nothing)
    #expect(client.inputReady([.input, .inputEnd, .end]) == .close)
    var server = open(.server)
    _ = server.setReading(false)
    #expect(server.inputReady([.input, .inputEnd, .end]) == .reportUnreadEnd)
    #expect(server.setReading(true) == .readLater)
  }

  @Test("A peer that ends while it is not read is reported, also when reading is paused behind its end")
  func unreadEnd() {
    var state = open()
    #expect(state.inputReady([.input, .inputEnd]) == .read)
    state.received(isAll: false)
    #expect(state.setReading(false) == .reportUnreadEnd)
  }

  @Test("A failed send ends a client's socket, and leaves a server's to be read")
  func sendFailures() {
    #expect(open(.client).sendFailed() == .close)
    #expect(open(.server).sendFailed() == .nothing)
  }

  @Test(
    "A close waits for output, and for room where the kernel has none", arguments: [SocketState.CloseMode.all, .output])
  func closes(_ mode: SocketState.CloseMode) {
    var idle = open()
    #expect(idle.closeOrdered(mode, isAllWritten: true) == .finish(mode))
    var busy = open()
    #expect(busy.closeOrdered(mode, isAllWritten: false) == .write)
    #expect(busy.outputBlocked() == .watchOutput)
    #expect(!busy.takesRelayed)
    #expect(busy.outputReady(.input) == .nothing)
    #expect(busy.outputReady([.input, .output]) == .write)
    #expect(busy.outputEmptied() == .finish(mode))
    #expect(busy.outputEmptied() == .nothing)
    var secure = open(isSecure: true)
    #expect(
      secure.closeOrdered(mode, isAllWritten: true) == .write, "records may wait that the connection does not know of")
  }

  @Test("A close that is ordered before the connection is there throws the socket away")
  func closedEarly() {
    var connecting = SocketState.connecting(isSecure: false)
    #expect(connecting.closeOrdered(.all, isAllWritten: true) == .abort)
  }

  @Test("A socket that has read for long waits for its next turn once")
  func turns() {
    var state = open()
    _ = state.inputReady(.input)
    #expect(state.postponeReading() == .readLater)
    #expect(state.postponeReading() == .nothing)
    _ = state.setReading(false)
    #expect(state.setReading(true) == .nothing)
    state.readingResumed()
    #expect(state.mayRead)
  }
}
