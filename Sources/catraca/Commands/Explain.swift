// `catraca explain`: what a gateway with a file would do with a request, and why.

import ArgumentParser
import Configuration
import ControlPlane
import FoundationEssentials
import Glibc
import NIOPosix
import Rehearsal
import Tokens

struct Explain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Say what becomes of a request, and why.",
    discussion: """
      The request goes through the checks of a gateway with that file, and to nobody else. Only keys of issuers and \
      lists of revoked tokens are fetched, when there is a token.

      Exit codes: 0 for a request that the gateway lets through or answers, 1 for one that it refuses or a file that is \
      not good, 64 for a command line that is not valid.
      """)

  @Argument(help: "The configuration file. (default: gateway.conf)")
  var file: String?

  @Option(help: "The method and the URL, such as 'GET https://api.example.com/orders/1'.")
  var request: String

  @Option(help: "The token. - reads it from standard input, where no other process sees it.")
  var token: String?

  @Option(name: .customLong("header"), help: "A header field of the request, 'Name: value'. May be repeated.")
  var headers: [String] = []

  @Option(help: "The request's body, as JSON where no header says otherwise. @FILE reads it from a file.")
  var data: String?

  @Option(help: "The client's address.")
  var from = "192.0.2.1"

  @Option(help: "ISSUER=FILE: a key set (JWKS) to take in place of the issuer's own. May be repeated.")
  var keys: [String] = []

  @Flag(help: "Write JSON.")
  var json = false

  func run() async throws {
    let file = try configurationFile(file, for: "explain")
    let environment = ProcessInfo.processInfo.environment
    let loaded = try readOrExit { loadTested(path: file, environment: environment, runsTests: false) }
    let request = try rehearsedRequest()
    let token = try token.map { $0 == "-" ? try Self.readToken() : $0 }
    let keySets = try await keySets(of: loaded.configuration, isRequired: token != nil || !headers.isEmpty)
    let revocations = await CurrentRevocations.load(
      loaded.configuration, keySets: keySets, token: token,
      DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton))
    for note in revocations.notes { printError("catraca: \(note)") }
    let explanation = Explanation(
      request, token: token, in: loaded.configuration, keySets: keySets, revocations: revocations.lists,
      unixSeconds: Int64(time(nil)))
    let isColoured = isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR"] == nil
    try writeOutputOrExit(json ? explanation.json : explanation.text(isColoured: isColoured))
    if explanation.outcome.code != nil { throw ExitCode(1) }
  }

  private func rehearsedRequest() throws -> RehearsedRequest {
    let url: TestRequest
    switch TestRequest.parse(request) {
    case .success(let parsed): url = parsed
    case .failure(let problem): throw ValidationError("--request \(problem.message)")
    }
    guard RehearsedRequest.isAddress(from) else {
      throw ValidationError("--from '\(from)' is not an IP address, such as 192.0.2.1")
    }
    return RehearsedRequest(url, fields: try headers.map(Self.field), client: from, body: try body())
  }

  private func body() throws -> String {
    guard let data, data.hasPrefix("@") else { return data ?? "" }
    guard let bytes = FileManager.default.contents(atPath: String(data.dropFirst())) else {
      throw ValidationError("--data: the file \(data.dropFirst()) cannot be read")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func field(_ text: String) throws -> TestField {
    guard let field = TestField(line: text) else {
      throw ValidationError("--header is not a header field: expected 'Name: value'")
    }
    return field
  }

  private static func readToken() throws -> String {
    // LIMIT: anything longer is not a token.
    let bytes = try readStandardInput(byteCountMax: 2 << 20)
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined()
  }

  /// Keys that are not available are reported, and the request is explained without them.
  private func keySets(of configuration: GatewayConfiguration, isRequired: Bool) async throws -> [KeySet?] {
    var files: [String: String] = [:]
    for text in keys {
      guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
        throw ValidationError("--keys '\(text)': expected ISSUER=FILE")
      }
      let name = String(text[..<equals])
      guard configuration.issuers.contains(where: { $0.name == name }) else {
        throw ValidationError("--keys: the file has no issuer '\(name)'")
      }
      files[name] = String(text[text.index(after: equals)...])
    }
    guard isRequired else { return configuration.issuers.map { _ in nil } }
    let results = await CurrentKeySets.load(
      configuration, files: files, DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton))
    return zip(configuration.issuers, results).map { issuer, result in
      switch result {
      case .success(let keys): return keys
      case .failure(let failure):
        printError("catraca: the keys of issuer '\(issuer.name)' are not available: \(failure)")
        return nil
      }
    }
  }
}
