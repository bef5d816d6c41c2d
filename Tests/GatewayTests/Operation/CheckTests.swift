// `catraca check` for people and for pipelines: several files, standard input, warnings that count, findings that
// programs read, and a machine that has neither the files nor the variables.

import Foundation
import TestSupport
import Testing

@Suite("Check")
struct CheckTests {
  private static let good = """
    listeners: [{ address: "127.0.0.1:0" }]
    routes: [{ path: /, auth: public, respond: { status: 200 } }]
    """
  /// An issuer that no route uses.
  private static let doubtful =
    good + "\nissuers: { login: { issuer: \"https://login.example.com/\", audiences: [api] } }\n"
  private static let bad = "listeners: [{ address: \"127.0.0.1:0\" }]\nroutes: [{ path: orders, auth: public }]\n"

  private func check(_ arguments: String..., files: [String: String]) async throws -> (
    status: Int32, standardOutput: String, standardError: String
  ) {
    try await GatewayProcess.run(["check"] + arguments, files: files)
  }

  @Test("Several files are checked in one run, and one bad file is enough to fail")
  func severalFiles() async throws {
    let files = ["a.conf": Self.good, "b.conf": Self.bad, "c.conf": Self.good]
    let ran = try await check("a.conf", "b.conf", "c.conf", files: files)
    #expect(ran.status == 1)
    #expect(ran.standardOutput.contains("a.conf: ok, 1 route"))
    #expect(ran.standardOutput.contains("c.conf: ok"))
    #expect(ran.standardError.contains("b.conf:2:"))
    #expect(try await check("a.conf", "c.conf", files: files).status == 0)
  }

  @Test("Included files are checked with the file that names them, each with its own lines")
  func includedFiles() async throws {
    let main = "include: routes.d/*.conf\n" + Self.good
    let files = ["a.conf": main, "routes.d/one.conf": "routes:\n  - { path: /one, auth: public }\n"]
    let ran = try await check("a.conf", files: files)
    #expect(ran.status == 1)
    #expect(ran.standardError.hasPrefix("routes.d/one.conf:2:5: a route has no action"), "\(ran)")
    let whole = files["routes.d/one.conf"]?.replacing("public }", with: "public, respond: { status: 204 } }") ?? ""
    let good = try await check("a.conf", files: files.merging(["routes.d/one.conf": whole]) { $1 })
    #expect(good.standardOutput.contains("a.conf: ok, 2 routes"))
  }

  @Test("With --strict, a warning fails the check")
  func strict() async throws {
    let files = ["a.conf": Self.doubtful, "b.conf": Self.good]
    let lenient = try await check("a.conf", files: files)
    #expect(lenient.status == 0)
    #expect(lenient.standardError.contains("a.conf:3:"))
    #expect(lenient.standardError.contains("warning"))
    #expect(try await check("--strict", "a.conf", files: files).status == 1)
    #expect(try await check("--strict", "b.conf", files: files).status == 0)
  }

  @Test("Findings can be objects a line, or annotations of a workflow")
  func formats() async throws {
    let files = ["a.conf": Self.bad]
    let json = try await check("--format", "json", "a.conf", files: files)
    #expect(json.status == 1)
    #expect(json.standardError.isEmpty)
    for line in json.standardOutput.split(separator: "\n") {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      #expect(object?["file"] as? String == "a.conf")
      #expect(object?["line"] as? Int == 2)
      #expect(object?["severity"] as? String == "error")
      #expect((object?["message"] as? String)?.isEmpty == false)
    }
    #expect(!json.standardOutput.isEmpty)
    let github = try await check("--format", "github", "a.conf", files: files)
    #expect(github.status == 1)
    for line in github.standardOutput.split(separator: "\n") {
      #expect(line.hasPrefix("::error file=a.conf,line=2,col="), "\(line)")
    }
  }

  @Test("With --no-files, the machine needs neither the files nor the variables, and mistakes are still found")
  func withoutFiles() async throws {
    let text = """
      listeners:
        - { address: "127.0.0.1:0", tls: { certificates: [{ certificate: none.crt, key: none.key }] } }
      issuers: { login: { issuer: "${CATRACA_NO_SUCH}", audiences: [api], jwks: none.json } }
      upstreams: { u: { servers: ["${CATRACA_NO_SUCH}:80"] } }
      routes:
        - { path: /a, auth: login, upstream: u }
        - { path: /b, auth: public, respond: { status: 200, body: file:none.html } }
      """
    let files = ["a.conf": text, "b.conf": text.replacing("upstream: u }", with: "upstream: v }")]
    #expect(try await check("a.conf", files: files).status == 1)
    let ran = try await check("--no-files", "--strict", "a.conf", files: files)
    #expect(ran.status == 0, "\(ran)")
    let misspelt = try await check("--no-files", "b.conf", files: files)
    #expect(misspelt.status == 1, "\(misspelt)")
    #expect(misspelt.standardError.contains("'v'"), "\(misspelt)")
  }

  @Test("Folders that are missing for a log or for keys are found, except with --no-files")
  func missingFolders() async throws {
    let files = [
      "log.conf": Self.good + "\naccess_log: { path: no/such/access.log }\n",
      "state.conf": Self.good + "\nstate_directory: no/such/state\n",
      "first.conf": Self.good + "\nstate_directory: state\naccess_log: { path: access.log }\n",
    ]
    let log = try await check("log.conf", files: files)
    #expect(log.status == 1 && log.standardError.hasPrefix("log.conf:3:21: the log 'no/such/access.log'"), "\(log)")
    #expect(log.standardError.contains("the folder 'no/such' does not exist: make it"), "\(log)")
    let state = try await check("state.conf", files: files)
    #expect(state.status == 0 && state.standardError.hasPrefix("state.conf:3:18: warning: "), "\(state)")
    #expect(state.standardError.contains("the folder 'no/such' does not exist: make it"), "\(state)")
    #expect(try await check("--strict", "first.conf", files: files).status == 0)
    #expect(try await check("--strict", "--no-files", "log.conf", "state.conf", files: files).status == 0)
  }

  @Test("Standard input is checked as -")
  func standardInput() async throws {
    for (text, status) in [(Self.good, 0), (Self.bad, 1)] as [(String, Int32)] {
      let ran = try await GatewayProcess.run(
        ["check", "-"], files: ["a.conf": text],
        launcher: ["/bin/sh", "-c", "exec \"$0\" \"$@\" < a.conf"])
      #expect(ran.status == status, "\(ran)")
      #expect((ran.standardOutput + ran.standardError).contains("standard input:"), "\(ran)")
    }
  }

  @Test(
    "A pipe that a shell made for the command is read, also where it is written late",
    arguments: [
      "(sleep 0.1; cat a.conf) | exec \"$0\" \"$@\" -", "(sleep 0.1; cat a.conf) | exec \"$0\" \"$@\" /dev/stdin",
      "exec \"$0\" \"$@\" <(sleep 0.1; cat a.conf)", "exec \"$0\" \"$@\" /dev/fd/7 7< <(sleep 0.1; cat a.conf)",
    ])
  func pipes(_ script: String) async throws {
    let ran = try await GatewayProcess.run(
      ["check"], files: ["a.conf": Self.good], launcher: ["/bin/bash", "-c", script])
    #expect(ran.status == 0, "\(ran)")
    #expect(ran.standardOutput.hasSuffix(": ok, 1 route"), "\(ran)")
  }

  @Test("A named pipe is not a configuration file, and nobody waits for its writer")
  func namedPipe() async throws {
    for name in ["a.conf", "b.conf"] {
      let ran = try await GatewayProcess.run(
        ["check", name], files: ["b.conf": "include: a.conf\n" + Self.good],
        launcher: ["/bin/sh", "-c", "mkfifo a.conf && exec \"$0\" \"$@\""])
      #expect(ran.status == 1)
      #expect(ran.standardError.contains("it is a named pipe, not a file"), "\(ran)")
    }
  }
}
