// The keys of one mapping of the file: for reading them into a model, and, without the model, for messages, the schema
// and the reference.

/// The records of the mapping that becomes a `Model`.
struct Settings<Model: Sendable>: Sendable {
  let table: SettingTable
  private let records: [Setting<Model>]
  /// The model of an empty mapping.
  let blank: Model
  private let finish: @Sendable (inout Model, Section) -> Void

  /// - Parameters:
  ///   - finish: What follows from several keys, once all of them are read.
  ///   - rules: What the schema says of several keys.
  init(
    _ path: String, title: String, example: String? = nil, blank: Model, rules: KeyValuePairs<String, JSONValue> = [:],
    finish: @escaping @Sendable (inout Model, Section) -> Void = { _, _ in }, _ records: [Setting<Model>]
  ) {
    self.records = records
    self.blank = blank
    self.finish = finish
    table = SettingTable(
      path: path, title: title, example: example,
      keys: records.map { record in
        var key = record.key
        if !key.isRequired, key.otherwise == nil { key.defaultValue = record.defaultValue(blank) }
        return key
      },
      rules: rules.map { (name: $0.key, value: $0.value) })
  }

  /// Some of the keys, in another place, where nothing follows from several of them.
  func subset(_ path: String, title: String, example: String, _ isTaken: (String) -> Bool) -> Settings {
    Settings(path, title: title, example: example, blank: blank, records.filter { isTaken($0.key.name) })
  }

  /// The model of a mapping. Nil after an error in a key that must be there, or when it is not a mapping.
  func read(_ node: SourceNode, _ reading: Reading, example: String? = nil) -> Model? {
    guard let section = Section(node, table, reading, example: example) else { return nil }
    var result = blank
    return take(section, into: &result).isWhole ? result : nil
  }

  /// The same for a mapping whose keys are properties of a larger model. False after an error.
  func read(_ node: SourceNode, _ reading: Reading, into model: inout Model) -> Bool {
    guard let section = Section(node, table, reading) else { return false }
    return take(section, into: &model).isWhole
  }

  /// Reads every key, in the order of the records. The section that is returned knows which keys were refused.
  @discardableResult
  func take(_ section: Section, into model: inout Model) -> Section {
    // By index: a record is large, and a copy of it costs more than most values.
    for index in records.indices {
      let errorsBefore = section.reading.errorCount
      var isRead = true
      if let node = section[index] {
        isRead = records[index].read(node, section.reading, &model)
      } else if section.has(index) {
        isRead = false
      } else if records[index].key.isRequired {
        section.reportMissing(index)
      }
      if !isRead || section.reading.errorCount > errorsBefore { section.refused.insert(table.keys[index].name) }
    }
    finish(&model, section)
    return section
  }
}

/// The keys of one mapping of the file.
package struct SettingTable: Sendable {
  /// Where it is: `routes[].auth`. `[]` for each of a list, `{}` for each value of a mapping with free names.
  package var path: String
  /// For messages: `a route`.
  package var title: String
  /// How to write one, for messages.
  var example: String?
  package let keys: [SettingKey]
  /// What the schema says of several keys.
  var rules: [(name: String, value: JSONValue)]
  private let indices: [String: Int]

  init(
    path: String, title: String, example: String?, keys: [SettingKey], rules: [(name: String, value: JSONValue)]
  ) {
    self.path = path
    self.title = title
    self.example = example
    self.keys = keys
    self.rules = rules
    indices = Dictionary(keys.indices.map { (keys[$0].name, $0) }) { first, _ in first }
  }

  func index(of name: String) -> Int? { indices[name] }

  func key(_ name: String) -> SettingKey? { indices[name].map { keys[$0] } }

  /// `x-…` at the top of the file is a place for anchors.
  func ignores(_ key: String) -> Bool { path.isEmpty && key.hasPrefix("x-") }

  /// The key that was probably meant.
  func nearest(to name: String) -> String? { nearestName(to: name, among: keys.map(\.name)) }

  /// The table that has a key, where it is likely that it was meant: one inside this one, one around it, or the only
  /// one. Nil where nobody can say.
  static func home(of key: String, from table: SettingTable) -> SettingTable? {
    let homes = all.filter { $0.key(key) != nil }
    if let inside = homes.first(where: { $0.path.hasPrefix(table.path + ".") }) { return inside }
    if let around = homes.last(where: { table.path.hasPrefix($0.path + ".") }) { return around }
    return homes.count == 1 && homes[0].isTopLevel ? homes[0] : nil
  }

  /// Where it has headers as keys of a mapping.
  var headerKey: String? {
    switch path {
    case "routes[].identity": "headers"
    case "routes[].request_headers", "routes[].response_headers": "set"
    default: nil
    }
  }

  /// Whether it is a section of the file, not of another section.
  private var isTopLevel: Bool { !path.contains(".") }

  /// The members of its schema that say which keys it has.
  var schema: [(name: String, value: JSONValue)] { keySchema + requirements }

  /// Which keys there may be.
  var keySchema: [(name: String, value: JSONValue)] {
    let properties = keys.map { (name: $0.name, value: $0.schema) }
    return [(name: "properties", value: .object(properties)), (name: "additionalProperties", value: false)]
  }

  /// Which keys there must be.
  var requirements: [(name: String, value: JSONValue)] {
    let required = keys.filter(\.isRequired).map { JSONValue.text($0.name) }
    return (required.isEmpty ? [] : [(name: "required", value: .list(required))]) + rules
  }
}
