// What a process is given by the one before it, or by a service manager: listening sockets, and whom to tell that it is
// ready.

import CLinux
import Glibc

package struct Inheritance: Sendable {
  package var sockets: InheritedSockets
  /// Whether a socket that no listener takes is a mistake: of a service manager's unit, but not of a file that has
  /// changed since the process before this one read it.
  package var mustBeUsed: Bool
  /// Where the process before this one waits for the word that this one is ready.
  private var readiness: ReadinessPipe.Writer?

  package static var none: Inheritance { Inheritance(sockets: .none, mustBeUsed: false) }

  static let socketsVariable = "CATRACA_SOCKETS"
  static let readinessVariable = "CATRACA_READY"

  /// Reads what the environment says, in the words of systemd (`LISTEN_FDS`) or of ``Successor``. To be called before
  /// anything is opened, so that no descriptor is taken for another.
  package static func read(_ environment: [String: String]) throws(InheritanceError) -> Inheritance {
    if let text = environment[socketsVariable] {
      var numbers: [(name: String, number: Int32)] = []
      for entry in text.split(separator: ",") {
        let parts = entry.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let number = Int32(parts[0]) else { continue }
        numbers.append((String(parts[1]), number))
      }
      var inheritance = Inheritance(sockets: try .handedOver(numbers), mustBeUsed: false)
      inheritance.readiness = environment[readinessVariable].flatMap { Int32($0) }.map(ReadinessPipe.Writer.init)
      return inheritance
    }
    // Meant for another process where the number is another's.
    guard let owner = environment["LISTEN_PID"], Int32(owner) == getpid(),
      let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }), (1...4096).contains(count)
    else { return .none }
    return Inheritance(sockets: try .passed(3..<3 + count), mustBeUsed: true)
  }

  /// Whether another process serves until this one is ready.
  package var isSuccession: Bool { readiness != nil }

  /// The process before this one may go.
  package func announceReady() { readiness?.announce() }
}
