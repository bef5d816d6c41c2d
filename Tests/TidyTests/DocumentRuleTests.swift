// Rules that hold the documents to the source.

import Foundation
import Testing

@Suite("Rules of the documents")
struct DocumentRuleTests {
  /// The cases of `Stage`, in their order.
  private func stages() throws -> [String] {
    let source = try Tree.text("Sources/Proxy/Stage.swift")
    let end = try #require(source.range(of: "var next"))
    let lines = source[..<end.lowerBound].split(separator: "\n").filter { $0.contains(/^  case \w+(, \w+)*$/) }
    return lines.flatMap { line in
      line.drop { $0 == " " }.dropFirst("case ".count).split(separator: ",").map {
        $0.trimmingCharacters(in: .whitespaces)
      }
    }
  }

  private func section(_ title: String, of path: String) throws -> Substring {
    let text = try Tree.text(path)
    let start = try #require(text.range(of: "\n## \(title)\n"), "\(path): expected the heading '## \(title)'")
    let rest = text[start.upperBound...]
    return rest[..<(rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)]
  }

  @Test("The stages, the folders of Proxy and the headings of 'Life of a request' are the same, in the same order")
  func lifeOfARequest() throws {
    let stages = try stages()
    #expect(stages.count >= 9)
    let headings = try section("Life of a request", of: "docs/ARCHITECTURE.md").split(separator: "\n")
      .filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4).prefix { $0.isLetter }) }
    #expect(
      headings == ["accept"] + stages,
      "docs/ARCHITECTURE.md: the headings of 'Life of a request' are 'accept' and the cases of Stage.swift, in order")
    // Counters are no stage: every stage counts. Spans are written by the last one, of what all of them note. Several
    // ask stores.
    let others = ["Counters", "Refusals", "Stores", "Traces"]
    let folders = try Tree.folders("Sources/Proxy").filter { !others.contains($0) }
    #expect(
      folders == stages.map { $0.prefix(1).uppercased() + $0.dropFirst() }.sorted(),
      "Sources/Proxy: a folder for each case of Stage.swift, under its name, and no other")
  }

  @Test("Each stage begins in the file of its folder's name, and no other file is called a stage")
  func doors() throws {
    // The stage downstream has no step of its own: it is the connections of clients.
    let folders = try stages().filter { $0 != "downstream" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }
    let doors = try Tree.sources.get().map(\.path).filter { $0.hasSuffix("Stage.swift") }.sorted()
    let expected = folders.map { "Sources/Proxy/\($0)/\($0)Stage.swift" } + ["Sources/Proxy/Stage.swift"]
    #expect(doors == expected.sorted(), "Sources/Proxy: the door of each stage is <Folder>/<Folder>Stage.swift")
  }

  @Test("The newest section of the changelog is of the program's version")
  func changelog() throws {
    let source = try Tree.text("Sources/catraca/Catraca.swift")
    let version = try #require(source.firstMatch(of: /static let version = "([0-9.]+)"/)).1
    let heading = try #require(try Tree.text("CHANGELOG.md").split(separator: "\n").first { $0.hasPrefix("## ") })
    #expect(heading == "## \(version)" || heading.hasPrefix("## \(version), "), "CHANGELOG.md: \(heading)")
  }

  @Test("Every file that a document names exists", arguments: Markdown.documents)
  func paths(_ document: String) throws {
    let text = try Tree.text(document)
    for match in text.matches(of: /`((?:Sources|Tests|Fuzzing|docs|Benchmarks)\/[A-Za-z0-9_+.\/-]+)`/) {
      #expect(Tree.exists(String(match.1)), "\(document): \(match.1) does not exist, write where it is now")
    }
    for match in text.matches(of: /\]\(([A-Za-z0-9_.\/-]+)(?:#[a-z0-9-]+)?\)/) {
      let folder = document.split(separator: "/").dropLast().map { $0 + "/" }.joined()
      #expect(Tree.exists(folder + match.1), "\(document): the link to \(match.1) leads nowhere")
    }
  }

  @Test("The map of the architecture shows every target")
  func targets() throws {
    let map = try section("Map", of: "docs/ARCHITECTURE.md")
    for target in try Tree.folders("Sources") {
      #expect(map.contains("| `\(target)` |"), "docs/ARCHITECTURE.md: 'Map' has no row for the target \(target)")
    }
  }
}
