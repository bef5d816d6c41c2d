// YAML text → SourceNode, with libyaml underneath. Every problem of the YAML itself becomes a diagnostic with a
// position.
//
// Aliases are ours: libyaml gets a copy in which they are plain text. A `*.example.com` without quotes, which is no
// alias, then hides no other error.

import Bytes

/// Turns one file's text into a tree.
struct YAMLSource {
  // LIMIT: bounds on what one file may hold. Aliases count each time they are used, so none can grow without end.
  static let nodeCountMax = 500_000
  static let depthMax = 32
  static let textBytesMax = 4 * 1024 * 1024
  /// libyaml compares each `%TAG` with all before it.
  static let tagCountMax = 100

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
  /// Replaces `*` in what libyaml reads.
  let star: Unicode.Scalar
  private let starText: String
  private let isEmptyAllowed: Bool
  private var isOverfull = false
  private var document = YAMLDocument()
  /// Of the event that is converted next.
  private var place = 0
  /// By name, as far as the file was read.
  private var anchors: [String: Anchored] = [:]
  /// Of the nodes converted since it was set to 0.
  private var deepest = 0

  private init(reading: Reading, file: Int, star: Unicode.Scalar, isEmptyAllowed: Bool) {
    self.isEmptyAllowed = isEmptyAllowed
    self.reading = reading
    self.file = file
    self.star = star
    starText = String(star)
  }

  /// The file's root, or nil after at least one error was reported.
  /// - Parameter isEmptyAllowed: whether nil is no error where there is nothing.
  static func tree(
    of original: String, file: Int = 0, isEmptyAllowed: Bool = false, reading: Reading
  ) -> SourceNode? {
    let start = SourcePosition(file: file, line: 1, column: 1)
    // A byte order mark is allowed (YAML 1.2 §5.2), and counts for no column.
    let text = original.unicodeScalars.first == "\u{FEFF}" ? String(original.unicodeScalars.dropFirst()) : original
    if text.utf8.count > textBytesMax {
      reading.error(start, "the file is larger than 4 MiB")
      return nil
    }
    if let position = Self.positionOfExcessTag(in: text, file: file) {
      reading.error(position, "more than \(tagCountMax) lines begin with '%TAG': remove them, tags have no use here")
      return nil
    }
    if !Self.isPlainASCII(text), var position = Self.unprintablePosition(in: text) {
      position.file = file
      reading.error(
        position, "a control character is not allowed here: remove it, or write it as an escape in double quotes")
      return nil
    }
    var source = YAMLSource(
      reading: reading, file: file, star: Self.unusedScalar(in: text), isEmptyAllowed: isEmptyAllowed)
    guard let document = source.parse(text) else { return nil }
    source.document = document
    guard let node = source.convert(depth: 0) else { return nil }
    if node.isNull {
      source.reportEmpty()
      return nil
    }
    return node
  }

  private func reportEmpty() {
    if isEmptyAllowed { return }
    reading.error(
      position(line: 1, column: 1),
      "the file is empty: write at least " + (file == 0 ? "'listeners' and 'routes'" : "'routes'"))
  }

  func position(line: Int, column: Int) -> SourcePosition { SourcePosition(file: file, line: line, column: column) }

  /// Visible ASCII, spaces and ends of lines, as most files are.
  private static func isPlainASCII(_ text: String) -> Bool {
    text.utf8.span.allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
  }

  /// One for private use.
  private static func unusedScalar(in text: String) -> Unicode.Scalar {
    // The first byte of the first ones.
    if text.utf8.span.firstIndex(of: 0xEE) == nil { return "\u{E000}" }
    let used = Set(text.unicodeScalars.lazy.filter { (0xE000...0xF8FF).contains($0.value) })
    return (0xE000...0xF8FF).lazy.compactMap { Unicode.Scalar($0) }.first { !used.contains($0) } ?? "\u{E000}"
  }

  private func parse(_ text: String) -> YAMLDocument? {
    do throws(YAMLProblem) {
      let document = try YAMLParser.document(
        of: text.replacing("*", with: starText), file: file, nodeCountMax: Self.nodeCountMax - reading.nodeCount,
        depthMax: Self.depthMax)
      if document == nil { reportEmpty() }
      return document
    } catch {
      report(error, text: text)
      return nil
    }
  }

  func restored(_ text: String) -> String {
    // Its first byte is in few texts.
    text.utf8.span.firstIndex(of: 0xEE) == nil && star.value < 0xF000 ? text : text.replacing(starText, with: "*")
  }

  // MARK: Tree

  /// The node at `place`, which is then behind it.
  private mutating func convert(depth: Int) -> SourceNode? {
    let index = place
    let position = document.events[index].position
    if !count(1, depth: depth, at: position) { return nil }
    let before = (count: reading.nodeCount - 1, deepest: deepest)
    deepest = depth
    defer { deepest = max(deepest, before.deepest) }
    place += 1
    let properties = document.properties.isEmpty ? nil : document.properties[index]
    let result: SourceNode?
    switch document.events[index].kind {
    case .scalar(let text, let isPlain):
      result = convert(text, isPlain: isPlain, tag: properties?.tag, position: position, depth: depth)
    case .listStart: result = convertList(at: position, depth: depth)
    case .mappingStart: result = convertMapping(at: position, depth: depth)
    // Lists and mappings take theirs.
    case .end: result = nil
    }
    if let name = properties?.anchor, let result {
      anchors[name] = Anchored(node: result, nodeCount: reading.nodeCount - before.count, height: deepest - depth)
    }
    return result
  }

  /// Whether the list or mapping ends at `place`, which is then behind it.
  private mutating func takeEnd() -> Bool {
    guard case .end = document.events[place].kind else { return false }
    place += 1
    return true
  }

  private mutating func skipNode() {
    var depth = 0
    repeat {
      switch document.events[place].kind {
      case .scalar: break
      case .listStart, .mappingStart: depth += 1
      case .end: depth -= 1
      }
      place += 1
    } while depth > 0
  }

  private mutating func convertList(at position: SourcePosition, depth: Int) -> SourceNode? {
    var items: [SourceNode] = []
    while !takeEnd() {
      if let item = convert(depth: depth + 1) { items.append(item) }
      if isOverfull { return nil }
    }
    return SourceNode(position: position, content: .list(items))
  }

  /// False, after an error, when there would be too many nodes or levels.
  private mutating func count(_ added: Int, depth: Int, at position: SourcePosition) -> Bool {
    reading.nodeCount += added
    if reading.nodeCount <= Self.nodeCountMax, depth <= Self.depthMax { return true }
    if !isOverfull { report(depth > Self.depthMax ? .tooDeep(at: position) : .tooMany(at: position), text: "") }
    isOverfull = true
    return false
  }

  private mutating func convert(
    _ written: String, isPlain: Bool, tag: String?, position: SourcePosition, depth: Int
  ) -> SourceNode? {
    var isPlain = isPlain
    if isPlain, written.isEmpty, tag?.hasPrefix("!") == true {
      reading.errorInValue(position, quotedMark)
      return SourceNode(position: position, content: .scalar(.init(text: "", isPlain: false)))
    }
    if isPlain, written.unicodeScalars.first == star { return expand(written, at: position, depth: depth) }
    guard let (text, isSubstituted) = reading.substituteVariables(in: restored(written), at: position) else {
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

  private mutating func convertMapping(at position: SourcePosition, depth: Int) -> SourceNode? {
    var entries: [SourceNode.Entry] = []
    // As most have.
    entries.reserveCapacity(4)
    var seen: [String: SourcePosition] = [:]
    while !takeEnd() {
      let keyPosition = document.events[place].position
      guard let key = convertKey() else {
        skipNode()
        continue
      }
      // A few are looked through.
      let first = seen.isEmpty ? entries.first { $0.key == key }?.keyPosition : seen[key]
      if let first {
        reading.error(
          keyPosition, "the key \(key.quoted) appears twice in this mapping (first on line \(first.line)): remove one")
        skipNode()
        continue
      }
      let value = convert(depth: depth + 1)
      if isOverfull { return nil }
      if let value { entries.append(.init(key: key, keyPosition: keyPosition, value: value)) }
      if entries.count == 12 { seen = Dictionary(entries.map { ($0.key, $0.keyPosition) }) { first, _ in first } }
      if entries.count > 12 { seen[key] = keyPosition }
    }
    return SourceNode(position: position, content: .mapping(entries))
  }

  /// A key as it is written, or as its alias says. Nil after an error was reported.
  private mutating func convertKey() -> String? {
    let index = place
    let position = document.events[index].position
    skipNode()
    guard case .scalar(let text, let isPlain) = document.events[index].kind else {
      reading.error(position, "a key must be a name, not a list or a mapping")
      return nil
    }
    guard isPlain, text.unicodeScalars.first == star else {
      let name = restored(text)
      if let anchor = document.properties.isEmpty ? nil : document.properties[index]?.anchor {
        let node = SourceNode(position: position, content: .scalar(.init(text: name, isPlain: true)))
        anchors[anchor] = Anchored(node: node, nodeCount: 1, height: 0)
      }
      return name
    }
    guard let anchored = anchored(text, at: position) else { return nil }
    guard case .scalar(let target) = anchored.node.content else {
      reading.error(position, "a key must be a name, not a list or a mapping")
      return nil
    }
    return target.text
  }
}
