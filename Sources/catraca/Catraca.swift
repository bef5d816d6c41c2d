// The command line.

import ArgumentParser

@main
struct Catraca: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "catraca",
    abstract: "An API gateway that verifies tokens at the edge.",
    version: version,
    subcommands: [Run.self, Check.self, Health.self, Schema.self, Demo.self, Token.self, Version.self])

  static let version = "0.1.0"

  static func main() async {
    openStandardStreams()
    await main(nil)
  }
}
