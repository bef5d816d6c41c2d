// What a service manager is told of the process, in the protocol of sd_notify(3). Without one, nothing is told.

internal import Glibc
internal import Transport

/// The manager that started this process, or none.
package struct ServiceManager: Sendable {
  private let socket: String?
  /// Half of the time in which it expects a sign of life. Nil where it expects none.
  let watchdogInterval: Duration?

  package init(_ environment: [String: String], processID: Int32) {
    socket = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
    let owner = environment["WATCHDOG_PID"].flatMap { Int32($0) } ?? processID
    let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
    watchdogInterval = owner == processID && microseconds > 0 ? .microseconds(microseconds / 2) : nil
  }

  enum State {
    case ready(String)
    case reloading
    case stopping
    case alive
    /// The process that the manager looks after from now on.
    case followed(by: Int32)
  }

  func report(_ state: State) {
    guard let socket else { return }
    let text =
      switch state {
      case .ready(let status): "READY=1\nSTATUS=\(status.prefix { $0 != "\n" })"
      case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(Clock.steadyNanoseconds() / 1000)"
      case .stopping: "STOPPING=1"
      case .alive: "WATCHDOG=1"
      case .followed(let processID): "MAINPID=\(processID)"
      }
    Datagram.send(text, toSocketAt: socket)
  }
}
