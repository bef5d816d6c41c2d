// libyaml: text in, its one document as a tree out. Owns the parser and the copy of the text that it reads.

import CYAML

/// A node as it is written. Positions are those of its first character, behind tag and anchor where it has them.
struct YAMLNode {
  enum Content {
    case scalar(text: String, isPlain: Bool)
    case list([YAMLNode])
    case mapping([(key: YAMLNode, value: YAMLNode)])
  }

  var position: SourcePosition
  var content: Content
  var anchor: String?
  var tag: String?
}

/// Why a text has no tree.
enum YAMLProblem: Error {
  /// In libyaml's words. What it was about to do when it came to `position`, and since where, is the context.
  case syntax(String, at: SourcePosition, context: String, since: SourcePosition?)
  case tooDeep(at: SourcePosition)
  case tooMany(at: SourcePosition)
  /// libyaml found no memory, or no text that it reads.
  case unreadable
}

/// What was loaded.
package enum YAMLLibrary {
  package static var version: String {
    // SAFETY: a string of the library's own.
    unsafe String(cString: yaml_get_version_string())
  }
}

@safe
final class YAMLParser {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let bytes: UnsafeMutableBufferPointer<UInt8>
  private let file: Int
  private let depthMax: Int
  private var nodeCountLeft: Int

  /// - Parameter file: its index in positions.
  private init(_ text: String, file: Int, nodeCountMax: Int, depthMax: Int) {
    self.file = file
    self.depthMax = depthMax
    nodeCountLeft = nodeCountMax
    // SAFETY: memory of our own, written here. deinit frees it. The parser reads the text where it is, and is
    // deleted first.
    let byteCount = text.utf8.count
    // Never of no capacity: libyaml asserts an address.
    unsafe bytes = .allocate(capacity: byteCount + 1)
    _ = unsafe bytes.initialize(fromContentsOf: text.utf8)
    unsafe parser = .allocate(capacity: 1)
    unsafe parser.initialize(to: yaml_parser_t())
    unsafe yaml_parser_initialize(parser)
    // SAFETY: as above. The text lasts as long as the parser.
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, byteCount)
  }

  deinit {
    // SAFETY: what init made, each once. libyaml ignores the members of a parser that it could not initialise.
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
    unsafe bytes.deallocate()
  }

  /// The root of the text's document. Nil when there is none.
  static func root(
    of text: String, file: Int, nodeCountMax: Int, depthMax: Int
  ) throws(YAMLProblem) -> YAMLNode? {
    let parser = YAMLParser(text, file: file, nodeCountMax: nodeCountMax, depthMax: depthMax)
    return try parser.root()
  }

  private func root() throws(YAMLProblem) -> YAMLNode? {
    guard case .streamStart = try next().kind else { throw .unreadable }
    guard case .documentStart = try next().kind else { return nil }
    let root = try node(try next(), depth: 0)
    guard case .documentEnd = try next().kind else { throw .unreadable }
    let last = try next()
    if case .streamEnd = last.kind { return root }
    throw .syntax("but found another document", at: last.position, context: "", since: nil)
  }

  private func node(_ event: Event, depth: Int) throws(YAMLProblem) -> YAMLNode {
    // LIMIT: the tree's size, and the depth of this function's own calls.
    if depth > depthMax { throw .tooDeep(at: event.position) }
    nodeCountLeft -= 1
    if nodeCountLeft < 0 { throw .tooMany(at: event.position) }
    let content: YAMLNode.Content
    switch event.kind {
    case .scalar(let text, let isPlain): content = .scalar(text: text, isPlain: isPlain)
    case .listStart:
      var items: [YAMLNode] = []
      while let item = try child(depth: depth) { items.append(item) }
      content = .list(items)
    case .mappingStart:
      var pairs: [(key: YAMLNode, value: YAMLNode)] = []
      while let key = try child(depth: depth) {
        guard let value = try child(depth: depth) else { throw .unreadable }
        pairs.append((key, value))
      }
      content = .mapping(pairs)
    case .streamStart, .streamEnd, .documentStart, .documentEnd, .end, .other: throw .unreadable
    }
    return YAMLNode(position: event.position, content: content, anchor: event.anchor, tag: event.tag)
  }

  /// Nil at the end of the list or mapping.
  private func child(depth: Int) throws(YAMLProblem) -> YAMLNode? {
    let event = try next()
    if case .end = event.kind { return nil }
    return try node(event, depth: depth + 1)
  }

  // MARK: libyaml

  private struct Event {
    enum Kind {
      case streamStart, streamEnd, documentStart, documentEnd
      case scalar(text: String, isPlain: Bool)
      case listStart, mappingStart
      /// Of a list or a mapping.
      case end
      case other
    }

    var kind: Kind
    var position: SourcePosition
    var anchor: String?
    var tag: String?
  }

  private func next() throws(YAMLProblem) -> Event {
    // SAFETY: the call fills the event. What it points to is copied below, before the event is deleted.
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { unsafe yaml_event_delete(&event) }
    var result = Event(kind: .other, position: unsafe position(event.start_mark))
    // SAFETY: the member that the type names is the one that is set.
    switch unsafe event.type {
    case YAML_STREAM_START_EVENT: result.kind = .streamStart
    case YAML_STREAM_END_EVENT: result.kind = .streamEnd
    case YAML_DOCUMENT_START_EVENT: result.kind = .documentStart
    case YAML_DOCUMENT_END_EVENT: result.kind = .documentEnd
    case YAML_SCALAR_EVENT:
      let scalar = unsafe event.data.scalar
      let text = unsafe String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      result.kind = .scalar(text: text, isPlain: unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE)
      result.anchor = unsafe Self.text(scalar.anchor)
      result.tag = unsafe Self.text(scalar.tag)
    case YAML_SEQUENCE_START_EVENT:
      result.kind = .listStart
      result.anchor = unsafe Self.text(event.data.sequence_start.anchor)
    case YAML_MAPPING_START_EVENT:
      result.kind = .mappingStart
      result.anchor = unsafe Self.text(event.data.mapping_start.anchor)
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: result.kind = .end
    default: break
    }
    return result
  }

  private func problem() -> YAMLProblem {
    // SAFETY: the parser is alive, and what it says is text of libyaml's own that lasts.
    guard let problem = unsafe Self.text(parser.pointee.problem) else { return .unreadable }
    switch unsafe parser.pointee.error {
    case YAML_SCANNER_ERROR, YAML_PARSER_ERROR:
      let context = unsafe Self.text(parser.pointee.context)
      return unsafe .syntax(
        problem, at: position(parser.pointee.problem_mark), context: context ?? "",
        since: context == nil ? nil : position(parser.pointee.context_mark))
    case YAML_READER_ERROR:
      return .syntax(problem, at: SourcePosition(file: file, line: 1, column: 1), context: "", since: nil)
    default: return .unreadable
    }
  }

  private func position(_ mark: yaml_mark_t) -> SourcePosition {
    SourcePosition(file: file, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
  }

  private static func text(_ pointer: UnsafePointer<yaml_char_t>?) -> String? {
    // SAFETY: libyaml's strings end with a zero, and are copied here.
    guard let pointer = unsafe pointer else { return nil }
    return unsafe String(cString: pointer)
  }

  private static func text(_ pointer: UnsafePointer<CChar>?) -> String? {
    // SAFETY: as above.
    guard let pointer = unsafe pointer else { return nil }
    return unsafe String(cString: pointer)
  }
}
