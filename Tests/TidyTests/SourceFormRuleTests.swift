// Rules of the form of sources that swift-format does not know. CONTRIBUTING.md has the reasons.

import Testing

@Suite("Rules of the form of sources")
struct SourceFormRuleTests {
  private let files: [SourceFile]

  init() throws { files = try Tree.sources.get() + Tree.tests.get() + Tree.drivers.get() }

  @Test("Lines have at most 120 columns, but for code with a string that cannot be broken")
  func columns() {
    for file in files {
      for line in file.lines where line.text.count > 120 {
        let isString = line.comment == nil && line.code.count < line.text.count
        if !isString { Issue.record("\(line): \(line.text.count) columns: break the line before 120") }
      }
    }
  }

  @Test("Comments have no semicolons")
  func semicolons() {
    for file in files {
      for line in file.lines {
        guard let comment = line.comment, comment.contains(";") else { continue }
        if comment.replacing(#/`[^`]*`|"[^"]*"/#, with: "").contains(";") {
          Issue.record("\(line): make two sentences of it: \(comment)")
        }
      }
    }
  }

  @Test("Comments use the words of the glossary")
  func words() {
    for file in files {
      for line in file.lines {
        guard let comment = line.comment?.replacing(#/`[^`]*`|"[^"]*"/#, with: "") else { continue }
        if let advice = Glossary.advice(on: comment) { Issue.record("\(line): \(advice): \(comment)") }
      }
    }
  }

  @Test("Messages use the words of the glossary, and none of them has a semicolon")
  func messages() throws {
    for file in try Tree.sources.get() {
      for line in file.lines {
        for text in line.strings {
          if let advice = Glossary.advice(onMessage: text) { Issue.record("\(line): \(advice): \(text)") }
          // A word on both sides makes it prose: headers, cookies and scripts are none.
          if text.contains(#/[a-z']; [a-z]+ [a-z]/#), !text.contains("="), !text.contains("-src") {
            Issue.record("\(line): make two sentences of it, or use a colon: \(text)")
          }
        }
      }
    }
  }

  /// Functions that are a table, and where a second one would cost on the way of a request.
  private static let tables: Set = ["Sources/HTTPWire/Fields/KnownField+Recognition.swift"]

  @Test("Functions have at most 70 lines")
  func functionLengths() {
    for file in files where !Self.tables.contains(file.path) {
      for (line, count) in functions(in: file) where count > 70 {
        Issue.record("\(line): a function of \(count) lines: give a part of it a name")
      }
    }
  }

  /// The functions of a file with the number of their lines, as swift-format lays them out.
  private func functions(in file: SourceFile) -> [(line: SourceLine, count: Int)] {
    file.lines.compactMap { line in
      let indent = line.code.prefix { $0 == " " }
      let words = line.code.split(separator: " ")
      let isFunction = words.contains("func") || words.contains { $0.hasPrefix("init(") || $0.hasPrefix("init?(") }
      guard isFunction, words.last?.hasSuffix("}") != true else { return nil }
      for next in file.lines[line.number...] where !next.code.isEmpty {
        let depth = next.code.prefix { $0 == " " }.count
        if depth < indent.count { return nil }
        if depth == indent.count, next.code.hasPrefix(indent + "}") { return (line, next.number - line.number + 1) }
      }
      return nil
    }
  }

  @Test("The reader of these rules finds where functions and comments are")
  func reader() {
    let file = SourceFile(
      path: "a.swift",
      text: ##"""
        struct A {
          func one() { 1 }  // a comment
          func two(
            _ a: Int
          ) -> Int {
            // another "comment"
            2
          }
          let text = "// not a comment"
        }
        """##)
    #expect(functions(in: file).map(\.count) == [6])
    #expect(file.lines.compactMap(\.comment) == ["// a comment", "// another \"comment\""])
    #expect(file.lines.flatMap(\.strings) == ["// not a comment"])
  }
}
