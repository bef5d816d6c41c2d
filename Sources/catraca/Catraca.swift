// The command line.

import ArgumentParser
import Cryptography
import Glibc

@main
struct Catraca: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "catraca",
    abstract: "An API gateway that verifies tokens at the edge.",
    discussion: """
      Exit codes: 0 when all went well, 1 when it did not, 64 for a command line that is not valid.
      catraca --generate-completion-script bash (or zsh, fish) prints the completion of a shell.
      """,
    version: version,
    // Each has its name written out: the parser would make it from the type's by reflection, at each start.
    subcommands: [
      Init.self, Run.self, Check.self, Explain.self, ReplayLog.self, Health.self, Sessions.self, Revoke.self,
      Schema.self, Demo.self, Token.self, APIKey.self, Version.self,
    ])

  static let version = "0.1.0"

  static func main() async {
    openStandardStreams()
    CryptographyLibrary.keepUntilTheEnd()
    let commands = configuration.subcommands.compactMap { $0._commandName } + ["help"]
    if let advice = CommandAdvice.text(for: Array(CommandLine.arguments.dropFirst()), commands: commands) {
      printError("catraca: \(advice)")
      Glibc.exit(ExitCode.validationFailure.rawValue)
    }
    await main(nil)
  }
}
