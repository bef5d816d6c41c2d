// JSON as the schema needs it: members in the order in which they are written, so that the same records always give the
// same bytes.

package indirect enum JSONValue: Sendable {
  case object([(name: String, value: JSONValue)])
  case list([JSONValue])
  case text(String)
  /// As it is written.
  case number(String)
  case boolean(Bool)

  /// A schema in which every key may be left out, at any depth.
  var withoutRequirements: JSONValue {
    switch self {
    case .object(let members):
      .object(
        members.compactMap { name, value in
          if name == "required", case .list = value { return nil }
          return (name: name, value: value.withoutRequirements)
        })
    case .list(let items): .list(items.map(\.withoutRequirements))
    case .text, .number, .boolean: self
    }
  }

  /// Indented by two spaces, one member or item a line.
  package var formatted: String { formatted(indent: "") }

  private func formatted(indent: String) -> String {
    let inner = indent + "  "
    switch self {
    case .object(let members):
      if members.isEmpty { return "{}" }
      let lines = members.map { "\(inner)\(Self.quoted($0.name)): \($0.value.formatted(indent: inner))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    case .list(let items):
      if items.isEmpty { return "[]" }
      return "[\n" + items.map { inner + $0.formatted(indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
    case .text(let text): return Self.quoted(text)
    case .number(let text): return text
    case .boolean(let value): return value ? "true" : "false"
    }
  }

  /// The texts here come from this program's own records: they have no control characters but line breaks.
  private static func quoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    return "\"\(escaped)\""
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .text(value) }
  package init(integerLiteral value: Int) { self = .number("\(value)") }
  package init(booleanLiteral value: Bool) { self = .boolean(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { (name: $0.0, value: $0.1) })
  }
}
