// `catraca health` and `catraca version`: what containers and people ask of the program beside the gateway.

import Foundation
import TestSupport
import Testing

@Suite("Health and version")
struct ToolCommandTests {
  private static let listener = "listeners: [{ address: \"127.0.0.1:0\" }]\n"
  private static let route = "routes: [{ path: /, auth: public, respond: { status: 200 } }]\n"

  private func health(_ arguments: String..., files: [String: String] = [:]) async throws -> (
    status: Int32, standardOutput: String, standardError: String
  ) {
    try await GatewayProcess.run(["health"] + arguments, files: files)
  }

  @Test("A gateway that is ready is healthy, found by its file or by its address")
  func ready() async throws {
    let gateway = try await GatewayProcess.start(Self.route)
    let address = "127.0.0.1:\(gateway.adminPort)"
    #expect(try await health("--address", address).status == 0)
    let file = "admin: { address: \"\(address)\", token: \"file:/none\" }\n" + Self.listener + Self.route
    let ran = try await health("a.conf", files: ["a.conf": file])
    #expect(ran.status == 0, "\(ran.standardError)")
    #expect(ran.standardOutput == "ready")
  }

  @Test("One without keys lives and is not ready")
  func alive() async throws {
    let gateway = try await GatewayProcess.start(
      """
      issuers: { login: { issuer: "https://login.example.test", audiences: [api], jwks: "http://127.0.0.1:\(try closedPort())/" } }
      routes: [{ path: /, auth: login, respond: { status: 200 } }]
      """)
    let address = "127.0.0.1:\(gateway.adminPort)"
    let ran = try await health("--address", address)
    #expect(ran.status == 1)
    #expect(ran.standardError.contains("http://\(address)/readyz: status(503)"), "\(ran.standardError)")
    #expect(try await health("--live", "--address", address).status == 0)
  }

  @Test("Nobody at the address, a file that is missing, and one without admin are not healthy")
  func absent() async throws {
    let gone = try await health("--address", "127.0.0.1:\(try closedPort())")
    #expect(gone.status == 1)
    #expect(gone.standardError.contains("Connection refused"), "\(gone.standardError)")
    #expect(try await health("none.conf").status == 1)
    let off = try await health("a.conf", files: ["a.conf": "admin: off\n" + Self.listener + Self.route])
    #expect(off.status == 1)
    #expect(off.standardError == "catraca: a.conf: 'admin' is off, so nobody can be asked")
    #expect(try await health("--timeout", "0").status == 64)
  }

  @Test("The version names what was built, and the libraries that are loaded")
  func version() async throws {
    let ran = try await GatewayProcess.run(["version"])
    #expect(ran.status == 0)
    let names = ran.standardOutput.split(separator: "\n").map { $0.prefix { $0 != " " } }
    let expected: [Substring] = [
      "catraca", "commit", "Swift", "architecture", "OpenSSL", "nghttp2", "zlib", "igzip", "Brotli", "libyaml",
    ]
    #expect(names == expected)
    #expect(ran.standardOutput.contains("OpenSSL       3."), "\(ran.standardOutput)")
  }

  private struct CommandDump: Decodable {
    struct Argument: Decodable {
      struct Name: Decodable { let name: String }
      let names: [Name]?
    }

    let commandName: String
    let arguments: [Argument]?
    let subcommands: [CommandDump]?

    /// Commands and long options, `help` left out.
    var words: [String] {
      let options = (arguments ?? []).flatMap { $0.names ?? [] }.map(\.name).filter { $0.count > 1 && $0 != "help" }
      let below = (subcommands ?? []).filter { $0.commandName != "help" }
      return options.map { "Fl -\($0)" } + below.map(\.commandName) + below.flatMap(\.words)
    }
  }

  @Test("The manual page names every command and every option")
  func manual() async throws {
    struct Dump: Decodable { let command: CommandDump }
    let ran = try await GatewayProcess.run(["--experimental-dump-help"])
    let words = try JSONDecoder().decode(Dump.self, from: Data(ran.standardOutput.utf8)).command.words
    #expect(words.count > 30)
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(contentsOf: root.appending(path: "docker/package/catraca.1"), encoding: .utf8)
      .replacing("Fl ( -", with: "Fl -")
    for word in words { #expect(page.contains(word), "\(word)") }
  }
}
