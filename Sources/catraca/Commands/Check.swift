// `catraca check`: every error and warning of a file, with its place.

import ArgumentParser
import Configuration
import ControlPlane
import Foundation

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a configuration file. Exits with 0 if it is good and 1 if not.")

  @Argument(help: "The configuration file.")
  var file = "gateway.conf"

  func run() throws {
    let file = file
    let loaded = try readOrExit {
      ConfigurationReader.load(
        path: file, environment: ProcessInfo.processInfo.environment, checkCertificates: CertificateCheck.findings)
    }
    let count = loaded.configuration.routes.count
    do {
      try writeOutput("\(file): ok, \(count) \(count == 1 ? "route" : "routes")\n")
    } catch {
      printError("catraca: \(error)")
      throw ExitCode(1)
    }
  }
}
