// The generated parts of the documents say what the records say.

import Foundation
import Testing

@testable import Documents

@Suite("Generated documents")
struct GeneratedDocumentTests {
  private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized

  @Test("Every generated part says what the records say", arguments: GeneratedDocument.all.map(\.path))
  func current(_ path: String) throws {
    let document = try #require(GeneratedDocument.all.first { $0.path == path })
    let text = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    #expect(try document.filled(text) == text, "\(path) is not up to date: run `make docs`")
  }

  @Test("A part is written between its lines, and everything else stays")
  func filled() throws {
    let document = GeneratedDocument(path: "a.md", parts: [("one", "new\n"), ("two", "other\n")])
    let text = "x\n<!-- make docs: one -->\nold\n<!-- end: one -->\ny\n<!-- make docs: two -->\n<!-- end: two -->\n"
    let filled = try document.filled(text)
    #expect(
      filled == "x\n<!-- make docs: one -->\n\nnew\n\n<!-- end: one -->\ny\n<!-- make docs: two -->\n\nother\n\n"
        + "<!-- end: two -->\n")
    #expect(try document.filled(filled) == filled)
  }

  @Test(
    "A document that lost the line before or after a part is not written",
    arguments: ["", "<!-- make docs: one -->\n", "<!-- end: one -->\n<!-- make docs: one -->\n"])
  func missing(_ text: String) {
    #expect(throws: MissingPart.self) {
      try GeneratedDocument(path: "a.md", parts: [("one", "new\n")]).filled(text)
    }
  }

  @Test("No cell of a refusal breaks its table")
  func cells() {
    for part in GeneratedDocument.refusals.parts {
      let lines = part.text.split(separator: "\n")
      let columns = lines[0].count { $0 == "|" }
      for line in lines { #expect(line.count { $0 == "|" } == columns, "\(line)") }
    }
  }
}
