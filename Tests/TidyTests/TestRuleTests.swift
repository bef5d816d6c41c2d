// Rules about the tests: what they are called, and what they may not lean on.

import Foundation
import Testing

@Suite("Rules of the tests")
struct TestRuleTests {
  private let files: [SourceFile]

  init() throws { files = try Tree.tests.get() }

  private struct Title {
    let place: String
    let target: String
    let text: String

    /// The threats that the title begins with: `T48, T66 …` names two.
    var threats: [Int] {
      var numbers: [Int] = []
      for word in text.split(whereSeparator: { " ,:/".contains($0) }) {
        guard let match = word.wholeMatch(of: /T([0-9]{2,3})/), let number = Int(match.1) else { break }
        numbers.append(number)
      }
      return numbers
    }
  }

  /// What is in the first string behind `@Test(` or `@Suite(`.
  private var titles: [Title] {
    files.flatMap { file in
      file.lines.compactMap { line in
        guard line.code.contains("@Test(") || line.code.contains("@Suite(") else { return nil }
        let start = line.text.range(of: "@Test(") ?? line.text.range(of: "@Suite(")
        var rest = line.text[(start?.upperBound ?? line.text.endIndex)...]
        if rest.isEmpty, line.number < file.lines.count { rest = file.lines[line.number].text.drop { $0 == " " } }
        guard rest.hasPrefix("\"") else { return nil }
        let text = rest.dropFirst().split(separator: "\"", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        return Title(place: line.description, target: file.target, text: String(text))
      }
    }
  }

  @Test("No two tests of a target have the same title")
  func unique() {
    var seen: [String: String] = [:]
    for title in titles {
      if let earlier = seen.updateValue(title.place, forKey: title.target + "/" + title.text) {
        Issue.record("\(title.place): the title stands at \(earlier) already; say what this one shows")
      }
    }
    #expect(titles.count > 100)
  }

  /// The numbers of the threats that this version meets.
  private static let threatNumbers = Array(1...100) + Array(117...122)
  /// Threats that need what this version does not have, and so cannot be met.
  private static let exempt: [Int: String] = [:]

  @Test("Each threat that this version can meet has a test with its number")
  func threats() {
    let known = Set(titles.flatMap(\.threats))
    for number in Self.threatNumbers where !known.contains(number) {
      let name = "T" + String(format: "%02d", number)
      if let reason = Self.exempt[number] {
        #expect(!reason.isEmpty)
      } else {
        Issue.record("Tests: no test's title begins with \(name); write one in Tests/ThreatTests")
      }
    }
    for number in Self.exempt.keys where known.contains(number) {
      Issue.record("TestRuleTests.swift: T\(number) has a test now; take it out of `exempt`")
    }
  }

  @Test("Titles are sentences")
  func sentences() {
    for title in titles where !title.text.contains(" ") && title.text.count < 4 {
      Issue.record("\(title.place): '\(title.text)' says nothing; write what is shown")
    }
  }

  @Test("Tests wait for events, never for time to pass")
  func sleeps() {
    let words = ["Task.sleep", "Thread.sleep", "usleep", "nanosleep", "asyncAfter", "Timer"]
    for file in files {
      for line in file.lines(withWords: words) {
        Issue.record("\(line): await the event itself (Monitor.wait, waitForLog, waitForMetrics), with a deadline")
      }
    }
  }

  @Test("Tests take free ports")
  func ports() {
    // Where sockets are opened. In other files an address is a text that is read.
    let calls = ["bind(", "connect(", "start("]
    for file in files {
      for line in file.lines where calls.contains(where: line.code.contains) {
        if line.text.contains(/\bport: [1-9][0-9]|(127\.0\.0\.1|localhost):[1-9]/) {
          Issue.record("\(line): another program may have that port; use 0 and ask which one it became")
        }
      }
      let opensListeners = file.target == "GatewayTests" || file.target == "TestSupport"
      for line in file.lines where opensListeners && line.text.contains("address:") {
        if line.text.contains(/(127\.0\.0\.1|0\.0\.0\.0|localhost|\[::1?\]):[1-9]/) {
          Issue.record("\(line): another program may have that port; use 0 and ask which one it became")
        }
      }
    }
  }
}
