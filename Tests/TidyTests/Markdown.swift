// A Markdown document as the rules read it: its lines, which of them are code or tables, and its sentences.

import Foundation

struct Markdown {
  enum Kind { case text, heading, table, code, blank }

  struct Line {
    let number: Int
    let text: String
    let kind: Kind
  }

  struct Sentence {
    /// Where its paragraph, list item or table row begins.
    let line: Int
    let text: String

    var wordCount: Int {
      text.split(separator: " ").count { $0.contains { $0.isLetter || $0.isNumber } }
    }
  }

  let path: String
  let lines: [Line]

  init(path: String) throws {
    self.init(path: path, text: try Tree.text(path))
  }

  init(path: String, text: String) {
    self.path = path
    var isInCode = false
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { index, line in
      let isFence = line.hasPrefix("```")
      if isFence { isInCode.toggle() }
      let kind: Kind =
        if isFence || isInCode {
          .code
        } else if line.allSatisfy(\.isWhitespace) {
          .blank
        } else if line.hasPrefix("#") {
          .heading
        } else if line.hasPrefix("|") {
          .table
        } else {
          .text
        }
      return Line(number: index + 1, text: String(line), kind: kind)
    }
  }

  /// All documents that people write, in the order of their paths. What a program writes has rules of its own.
  static let documents: [String] = [
    "", "docs", "docs/guide", "docs/observability", "docker/kubernetes", "Benchmarks", "Fuzzing",
  ].flatMap { folder in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: Tree.root.appending(path: folder).path)) ?? []
    return names.filter { $0.hasSuffix(".md") }.sorted().map { folder.isEmpty ? $0 : folder + "/" + $0 }
  }

  /// The paragraphs, list items and table cells, each as one line of text without links' addresses and code.
  private var passages: [(line: Int, text: String)] {
    var passages: [(line: Int, text: String)] = []
    var isOpen = false
    for line in lines {
      switch line.kind {
      case .text:
        if isOpen, line.text.prefixMatch(of: #/\s*(?:[-*]|\d+\.) /#) == nil, let last = passages.indices.last {
          passages[last].text += " " + line.text.trimmingCharacters(in: .whitespaces)
        } else {
          passages.append((line.number, line.text.trimmingCharacters(in: .whitespaces)))
        }
        isOpen = true
      case .table:
        passages += line.text.replacing(#/`[^`]*`/#, with: "code").split(separator: "|").map {
          (line.number, String($0))
        }
        isOpen = false
      case .heading, .code, .blank: isOpen = false
      }
    }
    return passages.map { passage in
      let text = passage.text.replacing(#/`[^`]*`/#, with: "code")
        .replacing(#/\[([^\]]*)\]\([^)]*\)/#) { String($0.1) }
      return (passage.line, text)
    }
  }

  var sentences: [Sentence] {
    passages.flatMap { passage in
      passage.text.split(separator: #/[.!?:][")*]* +/#)
        .map { Sentence(line: passage.line, text: $0.trimmingCharacters(in: .whitespaces)) }
        .filter { !$0.text.isEmpty }
    }
  }

  /// What links within the document may lead to, as GitHub names headings.
  var anchors: Set<String> {
    Set(
      lines.filter { $0.kind == .heading }.map { line in
        line.text.drop { $0 == "#" || $0 == " " }.lowercased()
          .filter { $0.isLetter || $0.isNumber || " -_".contains($0) }.replacing(" ", with: "-")
      })
  }
}
