// What foreign bytes cost grows with their number and no faster (T74). Work is counted, not time: a program does each
// piece of work in three sizes, valgrind counts its instructions between two calls of a marker.

import Foundation
import TestSupport
import Testing

@Suite("Linear cost", .timeLimit(.minutes(60)))
struct LinearCostTests {
  private struct Counted {
    var size: Int
    var outcome: String
    var instructions: Int
  }

  /// Of what is added from the middle size to the largest, twice what was added before it is linear, four times
  /// quadratic.
  private static let growthMax = 2.5
  /// One process would be the last of all tests for minutes.
  private static let partCount = 4
  /// For what grows by steps: memory that doubles, tables.
  private static let slack = 0.03

  private static var isPossible: Bool { ChildProcess.isInstalled("valgrind") && ChildProcess.isInstalled("strip") }

  @Test(
    "T74 Twice the bytes cost at most twice the work: heads, lists, cookies, targets, bodies, JSON, key sets, DNS, frames",
    .enabled(if: isPossible, "valgrind and strip are not installed"), arguments: 0..<partCount)
  func growth(part: Int) async throws {
    var judged: [String: Bool] = [:]
    for (name, counted) in try await count(part) {
      #expect(counted.count == 3)
      #expect(Set(counted.map(\.outcome)).count == 1, "\(name): \(counted.map(\.outcome))")
      let first = Double(counted[1].instructions - counted[0].instructions)
      let second = Double(counted[2].instructions - counted[1].instructions)
      let isLinear = second <= first * Self.growthMax + Double(counted[2].instructions) * Self.slack
      judged[name] = isLinear
      #expect(isLinear || name == "canary", "\(name): \(counted.map { ($0.size, $0.instructions) })")
    }
    #expect(judged["canary"] == false, "the judge does not see what is quadratic")
    #expect(judged.count > 70 / Self.partCount)
  }

  /// The instructions of each case of a part, in the order of its sizes.
  private func count(_ part: Int) async throws -> [(String, [Counted])] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-work-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // Without what debuggers know: valgrind does not read all of it. The names of functions stay.
    let built = URL(filePath: try GatewayProcess.binary()).deletingLastPathComponent().appending(path: "WorkDriver")
      .path
    let program = folder.appending(path: "driver").path
    let strip = try ChildProcess.start("/usr/bin/env", ["strip", "--strip-debug", "-o", program, built])
    try #require(try await strip.waitForExit() == 0)
    let files = folder.appending(path: "counts").path
    let driver = try ChildProcess.start(
      "/usr/bin/env",
      [
        "valgrind", "--tool=callgrind", "--dump-before=*workMark*", "--callgrind-out-file=\(files)", program,
        "\(part)", "\(Self.partCount)",
      ],
      // The same hashes in each run.
      environment: ["SWIFT_DETERMINISTIC_HASHING": "1"])
    let (status, output, errors) = try await driver.finish(within: .seconds(3000))
    try #require(status == 0, "\(errors.suffix(2000))")
    var cases: [(String, [Counted])] = []
    for (index, line) in output.split(separator: "\n").enumerated() {
      let parts = line.split(separator: "\t").map(String.init)
      let instructions = try instructions(in: "\(files).\(index * 2 + 2)")
      let counted = Counted(size: Int(parts[1]) ?? 0, outcome: parts[2], instructions: instructions)
      if cases.last?.0 == parts[0] {
        cases[cases.count - 1].1.append(counted)
      } else {
        cases.append((parts[0], [counted]))
      }
    }
    return cases
  }

  private func instructions(in file: String) throws -> Int {
    let text = String(decoding: try Data(contentsOf: URL(filePath: file)).suffix(400), as: UTF8.self)
    let line = try #require(text.split(separator: "\n").last { $0.hasPrefix("totals: ") })
    return try #require(Int(line.split(separator: " ")[1]))
  }
}
