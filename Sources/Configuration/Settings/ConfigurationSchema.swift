// The JSON Schema of the file (draft 2020-12), for editors: made from the records of all keys.

package enum ConfigurationSchema {
  /// With a line break at its end.
  package static var text: String {
    let root: [(name: String, value: JSONValue)] = [
      (name: "$schema", value: "https://json-schema.org/draft/2020-12/schema"),
      (name: "title", value: "gateway.conf"),
      (name: "description", value: "The configuration file of the Catraca API gateway."),
      (name: "type", value: "object"),
    ]
    let members = root + GatewayConfiguration.settings.table.schema + [(name: "$defs", value: definitions)]
    return JSONValue.object(members).formatted + "\n"
  }

  private static let definitions: JSONValue = [
    // What a route inherits is not there, so that nothing is required here.
    "route": JSONValue.object([(name: "type", value: "object")] + Route.settings.table.keySchema).withoutRequirements,
    "text": ["type": ["string", "number"]],
    "variable": [
      "description": "A value from the environment: ${NAME} or ${NAME:-default}.", "type": "string",
      "pattern": "\\$\\{[A-Za-z_]",
    ],
    "duration": quantity(units: Quantity.duration.units.map(\.name)),
    "size": quantity(units: Quantity.size.units.map(\.name)),
    "percent": quantity(units: ["%"]),
  ]

  private static func quantity(units: [String]) -> JSONValue {
    ["type": "string", "pattern": .text("^([0-9]+(\(units.joined(separator: "|")))|.*\\$\\{.*)$")]
  }
}
