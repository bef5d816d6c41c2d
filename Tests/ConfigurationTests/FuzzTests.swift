// Broken files of every kind: never a trap, always at least one error, each at a place in the file. Fixed seeds, so
// that a failure repeats.

import TestBasics
import Testing

@testable import Configuration

@Suite("Broken files")
struct FuzzTests {
  /// What is wrong with the reader's answer, or nil.
  private func complaint(_ text: String) -> String? {
    let errors: [Diagnostic]
    switch World.read(text) {
    case .success(let loaded):
      if loaded.configuration.listeners.isEmpty || loaded.configuration.routes.isEmpty { return "taken without routes" }
      errors = loaded.warnings
    case .failure(let failure):
      errors = failure.diagnostics
      if !errors.contains(where: { $0.severity == .error }) { return "refused without an error" }
    }
    var lengths = [0]
    var wasReturn = false
    for scalar in text.unicodeScalars {
      if scalar.isLineBreak {
        if !(wasReturn && scalar == "\n") { lengths.append(0) }
      } else {
        lengths[lengths.count - 1] += 1
      }
      wasReturn = scalar == "\r"
    }
    for error in errors {
      guard (1...lengths.count).contains(error.position.line),
        (1...lengths[error.position.line - 1] + 1).contains(error.position.column)
      else { return "a place outside the file: \(error)" }
      if error.message.isEmpty || error.message.unicodeScalars.contains(where: { $0.value < 0x20 }) {
        return "a message that is no line: \(error)"
      }
    }
    return nil
  }

  private static let bytes =
    Array("{}[]:,-?*&!|>'\"%@`#\t \n\r~$\\0aZ/.;<".utf8) + [0x00, 0x7F, 0x80, 0xC3, 0xFF, 0xEF, 0xBB, 0xBF]

  @Test("mutations of the example", arguments: 0..<8) func mutations(seed: Int) async throws {
    let example = Array(try Tree.text("gateway.conf.example").utf8.filter { $0 != 0x0D })
    var random = SeededGenerator(seed: UInt64(seed) &* 7919 &+ 1)
    var refused = 0
    for _ in 0..<60 {
      // Tests that wait for sockets run on the same few threads.
      await Task.yield()
      var bytes = example
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[at] = Self.bytes.randomElement(using: &random) ?? 0
        case 1: bytes.insert(Self.bytes.randomElement(using: &random) ?? 0, at: at)
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &random)))
        case 3:
          let from = Int.random(in: 0..<bytes.count, using: &random)
          bytes.insert(contentsOf: bytes[from..<min(bytes.count, from + 60)], at: at)
        default: bytes.removeSubrange(at...)
        }
        if bytes.isEmpty { bytes = [0x61] }
      }
      let text = String(decoding: bytes, as: UTF8.self)
      if World.configuration(text) == nil { refused += 1 }
      let complaint = complaint(text)
      #expect(complaint == nil, "seed \(seed): \(complaint ?? "")\n\(text)")
      if complaint != nil { return }
    }
    // Mutations that nobody notices would test nothing.
    #expect(refused > 20)
  }

  @Test("mutations of the cases", arguments: 0..<4) func mutatedCases(seed: Int) async throws {
    var random = SeededGenerator(seed: UInt64(seed) &* 104_729 &+ 3)
    for name in CaseTests.names where name != "laughs.conf" {
      await Task.yield()
      let input = Array(try Tree.text(CaseTests.folder + "/" + name).utf8)
      for _ in 0..<10 {
        var bytes = input
        let at = Int.random(in: 0..<bytes.count, using: &random)
        bytes[at] = Self.bytes.randomElement(using: &random) ?? 0
        let text = String(decoding: bytes, as: UTF8.self)
        let complaint = complaint(text)
        #expect(complaint == nil, "\(name), seed \(seed): \(complaint ?? "")")
        if complaint != nil { return }
      }
    }
  }

  @Test("the smallest file, cut at every byte") func truncated() throws {
    let input = Array(try Tree.text(CaseTests.folder + "/smallest.conf").utf8)
    for end in 0...input.count {
      let complaint = complaint(String(decoding: input[..<end], as: UTF8.self))
      #expect(complaint == nil, "cut at \(end): \(complaint ?? "")")
    }
  }

  @Test(
    "shapes that exhaust stacks and memories are refused",
    arguments: [
      String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000),
      String(repeating: "- ", count: 100_000) + "a", String(repeating: "? ", count: 100_000) + "a",
      "a: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900),
      (0..<900).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
      "a: " + String(repeating: "x", count: 5 * 1024 * 1024),
      "a: [" + String(repeating: "x, ", count: 300_000) + "]",
      String(repeating: "a: 1\n", count: 200), String(repeating: "\"\": 1\n", count: 3),
      "? *a\n: &a [*a]\n", "&a [*a]", "a: &a\n  b: *a\n", "\u{FEFF}\u{FEFF}a: 1", "\u{E000}: 1\n\u{E000}: 1\n",
      "--- a\n--- b\n", "%YAML 1.1\n---\na: 1\n", "%YAML 9.9\n---\na: 1\n", "a: \"\\UFFFFFFFF\"", "'': '${}'",
      "a: ${A:-${B}}",
    ])
  func extremes(text: String) {
    let complaint = complaint(text)
    #expect(complaint == nil, "\(complaint ?? "")")
    #expect(World.configuration(text) == nil)
  }
}
