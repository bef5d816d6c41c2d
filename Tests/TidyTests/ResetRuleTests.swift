// Values that serve one request after the other must forget all of the last one. Where memory is kept, `reset()` names
// each property, and nothing but this rule notices one that is forgotten.

import Testing

@Suite("Rules of values that are used again")
struct ResetRuleTests {
  /// What a reset leaves, because it is written before it is read, or gone with the end of the exchange.
  private static let exceptions: Set = [
    "RouteMatch.foldedHost", "RouteMatch.presentSegments", "RouteMatch.listenerBit", "AccessLogEntry.values",
    "AccessLogEntry.second", "AccessLogEntry.timestamp", "AccessLogEntry.apacheTime", "Exchange.snapshot",
    "Exchange.wait",
  ]

  /// Types whose `reset()` is checked although they are objects.
  private static let objects: Set = ["Exchange"]

  @Test("A value's reset() names each stored property, or replaces the value")
  func resets() throws {
    var checkedCount = 0
    for file in try Tree.sources.get() where file.target == "Proxy" {
      for reset in resets(in: file) {
        checkedCount += 1
        if reset.body.lines(withWords: ["self = "]).count > 0 { continue }
        for property in reset.properties where !Self.exceptions.contains("\(reset.type).\(property)") {
          if reset.body.lines(withWords: [property]).isEmpty {
            Issue.record("\(reset.line): \(reset.type) keeps \(property) for the next request: reset it")
          }
        }
      }
    }
    #expect(checkedCount > 5)
  }

  @Test("The exchange has at most 25 stored properties")
  func exchange() throws {
    let files = try Tree.sources.get()
    let properties = files.flatMap { resets(in: $0) }.first { $0.type == "Exchange" }?.properties ?? []
    #expect((1...25).contains(properties.count), "group them in values that reset themselves")
  }

  private struct Reset {
    let type: String
    let line: SourceLine
    let properties: [String]
    let body: SourceFile
  }

  private func resets(in file: SourceFile) -> [Reset] {
    var found: [Reset] = []
    var type = (name: "", isObject: false)
    var properties: [String] = []
    for line in file.lines {
      let words = line.code.split { " (:<".contains($0) }.map(String.init)
      if !line.code.hasPrefix(" "), let keyword = words.firstIndex(where: { ["struct", "class"].contains($0) }) {
        type = (words[keyword + 1], words[keyword] == "class")
        properties = []
      } else if line.code.hasPrefix("  "), !line.code.hasPrefix("   ") {
        if let keyword = words.firstIndex(of: "var"), !words.contains("static"), !words[..<keyword].contains("lazy"),
          !line.code.hasSuffix("{"), !line.code.hasSuffix("}")
        {
          properties.append(words[keyword + 1])
        }
        guard line.code.contains("func reset() {"), !type.isObject || Self.objects.contains(type.name) else { continue }
        let isOneLine = line.code.hasSuffix("}")
        let rest = isOneLine ? [] : file.lines[line.number...].prefix { !$0.code.hasPrefix("  }") }.map(\.text)
        found.append(
          Reset(
            type: type.name, line: line, properties: properties,
            body: SourceFile(path: file.path, text: ([line.text] + rest).joined(separator: "\n"))))
      }
    }
    return found
  }

  @Test("The reader of this rule finds the properties that a reset must name")
  func reader() {
    let file = SourceFile(
      path: "a.swift",
      text: """
        struct A: ~Copyable {
          let a = 1
          private(set) var b = 0
          var c: [Int] = []
          static var d = 1
          var e: Int { b }
          mutating func reset() {
            b = 0
          }
        }
        final class B {
          var a = 0
          func reset() {}
        }
        """)
    let found = resets(in: file)
    #expect(found.map(\.type) == ["A"])
    #expect(found.map(\.properties) == [["b", "c"]])
    #expect(found.first?.body.lines(withWords: ["b"]).count == 1)
  }
}
