// `catraca sessions`: who has a session at the running gateway, and the end of it.

import ArgumentParser
import Configuration
import ControlPlane
import FoundationEssentials
import NIOPosix

struct Sessions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sessions", abstract: "List or end the sessions of the running gateway.",
    subcommands: [List.self, End.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List sessions: whose they are, and when they began, were used and end.")

    @OptionGroup var admin: AdminOptions

    @Option(help: "Only those of this subject.")
    var sub: String?

    func run() async throws {
      let path = "sessions" + (sub.map { "?sub=" + AdminOptions.encoded($0) } ?? "")
      try writeOutputOrExit(try await admin.get(path))
    }
  }

  struct End: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "end", abstract: "End all sessions of a subject, and what is open with them.")

    @OptionGroup var admin: AdminOptions

    @Option(help: "The subject, as `sub` of the token said.")
    var sub: String

    func run() async throws {
      try writeOutputOrExit(try await admin.post("sessions/end?sub=" + AdminOptions.encoded(sub)))
    }
  }
}

/// How a command finds the gateway's admin listener, and asks it.
struct AdminOptions: ParsableArguments {
  @Argument(help: "The configuration file that the gateway runs with.")
  var file = "/etc/catraca/gateway.conf"

  @Option(help: "The admin listener, in place of the file's: HOST:PORT.")
  var address: String?

  @Option(help: "How many seconds to wait for the answer.")
  var timeout = 5

  func validate() throws {
    guard 1...60 ~= timeout else { throw ValidationError("--timeout is from 1 to 60 seconds") }
  }

  static func encoded(_ text: String) -> String {
    text.utf8.map { byte in
      let isPlain = (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || "-._~".utf8.contains(byte)
      let digits = String(byte, radix: 16)
      return isPlain ? String(UnicodeScalar(byte)) : "%" + (digits.count < 2 ? "0" : "") + digits
    }.joined()
  }

  func get(_ path: String) async throws -> String {
    let (url, token) = try found(path)
    return try await text(url) { fetcher in
      try await fetcher.get(
        url: url, FetchTerms(bearer: token.flatMap { BearerToken(Array($0.utf8)) }), deadline: .seconds(timeout))
    }
  }

  func post(_ path: String, body: String = "") async throws -> String {
    let (url, token) = try found(path)
    let fields = token.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
    return try await text(url) { fetcher in
      try await fetcher.post(Posting(fields: fields, body: Array(body.utf8)), to: url, deadline: .seconds(timeout))
    }
  }

  private func text(_ url: String, _ ask: (DocumentFetcher) async throws -> Document) async throws -> String {
    do {
      let document = try await ask(DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton))
      let text = String(decoding: document.body, as: UTF8.self)
      if document.status == 200 { return text }
      printError("catraca: \(url): \(document.status) \(text)")
    } catch {
      printError("catraca: \(url): \(error)")
    }
    throw ExitCode(1)
  }

  /// Where the gateway listens for its operator, and the token that it asks for. Nothing else of the file has to be
  /// there.
  private func found(_ path: String) throws -> (url: String, token: String?) {
    switch ConfigurationReader.load(
      path: file, environment: ProcessInfo.processInfo.environment, checkCertificates: CertificateCheck.findings,
      isComplete: false)
    {
    case .success(let loaded):
      if let admin = loaded.configuration.admin {
        return ("http://\(address ?? admin.address.description)/\(path)", admin.token)
      }
      printError("catraca: \(file): 'admin' is off, so nobody can be asked")
    case .failure(let errors): printError(errors.description)
    }
    throw ExitCode(1)
  }
}
