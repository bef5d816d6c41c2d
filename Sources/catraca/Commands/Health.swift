// `catraca health`: what a container's health check runs, where there is no curl.

import ArgumentParser
import Configuration
import ControlPlane
import FoundationEssentials
import NIOPosix

struct Health: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Ask the running gateway whether it is ready.",
    discussion:
      "Asks /readyz of the admin listener that the file names. Exits with 0 if it answers 200 and with 1 if not.")

  @Argument(help: "The configuration file that the gateway runs with.")
  var file = "/etc/catraca/gateway.conf"

  @Option(help: "The admin listener, in place of a file: HOST:PORT.")
  var address: String?

  @Flag(help: "Ask whether the gateway lives (/healthz), ready or not.")
  var live = false

  @Option(help: "How many seconds to wait for the answer.")
  var timeout = 2

  func validate() throws {
    guard 1...60 ~= timeout else { throw ValidationError("--timeout is from 1 to 60 seconds") }
  }

  func run() async throws {
    let url = "http://\(try address ?? admin())/\(live ? "healthz" : "readyz")"
    do {
      let fetcher = DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton)
      _ = try await fetcher.get(url: url, deadline: .seconds(timeout))
    } catch {
      printError("catraca: \(url): \(error)")
      throw ExitCode(1)
    }
    try writeOutputOrExit(live ? "alive\n" : "ready\n")
  }

  /// Where the file's gateway listens for its operator. Nothing else of the file has to be there.
  private func admin() throws -> String {
    switch ConfigurationReader.load(
      path: file, environment: ProcessInfo.processInfo.environment, checkCertificates: CertificateCheck.findings,
      isComplete: false)
    {
    case .success(let loaded):
      if let admin = loaded.configuration.admin { return admin.address.description }
      printError("catraca: \(file): 'admin' is off, so nobody can be asked")
    case .failure(let errors): printError(errors.description)
    }
    throw ExitCode(1)
  }
}
