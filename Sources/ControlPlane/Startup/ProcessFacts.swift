// What the process brings to its gateway, besides the configuration.

internal import FoundationEssentials
package import Transport

package struct ProcessFacts: Sendable {
  package var version: String
  /// What the configuration is read from, as the operator named it.
  package var file: String
  package var log: OwnLog
  package var environment: [String: String]
  /// The program and its arguments, to start it again.
  package var command: [String]
  package var inheritance: Inheritance
  package var manager: ServiceManager

  /// - Parameter inheritance: read before anything else is opened, so that no descriptor is taken for another.
  package init(
    version: String, file: String, log: OwnLog, environment: [String: String] = [:], arguments: [String] = [],
    inheritance: Inheritance = .none
  ) {
    self.version = version
    self.file = file
    self.log = log
    self.environment = environment
    self.inheritance = inheritance
    manager = ServiceManager(environment, processID: ProcessInfo.processInfo.processIdentifier)
    command = arguments
    // The path by which it was started leads to the new program after an update. The file that runs would not.
    guard let name = arguments.first else { return }
    if name.contains("/") {
      command[0] = URL(fileURLWithPath: name).path
    } else if let running = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
      command[0] = running
    }
  }
}
