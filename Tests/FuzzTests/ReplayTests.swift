// What fuzzers found, and the inputs that lead them into every corner, through the same functions in a debug build.

import Foundation
import FuzzDrivers
import Testing

@Suite("Kept inputs of the fuzzers")
struct ReplayTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fuzzing").resolvingSymlinksInPath()

  static let drivers = FuzzDriver.allCases.filter { $0 != .canary }

  /// The files of a driver in `Corpus` or `FailCases`, in the order of their names.
  static func inputs(of driver: FuzzDriver, in kind: String) throws -> [URL] {
    let folder = folder.appending(path: kind).appending(path: driver.rawValue)
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .sorted { $0.lastPathComponent < $1.lastPathComponent }
  }

  /// The files that a driver finds a fault with, with what it says.
  static func faults(of driver: FuzzDriver, _ files: [URL]) throws -> [String] {
    try files.compactMap { file in
      do {
        try driver.run(Array(try Data(contentsOf: file)))
        return nil
      } catch let fault as Fault {
        return "\(file.lastPathComponent): \(fault)"
      }
    }
  }

  @Test("No kept input breaks a rule", arguments: drivers)
  func corpus(_ driver: FuzzDriver) throws {
    let files = try Self.inputs(of: driver, in: "Corpus")
    #expect(files.count >= 5, "Fuzzing/Corpus/\(driver.rawValue) has \(files.count) files: keep what a run leaves")
    #expect(try Self.faults(of: driver, files) == [])
  }

  @Test("What was found once is mended", arguments: drivers)
  func failCases(_ driver: FuzzDriver) throws {
    #expect(try Self.faults(of: driver, try Self.inputs(of: driver, in: "FailCases")) == [])
  }

  @Test("Every folder of inputs has a driver")
  func folders() throws {
    for kind in ["Corpus", "FailCases"] {
      for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: kind).path) {
        #expect(FuzzDriver(rawValue: name) != nil, "Fuzzing/\(kind)/\(name) is nobody's")
      }
    }
  }

  @Test("An input that breaks a rule is reported")
  func canary() throws {
    let files = try Self.inputs(of: .canary, in: "FailCases")
    #expect(try Self.faults(of: .canary, files) == files.map { "\($0.lastPathComponent): the canary sings" })
    #expect(!files.isEmpty)
  }
}
