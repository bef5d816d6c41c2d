// YAML text → SourceNode, with Yams underneath. Every problem of the YAML itself becomes a diagnostic with a position.
// A key that appears twice does not hide other errors: the first of the two is renamed in a copy and parsed again.
//
// Aliases are ours: Yams would expand each before anybody could count, and compares mapping keys as they are expanded.
// It gets a copy in which they are plain text, which cannot grow.

import Yams

/// Turns one file's text into a tree.
struct YAMLSource {
  // LIMIT: bounds on what one file may hold. Aliases count each time they are used, so none can grow without end.
  static let nodeCountMax = 500_000
  static let depthMax = 32
  static let textBytesMax = 4 * 1024 * 1024
  static let duplicatesMax = 20

  /// A converted node with its measures, for the aliases of its anchor.
  private struct Anchored {
    var node: SourceNode
    var nodeCount: Int
    /// Levels below it.
    var height: Int
  }

  let reading: Reading
  /// Its index in positions.
  let file: Int
  /// Nodes know their anchors as long as it lives.
  private var parser: Yams.Parser?
  /// Replaces `*` in what Yams reads.
  let star: Unicode.Scalar
  private var renamed: [(position: SourcePosition, key: String)] = []
  private var isOverfull = false
  /// By name, as far as the file was read.
  private var anchors: [String: Anchored] = [:]
  /// Of the nodes converted since it was set to 0.
  private var deepest = 0

  private init(reading: Reading, file: Int, star: Unicode.Scalar) {
    self.reading = reading
    self.file = file
    self.star = star
  }

  /// The file's root, or nil after at least one error was reported.
  static func tree(of original: String, file: Int = 0, reading: Reading) -> SourceNode? {
    let start = SourcePosition(file: file, line: 1, column: 1)
    // A byte order mark is allowed (YAML 1.2 §5.2), and counts for no column.
    let text = original.unicodeScalars.first == "\u{FEFF}" ? String(original.unicodeScalars.dropFirst()) : original
    if text.utf8.count > textBytesMax {
      reading.error(start, "the file is larger than 4 MiB")
      return nil
    }
    if var position = Self.unprintablePosition(in: text) {
      position.file = file
      reading.error(
        position, "a control character is not allowed here: remove it, or write it as an escape in double quotes")
      return nil
    }
    var source = YAMLSource(reading: reading, file: file, star: Self.unusedScalar(in: text))
    guard let root = source.compose(text) else { return nil }
    guard let node = source.convert(root, depth: 0) else { return nil }
    if node.isNull {
      source.reportEmpty()
      return nil
    }
    return node
  }

  private func reportEmpty() {
    reading.error(
      position(line: 1, column: 1),
      "the file is empty: write at least " + (file == 0 ? "'listeners' and 'routes'" : "'routes'"))
  }

  func position(line: Int, column: Int) -> SourcePosition { SourcePosition(file: file, line: line, column: column) }

  /// One of the private ones above those that mark renamed keys.
  private static func unusedScalar(in text: String) -> Unicode.Scalar {
    let used = Set(text.unicodeScalars.lazy.filter { (0xE100...0xF8FF).contains($0.value) })
    return (0xE100...0xF8FF).lazy.compactMap { Unicode.Scalar($0) }.first { !used.contains($0) } ?? "\u{E100}"
  }

  private func replacing(_ a: Unicode.Scalar, by b: Unicode.Scalar, in text: String) -> String {
    guard text.unicodeScalars.contains(a) else { return text }
    var result = String.UnicodeScalarView()
    result.append(contentsOf: text.unicodeScalars.lazy.map { $0 == a ? b : $0 })
    return String(result)
  }

  private mutating func compose(_ original: String) -> Node? {
    var text = replacing("*", by: star, in: original)
    while true {
      do {
        // No resolver: `no`, `on` and `yes` stay text, as YAML 1.2 has it. What `true` and `12` are decides who asks.
        parser = try Yams.Parser(yaml: text, resolver: .basic, encoding: .utf8)
        guard let root = try parser?.singleRoot() else {
          reportEmpty()
          return nil
        }
        return root
      } catch let error as YamlError {
        if case .duplicatedKeysInMapping(let keys, let context) = error {
          let position = position(line: context.mark.line, column: context.mark.column)
          if let next = renameFirst(of: keys, at: position, in: text) {
            text = next
            continue
          }
          for key in renamed + [(position, keys.first ?? "")] {
            reading.error(key.position, duplicate(restored(key.key)))
          }
          return nil
        }
        report(error, text: original)
        return nil
      } catch {
        reading.error(position(line: 1, column: 1), "the file cannot be read as YAML")
        return nil
      }
    }
  }

  func restored(_ text: String) -> String { replacing(star, by: "*", in: text) }

  /// The text with the first letter of the key at `position` changed: the next pass sees the other one. Columns stay.
  private mutating func renameFirst(of keys: [String], at position: SourcePosition, in text: String) -> String? {
    // LIMIT: each duplicate costs a pass over the file.
    guard renamed.count < Self.duplicatesMax else { return nil }
    var scalars = Array(text.unicodeScalars)
    guard var index = Self.offset(of: position, in: scalars) else { return nil }
    if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
    let key = keys.first { key in
      !key.isEmpty && scalars[index...].starts(with: key.unicodeScalars)
    }
    guard let key, let mark = Unicode.Scalar(0xE000 + UInt32(renamed.count)) else { return nil }
    scalars[index] = mark
    renamed.append((position, key))
    var result = String.UnicodeScalarView()
    result.append(contentsOf: scalars)
    return String(result)
  }

  private static func offset(of position: SourcePosition, in scalars: [Unicode.Scalar]) -> Int? {
    var line = 1
    var column = 1
    var index = 0
    while index < scalars.count {
      if line == position.line, column == position.column { return index }
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
    let position = position(of: node)
    if !count(1, depth: depth, at: position) { return nil }
    let before = (count: reading.nodeCount - 1, deepest: deepest)
    deepest = depth
    defer { deepest = max(deepest, before.deepest) }
    let result: SourceNode?
    switch node {
    case .scalar(let scalar):
      result = convert(scalar, position: position, depth: depth)
    case .sequence(let sequence):
      var items: [SourceNode] = []
      for item in sequence {
        if let item = convert(item, depth: depth + 1) { items.append(item) }
        if isOverfull { return nil }
      }
      result = SourceNode(position: position, content: .list(items))
    case .mapping(let mapping):
      result = convert(mapping, position: position, depth: depth)
    case .alias:
      return nil
    }
    if let name = node.anchor?.rawValue, let result {
      anchors[name] = Anchored(node: result, nodeCount: reading.nodeCount - before.count, height: deepest - depth)
    }
    return result
  }

  private func position(of node: Node) -> SourcePosition {
    position(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
  }

  /// False, after an error, when there would be too many nodes or levels.
  private mutating func count(_ added: Int, depth: Int, at position: SourcePosition) -> Bool {
    reading.nodeCount += added
    if reading.nodeCount <= Self.nodeCountMax, depth <= Self.depthMax { return true }
    if !isOverfull {
      reading.error(
        position,
        depth > Self.depthMax
          ? "more than \(Self.depthMax) levels of lists and mappings"
          : "more than \(Self.nodeCountMax) values once the aliases are expanded")
    }
    isOverfull = true
    return false
  }

  private mutating func convert(_ scalar: Node.Scalar, position: SourcePosition, depth: Int) -> SourceNode? {
    var isPlain = scalar.style == .plain || scalar.style == .any
    if isPlain, scalar.string.isEmpty, scalar.tag.rawValue.hasPrefix("!") {
      reading.errorInValue(position, quotedMark)
      return SourceNode(position: position, content: .scalar(.init(text: "", isPlain: false)))
    }
    if isPlain, scalar.string.unicodeScalars.first == star { return expand(scalar.string, at: position, depth: depth) }
    guard let (text, isSubstituted) = reading.substituteVariables(in: restored(scalar.string), at: position) else {
      // Already reported. Text that fits nowhere else would only add noise.
      return SourceNode(position: position, content: .scalar(.init(text: "", isPlain: false)))
    }
    // `"${WORKERS:-4}"` is a number when the variable holds one: quotes are often needed around a variable.
    if isSubstituted { isPlain = true }
    return SourceNode(
      position: position, content: .scalar(.init(text: text, isPlain: isPlain && !(isSubstituted && text.isEmpty))))
  }

  /// What the alias refers to.
  private mutating func expand(_ alias: String, at position: SourcePosition, depth: Int) -> SourceNode? {
    guard let anchored = anchored(alias, at: position) else {
      // As above.
      return SourceNode(position: position, content: .scalar(.init(text: "", isPlain: false)))
    }
    if !count(anchored.nodeCount, depth: depth + anchored.height, at: position) { return nil }
    deepest = max(deepest, depth + anchored.height)
    return anchored.node
  }

  private func anchored(_ alias: String, at position: SourcePosition) -> Anchored? {
    let name = String(alias.unicodeScalars.dropFirst())
    guard !name.isEmpty, name.utf8.allSatisfy({ $0.isAlphanumeric || "-_".utf8.contains($0) }) else {
      reading.errorInValue(position, "a value that begins with '*' must be quoted: \"*.example.com\"")
      return nil
    }
    if let anchored = anchors[name] { return anchored }
    reading.errorInValue(position, "no anchor above has this name: quote the value if it begins with '*'")
    return nil
  }

  private mutating func convert(_ mapping: Node.Mapping, position: SourcePosition, depth: Int) -> SourceNode? {
    var entries: [SourceNode.Entry] = []
    var seen: [String: SourcePosition] = [:]
    var firstRenamed: [String: SourcePosition] = [:]
    for (keyNode, valueNode) in mapping {
      let keyPosition = self.position(of: keyNode)
      guard let name = key(keyNode, at: keyPosition) else { continue }
      if let original = renamed.first(where: { $0.position == keyPosition && Self.isRenaming(of: $0.key, name) }) {
        let key = restored(original.key)
        if firstRenamed[key] == nil { firstRenamed[key] = keyPosition }
        if seen[key] == nil {
          seen[key] = keyPosition
        } else {
          reportDuplicate(key, at: keyPosition, seen: seen)
        }
        continue
      }
      let key = restored(name)
      let value = convert(valueNode, depth: depth + 1)
      if isOverfull { return nil }
      if seen[key] != nil {
        reportDuplicate(key, at: keyPosition, seen: seen)
        if firstRenamed[key] == nil { continue }
        firstRenamed[key] = nil
      }
      seen[key] = seen[key] ?? keyPosition
      if let value { entries.append(.init(key: key, keyPosition: keyPosition, value: value)) }
    }
    return SourceNode(position: position, content: .mapping(entries))
  }

  /// A key as Yams read it, or as its alias says. Nil after an error was reported.
  private mutating func key(_ node: Node, at position: SourcePosition) -> String? {
    guard case .scalar(let scalar) = node else {
      reading.error(position, "a key must be a name, not a list or a mapping")
      return nil
    }
    guard scalar.style == .plain || scalar.style == .any, scalar.string.unicodeScalars.first == star else {
      if let name = scalar.anchor?.rawValue {
        let node = SourceNode(position: position, content: .scalar(.init(text: restored(scalar.string), isPlain: true)))
        anchors[name] = Anchored(node: node, nodeCount: 1, height: 0)
      }
      return scalar.string
    }
    guard let anchored = anchored(scalar.string, at: position) else { return nil }
    guard case .scalar(let target) = anchored.node.content else {
      reading.error(position, "a key must be a name, not a list or a mapping")
      return nil
    }
    return target.text
  }

  private func duplicate(_ key: String, of first: String = "") -> String {
    "the key \(key.quoted) appears twice in this mapping\(first): remove one"
  }

  private func reportDuplicate(_ key: String, at position: SourcePosition, seen: [String: SourcePosition]) {
    reading.error(position, duplicate(key, of: seen[key].map { " (first on line \($0.line))" } ?? ""))
  }

  private static func isRenaming(of key: String, _ text: String) -> Bool {
    text.unicodeScalars.count == key.unicodeScalars.count
      && text.unicodeScalars.dropFirst().elementsEqual(key.unicodeScalars.dropFirst())
      && (text.unicodeScalars.first.map { (0xE000..<0xE000 + UInt32(duplicatesMax)).contains($0.value) } ?? false)
  }
}
