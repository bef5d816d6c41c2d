// Documents: what they hold, and which are refused.

import Testing

@testable import GraphQL

@Suite("Documents")
struct DocumentTests {
  private func read(_ text: String, tokens: Int = 10_000) -> (document: Document, error: DocumentError?) {
    var document = Document()
    let error = document.read(Array(text.utf8).span, tokenCountMax: tokens)
    return (document, error)
  }

  /// What a document says of all its operations: depth, aliases, fields at the top.
  private func counts(_ text: String) throws -> [UInt32] {
    let (document, error) = read(text)
    try #require(error == nil, "\(text)")
    return [document.depth, document.aliasCount, document.rootFieldCount]
  }

  private func roots(_ text: String, operation: String) -> [String] {
    var (document, error) = read(text)
    let bytes = Array(text.utf8)
    let name = Array(operation.utf8)
    guard error == nil, let found = document.operation(named: name.span, in: bytes.span) else { return [] }
    return document.rootFields(of: found).map { String(decoding: bytes[$0.bounds], as: UTF8.self) }
  }

  @Test(
    "Fields, aliases and depth are counted with every fragment written out",
    arguments: [
      ("{ a }", [1, 0, 1]),
      ("query { a b: c { d { e: f } } }", [3, 2, 2]),
      ("{ ...F } fragment F on Q { x: a { b } c }", [2, 1, 2]),
      ("{ a { ...F } } fragment F on Q { x: b { ...G } } fragment G on R { y: c }", [3, 2, 1]),
      ("{ ... { ... on Q { a } } }", [1, 0, 1]),
      ("{ ...F ...F } fragment F on Q { ...G ...G } fragment G on Q { a: b }", [1, 4, 4]),
      ("query A { a { b } } query B { c: d }", [2, 1, 2]),
      ("{ a } fragment Unused on Q { b { c { d: e } } }", [1, 0, 1]),
      (
        "mutation M($x: [Int!]! = [1, {a: 2}] @d(a: 1), $y: T) @e { a(x: $x, y: {b: [$y, \"}\"]}) @f { b } }",
        [2, 0, 1]
      ),
      ("\"\"\"text { \"\"\" query Q(\"of a variable\" $a: A) { a }", [1, 0, 1]),
    ] as [(String, [UInt32])])
  func numbers(_ text: String, _ expected: [UInt32]) throws {
    #expect(try counts(text) == expected, "\(text)")
  }

  @Test("The operation that is meant is the named one, or the only one")
  func selection() throws {
    let text = Array("query A { a } mutation B { b } fragment F on Q { c }".utf8)
    var document = Document()
    #expect(document.read(text.span, tokenCountMax: 100) == nil)
    #expect(document.operation(named: nil, in: text.span) == nil)
    #expect(document.operation(named: Array("B".utf8).span, in: text.span)?.type == .mutation)
    #expect(document.operation(named: Array("F".utf8).span, in: text.span) == nil)
    #expect(document.operation(named: Array("C".utf8).span, in: text.span) == nil)
    let only = Array("subscription { a }".utf8)
    #expect(document.read(only.span, tokenCountMax: 100) == nil)
    #expect(document.operation(named: nil, in: only.span)?.type == .subscription)
  }

  @Test("Fields at the top have their own names, whatever alias and fragment they are in")
  func topFields() {
    let text = """
      query A { x: a ...F ... on Q { b { no } } } query B { c ...F }
      fragment F on Q { y: d ...G } fragment G on Q { e { ...H } } fragment H on Q { no }
      """
    #expect(roots(text, operation: "A") == ["a", "b", "d", "e"])
    #expect(roots(text, operation: "B") == ["c", "d", "e"])
  }

  @Test(
    "Introspection is asked for by two fields, wherever they are",
    arguments: [
      ("{ __schema { types { name } } }", true), ("{ a { x: __type(name: \"A\") { name } } }", true),
      ("{ a } fragment F on Q { __schema { types { name } } }", true), ("{ __typename a { __typename } }", false),
      ("{ __schema: a, __type: b }", false), ("{ a(b: \"__schema\") }", false),
    ])
  func introspection(_ text: String, _ isUsed: Bool) {
    let (document, error) = read(text)
    #expect(error == nil && document.usesIntrospection == isUsed, "\(text)")
  }

  @Test(
    "What is not an executable document is refused",
    arguments: [
      "", " ", "# nothing", "{", "}", "{ }", "{ a", "query", "query A", "{ a: }", "{ a: b: c }", "{ ... }", "{ ...on }",
      "{ a(b) }", "{ a() }", "{ a(b: $) }", "query ($a: A = $b) { a }", "query () { a }", "{ a } b", "type A { b: C }",
      "extend type A { b: C }", "schema { query: Q }", "scalar A", "\"text\" { a }", "fragment on on Q { a }",
      "fragment F { a }", "{ a(b: 01) }", "{ a(b: 1.) }", "{ a(b: 1a) }", "{ a(b: -) }", "{ a(b: .5) }", "{ a .. b }",
      "{ a(b: \"\n\") }", "{ a(b: \"\\x\") }", "{ a(b: \"\\u12\") }", "{ a(b: \"\\uD800\") }",
      "{ a(b: \"\\u{110000}\") }", "{ a(b: \"\\u{}\") }", "{ a(b: \"\\u{000000041}\") }", "{ a(b: \"\"\" \"\") }",
      "{ ä }", "{ a } \u{0}", "{ a; }", "{ a }\u{2028}", "{ a? }", "{ a(b: [1, 2) }", "{ a(b: {c 1}) }",
    ])
  func grammar(_ text: String) {
    guard case .syntax(let offset) = read(text).error else {
      Issue.record("\(text) is \(String(describing: read(text).error))")
      return
    }
    #expect(offset <= text.utf8.count)
  }

  @Test(
    "Other spellings of the same are read",
    arguments: [
      "\u{FEFF}{ a }", "{,a,,b,}", "{a}#", "{a}#\u{0}ä\r#\r\n", "{ a(b: \"\\uD83D\\uDE00\\u{1F600}\") }",
      "{ a(b: \"\"\"\\\"\"\" \" \"\" ä\n\"\"\") }", "{ a(b: -0.5e+3, c: 1E9, d: 0, e: null, f: true, g: RED) }",
      "{ on fragment query mutation true null }", "query query { a }", "{ a(b: [], c: {}) }", "{ a(b: \"\") }",
      "query($a:[[A!]!]!){a}", "{...F@a...on Q@b{c}...@d{e}}fragment F on on{a}",
    ])
  func spellings(_ text: String) {
    #expect(read(text).error == nil, "\(text)")
  }

  @Test(
    "Names that another reader could resolve in another way are refused",
    arguments: [
      ("query A { a } query A { b }", DocumentError.nameAmbiguous), ("{ a } query A { b }", .nameAmbiguous),
      ("{ a } { b }", .nameAmbiguous), ("{ ...F } fragment F on Q { a } fragment F on Q { b }", .nameAmbiguous),
      ("{ ...F }", .fragmentUnknown), ("query F { ...F }", .fragmentUnknown),
      ("{ a } fragment F on Q { ...F }", .fragmentCycle),
      ("{ ...A } fragment A on Q { b { ...B } } fragment B on Q { c { ...A } }", .fragmentCycle),
    ])
  func names(_ text: String, _ expected: DocumentError) {
    #expect(read(text).error == expected, "\(text)")
    #expect(read("query A { ...A } fragment A on Q { a }").error == nil)
  }

  @Test("Numbers end at their largest value, and fragments that double one another cost what they say")
  func doubling() throws {
    var text = "{ ...F0 }"
    for index in 0..<60 { text += " fragment F\(index) on Q { ...F\(index + 1) ...F\(index + 1) }" }
    #expect(try counts(text + " fragment F60 on Q { a: b }") == [1, .max, .max])
    let chain = (0..<3000).map { "fragment F\($0) on Q { a { ...F\($0 + 1) } }" }.joined(separator: " ")
    let (document, error) = read("{ ...F0 } \(chain) fragment F3000 on Q { a }", tokens: 1_000_000)
    #expect(error == nil && document.depth == 3001)
  }

  @Test("Nesting has an end, whatever nests, and so has the number of tokens")
  func limits() {
    for (open, close) in [("{a", "}"), ("{...", "}"), ("{a(b:[", "])}"), ("{a(b:{c:", "})}")] {
      let count = open.hasPrefix("{a(b") ? 100_000 : 10_000
      let text = String(repeating: open, count: count) + String(repeating: close, count: count)
      #expect(read(text, tokens: 1_000_000).error != nil)
    }
    for (open, middle, close) in [("{a", "{a}", "}"), ("[", "1", "]")] {
      func nested(_ count: Int) -> String {
        String(repeating: open, count: count) + middle + String(repeating: close, count: count)
      }
      let isValue = open == "["
      func whole(_ count: Int) -> String { isValue ? "{ a(b: \(nested(count))) }" : nested(count) }
      #expect(read(whole(199)).error == nil)
      #expect(read(whole(201)).error == .nestedTooDeeply)
    }
    #expect(read(String(repeating: "{", count: 10_000_000)).error != nil)
    #expect(read("{ a b c }", tokens: 5).error == nil)
    #expect(read("{ a b c }", tokens: 4).error == .tooManyTokens)
    #expect(read("{ a , , # no token\n b c }", tokens: 5).error == nil)
  }

  @Test("A reader that has refused a document reads the next one as if it was the first")
  func again() throws {
    var document = Document()
    for text in ["{ ...A } fragment A on Q { ...A }", "{ ...B", "query A { a } query A { b }", "{ __schema { a } }"] {
      _ = document.read(Array(text.utf8).span, tokenCountMax: 100)
      let next = Array("{ a: b ...F } fragment F on Q { c }".utf8)
      #expect(document.read(next.span, tokenCountMax: 100) == nil, "behind \(text)")
      #expect(document.aliasCount == 1 && document.rootFieldCount == 2 && !document.usesIntrospection)
    }
  }

  @Test("Bytes that are not UTF-8 are refused in texts and comments, and every beginning of a document is read")
  func bytes() {
    let text = Array("query A($a: B = \"ä\") { a(b: \"\"\"😀\"\"\") # ö\n ...F } fragment F on Q { c }".utf8)
    var document = Document()
    #expect(document.read(text.span, tokenCountMax: 100) == nil)
    for end in 0..<text.count { _ = document.read(text.span.extracting(0..<end), tokenCountMax: 100) }
    for index in text.indices where text[index] >= 0x80 {
      var broken = text
      broken[index] = 0xFF
      #expect(document.read(broken.span, tokenCountMax: 100) != nil)
    }
  }
}
