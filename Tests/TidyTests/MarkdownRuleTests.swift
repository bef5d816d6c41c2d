// Rules of how documents are written: what can be counted. CONTRIBUTING.md has the reasons.

import Testing

@Suite("Rules of writing")
struct MarkdownRuleTests {
  private static let documents = Markdown.documents

  @Test("Lines of documents have at most 120 columns, but for rows of tables and a link alone", arguments: documents)
  func columns(_ path: String) throws {
    for line in try Markdown(path: path).lines where line.kind != .table && line.text.count > 120 {
      let isLink = !line.text.trimmingPrefix(#/\s*[-*]? */#).contains(" ")
      if !isLink { Issue.record("\(path):\(line.number): \(line.text.count) columns: break the line before 120") }
    }
  }

  @Test("Headings have a blank line before and after them, and a document begins with its title", arguments: documents)
  func headings(_ path: String) throws {
    let lines = try Markdown(path: path).lines
    #expect(lines.first?.text.hasPrefix("# ") == true, "\(path):1: begin with the title, '# …'")
    for line in lines.dropFirst() where line.kind == .heading {
      #expect(lines[line.number - 2].kind == .blank, "\(path):\(line.number): write a blank line before the heading")
      #expect(!line.text.hasPrefix("# "), "\(path):\(line.number): a document has one title, use '##'")
    }
    for line in lines.dropLast() where line.kind == .heading {
      #expect(lines[line.number].kind == .blank, "\(path):\(line.number): write a blank line after the heading")
    }
  }

  @Test("Sentences have at most 40 words", arguments: documents)
  func sentences(_ path: String) throws {
    let sentences = try Markdown(path: path).sentences
    #expect(!sentences.isEmpty)
    for sentence in sentences where sentence.wordCount > 40 {
      Issue.record(
        "\(path):\(sentence.line): a sentence of \(sentence.wordCount) words, make two of it: \(sentence.text)")
    }
  }

  @Test("Prose has no semicolons", arguments: documents)
  func semicolons(_ path: String) throws {
    let document = try Markdown(path: path)
    for sentence in document.sentences where sentence.text.contains(";") {
      Issue.record("\(path):\(sentence.line): make two sentences of it: \(sentence.text)")
    }
  }

  @Test("Prose uses the words of the glossary", arguments: documents.filter { $0 != "docs/GLOSSARY.md" })
  func words(_ path: String) throws {
    let document = try Markdown(path: path)
    for sentence in document.sentences {
      if let advice = Glossary.advice(on: sentence.text) {
        Issue.record("\(path):\(sentence.line): \(advice): \(sentence.text)")
      }
    }
  }

  @Test("Links within a document lead to a heading", arguments: documents)
  func anchors(_ path: String) throws {
    let document = try Markdown(path: path)
    for line in document.lines where line.kind != .code {
      for match in line.text.matches(of: ##/\]\(#([^)]*)\)/##) {
        #expect(document.anchors.contains(String(match.1)), "\(path):\(line.number): no heading is called '\(match.1)'")
      }
    }
  }

  @Test("Documents of more than 200 lines begin with their contents", arguments: documents)
  func contents(_ path: String) throws {
    let lines = try Markdown(path: path).lines
    // The README links to everything else, and the changelog's headings are what it is read by.
    if lines.count > 200, path.hasPrefix("docs/") {
      #expect(lines.contains { $0.text == "## Contents" }, "\(path): list the sections under '## Contents'")
    }
  }

  @Test("The reader of these rules distinguishes text from code, tables and headings, and finds where sentences end")
  func reader() {
    let document = Markdown(
      path: "a.md",
      text: """
        # A title; not prose

        One `a; b` and [a link](https://example.com/;). Two
        more words: three.
        - an item
        - another
        | a cell | `x;y` here. And more |
        ```
        code; here.
        ```
        """)
    #expect(
      document.sentences.map(\.text) == [
        "One code and a link", "Two more words", "three.", "- an item", "- another", "a cell", "code here", "And more",
      ])
    #expect(document.sentences.map(\.wordCount) == [5, 3, 1, 2, 1, 2, 2, 2])
    #expect(document.anchors == ["a-title-not-prose"])
  }
}
