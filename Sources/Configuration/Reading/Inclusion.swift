// `include:`: all files of a configuration become one tree, in which each node has the position in its own file. What
// routes inherit is filled in on the way, because `defaults` count for the file that has them and for what it includes.

struct Inclusion {
  // LIMIT: what a pattern, or a chain of files, may add up to.
  static let depthMax = 8
  static let fileCountMax = 1000
  static let textBytesMax = 64 * 1024 * 1024

  /// Sections of named entries, to which each file may add its own.
  private static let mappings = ["issuers": "issuer", "upstreams": "upstream", "rate_limits": "rate limit"]
  private static let lists: Set = ["listeners", "routes"]

  private let reading: Reading
  private var entries: [SourceNode.Entry] = []
  /// Of `entries`, by key.
  private var indices: [String: Int] = [:]
  /// Names in the sections of named entries.
  private var named: [String: [String: SourcePosition]] = [:]
  /// Paths of the files that were read, and of those that the current one is included from.
  private var seen: Set<String>
  private var chain: [String]
  private var textByteCount: Int
  private var isOverfull = false
  /// Whether every file that is named was taken in. Without one, what is said about names would be wrong.
  private var isWhole = true

  /// The whole configuration as one file would have it, or nil after at least one error was reported.
  /// - Parameter path: where the text comes from. Nil where it is no file.
  static func tree(of text: String, path: String?, reading: Reading) -> SourceNode? {
    guard let root = YAMLSource.tree(of: text, reading: reading) else { return nil }
    guard case .mapping(let own) = root.content else { return root }
    var inclusion = Inclusion(text, path: path, reading: reading)
    inclusion.add(own, under: [])
    if !inclusion.isWhole { return nil }
    return SourceNode(position: root.position, content: .mapping(inclusion.entries))
  }

  private init(_ text: String, path: String?, reading: Reading) {
    self.reading = reading
    chain = path.map { [Self.normal($0)] } ?? []
    seen = Set(chain)
    textByteCount = text.utf8.count
  }

  // MARK: One file

  /// - Parameter inherited: what routes of this file inherit.
  private mutating func add(_ own: [SourceNode.Entry], under inherited: [SourceNode.Entry]) {
    let inheritance = RouteInheritance(reading: reading)
    var inherited = inherited
    if let defaults = value(of: "defaults", in: own) {
      reading.defaults.append(defaults)
      inherited = inheritance.defaults(defaults, over: inherited)
    }
    for var entry in own where !["include", "defaults"].contains(entry.key) && !entry.key.hasPrefix("x-") {
      if entry.key == "routes" { entry.value = inheritance.routes(entry.value, under: inherited) }
      add(entry)
    }
    guard let include = value(of: "include", in: own) else { return }
    guard let patterns = ValueType.includedFiles.read(include, reading, "'include'") else {
      isWhole = false
      return
    }
    for pattern in patterns {
      let position = include.items.first { $0.text == pattern }?.position ?? include.position
      if !self.include(pattern, at: position, under: inherited) { isWhole = false }
      if isOverfull { return }
    }
  }

  /// The value of a key that is used up here. Nil without one, or after an error.
  private func value(of key: String, in entries: [SourceNode.Entry]) -> SourceNode? {
    guard let entry = entries.first(where: { $0.key == key }) else { return nil }
    if !entry.value.isNull { return entry.value }
    reading.error(entry.keyPosition, "\(key.quoted) has no value: write one, or remove the key")
    return nil
  }

  /// Puts a section beside that of the files before.
  private mutating func add(_ entry: SourceNode.Entry) {
    if Self.mappings[entry.key] != nil { noteNames(of: entry) }
    guard let index = indices[entry.key] else {
      indices[entry.key] = entries.count
      entries.append(entry)
      return
    }
    switch (entries[index].value.content, entry.value.content) {
    case (.list(var all), .list(let own)) where Self.lists.contains(entry.key):
      // Held once only, so that each file adds to it in place.
      entries[index].value.content = .list([])
      all += own
      entries[index].value.content = .list(all)
    case (.mapping(var all), .mapping(let own)) where Self.mappings[entry.key] != nil:
      entries[index].value.content = .mapping([])
      all += own
      entries[index].value.content = .mapping(all)
    default:
      let place = reading.place(of: entries[index].keyPosition, from: entry.keyPosition)
      reading.error(entry.keyPosition, "\(entry.key.quoted) also appears on \(place): write it in one file")
    }
  }

  private mutating func noteNames(of section: SourceNode.Entry) {
    guard case .mapping(let entries) = section.value.content, let kind = Self.mappings[section.key] else { return }
    for entry in entries {
      if let first = named[section.key]?[entry.key] {
        let place = reading.place(of: first, from: entry.keyPosition)
        reading.error(entry.keyPosition, "the \(kind) \(entry.key.quoted) is also defined on \(place): remove one")
      } else {
        named[section.key, default: [:]][entry.key] = entry.keyPosition
      }
    }
  }

  // MARK: Other files

  /// False after an error was reported.
  private mutating func include(
    _ text: String, at position: SourcePosition, under inherited: [SourceNode.Entry]
  ) -> Bool {
    let path = reading.resolve(path: text, at: position)
    if FilePattern.cut(text).folder.contains(where: { "*?".contains($0) }) {
      reading.error(position, "'*' and '?' are allowed in the name of a file only, as in routes.d/*.conf")
      return false
    }
    guard let pattern = FilePattern(path) else { return includeFile(path, at: position, under: inherited) }
    guard let paths = reading.paths(matching: pattern, at: position) else { return false }
    if paths.isEmpty { reading.warn(position, "no file matches \(text.quoted)") }
    var isGood = true
    for path in paths where !isOverfull {
      if chain.contains(Self.normal(path)) {
        reading.error(
          position,
          "\(text.quoted) matches the file that includes it: write a pattern for a folder of its own, such as "
            + "routes.d/*.conf")
        isGood = false
      } else if !includeFile(path, at: position, under: inherited) {
        isGood = false
      }
    }
    return isGood
  }

  private mutating func includeFile(
    _ path: String, at position: SourcePosition, under inherited: [SourceNode.Entry]
  ) -> Bool {
    let normal = Self.normal(path)
    if let index = chain.firstIndex(of: normal) {
      let circle = (chain[index...] + [normal]).joined(separator: ", ")
      reading.error(position, "a file includes itself: \(circle.quoted)")
      return false
    }
    if chain.count >= Self.depthMax {
      reading.error(position, "more than \(Self.depthMax) files that include one another")
      return false
    }
    if !seen.insert(normal).inserted {
      reading.error(position, "the file \(path.quoted) is included twice: remove one")
      return false
    }
    if seen.count > Self.fileCountMax {
      reading.error(position, "more than \(Self.fileCountMax) files")
      isOverfull = true
      return false
    }
    guard let own = mapping(in: path, at: position) else { return false }
    chain.append(normal)
    add(own, under: inherited)
    chain.removeLast()
    return true
  }

  /// The entries of a file. Nil after an error was reported.
  private mutating func mapping(in path: String, at position: SourcePosition) -> [SourceNode.Entry]? {
    guard let bytes = reading.contents(ofResolved: path, at: position, isOfMachine: false) else { return nil }
    let file = reading.addFile(SourceFile(name: path.visible, folder: FilePattern.cut(path).folder))
    textByteCount += bytes.count
    if textByteCount > Self.textBytesMax {
      reading.error(position, "more than 64 MiB in all files")
      isOverfull = true
      return nil
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      var invalid = ConfigurationReader.firstInvalidPosition(bytes)
      invalid.file = file
      reading.error(invalid, "the file is not UTF-8 text")
      return nil
    }
    guard let root = YAMLSource.tree(of: text, file: file, reading: reading) else { return nil }
    if case .mapping(let entries) = root.content { return entries }
    let advice = root.text.flatMap(ForeignFormat.init(of:))?.advice
    reading.error(
      root.position, advice ?? "an included file must be a mapping, not \(root.kind): write routes: and the list below")
    return nil
  }

  /// A path without `.`, `..` and empty parts, as far as that can be known without looking.
  private static func normal(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
  }
}

extension ValueType where Value == [String] {
  static let includedFiles = ValueType(
    .any(of: [.text("path"), .list(of: .text("path"), "list")], "path, or a list of paths")
  ) { node, reading, what in
    if case .list = node.content { return reading.names(node, what, item: "a file", isEmptyAllowed: false) }
    return reading.line(node, what).map { [$0] }
  }
}
