// What an executable document says that rules ask about: its operations, with their fields counted through fragments.
//
// Invariant: numbers are those of the document with every fragment written out where it is used. Each fragment is
// counted once, so that the work grows with the document. Numbers end at their largest value.

import Bytes

/// A piece of the document's bytes.
package struct TextRange: Sendable, Equatable {
  let start: UInt32
  let end: UInt32

  init(_ start: Int, _ end: Int) {
    self.start = UInt32(truncatingIfNeeded: start)
    self.end = UInt32(truncatingIfNeeded: end)
  }

  package static let none = TextRange(0, 0)

  package var bounds: Range<Int> { Int(start)..<Int(end) }
  package var isEmpty: Bool { start == end }
}

package enum OperationType: UInt8, Sendable, CaseIterable {
  case query, mutation, subscription
}

/// Why a document is refused.
package enum DocumentError: Error, Sendable, Equatable {
  /// It breaks the grammar at a byte offset, or holds definitions of types.
  case syntax(offset: Int)
  case tooManyTokens
  /// Braces, brackets and parentheses inside one another, beyond any limit of fields.
  case nestedTooDeeply
  /// A name that another reader may resolve in another way: of two operations or fragments, or of none.
  case nameAmbiguous
  case fragmentUnknown
  case fragmentCycle
}

extension DocumentError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .syntax(let offset): "it is not executable GraphQL from byte \(offset)"
    case .tooManyTokens: "it is too long"
    case .nestedTooDeeply: "it is nested too deeply"
    case .nameAmbiguous: "two operations or fragments have one name, or none"
    case .fragmentUnknown: "it uses a fragment that it does not define"
    case .fragmentCycle: "its fragments use each other in a circle"
    }
  }
}

/// An operation or a fragment.
struct Definition: Sendable {
  /// Nil of a fragment.
  var type: OperationType?
  var name = TextRange.none
  /// Its fields at the top, in ``Document/roots``, and what it spreads, in ``Document/spreads``.
  var roots = 0..<0
  var spreads = 0..<0
  /// Of its own until ``isCounted``, then with all that it spreads.
  var depth: UInt32 = 0
  var aliasCount: UInt32 = 0
  var rootFieldCount: UInt32 = 0
  var isCounted = false
  var isUnderWay = false
}

/// The use of a fragment.
struct Spread: Sendable {
  var name: TextRange
  /// How many fields are around it.
  var level: UInt32
  /// Index of the fragment.
  var target = -1
}

/// A document that was read. Used again for the next one, so that reading allocates nothing once warm.
package struct Document: Sendable {
  var definitions: [Definition] = []
  var roots: [TextRange] = []
  var spreads: [Spread] = []
  package internal(set) var tokenCount = 0
  /// Whether `__schema` or `__type` is anywhere in it.
  package internal(set) var usesIntrospection = false
  /// The most of any operation.
  package private(set) var depth: UInt32 = 0
  /// Of all operations together.
  package private(set) var aliasCount: UInt32 = 0
  package private(set) var rootFieldCount: UInt32 = 0
  private var names = NameTable()
  private var path: [(definition: Int, next: Int)] = []
  private var operationCount = 0

  package init() {}

  /// Reads a document.
  /// - Returns: why it is refused. Nothing of the document counts then.
  package mutating func read(_ text: Span<UInt8>, tokenCountMax: Int) -> DocumentError? {
    definitions.removeAll(keepingCapacity: true)
    roots.removeAll(keepingCapacity: true)
    spreads.removeAll(keepingCapacity: true)
    tokenCount = 0
    usesIntrospection = false
    depth = 0
    aliasCount = 0
    rootFieldCount = 0
    operationCount = 0
    // Offsets have 32 bits.
    if text.count >= Int(Int32.max) { return .tooManyTokens }
    do throws(DocumentError) {
      try parse(text, tokenCountMax: tokenCountMax)
      try resolve(text)
      try count()
      return nil
    } catch {
      return error
    }
  }

  private mutating func parse(_ text: Span<UInt8>, tokenCountMax: Int) throws(DocumentError) {
    var parser = Parser(text, tokenCountMax: tokenCountMax, filling: self)
    // Or two would hold its arrays, and each would be copied.
    self = Document()
    defer { swap(&self, &parser.document) }
    try parser.readDocument()
  }

  // MARK: Names

  private mutating func resolve(_ text: Span<UInt8>) throws(DocumentError) {
    for definition in definitions where definition.type != nil { operationCount += 1 }
    if definitions.count == 1 {
      if spreads.isEmpty, operationCount == 1 { return }
    } else {
      for definition in definitions where definition.type != nil && definition.name.isEmpty {
        // Alone, or nobody could ask for the others.
        if operationCount > 1 { throw .nameAmbiguous }
      }
    }
    names.begin(count: definitions.count)
    for index in definitions.indices where !definitions[index].name.isEmpty {
      let isFragment = definitions[index].type == nil
      if !names.insert(index, isFragment: isFragment, in: text, definitions) { throw .nameAmbiguous }
    }
    for index in spreads.indices {
      guard let target = names.find(spreads[index].name, isFragment: true, in: text, definitions) else {
        throw .fragmentUnknown
      }
      spreads[index].target = target
    }
  }

  // MARK: Numbers

  /// Each definition once, those that it spreads first. Not by recursion: a chain of fragments may be long.
  private mutating func count() throws(DocumentError) {
    for index in definitions.indices where !definitions[index].isCounted {
      path.append((index, definitions[index].spreads.lowerBound))
      definitions[index].isUnderWay = true
      while let (definition, next) = path.last {
        if next == definitions[definition].spreads.upperBound {
          total(definition)
          path.removeLast()
          continue
        }
        path[path.count - 1].next += 1
        let target = spreads[next].target
        if definitions[target].isUnderWay {
          path.removeAll(keepingCapacity: true)
          throw .fragmentCycle
        }
        if definitions[target].isCounted { continue }
        definitions[target].isUnderWay = true
        path.append((target, definitions[target].spreads.lowerBound))
      }
    }
    for definition in definitions where definition.type != nil {
      depth = max(depth, definition.depth)
      aliasCount = Self.sum(aliasCount, definition.aliasCount)
      rootFieldCount = Self.sum(rootFieldCount, definition.rootFieldCount)
    }
  }

  private mutating func total(_ index: Int) {
    var definition = definitions[index]
    definition.rootFieldCount = UInt32(clamping: definition.roots.count)
    for spread in definition.spreads {
      let level = spreads[spread].level
      let fragment = definitions[spreads[spread].target]
      definition.depth = max(definition.depth, Self.sum(level, fragment.depth))
      definition.aliasCount = Self.sum(definition.aliasCount, fragment.aliasCount)
      if level == 0 { definition.rootFieldCount = Self.sum(definition.rootFieldCount, fragment.rootFieldCount) }
    }
    definition.isCounted = true
    definition.isUnderWay = false
    definitions[index] = definition
  }

  private static func sum(_ a: UInt32, _ b: UInt32) -> UInt32 {
    let (sum, isOver) = a.addingReportingOverflow(b)
    return isOver ? .max : sum
  }
}

// MARK: The operation that is executed

extension Document {
  /// An operation of a document.
  package struct Operation: Sendable, Equatable {
    let index: Int
    package let type: OperationType
    /// Empty where it has none.
    package let name: TextRange
  }

  /// The operation that a request means (§6.1): the one of that name, or the only one.
  package func operation(named name: Span<UInt8>?, in text: Span<UInt8>) -> Operation? {
    var found: Operation?
    for (index, definition) in definitions.enumerated() {
      guard let type = definition.type else { continue }
      if let name {
        if !text.extracting(definition.name.bounds).equals(name) { continue }
      } else if found != nil {
        return nil
      }
      found = Operation(index: index, type: type, name: definition.name)
      if name != nil { return found }
    }
    return found
  }

  /// All operations, in the order of the document.
  package var operations: [Operation] {
    definitions.indices.compactMap { index in
      definitions[index].type.map { Operation(index: index, type: $0, name: definitions[index].name) }
    }
  }

  /// The names of the operation's fields at the top, those of its fragments included. A name may be there twice.
  package mutating func rootFields(of operation: Operation) -> [TextRange] {
    let own = definitions[operation.index]
    if own.spreads.isEmpty { return Array(roots[own.roots]) }
    var result = Array(roots[own.roots])
    // Fragments that were looked at are marked, and the marks taken away again.
    var pending = [operation.index]
    var marked: [Int] = []
    while let index = pending.popLast() {
      for spread in definitions[index].spreads where spreads[spread].level == 0 {
        let target = spreads[spread].target
        if definitions[target].isUnderWay { continue }
        definitions[target].isUnderWay = true
        marked.append(target)
        pending.append(target)
        result += roots[definitions[target].roots]
      }
    }
    for index in marked { definitions[index].isUnderWay = false }
    return result
  }

  package func depth(of operation: Operation) -> UInt32 { definitions[operation.index].depth }
  package func aliasCount(of operation: Operation) -> UInt32 { definitions[operation.index].aliasCount }
  package func rootFieldCount(of operation: Operation) -> UInt32 { definitions[operation.index].rootFieldCount }
}
