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

  @Test("Each configuration in it passes the check without a warning")
  func configurations() async throws {
    let blocks = Self.text.components(separatedBy: "```yaml\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    #expect(blocks.count == 2)
    let made = try await TestCertificates.shared()
    let files = try ["api.crt": made.certificate(.good), "api.key": made.key(.good), "internal-ca.crt": made.authority]
      .mapValues { try String(contentsOfFile: $0, encoding: .utf8) }
    for block in blocks {
      let ran = try await GatewayProcess.run(
        ["check", "gateway.conf"], configuration: block.replacing("tls/", with: ""), files: files)
      #expect(ran.status == 0 && ran.standardError.isEmpty, "\(ran.standardError)\n\(block)")
    }
  }

  @Test("Each command that it names is there")
  func commands() async throws {
    let help = try await GatewayProcess.run(["--help"]).standardOutput
    for command in ["run", "check", "demo", "token"] {
      #expect(Self.text.contains("catraca \(command)") || Self.text.contains("make \(command)"))
      #expect(help.contains("\n  \(command) "), "\(help)")
    }
    let token = try await GatewayProcess.run(["token", "--help"]).standardOutput
    for command in ["key", "keyset", "mint", "inspect"] { #expect(token.contains("\n  \(command) "), "\(token)") }
  }
}
