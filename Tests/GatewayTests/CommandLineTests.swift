// What the command line answers to words that are not its own, and what it says of itself.

import Foundation
import TestSupport
import Testing

@Suite("The command line")
struct CommandLineTests {
  private typealias Ran = (status: Int32, standardOutput: String, standardError: String)

  @Test(
    "A command that is misspelt, or that another program has, is answered with what to write, and status 64",
    arguments: [
      (["chekc"], "did you mean 'check'?"), (["rnu", "gateway.conf"], "did you mean 'run'?"),
      (["validate", "a.conf"], "write 'catraca check FILE'"), (["-t"], "write 'catraca check FILE'"),
      (["-c", "a.conf"], "write 'catraca run FILE'"), (["reload"], "SIGHUP"), (["stop"], "SIGTERM"),
      (["-v"], "write 'catraca version'"), (["run", "-c", "a.conf"], "write 'catraca run FILE'"),
      (["check", "--config", "a.conf"], "write 'catraca check FILE'"),
      (["my/own.conf"], "write 'catraca run my/own.conf'"),
      (["zzzzzzzzz"], "the commands are init, run, check, "),
    ])
  func advice(_ arguments: [String], _ advice: String) async throws {
    let ran = try await GatewayProcess.run(arguments)
    #expect(ran.status == 64 && ran.standardOutput.isEmpty, "\(ran)")
    #expect(ran.standardError.hasPrefix("catraca: there is no ") && ran.standardError.contains(advice), "\(ran)")
    #expect(!ran.standardError.contains("\n"))
  }

  @Test("What the parser of arguments explains itself, it explains", arguments: [["--zzz"], ["run", "a", "b"]])
  func parser(_ arguments: [String]) async throws {
    let ran = try await GatewayProcess.run(arguments)
    #expect(ran.status == 64 && ran.standardError.contains("Usage: "), "\(ran)")
  }

  @Test("Without a file in the folder, run and check say how to name one", arguments: ["run", "check"])
  func noFile(_ command: String) async throws {
    let ran = try await GatewayProcess.run([command])
    #expect(ran.status == 1, "\(ran)")
    #expect(
      ran.standardError.hasPrefix("catraca: there is no gateway.conf in this folder: write 'catraca \(command) "))
    #expect(!ran.standardError.contains("\n"))
  }

  @Test("The help of run and check says what signals, exit codes and variables do")
  func help() async throws {
    for (command, words) in [
      ("run", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM", "Exit codes", "Environment", "docs/CONFIGURATION.md"]),
      ("check", ["Exit codes", "--strict", "Environment", "(default: gateway.conf)"]),
    ] {
      let text = try await GatewayProcess.run([command, "--help"]).standardOutput
      for word in words { #expect(text.contains(word), "\(word): \(text)") }
    }
    let text = try await GatewayProcess.run(["--help"]).standardOutput
    #expect(text.contains("Exit codes") && text.contains("--generate-completion-script"), "\(text)")
    for shell in ["bash", "zsh", "fish"] {
      let script = try await GatewayProcess.run(["--generate-completion-script", shell])
      #expect(script.status == 0 && script.standardOutput.contains("check"), "\(shell)")
    }
  }
}
