// What the README shows is what the program takes.

import Foundation
import TestSupport
import Testing

@Suite("The README")
struct ReadmeTests {
  private static let text: String = {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return (try? String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)) ?? ""
  }()

  @Test("The configuration in it passes the check without a warning, and has at most ten lines")
  func configuration() async throws {
    let blocks = Self.text.components(separatedBy: "```yaml\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    let block = try #require(blocks.count == 1 ? blocks.first : nil)
    #expect(block.split(separator: "\n").count <= 10)
    let ran = try await GatewayProcess.run(["check", "gateway.conf"], configuration: block)
    #expect(ran.status == 0 && ran.standardError.isEmpty, "\(ran.standardError)\n\(block)")
  }

  @Test("Each command that it names is there")
  func commands() async throws {
    let help = try await GatewayProcess.run(["--help"]).standardOutput
    let named = Set(Self.text.matches(of: #/`[^`\n]*\bcatraca ([a-z]+)[^`\n]*`/#).map { String($0.output.1) })
    #expect(named.isSuperset(of: ["run", "check", "demo", "init"]))
    for command in named { #expect(help.contains("\n  \(command) "), "\(help)") }
  }
}
