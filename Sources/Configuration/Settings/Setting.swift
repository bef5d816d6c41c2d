// A key of the format is one record: its name, what its value looks like, what it means, and where it goes in the
// model, which holds its default. The reader, the advice for unknown keys, the JSON Schema and
// the reference come from these.

/// One key of the mapping that becomes a `Model`.
///
/// There are hundreds: made in place, each would be a kilobyte of program that runs once.
struct Setting<Model: Sendable>: Sendable {
  var key: SettingKey
  /// Takes the value into the model. False after an error was reported.
  let read: @Sendable (SourceNode, Reading, inout Model) -> Bool
  /// The default as a model has it that nothing was read into.
  let defaultValue: @Sendable (Model) -> Literal?

  /// A key with a default: the value that a blank model has.
  /// - Parameters:
  ///   - advice: How to write a key that must be there. Such a key has no default.
  ///   - otherwise: What the reference says instead of the default.
  ///   - example: What the example file has where there is no default.
  @inline(never)
  init<Value>(
    _ name: String, _ property: any WritableKeyPath<Model, Value> & Sendable, _ type: ValueType<Value>,
    _ sentence: String, required advice: String? = nil, otherwise: String? = nil, example: Value? = nil
  ) {
    key = SettingKey(name, type.form, sentence, advice: advice, otherwise: otherwise)
    key.example = example.flatMap(type.write)
    defaultValue = { type.write($0[keyPath: property]) }
    let what = "'\(name)'"
    read = { node, reading, model in
      guard let value = type.read(node, reading, what) else { return false }
      model[keyPath: property] = value
      return true
    }
  }

  /// A key that may be left out, which is nil in the model.
  @inline(never)
  init<Value>(
    _ name: String, _ property: any WritableKeyPath<Model, Value?> & Sendable, _ type: ValueType<Value>,
    _ sentence: String, otherwise: String? = nil, example: Value? = nil
  ) {
    key = SettingKey(name, type.form, sentence, otherwise: otherwise)
    key.example = example.flatMap(type.write)
    defaultValue = { $0[keyPath: property].flatMap(type.write) }
    let what = "'\(name)'"
    read = { node, reading, model in
      guard let value = type.read(node, reading, what) else { return false }
      model[keyPath: property] = value
      return true
    }
  }

  /// A key that makes a property together with others, or fills more than one.
  @inline(never)
  init<Value>(
    _ name: String, _ type: ValueType<Value>, _ sentence: String, required advice: String? = nil,
    otherwise: String? = nil, store: @escaping @Sendable (inout Model, Value) -> Void
  ) {
    let what = "'\(name)'"
    self.init(name, type.form, sentence, required: advice, otherwise: otherwise) { node, reading, model in
      guard let value = type.read(node, reading, what) else { return false }
      store(&model, value)
      return true
    }
  }

  /// A key that has more to say than a property of this model holds.
  @inline(never)
  init(
    _ name: String, _ form: ValueForm, _ sentence: String, required advice: String? = nil, otherwise: String? = nil,
    defaultValue: @escaping @Sendable (Model) -> Literal? = { _ in nil },
    read: @escaping @Sendable (SourceNode, Reading, inout Model) -> Bool
  ) {
    key = SettingKey(name, form, sentence, advice: advice, otherwise: otherwise)
    self.defaultValue = defaultValue
    self.read = read
  }
}

/// What is known of a key, whatever model it goes into.
package struct SettingKey: Sendable {
  package var name: String
  package var form: ValueForm
  /// What it means, in Markdown, for the reference and the schema.
  package var sentence: String
  /// How to write it where it is missing and must be there.
  var advice: String?
  package var defaultValue: Literal?
  /// What counts without the key, where that is more than a value.
  package var otherwise: String?
  /// For the example file, where there is no default.
  package var example: Literal?

  @inline(never)
  init(_ name: String, _ form: ValueForm, _ sentence: String, advice: String? = nil, otherwise: String? = nil) {
    self.name = name
    self.form = form
    self.sentence = sentence
    self.advice = advice
    self.otherwise = otherwise
  }

  package var isRequired: Bool { advice != nil }

  /// The key's schema.
  var schema: JSONValue {
    var description = sentence
    if let bounds = form.bounds { description += " \(bounds)." }
    if let otherwise { description += " By default \(otherwise)." }
    var members = [(name: "description", value: JSONValue.text(description))] + form.schema
    if let defaultValue { members.append((name: "default", value: defaultValue.json)) }
    return .object(members)
  }
}

/// A value as an operator writes it.
package enum Literal: Sendable, Equatable, CustomStringConvertible {
  case text(String)
  case integer(Int)
  case boolean(Bool)
  case list([String])

  package var description: String {
    switch self {
    case .text(let text): text
    case .integer(let value): "\(value)"
    case .boolean(let value): "\(value)"
    case .list(let items): "[" + items.joined(separator: ", ") + "]"
    }
  }

  var json: JSONValue {
    switch self {
    case .text(let text): .text(text)
    case .integer(let value): .number("\(value)")
    case .boolean(let value): .boolean(value)
    case .list(let items): .list(items.map(JSONValue.text))
    }
  }
}
