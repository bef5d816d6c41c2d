// What the guide shows is what the program takes: its configurations pass the check, and its shell lines run.

import Foundation
import TestSupport
import Testing

@Suite("The guide")
struct GuideTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "docs/guide")

  private static let pages: [String] =
    (((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
      .filter { $0.hasSuffix(".md") }.sorted()) + ["../PROVIDERS.md"]

  private static let pagesWithShell = pages.filter { ((try? blocks(of: $0, in: "sh")) ?? []).isEmpty == false }

  /// The sections that a configuration of the guide leaves out, and the word by which it refers to what is in them.
  private static let rest = [
    (section: "routes", word: "", text: "routes:\n  - { path: /orders/*, auth: login, upstream: orders }\n"),
    (section: "upstreams", word: "orders", text: "upstreams:\n  orders: { servers: [\"10.0.0.1:9000\"] }\n"),
    (
      section: "issuers", word: "login",
      text: "issuers:\n  login: { issuer: \"https://login.example.com/\", audiences: [orders-api] }\n"
    ),
    (section: "listeners", word: "", text: "listeners:\n  - address: 0.0.0.0:0\n"),
  ]

  private static func blocks(of page: String, in language: String) throws -> [String] {
    let text = try String(contentsOf: folder.appending(path: page), encoding: .utf8)
    return text.components(separatedBy: "\n```\(language)\n").dropFirst().compactMap {
      $0.components(separatedBy: "\n```").first.map { $0 + "\n" }
    }
  }

  private static func has(_ section: String, in block: String) -> Bool { ("\n" + block).contains("\n\(section):") }

  /// The keys of assertions are on the reader's machine.
  private static func isTestedHere(_ block: String) -> Bool {
    has("tests", in: block) && !block.contains("keys: keys/")
  }

  @Test("Each configuration in it with routes and upstreams has tests, or says why not", arguments: pages)
  func tested(_ page: String) throws {
    for block in try Self.blocks(of: page, in: "yaml") where Self.has("routes", in: block) {
      if !Self.has("upstreams", in: block) { continue }
      #expect(Self.has("tests", in: block) != block.contains("\n# without tests: "), "\(block)")
    }
  }

  @Test("Each configuration in it passes the strict check, but for a warning that it announces", arguments: pages)
  func configurations(_ page: String) async throws {
    for block in try Self.blocks(of: page, in: "yaml") {
      var whole = block
      for (section, word, text) in Self.rest
      where !("\n" + whole).contains("\n\(section):") && (word.isEmpty || whole.contains(word)) {
        whole += text
      }
      let isWarned = block.contains("# a warning")
      let ran = try await GatewayProcess.run(
        ["check"] + (Self.isTestedHere(block) ? [] : ["--no-files"]) + (isWarned ? [] : ["--strict"])
          + ["gateway.conf"], configuration: whole)
      #expect(ran.status == 0 && ran.standardError.contains("warning") == isWarned, "\(ran.standardError)\n\(whole)")
    }
  }

  @Test(
    "Its shell lines run, and each call is answered with the status in the comment above", arguments: pagesWithShell)
  func shell(_ page: String) async throws {
    // The ports that readers use may be taken where tests run.
    var ports: [Substring: String] = [:]
    for port in ["8080", "8443", "8888", "9000", "9901"] { ports[Substring(port)] = String(try closedPort()) }
    let script = try Self.blocks(of: page, in: "sh").joined(separator: "\n")
      .replacing(#/\b(?:8080|8443|8888|9000|9901)\b/#) { ports[$0.output] ?? "" }
    let expected = script.matches(of: #/(?m)^# (\d{3}): /#).map { String($0.1) }
    let before = """
      set -eu
      mkdir bin && ln -s "$1" bin/catraca
      PATH="$PWD/bin:$PATH"
      trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT
      curl() {
        command curl -sS "$@" > answer
        sed -n '1s/^HTTP[^ ]* \\([0-9]*\\).*/status \\1/p' answer
      }

      """
    let ran = try await GatewayProcess.run(
      [], files: ["guide.sh": before + script], launcher: ["/bin/bash", "guide.sh"])
    let statuses = ran.standardOutput.matches(of: #/(?m)^status (\d+)$/#).map { String($0.1) }
    #expect(ran.status == 0 && statuses == expected, "\(ran.standardOutput)\(ran.standardError)")
  }

  @Test("The pages and their configurations are found")
  func found() throws {
    #expect(Self.pages.count >= 10)
    #expect(try Self.pages.reduce(0) { try $0 + Self.blocks(of: $1, in: "yaml").count } >= 20)
    #expect(!Self.pagesWithShell.isEmpty)
  }
}
