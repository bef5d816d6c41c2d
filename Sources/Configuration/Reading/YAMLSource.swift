// YAML text → SourceNode, with Yams underneath. Every problem of the YAML itself becomes a diagnostic with a place, and
// a key that stands twice does not hide what else is wrong: the first of the two is renamed in a copy and parsed again.

import Yams

/// Turns one file's text into a tree.
struct YAMLSource {
  // LIMIT: bounds on what one file may hold; aliases count each time they are used, so none can grow without end.
  static let nodeCountMax = 500_000
  static let depthMax = 32
  static let textBytesMax = 4 * 1024 * 1024
  static let duplicatesMax = 20

  let reading: Reading
  private var renamed: [(place: Place, key: String)] = []
  private var nodeCount = 0
  private var isOverfull = false

  private init(reading: Reading) { self.reading = reading }

  /// The file's root, or nil after at least one error was reported.
  static func tree(of original: String, reading: Reading) -> SourceNode? {
    // A byte order mark is allowed (YAML 1.2 §5.2), and counts for no column.
    let text = original.unicodeScalars.first == "\u{FEFF}" ? String(original.unicodeScalars.dropFirst()) : original
    if text.utf8.count > textBytesMax {
      reading.error(.start, "the file is larger than 4 MiB")
      return nil
    }
    if let place = Self.unprintablePlace(in: text) {
      reading.error(place, "a control character stands here; remove it, or write it as an escape in double quotes")
      return nil
    }
    var source = YAMLSource(reading: reading)
    guard let root = source.compose(text) else { return nil }
    guard let node = source.convert(root, depth: 0) else { return nil }
    if node.isNull {
      reading.error(.start, "the file is empty; it wants at least 'listeners' and 'routes'")
      return nil
    }
    return node
  }

  private mutating func compose(_ original: String) -> Node? {
    var text = original
    while true {
      do {
        // No resolver: `no`, `on` and `yes` stay text, as YAML 1.2 has it. What `true` and `12` are decides who asks.
        guard let root = try Yams.compose(yaml: text, .basic, .default, .utf8) else {
          reading.error(.start, "the file is empty; it wants at least 'listeners' and 'routes'")
          return nil
        }
        return root
      } catch let error as YamlError {
        if case .duplicatedKeysInMapping(let keys, let context) = error {
          let place = Place(line: context.mark.line, column: context.mark.column)
          if let next = renameFirst(of: keys, at: place, in: text) {
            text = next
            continue
          }
          for key in renamed + [(place, keys.first ?? "")] {
            reading.error(key.place, "the key \(key.key.quoted) stands twice in this mapping: remove one")
          }
          return nil
        }
        report(error, text: original)
        return nil
      } catch {
        reading.error(.start, "the file cannot be read as YAML")
        return nil
      }
    }
  }

  /// The text with the key at `place` changed in its first letter, so that the next pass sees its twin. Columns stay.
  private mutating func renameFirst(of keys: [String], at place: Place, in text: String) -> String? {
    // LIMIT: each duplicate costs a pass over the file.
    guard renamed.count < Self.duplicatesMax else { return nil }
    var scalars = Array(text.unicodeScalars)
    guard var index = Self.offset(of: place, in: scalars) else { return nil }
    if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
    let key = keys.first { key in
      !key.isEmpty && scalars[index...].starts(with: key.unicodeScalars)
    }
    guard let key, let mark = Unicode.Scalar(0xE000 + UInt32(renamed.count)) else { return nil }
    scalars[index] = mark
    renamed.append((place, key))
    var result = String.UnicodeScalarView()
    result.append(contentsOf: scalars)
    return String(result)
  }

  private static func offset(of place: Place, in scalars: [Unicode.Scalar]) -> Int? {
    var line = 1
    var column = 1
    var index = 0
    while index < scalars.count {
      if line == place.line, column == place.column { return index }
      if scalars[index].isLineBreak {
        if scalars[index] == "\r", index + 1 < scalars.count, scalars[index + 1] == "\n" { index += 1 }
        line += 1
        column = 1
      } else {
        column += 1
      }
      index += 1
    }
    return nil
  }

  // MARK: Tree

  private mutating func convert(_ node: Node, depth: Int) -> SourceNode? {
    let place = node.mark.map { Place(line: $0.line, column: $0.column) } ?? .start
    nodeCount += 1
    if nodeCount > Self.nodeCountMax || depth > Self.depthMax {
      if !isOverfull {
        reading.error(
          place,
          depth > Self.depthMax
            ? "more than \(Self.depthMax) levels of lists and mappings"
            : "more than \(Self.nodeCountMax) values once the aliases are expanded")
      }
      isOverfull = true
      return nil
    }
    switch node {
    case .scalar(let scalar):
      return convert(scalar, place: place)
    case .sequence(let sequence):
      var items: [SourceNode] = []
      for item in sequence {
        if let item = convert(item, depth: depth + 1) { items.append(item) }
        if isOverfull { return nil }
      }
      return SourceNode(place: place, content: .list(items))
    case .mapping(let mapping):
      return convert(mapping, place: place, depth: depth)
    case .alias:
      return nil
    }
  }

  private func convert(_ scalar: Node.Scalar, place: Place) -> SourceNode? {
    var isPlain = scalar.style == .plain || scalar.style == .any
    guard let (text, isSubstituted) = reading.substituteVariables(in: scalar.string, at: place) else {
      // Already reported; text that fits nowhere else would only add noise.
      return SourceNode(place: place, content: .scalar(.init(text: "", isPlain: false)))
    }
    // `"${WORKERS:-4}"` is a number when the variable holds one: quotes are often needed around a variable.
    if isSubstituted { isPlain = true }
    return SourceNode(
      place: place, content: .scalar(.init(text: text, isPlain: isPlain && !(isSubstituted && text.isEmpty))))
  }

  private mutating func convert(_ mapping: Node.Mapping, place: Place, depth: Int) -> SourceNode? {
    var entries: [SourceNode.Entry] = []
    var seen: [String: Place] = [:]
    var firstRenamed: [String: Place] = [:]
    for (keyNode, valueNode) in mapping {
      let keyPlace = keyNode.mark.map { Place(line: $0.line, column: $0.column) } ?? place
      guard case .scalar(let keyScalar) = keyNode else {
        reading.error(keyPlace, "a key must be a name, not a list or a mapping")
        continue
      }
      if let original = renamed.first(where: { $0.place == keyPlace && Self.isRenaming(of: $0.key, keyScalar.string) })
      {
        if firstRenamed[original.key] == nil { firstRenamed[original.key] = keyPlace }
        if seen[original.key] == nil {
          seen[original.key] = keyPlace
        } else {
          reportTwin(original.key, at: keyPlace, seen: seen)
        }
        continue
      }
      let key = keyScalar.string
      let value = convert(valueNode, depth: depth + 1)
      if isOverfull { return nil }
      if seen[key] != nil {
        reportTwin(key, at: keyPlace, seen: seen)
        if firstRenamed[key] == nil { continue }
        firstRenamed[key] = nil
      }
      seen[key] = seen[key] ?? keyPlace
      if let value { entries.append(.init(key: key, keyPlace: keyPlace, value: value)) }
    }
    return SourceNode(place: place, content: .mapping(entries))
  }

  private func reportTwin(_ key: String, at place: Place, seen: [String: Place]) {
    let first = seen[key].map { " (first on line \($0.line))" } ?? ""
    reading.error(place, "the key \(key.quoted) stands twice in this mapping\(first): remove one")
  }

  private static func isRenaming(of key: String, _ text: String) -> Bool {
    text.unicodeScalars.count == key.unicodeScalars.count
      && text.unicodeScalars.dropFirst().elementsEqual(key.unicodeScalars.dropFirst())
      && (text.unicodeScalars.first.map { (0xE000..<0xE000 + UInt32(duplicatesMax)).contains($0.value) } ?? false)
  }
}
