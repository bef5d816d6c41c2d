// `catraca schema`: the JSON Schema of the configuration file, for editors.

import ArgumentParser
import Configuration

struct Schema: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema", abstract: "Print the JSON Schema of the configuration file, for editors.")

  func run() throws {
    try writeOutputOrExit(ConfigurationSchema.text)
  }
}
