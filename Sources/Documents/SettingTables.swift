// The schema, the tables of docs/CONFIGURATION.md and the limits of gateway.conf.example, from the records of the
// settings.

import Configuration

extension GeneratedDocument {
  static let schema = GeneratedDocument(
    path: "docs/gateway.schema.json", marks: .none, parts: [("schema", ConfigurationSchema.text)])

  static let reference = GeneratedDocument(
    path: "docs/CONFIGURATION.md",
    parts: SettingTable.all.filter { !twins.contains($0.path) }.map {
      ($0.path.isEmpty ? "top" : $0.path, keys(of: $0))
    } + [("log names", logNames)])

  static let example = GeneratedDocument(
    path: "gateway.conf.example", marks: .yaml,
    parts: SettingTable.all.filter { $0.path == "limits" }.map { ($0.path, lines(of: $0)) })

  /// Mappings with the keys of another one, whose table serves both.
  private static let twins = ["routes[].rate_limit", "routes[].response_headers"]

  private static func keys(of settings: SettingTable) -> String {
    table(
      ["key", "type", "default", "meaning"],
      settings.keys.map { key in
        let fallback = key.isRequired ? "" : key.otherwise ?? "none"
        return [
          "`\(key.name)`", key.form.words + (key.isRequired ? ", required" : ""),
          key.defaultValue.map { "`\($0)`" } ?? fallback,
          key.sentence,
        ]
      })
  }

  /// What each field of the access log is called by others.
  private static let logNames = table(
    ["field", "`ecs`", "`otel`"],
    AccessLogField.allCases.map { field in
      ["`\(field.name)`", "`\(field.record.ecs.name)`", "`\(field.record.otel.name)`"]
    })

  /// Each key with its default, and its meaning behind it.
  private static func lines(of settings: SettingTable) -> String {
    let column = 37
    return settings.keys.map { key in
      let value = (key.defaultValue ?? key.example).map { "\($0)" } ?? ""
      let start = "  \(key.name): \(value)"
      let meaning = key.sentence + (key.otherwise.map { " Default: \($0)." } ?? "")
      var text = start + String(repeating: " ", count: max(1, column - start.count))
      for (index, line) in wrapped(meaning.filter { $0 != "`" }, columns: 120 - column - 2).enumerated() {
        text += (index == 0 ? "" : String(repeating: " ", count: column)) + "# \(line)\n"
      }
      return text
    }.joined()
  }

  private static func wrapped(_ text: String, columns: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.count + 1 + word.count <= columns {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
