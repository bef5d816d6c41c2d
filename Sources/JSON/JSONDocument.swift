// JSON text that has been read whole and checked (RFC 8259, strictly), as its bytes and a flat list of nodes in the
// order of the text. Names, strings and numbers stay in the bytes: nothing is copied until someone asks for it.
//
// Invariant: every node's range lies in `bytes`. Strings are valid UTF-8 with valid escapes. No object has two members
// of one name. Only the reader makes nodes.

import Bytes

/// One value, or one member's name: where it is in the text, and where the node behind its whole subtree is.
struct JSONNode: Sendable {
  /// Offset of the value's first byte. Of strings, of the opening quote.
  var start: UInt32
  /// Offset behind its last byte.
  var end: UInt32
  /// Index of the node behind this one and all that it holds.
  var next: UInt32
  var kind: JSONDocument.Kind
  /// A string with at least one backslash.
  var hasEscapes: Bool
}

/// A checked JSON text. A value type: it can be kept, copied and sent.
package struct JSONDocument: Sendable {
  /// A node's place in the document.
  package typealias Index = Int

  package enum Kind: UInt8, Sendable {
    case object, array, string
    /// Written without fraction and exponent, and fits Int64.
    case integer
    /// Any other number: kept as text, see ``JSONDocument/rawRange(of:)``.
    case number
    case `true`, `false`, null
  }

  /// The text.
  package let bytes: [UInt8]
  let nodes: [JSONNode]

  /// Reads a text that must be one JSON value and nothing else.
  package init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    var reader = JSONReader(bytes.span, limits: limits)
    try reader.readText()
    nodes = reader.nodes
    self.bytes = bytes
  }

  package var root: Index { 0 }

  /// Nodes in the document: values and member names.
  package var nodeCount: Int { nodes.count }

  /// Bytes of memory that the document's two arrays take: what was reserved, for a long string fills few nodes.
  package var byteCount: Int { bytes.capacity + nodes.capacity * MemoryLayout<JSONNode>.stride + 2 * 32 }

  package func kind(_ index: Index) -> Kind { nodes[index].kind }

  /// Where the value is in ``bytes``: strings with their quotes, objects and arrays with their brackets.
  package func rawRange(of index: Index) -> Range<Int> {
    let node = nodes[index]
    return Int(node.start)..<Int(node.end)
  }

  /// The value of the member called `name`, or nil. Also nil when `object` is not an object.
  package func member(_ name: Span<UInt8>, of object: Index) -> Index? {
    let holder = nodes[object]
    if holder.kind != .object { return nil }
    let end = Int(holder.next)
    let initial = name.isEmpty ? UInt8(ascii: "\"") : name[0]
    var index = object + 1
    while index < end {
      let node = nodes[index]
      // Most names differ in length or in their first byte. That is decided here, without a call.
      let mayBeEqual =
        Int(node.end) - Int(node.start) - 2 == name.count && bytes[Int(node.start) + 1] == initial
      if node.hasEscapes || mayBeEqual, stringEquals(index, name) {
        return index + 1
      }
      index = Int(nodes[index + 1].next)
    }
    return nil
  }

  package func member(_ name: [UInt8], of object: Index) -> Index? { member(name.span, of: object) }

  /// For names known in the source, off the hot path.
  package func member(_ name: String, of object: Index) -> Index? { member(name.utf8.span, of: object) }

  /// The members of an object in the order of the text. None when it is not an object.
  package func members(of object: Index) -> JSONMembers {
    JSONMembers(nodes: nodes, of: object)
  }

  /// The elements of an array in order. None when it is not an array.
  package func elements(of array: Index) -> JSONElements {
    JSONElements(nodes: nodes, of: array)
  }

  /// The number, when it was written as an integer that fits.
  package func integer(at index: Index) -> Int64? {
    let node = nodes[index]
    if node.kind != .integer { return nil }
    return JSONReader.integer(bytes.span.extracting(Int(node.start)..<Int(node.end)))
  }

  package func boolean(at index: Index) -> Bool? {
    switch nodes[index].kind {
    case .true: true
    case .false: false
    default: nil
    }
  }
}

/// The members of one object: the name's node and the value's.
package struct JSONMembers: Sequence, IteratorProtocol {
  private let nodes: [JSONNode]
  private var index: Int
  private let end: Int

  init(nodes: [JSONNode], of object: Int) {
    self.nodes = nodes
    index = object + 1
    end = nodes[object].kind == .object ? Int(nodes[object].next) : 0
  }

  package mutating func next() -> (name: JSONDocument.Index, value: JSONDocument.Index)? {
    if index >= end { return nil }
    let name = index
    index = Int(nodes[name + 1].next)
    return (name, name + 1)
  }
}

/// The elements of one array.
package struct JSONElements: Sequence, IteratorProtocol {
  private let nodes: [JSONNode]
  private var index: Int
  private let end: Int

  init(nodes: [JSONNode], of array: Int) {
    self.nodes = nodes
    index = array + 1
    end = nodes[array].kind == .array ? Int(nodes[array].next) : 0
  }

  package mutating func next() -> JSONDocument.Index? {
    if index >= end { return nil }
    let element = index
    index = Int(nodes[element].next)
    return element
  }
}
