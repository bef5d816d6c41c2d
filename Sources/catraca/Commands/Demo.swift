// `catraca demo`: an issuer of tokens, a service that shows what reaches it, and the gateway in front of it, all in
// this process and on loopback.

import ArgumentParser
import Configuration
import ControlPlane
import Demo
import FoundationEssentials
import Glibc
import NIOPosix

struct Demo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Try the gateway: an issuer, an upstream and the gateway on loopback, with curl lines to paste.")

  @Option(help: "The gateway's port. 0 takes a free one.")
  var port: UInt16 = 8080
  @Option(help: "The gateway's port for TLS. 0 takes a free one.")
  var tlsPort: UInt16 = 8443
  @Option(help: "The admin listener's port. 0 takes a free one.")
  var adminPort: UInt16 = 9901

  func run() async throws {
    let signals = await GatewayService.trapSignals()
    let group = MultiThreadedEventLoopGroup.singleton
    try await requireFree(port, option: "--port")
    try await requireFree(tlsPort, option: "--tls-port")
    try await requireFree(adminPort, option: "--admin-port")
    let certificates = try makeCertificates()
    defer { certificates.remove() }
    let issuer = try await DemoIssuer.start(
      group: group, audience: DemoScript.audience, loginSeconds: DemoPage.tokenSeconds)
    let echo = try await EchoUpstream.start(group: group)
    var script = DemoScript(
      issuerURL: issuer.url, upstreamPort: echo.port, gatewayPort: Int(port), adminPort: Int(adminPort),
      tlsPort: Int(tlsPort), certificates: certificates.folder, secret: UUID().uuidString)
    script.tokens = try await DemoTokens(from: issuer)
    try DemoPage(token: script.tokens.good).write(to: certificates.folder)
    let gateway = try await startGateway(script.configuration)
    script.gatewayPort = await gateway.listeners.first?.port ?? script.gatewayPort
    script.tlsPort = await gateway.listeners.last?.port ?? script.tlsPort
    await issuer.register(backChannel: "http://127.0.0.1:\(script.gatewayPort)/login/back-channel")
    script.adminPort = await gateway.adminPort ?? script.adminPort

    // Ends with the gateway, whether or not it came to speak.
    let announcement = Task { [script] in try await Self.announce(script) }
    defer { announcement.cancel() }
    await GatewayService(gateway, signals: signals).run()
    await issuer.stop()
    await echo.stop()
    await Self.log.flush()
  }

  private static let log = OwnLog(rules: OwnLogRules(level: .warning))

  private func makeCertificates() throws -> DemoCertificates {
    do {
      return try DemoCertificates()
    } catch {
      printError(
        "catraca: the demo cannot write its certificate into \(DemoCertificates.parent): "
          + "name another folder in the variable TMPDIR")
      throw ExitCode(1)
    }
  }

  private func startGateway(_ text: String) async throws -> RunningGateway {
    let read: ConfigurationSource = {
      ConfigurationReader.read(
        text: text, file: "demo.conf", folder: "", environment: [:], readFile: { try readWholeFile($0) },
        checkCertificates: CertificateCheck.findings
      ).map { loaded in
        var loaded = loaded
        // That sessions end with the process is what a demo is for.
        loaded.warnings.removeAll()
        return loaded
      }
    }
    let loaded = try readOrExit(read)
    do {
      return try await RunningGateway.start(
        loaded, reading: read,
        process: ProcessFacts(version: Catraca.version, file: "demo.conf", log: Self.log))
    } catch {
      await Self.log.flush()
      printError("catraca: cannot start: \(error)")
      throw ExitCode(1)
    }
  }

  /// Says which port is taken. The gateway's own listeners would not notice another gateway: they share ports.
  private func requireFree(_ port: UInt16, option: String) async throws {
    do {
      let probe = try await SmallHTTPServer.start(port: Int(port), group: MultiThreadedEventLoopGroup.singleton) { _ in
        .text("", status: 503)
      }
      await probe.stop(within: .zero)
    } catch {
      let variable = option.dropFirst(2).replacing("-", with: "_").uppercased()
      printError(
        "catraca: port \(port) on 127.0.0.1 is not available, another program is probably using it: "
          + "choose another with \(option) PORT, or with make demo \(variable)=PORT (0 takes a free one)")
      throw ExitCode(1)
    }
  }

  /// Says what to do once the keys are there: they come in the background, some milliseconds after the start.
  private static func announce(_ script: DemoScript) async throws {
    let fetcher = DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton)
    for _ in 0..<500 {
      if (try? await fetcher.get(url: "http://127.0.0.1:\(script.adminPort)/readyz")) != nil { break }
      try await Task.sleep(for: .milliseconds(20))
    }
    // Not through `print`: into a pipe it would be held back.
    try writeAll(script.text, to: STDOUT_FILENO)
  }
}
