// `catraca run`: the gateway itself.

import ArgumentParser
import Configuration
import ControlPlane
import FoundationEssentials
import Glibc
import Rehearsal
import Transport

struct Run: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Start the gateway.",
    discussion: """
      Signals: SIGHUP reads the configuration again, SIGUSR1 opens log files again, SIGUSR2 starts a new binary that \
      takes over without a refused connection. SIGTERM and SIGINT stop the gateway once its requests are finished, and \
      a second one stops it at once.

      Exit codes: 0 after a stop, 1 if the configuration is bad or something it needs is not available, 64 for a \
      command line that is not valid. What was wrong is on standard error, which also has the gateway's own log.

      Environment: ${NAME} in the configuration is a variable. Sockets of systemd (LISTEN_FDS) and its readiness \
      (NOTIFY_SOCKET, WATCHDOG_USEC) are supported. docs/CONFIGURATION.md has every key.
      """)

  @Argument(help: "The configuration file. (default: gateway.conf)")
  var file: String?

  @Flag(help: "Reload when the configuration file, or a file that it includes or names, changes.")
  var watch = false

  @Flag(name: .customLong("no-tests"), help: "Leave the tests of the file out.")
  var leavesTestsOut = false

  func run() async throws {
    let file = try configurationFile(file, for: "run")
    let environment = ProcessInfo.processInfo.environment
    let inheritance: Inheritance
    do {
      inheritance = try Inheritance.read(environment)
    } catch {
      printError("catraca: cannot start: \(error)")
      throw ExitCode(1)
    }
    let log = OwnLog()
    let signals = await GatewayService.trapSignals()
    raiseDescriptorLimit()
    let runsTests = !leavesTestsOut
    let read: ConfigurationSource = { loadTested(path: file, environment: environment, runsTests: runsTests) }
    let loaded = try readOrExit(read)
    do {
      let gateway = try await RunningGateway.start(
        loaded, reading: read,
        process: ProcessFacts(
          version: Catraca.version, file: file, log: log, environment: environment, arguments: CommandLine.arguments,
          inheritance: inheritance))
      await GatewayService(gateway, signals: signals, isWatching: watch).run()
    } catch {
      await log.flush()
      printError("catraca: cannot start: \(error)")
      throw ExitCode(1)
    }
    await log.flush()
  }
}

/// A file whose tests pass. One that fails is an error as any other in the file is.
/// - Parameter isComplete: whether files and variables must be there. Without them no test is meaningful.
func loadTested(
  path: String, shownAs name: String? = nil, environment: [String: String], isComplete: Bool = true, runsTests: Bool
) -> Result<ConfigurationReader.Loaded, ConfigurationErrors> {
  let result = ConfigurationReader.load(
    path: path, shownAs: name, environment: environment, checkCertificates: CertificateCheck.findings,
    isComplete: isComplete)
  guard runsTests, isComplete, case .success(let loaded) = result else { return result }
  let failed = FileTests.findings(
    of: loaded.configuration, files: loaded.files, unixSeconds: Int64(time(nil)))
  if failed.isEmpty { return result }
  return .failure(ConfigurationErrors(diagnostics: loaded.warnings + failed, sources: loaded.sources))
}

/// The file that was named, or the one of the current folder. Where there is none, says what to write and ends the
/// process with status 1.
func configurationFile(_ named: String?, for command: String) throws -> String {
  let usual = "gateway.conf"
  if let named { return named }
  if FileManager.default.fileExists(atPath: usual) { return usual }
  let installed = "/etc/catraca/gateway.conf"
  let example = FileManager.default.fileExists(atPath: installed) ? installed : "FILE"
  printError("catraca: there is no \(usual) in this folder: write 'catraca \(command) \(example)'")
  throw ExitCode(1)
}

/// The loaded file, its warnings printed. Or its errors printed and the process's end with status 1.
func readOrExit(_ read: ConfigurationSource) throws -> ConfigurationReader.Loaded {
  switch read() {
  case .success(let loaded):
    for warning in loaded.warnings { printError("\(warning)") }
    return loaded
  case .failure(let errors):
    printError(errors.description)
    throw ExitCode(1)
  }
}

/// Descriptors 0 to 2 may have been closed by the parent process. The next ones that are opened must not become them,
/// and get what is printed.
func openStandardStreams() {
  for number: CInt in 0...2 where fcntl(number, F_GETFD) < 0 {
    // SAFETY: the path lives through the call. The lowest free number is given, which is this one.
    _ = unsafe open("/dev/null", O_RDWR)
  }
}

/// Every connection needs a descriptor: the soft limit is raised to the hard one.
func raiseDescriptorLimit() {
  var limit = rlimit()
  // SAFETY: both calls get one structure of ours for the time of the call.
  if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max {
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
