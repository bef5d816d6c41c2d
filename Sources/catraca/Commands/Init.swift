// `catraca init`: the first configuration file, from three answers.

import ArgumentParser
import Configuration
import ControlPlane
import FoundationEssentials
import Glibc
import NIOPosix

struct Init: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Write a first configuration file.",
    discussion:
      "Asks for what no option gives. The issuer's discovery document is fetched, for its exact name and algorithms.")

  @Argument(help: "The file to write. It must not exist.")
  var file = "gateway.conf"

  @Option(help: "The URL of the issuer of tokens, such as https://login.example.com/.")
  var issuer: String?

  @Option(help: "The audience that tokens have to be for. May be repeated.")
  var audience: [String] = []

  @Flag(help: "Take tokens for any audience.")
  var anyAudience = false

  @Option(help: "The service behind the gateway: HOST:PORT, http://HOST:PORT or https://HOST.")
  var upstream: String?

  @Flag(help: "Do not ask the issuer.")
  var offline = false

  func validate() throws {
    if anyAudience, !audience.isEmpty { throw ValidationError("write --audience or --any-audience") }
  }

  func run() async throws {
    do {
      // Before anything is asked.
      guard !FileManager.default.fileExists(atPath: file) else {
        throw TokenError("\(file) exists: name another file, or move it away")
      }
      let issuer = try Self.issuer(
        issuer ?? Self.ask("The URL of the issuer of your tokens (`iss`)", option: "--issuer"))
      var starter = StarterFile(
        issuer: issuer, audiences: try audiences(), algorithms: [], server: "", serverName: nil,
        isInsecure: Self.isInsecure(issuer))
      let server = try upstream ?? Self.ask("The service behind the gateway (HOST:PORT)", option: "--upstream")
      (starter.server, starter.serverName) = try Self.server(server)
      if !offline { await Self.look(&starter) }
      try Self.check(starter)
      try writeNewFile(starter.text, to: file, mode: 0o644)
    } catch let error as ExitCode {
      throw error
    } catch {
      printError("catraca: \(error)")
      throw ExitCode(1)
    }
    try writeOutputOrExit(
      """
      \(file) is written. Next:
        catraca check \(file)
        catraca run \(file)
        curl -i http://127.0.0.1:8080/ -H 'Authorization: Bearer TOKEN'   # an access token of your provider
        catraca token inspect                                             # shows what is in a token: paste it

      """)
  }

  private func audiences() throws -> [String] {
    if anyAudience || !audience.isEmpty { return audience }
    let answer = try Self.ask(
      "The audience of your tokens (`aud`: catraca token inspect shows it)", option: "--audience or --any-audience")
    return answer.split { $0 == "," || $0 == " " }.map(String.init)
  }

  /// The issuer's URL. People also have the URL of its discovery document at hand.
  private static func issuer(_ text: String) throws -> String {
    guard text.contains("://") else {
      throw TokenError("the URL of an issuer begins with https://: write https://\(text)")
    }
    for document in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
    where text.hasSuffix(document) {
      return String(text.dropLast(document.count))
    }
    return text
  }

  /// The exact name and the algorithms, from the issuer. What cannot be found out is said, and left to the person.
  private static func look(_ starter: inout StarterFile) async {
    do throws(RefreshFailure) {
      let fetcher = DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton)
      let found = try await IssuerProbe.ask(starter.issuer, fetcher)
      if found.issuer != starter.issuer {
        printError("The issuer calls itself \(found.issuer.debugDescription): the file has that.")
      }
      starter.issuer = found.issuer
      starter.isInsecure = isInsecure(found.issuer)
      starter.algorithms = found.algorithms
      printError("The issuer has \(found.keyCount) \(found.keyCount == 1 ? "key" : "keys").")
    } catch {
      printError(
        "\(starter.issuer) has no discovery document that can be used (\(error)): check the URL, or the network. "
          + "The file has it as you wrote it.")
    }
  }

  private static func ask(_ question: String, option: String) throws -> String {
    try? writeAll("\(question): ", to: STDERR_FILENO)
    let answer = readLine()?.split(separator: " ").joined(separator: " ") ?? ""
    guard !answer.isEmpty else { throw TokenError("an answer is missing: write \(option)") }
    return answer
  }

  /// `host:port`, and the name for TLS where the address begins with https.
  private static func server(_ text: String) throws -> (String, String?) {
    guard text.contains("://") else { return (text, nil) }
    guard let url = FetchURL(text), url.target == "/" else {
      throw TokenError("\(text) is not an address of a server: write HOST:PORT, http://HOST:PORT or https://HOST")
    }
    let host = url.host.contains(":") ? "[\(url.host)]" : url.host
    return ("\(host):\(url.port)", url.isSecure ? url.host : nil)
  }

  private static func isInsecure(_ issuer: String) -> Bool {
    guard let url = FetchURL(issuer) else { return false }
    return !url.isSecure && !url.isLoopback
  }

  /// What is written has to be a good file. Its warnings are printed.
  private static func check(_ starter: StarterFile) throws {
    let read = ConfigurationReader.read(
      text: starter.text, file: "answers", folder: "", environment: [:], readFile: { try readWholeFile($0) },
      checkCertificates: CertificateCheck.findings)
    switch read {
    case .success(let loaded): for warning in loaded.warnings { printError("\(warning)") }
    case .failure(let errors):
      for error in errors.diagnostics { printError("catraca: \(error.message)") }
      throw ExitCode(1)
    }
  }
}
