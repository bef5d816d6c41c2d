// Every event that a socket's state takes, as values, so that a test can apply each of them to each state.

@testable import Transport

/// One event.
enum SocketEvent: Hashable, CaseIterable {
  case input, output, inputEnd, hangUp, failure
  case connected, headerRead, handshakeCompleted, sessionFailed
  case receivedAll, receivedSome, inputEmptied, endReceived, cutReceived, receiveFailed
  case postponed, readingResumed, paused, resumed
  case outputBlocked, sendFailed, outputEmptied
  case closeOrdered, closeOrderedWithOutput, outputCloseOrdered, outputCloseOrderedWithOutput
  case outputClosed, timedOut, closed

  /// What came of an event.
  enum Outcome: Hashable {
    case actions([SocketState.Action])
    case failure(SocketState.SessionFailure)
    case ending(SocketState.Ending?)
  }

  func apply(to state: inout SocketState) -> Outcome {
    switch self {
    case .input: return Self.report(.input, to: &state)
    case .output: return Self.report(.output, to: &state)
    case .inputEnd: return Self.report([.input, .inputEnd], to: &state)
    case .hangUp:
      return Self.report(Readiness.end.subtracting(.failure).union([.input, .output, .inputEnd]), to: &state)
    case .failure: return Self.report([.input, .output, .inputEnd, .end], to: &state)
    case .connected: return .actions([state.connected()])
    case .headerRead: return .actions([state.headerRead()])
    case .handshakeCompleted: return .actions([state.handshakeCompleted()])
    case .sessionFailed: return .failure(state.sessionFailed())
    case .receivedAll: state.received(isAll: true)
    case .receivedSome: state.received(isAll: false)
    case .inputEmptied: state.inputEmptied()
    case .endReceived: return .actions([state.endReceived(isCut: false)])
    case .cutReceived: return .actions([state.endReceived(isCut: true)])
    case .receiveFailed: return .actions([state.receiveFailed()])
    case .postponed: return .actions([state.postponeReading()])
    case .readingResumed: state.readingResumed()
    case .paused: return .actions([state.setReading(false)])
    case .resumed: return .actions([state.setReading(true)])
    case .outputBlocked: return .actions([state.outputBlocked()])
    case .sendFailed: return .actions([state.sendFailed()])
    case .outputEmptied: return .actions([state.outputEmptied()])
    case .closeOrdered: return .actions([state.closeOrdered(.all, isAllWritten: true)])
    case .closeOrderedWithOutput: return .actions([state.closeOrdered(.all, isAllWritten: false)])
    case .outputCloseOrdered: return .actions([state.closeOrdered(.output, isAllWritten: true)])
    case .outputCloseOrderedWithOutput: return .actions([state.closeOrdered(.output, isAllWritten: false)])
    case .outputClosed: return .actions([state.closeOutput()])
    case .timedOut: return .ending(state.openingTimedOut())
    case .closed: return .ending(state.close())
    }
    return .actions([])
  }

  private static func report(_ readiness: Readiness, to state: inout SocketState) -> Outcome {
    .actions([state.outputReady(readiness), state.inputReady(readiness)])
  }
}

extension SocketState {
  /// As a socket has it when it begins.
  static let beginnings: [SocketState] = [
    .connecting(isSecure: false), .connecting(isSecure: true),
    .accepted(isHeaderDue: false, isSecure: false), .accepted(isHeaderDue: false, isSecure: true),
    .accepted(isHeaderDue: true, isSecure: false), .accepted(isHeaderDue: true, isSecure: true),
  ]

  /// Every state that some sequence of events leads to.
  static let reachable: Set<SocketState> = {
    var found = Set(beginnings)
    var open = beginnings
    while let state = open.popLast() {
      for event in SocketEvent.allCases {
        var next = state
        _ = event.apply(to: &next)
        if found.insert(next).inserted { open.append(next) }
      }
    }
    return found
  }()
}
