// Reads executable documents (GraphQL, September 2025, §2). Definitions of types are refused: no server executes them.
//
// Invariant: recursion is as deep as the text and never deeper than the limit.

import Bytes

struct Parser: ~Escapable {
  private var lexer: Lexer
  var document: Document
  private var definition = Definition()
  private var nesting = 0

  /// LIMIT: selections, lists and objects inside one another. It bounds the stack.
  private static let nestingMax = 200

  @_lifetime(copy text)
  init(_ text: Span<UInt8>, tokenCountMax: Int, filling document: Document) {
    lexer = Lexer(text, tokenCountMax: tokenCountMax)
    self.document = document
  }

  mutating func readDocument() throws(DocumentError) {
    try lexer.advance()
    repeat { try readDefinition() } while lexer.kind != .end
    document.tokenCount = lexer.tokenCount
  }

  private mutating func readDefinition() throws(DocumentError) {
    definition = Definition()
    let roots = document.roots.count
    let spreads = document.spreads.count
    if lexer.kind == .braceOpen {
      definition.type = .query
    } else {
      // A description.
      if lexer.kind == .string { try lexer.advance() }
      if lexer.isWord("fragment") {
        try readFragmentHead()
      } else {
        try readOperationHead()
      }
    }
    try readSelections(level: 1)
    definition.roots = roots..<document.roots.count
    definition.spreads = spreads..<document.spreads.count
    document.definitions.append(definition)
  }

  private mutating func readOperationHead() throws(DocumentError) {
    if lexer.isWord("query") {
      definition.type = .query
    } else if lexer.isWord("mutation") {
      definition.type = .mutation
    } else if lexer.isWord("subscription") {
      definition.type = .subscription
    } else {
      throw unexpected
    }
    try lexer.advance()
    if lexer.kind == .name { definition.name = try takeName() }
    if lexer.kind == .parenthesisOpen { try readVariables() }
    try readDirectives()
  }

  private mutating func readFragmentHead() throws(DocumentError) {
    try lexer.advance()
    if lexer.isWord("on") { throw unexpected }
    definition.name = try takeName()
    guard lexer.isWord("on") else { throw unexpected }
    try lexer.advance()
    _ = try takeName()
    try readDirectives()
  }

  // MARK: Selections

  /// - Parameter level: how many fields a field in here is deep.
  private mutating func readSelections(level: UInt32) throws(DocumentError) {
    try enterNesting()
    try take(.braceOpen)
    repeat {
      if lexer.kind == .spread {
        try readFragment(level: level)
      } else {
        try readField(level: level)
      }
    } while lexer.kind != .braceClose
    try lexer.advance()
    nesting &-= 1
  }

  private mutating func readField(level: UInt32) throws(DocumentError) {
    var name = try takeName()
    if lexer.kind == .colon {
      try lexer.advance()
      name = try takeName()
      definition.aliasCount &+= 1
    }
    if level == 1 { document.roots.append(name) }
    if level > definition.depth { definition.depth = level }
    noteIntrospection(name)
    if lexer.kind == .parenthesisOpen { try readArguments(isConstant: false) }
    if lexer.kind == .at { try readDirectives() }
    if lexer.kind == .braceOpen { try readSelections(level: level &+ 1) }
  }

  @inline(__always)
  private mutating func noteIntrospection(_ name: TextRange) {
    let first = Int(name.start)
    // Nearly all differ here.
    guard lexer.text[first] == UInt8(ascii: "_") else { return }
    let bytes = lexer.text.extracting(name.bounds)
    if bytes.equals("__schema") || bytes.equals("__type") { document.usesIntrospection = true }
  }

  private mutating func readFragment(level: UInt32) throws(DocumentError) {
    try lexer.advance()
    if lexer.kind == .name, !lexer.isWord("on") {
      document.spreads.append(Spread(name: try takeName(), level: level &- 1))
      return try readDirectives()
    }
    if lexer.kind == .name {
      try lexer.advance()
      _ = try takeName()
    }
    try readDirectives()
    try readSelections(level: level)
  }

  // MARK: Variables, arguments and directives

  private mutating func readVariables() throws(DocumentError) {
    try lexer.advance()
    repeat {
      // A description.
      if lexer.kind == .string { try lexer.advance() }
      try take(.dollar)
      _ = try takeName()
      try take(.colon)
      try readType()
      if lexer.kind == .equals {
        try lexer.advance()
        try readValue(isConstant: true)
      }
      try readDirectives(isConstant: true)
    } while lexer.kind != .parenthesisClose
    try lexer.advance()
  }

  private mutating func readType() throws(DocumentError) {
    if lexer.kind == .bracketOpen {
      try enterNesting()
      try lexer.advance()
      try readType()
      nesting &-= 1
      try take(.bracketClose)
    } else {
      _ = try takeName()
    }
    if lexer.kind == .bang { try lexer.advance() }
  }

  private mutating func readArguments(isConstant: Bool) throws(DocumentError) {
    try lexer.advance()
    repeat { try readMember(isConstant: isConstant) } while lexer.kind != .parenthesisClose
    try lexer.advance()
  }

  private mutating func readMember(isConstant: Bool) throws(DocumentError) {
    _ = try takeName()
    try take(.colon)
    try readValue(isConstant: isConstant)
  }

  private mutating func readDirectives(isConstant: Bool = false) throws(DocumentError) {
    while lexer.kind == .at {
      try lexer.advance()
      _ = try takeName()
      if lexer.kind == .parenthesisOpen { try readArguments(isConstant: isConstant) }
    }
  }

  private mutating func readValue(isConstant: Bool) throws(DocumentError) {
    switch lexer.kind {
    case .name, .number, .string: try lexer.advance()
    case .dollar:
      if isConstant { throw unexpected }
      try lexer.advance()
      _ = try takeName()
    case .bracketOpen:
      try enterNesting()
      try lexer.advance()
      while lexer.kind != .bracketClose { try readValue(isConstant: isConstant) }
      try lexer.advance()
      nesting &-= 1
    case .braceOpen:
      try enterNesting()
      try lexer.advance()
      while lexer.kind != .braceClose { try readMember(isConstant: isConstant) }
      try lexer.advance()
      nesting &-= 1
    default: throw unexpected
    }
  }

  // MARK: Tokens

  private var unexpected: DocumentError { .syntax(offset: lexer.start) }

  private mutating func enterNesting() throws(DocumentError) {
    nesting &+= 1
    if nesting > Self.nestingMax { throw .nestedTooDeeply }
  }

  @inline(__always)
  private mutating func take(_ kind: TokenKind) throws(DocumentError) {
    if lexer.kind != kind { throw unexpected }
    try lexer.advance()
  }

  @inline(__always)
  private mutating func takeName() throws(DocumentError) -> TextRange {
    if lexer.kind != .name { throw unexpected }
    let range = lexer.range
    try lexer.advance()
    return range
  }
}
