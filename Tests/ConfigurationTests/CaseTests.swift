// Golden files: Cases/*.conf hold an input, a line of dashes, and what the reader answers to it: diagnostics or a
// model. UPDATE_EXPECTATIONS=1 writes the answers again. Look at the difference before committing it.

import Foundation
import Testing

@testable import Configuration

@Suite("Golden cases")
struct CaseTests {
  static let separator = "\n----------------------------------------\n"
  static let folder = Tree.tests + "/Cases"
  static let names =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".conf") }.sorted()

  @Test("there are cases to run") func casesExist() {
    #expect(Self.names.count >= 20)
  }

  @Test("a case's input gives the answer that is below it", arguments: names)
  func answer(name: String) throws {
    let path = Self.folder + "/" + name
    let text = try Tree.text(path)
    let parts = text.components(separatedBy: Self.separator)
    let input = parts[0]
    let answer = Self.answer(to: input)
    if ProcessInfo.processInfo.environment["UPDATE_EXPECTATIONS"] == "1" {
      try (input + Self.separator + answer).write(toFile: path, atomically: true, encoding: .utf8)
      return
    }
    try #require(parts.count == 2, "\(name) has no line of dashes: run with UPDATE_EXPECTATIONS=1")
    #expect(answer == parts[1], "\(name)")
  }

  static func answer(to input: String) -> String {
    switch World.read(input) {
    case .failure(let errors): return errors.description + "\n"
    case .success(let loaded):
      let warnings = loaded.warnings.map { $0.description + "\n" }.joined()
      return warnings + "good:" + dump(loaded.configuration)
    }
  }
}
