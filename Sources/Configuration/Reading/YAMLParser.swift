// libyaml: text in, what its one document has out, in order. Owns the parser and the copy of the text that it reads.

import CYAML

/// A node as it is written, or the end of a list or a mapping. What these hold is between the two. A mapping has its
/// keys and values by turns.
struct YAMLEvent {
  enum Kind {
    case scalar(text: String, isPlain: Bool)
    case listStart, mappingStart
    case end
  }

  var kind: Kind
  /// Of its first character, behind tag and anchor where it has them.
  var position: SourcePosition
}

/// What is in front of a node.
struct YAMLProperties {
  var anchor: String?
  var tag: String?
}

struct YAMLDocument {
  var events: [YAMLEvent] = []
  /// Of the nodes that have any, by their indices.
  var properties: [Int: YAMLProperties] = [:]
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

  /// The text's document. Nil when there is none.
  static func document(
    of text: String, file: Int, nodeCountMax: Int, depthMax: Int
  ) throws(YAMLProblem) -> YAMLDocument? {
    let parser = YAMLParser(text, file: file, nodeCountMax: nodeCountMax, depthMax: depthMax)
    return try parser.document()
  }

  private func document() throws(YAMLProblem) -> YAMLDocument? {
    guard case .streamStart = try next() else { throw .unreadable }
    guard case .documentStart = try next() else { return nil }
    var result = YAMLDocument()
    var depth = 0
    repeat {
      guard case .node(let event, let properties) = try next() else { throw .unreadable }
      switch event.kind {
      case .end: depth -= 1
      case .scalar: try count(event, depth: depth)
      case .listStart, .mappingStart:
        try count(event, depth: depth)
        depth += 1
      }
      if let properties { result.properties[result.events.count] = properties }
      result.events.append(event)
    } while depth > 0
    guard case .documentEnd = try next() else { throw .unreadable }
    switch try next() {
    case .streamEnd: return result
    case .documentStart(let position):
      throw .syntax("but found another document", at: position, context: "", since: nil)
    case .streamStart, .documentEnd, .node: throw .unreadable
    }
  }

  // LIMIT: how much one document holds, and the depth of calls of who reads it.
  private func count(_ event: YAMLEvent, depth: Int) throws(YAMLProblem) {
    if depth > depthMax { throw .tooDeep(at: event.position) }
    nodeCountLeft -= 1
    if nodeCountLeft < 0 { throw .tooMany(at: event.position) }
  }

  // MARK: libyaml

  private enum Event {
    case streamStart, streamEnd, documentEnd
    case documentStart(SourcePosition)
    case node(YAMLEvent, YAMLProperties?)
  }

  private func next() throws(YAMLProblem) -> Event {
    // SAFETY: the call fills the event. What it points to is copied below, before the event is deleted.
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { unsafe yaml_event_delete(&event) }
    let position = unsafe position(event.start_mark)
    // SAFETY: the member that the type names is the one that is set.
    switch unsafe event.type {
    case YAML_STREAM_START_EVENT: return .streamStart
    case YAML_STREAM_END_EVENT: return .streamEnd
    case YAML_DOCUMENT_START_EVENT: return .documentStart(position)
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_SCALAR_EVENT:
      let scalar = unsafe event.data.scalar
      let text = unsafe String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
      return unsafe .node(
        YAMLEvent(kind: .scalar(text: text, isPlain: isPlain), position: position),
        Self.properties(scalar.anchor, scalar.tag))
    case YAML_SEQUENCE_START_EVENT:
      return unsafe .node(
        YAMLEvent(kind: .listStart, position: position), Self.properties(event.data.sequence_start.anchor, nil))
    case YAML_MAPPING_START_EVENT:
      return unsafe .node(
        YAMLEvent(kind: .mappingStart, position: position), Self.properties(event.data.mapping_start.anchor, nil))
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
      return .node(YAMLEvent(kind: .end, position: position), nil)
    // An alias would be one. None is in what is read here.
    default: throw .unreadable
    }
  }

  private static func properties(
    _ anchor: UnsafePointer<yaml_char_t>?, _ tag: UnsafePointer<yaml_char_t>?
  ) -> YAMLProperties? {
    // SAFETY: libyaml's strings end with a zero, and are copied here.
    if unsafe anchor == nil && tag == nil { return nil }
    // SAFETY: as above.
    return unsafe YAMLProperties(anchor: text(anchor), tag: text(tag))
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
