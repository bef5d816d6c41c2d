// Ports of servers that a test has released while its gateway still knows them. The kernel would give such a port to
// the next test's server, which would then be asked for another test's keys.

import NIOCore
import Synchronization

/// The ports that a gateway knows: a server on one of them keeps it, closed to everybody, for as long as this lives.
final class ServerPorts: Sendable {
  private struct State {
    var gatewayCounts: [Int: Int] = [:]
    var listeners: [Int: any Channel] = [:]
  }

  private static let state = Mutex(State())
  private let ports: [Int]

  init(_ configuration: String) {
    ports = configuration.matches(of: /:(\d{4,5})\b/).compactMap { Int($0.1) }
    Self.state.withLock { state in
      for port in ports { state.gatewayCounts[port, default: 0] += 1 }
    }
  }

  deinit {
    let closing = Self.state.withLock { state in
      ports.compactMap { port -> (any Channel)? in
        let count = state.gatewayCounts[port, default: 0] - 1
        state.gatewayCounts[port] = count > 0 ? count : nil
        return count > 0 ? nil : state.listeners.removeValue(forKey: port)
      }
    }
    for listener in closing { listener.close(promise: nil) }
  }

  /// A server's end: it stops listening once no gateway knows its port.
  static func release(_ port: Int, _ listener: any Channel) {
    let isKept = state.withLock { state in
      if state.gatewayCounts[port] == nil { return false }
      state.listeners[port] = listener
      return true
    }
    if !isKept { listener.close(promise: nil) }
  }
}
