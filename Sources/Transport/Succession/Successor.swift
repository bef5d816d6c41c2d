// An upgrade without a refused connection: a new process of the program gets the listening sockets, and this one drains
// once that one is ready. Until then it serves as ever, whatever becomes of the new one.

import Glibc

/// Why no new process took over.
package struct SuccessionError: Error, CustomStringConvertible {
  package let description: String
}

/// A process of the same command line that follows this one.
package struct Successor: Sendable {
  package let processID: Int32
  private let child: ChildProcess
  private let readiness: ReadinessPipe

  // LIMIT: a process that is neither ready nor gone by then is ended.
  private static let patienceMilliseconds: CInt = 60_000

  /// Starts the program with the same arguments and these sockets.
  package static func start(
    _ path: String, _ arguments: [String], _ environment: [String: String], sockets: [(name: String, number: Int32)]
  ) throws(SuccessionError) -> Successor {
    guard let readiness = ReadinessPipe() else { throw SuccessionError(description: "no descriptor is left") }
    // Above all that are passed, so that none is overwritten before it is copied.
    let first = (sockets.map(\.number) + [readiness.writing]).reduce(2, max) + 1
    var copies: [(from: Int32, to: Int32)] = [(readiness.writing, first)]
    var names: [String] = []
    for (index, socket) in sockets.enumerated() {
      let number = first + 1 + Int32(truncatingIfNeeded: index)
      copies.append((socket.number, number))
      names.append("\(number)=\(socket.name)")
    }
    var environment = environment
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { environment[name] = nil }
    environment[Inheritance.socketsVariable] = names.joined(separator: ",")
    environment[Inheritance.readinessVariable] = "\(first)"
    do throws(SystemError) {
      let child = try ChildProcess.start(path, arguments, environment, copies)
      readiness.closeWriting()
      return Successor(processID: child.processID, child: child, readiness: readiness)
    } catch {
      readiness.closeWriting()
      throw SuccessionError(description: "\(path) cannot be started: \(error)")
    }
  }

  /// Returns when the new process is ready. Throws when it has ended, or had to be ended.
  package func awaitReadiness() async throws {
    try await withCheckedThrowingContinuation { continuation in
      do {
        // A thread of its own: nothing else waits so long in a call.
        try WorkerThread.start(name: "succession") { continuation.resume(with: result()) }
      } catch {
        child.end()
        continuation.resume(throwing: error)
      }
    }
  }

  private func result() -> Result<Void, any Error> {
    switch readiness.wait(milliseconds: Self.patienceMilliseconds) {
    case .ready: return .success(())
    case .gone: return .failure(SuccessionError(description: "it ended before it was ready (\(child.awaitEnd()))"))
    case .silent:
      child.end()
      return .failure(
        SuccessionError(description: "it was not ready within \(Self.patienceMilliseconds / 1000) s and was ended"))
    }
  }
}
