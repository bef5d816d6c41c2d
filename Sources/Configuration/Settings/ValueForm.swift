// What a value of the file looks like: in words for the reference, and as a JSON Schema.

package struct ValueForm: Sendable {
  /// For the reference, in Markdown: `duration, 10ms…24h`.
  package var words: String
  /// The members of its schema.
  package var schema: [(name: String, value: JSONValue)]
  /// Bounds that the schema does not hold, as a sentence for its description.
  package var bounds: String?

  init(_ words: String, _ schema: KeyValuePairs<String, JSONValue>, bounds: String? = nil) {
    self.words = words
    self.schema = schema.map { (name: $0.key, value: $0.value) }
    self.bounds = bounds
  }

  var json: JSONValue { .object(schema) }

  static func reference(_ name: String, _ words: String, bounds: String? = nil) -> ValueForm {
    ValueForm(words, ["$ref": .text("#/$defs/\(name)")], bounds: bounds)
  }

  /// One of several forms.
  static func any(of forms: [ValueForm], _ words: String? = nil) -> ValueForm {
    var flat: [JSONValue] = []
    for form in forms {
      // A form that is a choice itself adds its own choices.
      if form.schema.count == 1, form.schema[0].name == "anyOf", case .list(let inner) = form.schema[0].value {
        flat += inner
      } else {
        flat.append(form.json)
      }
    }
    let own = words ?? alternatives(forms.map(\.words))
    return ValueForm(own, ["anyOf": .list(flat)], bounds: forms.compactMap(\.bounds).first)
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
    var form = ValueForm(words, ["type": "array", "items": item.json])
    if !isEmptyAllowed { form.schema.append((name: "minItems", value: 1)) }
    if let atMost { form.schema.append((name: "maxItems", value: .number("\(atMost)"))) }
    if isUnique { form.schema.append((name: "uniqueItems", value: true)) }
    return form
  }

  /// Free names, each with a text.
  static func texts(_ words: String) -> ValueForm {
    ValueForm(words, ["type": "object", "additionalProperties": ["$ref": "#/$defs/text"]])
  }

  static func mapping(_ table: SettingTable, _ words: String = "mapping") -> ValueForm {
    ValueForm(words, ["type": "object"], table)
  }

  /// A mapping of which parts may be in other places.
  var withoutRequirements: ValueForm {
    var form = self
    if case .object(let members) = json.withoutRequirements { form.schema = members }
    return form
  }

  /// Free names, each with a mapping.
  static func mappings(_ words: String, names: JSONValue, _ value: ValueForm) -> ValueForm {
    ValueForm(words, ["type": "object", "propertyNames": names, "additionalProperties": value.json])
  }

  private init(_ words: String, _ schema: KeyValuePairs<String, JSONValue>, _ table: SettingTable) {
    self.init(words, schema)
    self.schema += table.schema
  }
}
