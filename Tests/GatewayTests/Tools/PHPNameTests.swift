// PHP reads a parameter under many names. It says itself which: none of them brings a token past the gateway.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Names as PHP reads them", .needs("php"), .timeLimit(.minutes(10)))
struct PHPNameTests {
  /// What PHP takes of names for the parameter `access_token`.
  private func read(_ names: [String]) async throws -> [Bool] {
    let folder = try TemporaryFolder()
    let script = """
      <?php foreach (file('names') as $line) {
        parse_str(trim($line, "\\n") . '=FORGED', $found);
        echo isset($found['access_token']) ? "1\\n" : "0\\n";
      }
      """
    try folder.write("names.php", Data(script.utf8))
    try folder.write("names", Data(names.map { $0 + "\n" }.joined().utf8))
    let ran = try await ChildProcess.start(
      ChildProcess.path(of: "php") ?? "php", ["names.php"], in: folder.url
    ).finish()
    return ran.standardOutput.split(separator: "\n").map { $0 == "1" }
  }

  @Test("T93: No name that PHP takes for the token's parameter brings anything past the gateway")
  func parameters() async throws {
    func every(_ text: (String) -> String) -> [String] { (0...255).map { text(String(format: "%%%02x", $0)) } }
    let names =
      every { "access\($0)token" } + every { "\($0)access_token" } + every { "access_token\($0)" }
      + ["access[token", "access_token[", "access_token[]", "access_token[a]b", "access+token", "access.token"]
    let isRead = try await read(names)
    try #require(isRead.count == names.count)
    #expect(isRead.count { $0 } > 10, "PHP knows several spellings")
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()],
      auth: "{ issuers: [login], tokens_from: [authorization, \"query:access_token\"], optional: true }",
      route: ["identity: { forward_token: true }"])
    let client = try await door.gateway.connect()
    let token = TokenDoor.token(key)
    for (name, isRead) in zip(names, isRead) where isRead {
      let response = try await client.get("/door?\(name)=FORGED", ["Authorization: Bearer \(token)"])
      #expect(!response.text.contains("FORGED"), "\(name)")
    }
  }
}
