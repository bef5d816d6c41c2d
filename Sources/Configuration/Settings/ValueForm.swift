// What a value of the file looks like: in words for the reference, and as a JSON Schema.

package struct ValueForm: Sendable {
  /// For the reference, in Markdown: `duration, 10ms…24h`.
  package var words: String
  /// Bounds that the schema does not hold, as a sentence for its description.
  package var bounds: String?
  private let members: @Sendable () -> [(name: String, value: JSONValue)]

  init(
    _ words: String, _ schema: @autoclosure @escaping @Sendable () -> KeyValuePairs<String, JSONValue>,
    bounds: String? = nil
  ) {
    self.init(words, bounds: bounds) { schema().map { (name: $0.key, value: $0.value) } }
  }

  private init(
    _ words: String, bounds: String? = nil, members: @escaping @Sendable () -> [(name: String, value: JSONValue)]
  ) {
    self.words = words
    self.bounds = bounds
    self.members = members
  }

  /// The members of its schema. Made when somebody asks for them, because a gateway that starts does not. Nor does it
  /// then make the keys of sections that its file does not have.
  package var schema: [(name: String, value: JSONValue)] { members() }

  var json: JSONValue { .object(schema) }

  static func reference(_ name: String, _ words: String, bounds: String? = nil) -> ValueForm {
    ValueForm(words, ["$ref": .text("#/$defs/\(name)")], bounds: bounds)
  }

  /// One of several forms.
  static func any(of forms: [ValueForm], _ words: String? = nil) -> ValueForm {
    let own = words ?? alternatives(forms.map(\.words))
    return ValueForm(own, ["anyOf": .list(forms.flatMap(\.choices))], bounds: forms.compactMap(\.bounds).first)
  }

  /// Those of a form that is a choice itself. Others are the only one.
  private var choices: [JSONValue] {
    let schema = schema
    if schema.count == 1, schema[0].name == "anyOf", case .list(let inner) = schema[0].value { return inner }
    return [.object(schema)]
  }
}

// MARK: Plain values

extension ValueForm {
  static func text(_ words: String) -> ValueForm { .reference("text", words) }

  /// A value that may come from the environment, where its own form has no room for `${NAME}`.
  static func orVariable(_ words: String, _ schema: JSONValue...) -> ValueForm {
    ValueForm(words, ["anyOf": .list(schema + [["$ref": "#/$defs/variable"]])])
  }

  static func keyword(_ keyword: String) -> ValueForm { ValueForm("`\(keyword)`", ["const": .text(keyword)]) }

  static let boolean = orVariable("true or false", ["type": "boolean"])

  static func integer(_ lowest: Int, _ highest: Int) -> ValueForm {
    orVariable(
      "\(lowest)…\(highest)",
      ["type": "integer", "minimum": .number("\(lowest)"), "maximum": .number("\(highest)")])
  }

  static func choice(_ words: [String]) -> ValueForm {
    orVariable(alternatives(words.map { "`\($0)`" }), ["enum": .list(words.map(JSONValue.text))])
  }

  /// Text that begins in one of several ways.
  static func pattern(_ words: String, _ pattern: String) -> ValueForm {
    ValueForm(words, ["type": "string", "pattern": .text("^(\(pattern)|.*\\$\\{.*)$")])
  }
}

// MARK: Lists and mappings

extension ValueForm {
  /// - Parameter isEmptyAllowed: only where an empty list means something.
  static func list(
    of item: ValueForm, _ words: String, isEmptyAllowed: Bool = false, isUnique: Bool = true, atMost: Int? = nil
  ) -> ValueForm {
    ValueForm(words) {
      var members: [(name: String, value: JSONValue)] = [
        (name: "type", value: "array"), (name: "items", value: item.json),
      ]
      if !isEmptyAllowed { members.append((name: "minItems", value: 1)) }
      if let atMost { members.append((name: "maxItems", value: .number("\(atMost)"))) }
      if isUnique { members.append((name: "uniqueItems", value: true)) }
      return members
    }
  }

  /// Free names, each with a text.
  static func texts(_ words: String) -> ValueForm {
    ValueForm(words, ["type": "object", "additionalProperties": ["$ref": "#/$defs/text"]])
  }

  static func mapping(
    _ table: @autoclosure @escaping @Sendable () -> SettingTable, _ words: String = "mapping"
  ) -> ValueForm {
    ValueForm(words) { [(name: "type", value: "object")] + table().schema }
  }

  /// A mapping of which parts may be in other places.
  var withoutRequirements: ValueForm {
    ValueForm(words, bounds: bounds) { [members] in
      if case .object(let members) = JSONValue.object(members()).withoutRequirements { members } else { [] }
    }
  }

  /// Free names, each with a mapping.
  static func mappings(_ words: String, names: JSONValue, _ value: ValueForm) -> ValueForm {
    ValueForm(words, ["type": "object", "propertyNames": names, "additionalProperties": value.json])
  }
}
