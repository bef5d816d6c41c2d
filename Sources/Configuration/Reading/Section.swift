// One mapping with known keys. Making one reports every key that is unknown, belongs to a later version or has no
// value, so that the reader of the section only asks for what it knows.

final class Section {
  let position: SourcePosition
  let table: SettingTable
  let reading: Reading
  /// Keys that are missing although they must be there, or have an error in their values.
  var refused: Set<String> = []
  /// Keys whose values come from a group or from `defaults`.
  private(set) var inherited: Set<String> = []
  /// Few, so that they are looked through for a name.
  private let entries: [SourceNode.Entry]
  /// For each key of the table, where it is in `entries`. -1 where it is not.
  private var places: [Int]
  /// Places in `entries` of keys that are refused, or have no value.
  private var emptyPlaces: Set<Int> = []

  /// nil after an error was reported: the node is not a mapping.
  init?(_ node: SourceNode, _ table: SettingTable, _ reading: Reading, example: String? = nil) {
    guard case .mapping(let entries) = node.content else {
      let hint = example ?? table.example ?? table.keys.first.map { "\($0.name): …" } ?? ""
      reading.error(node.position, "\(table.title) must be a mapping, not \(node.kind): write \(hint)")
      return nil
    }
    position = node.position
    self.table = table
    self.reading = reading
    self.entries = entries
    places = [Int](repeating: -1, count: table.keys.count)
    for place in entries.indices where !table.ignores(entries[place].key) { note(place) }
  }

  private func note(_ place: Int) {
    let (key, position) = (entries[place].key, entries[place].keyPosition)
    guard let index = table.index(of: key) else { return reading.error(position, Self.unknown(key, in: table)) }
    places[index] = place
    if entries[place].isInherited { inherited.insert(key) }
    if entries[place].value.isNull {
      let advice = table.keys[index].isRequired ? "write one" : "write one, or remove the key"
      reading.error(position, "\(key.quoted) has no value: \(advice)")
      emptyPlaces.insert(place)
    }
  }

  private static func unknown(_ key: String, in table: SettingTable) -> String {
    if key == "<<" { return "merge keys ('<<') are not part of YAML 1.2: write the keys out" }
    if let answer = ForeignWord.answer(to: key, in: table) { return answer }
    let text = "\(table.title) has no key \(key.quoted)"
    // `auth` in `defaults` is that of a route, and no other word that is near.
    if table.path == "defaults", Route.settings.table.key(key) != nil { return "\(text): it belongs in a route" }
    if let near = table.nearest(to: key) { return "\(text): did you mean '\(near)'?" }
    if let name = table.headerKey, isHeader(key) { return "\(text): write \(name): { \(key.shown): … }" }
    if let home = SettingTable.home(of: key, from: table) { return "\(text): it belongs in \(home.title)" }
    let known = table.keys.map(\.name).joined(separator: ", ")
    return "\(text): the known keys are \(known)"
  }

  /// No key of ours looks like `X-User-Id`.
  private static func isHeader(_ key: String) -> Bool {
    key.first?.isUppercase == true && key.contains("-") && FieldRules.isToken(key)
  }

  /// The value of a key that the table knows. Nil when the file does not have it, or has it wrong (which was reported).
  subscript(_ key: String) -> SourceNode? {
    place(of: key).flatMap { emptyPlaces.contains($0) ? nil : entries[$0].value }
  }

  private func place(of key: String) -> Int? { entries.firstIndex { $0.key == key } }

  /// The same for a key by its index in the table.
  subscript(_ index: Int) -> SourceNode? {
    has(index) && !emptyPlaces.contains(places[index]) ? entries[places[index]].value : nil
  }

  /// Whether the mapping has no keys at all.
  var isEmpty: Bool { entries.isEmpty }

  /// Whether the file has the key, even with a value that was refused.
  func has(_ key: String) -> Bool { place(of: key) != nil }

  func has(_ index: Int) -> Bool { places[index] >= 0 }

  func keyPosition(_ key: String) -> SourcePosition { place(of: key).map { entries[$0].keyPosition } ?? position }

  /// Where a value is, or its section when that inherits it.
  func ownPosition(_ key: String) -> SourcePosition {
    inherited.contains(key) ? position : self[key]?.position ?? position
  }

  /// Whether the file has every key that must be there, without an error.
  var isWhole: Bool { refused.isEmpty || !table.keys.contains { $0.isRequired && refused.contains($0.name) } }

  /// Reports a key that must be there and is not, at the section's position.
  func reportMissing(_ index: Int) {
    let key = table.keys[index]
    reading.error(position, "\(table.title) has no '\(key.name)'\(key.advice.map { ": " + $0 } ?? "")")
  }
}
