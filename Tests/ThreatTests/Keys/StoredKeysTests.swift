// Stored keys are believed only where nobody else could have laid them down (T88).

import Foundation
import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct StoredKeysTests {
  @Test("T88 Stored keys that others could have written are not used, and the log says what to do. Those that are, too")
  func strangers() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-state-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let issuer = try await TestIssuer.start(.es256)
    let top = "state_directory: \(folder.path)"
    let file = folder.appending(path: "keys-login.json")
    do {
      let first = try await TokenDoor.start(issuers: issuer.configuration(), top: top)
      try await first.gateway.waitUntilReady()
      first.gateway.terminate()
      #expect(try await first.gateway.waitForExit() == 0)
    }
    issuer.server.putAll(.close)
    func setMode(_ mode: Int, _ place: URL) throws {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: place.path)
    }
    for (folderMode, fileMode) in [(0o777, 0o600), (0o700, 0o666)] {
      try setMode(folderMode, folder)
      try setMode(fileMode, file)
      let door = try await TokenDoor.start(issuers: issuer.configuration(), top: top)
      #expect(try await door.verdict(issuer.token()) == "keys_unavailable")
      #expect(
        door.gateway.standardError.contains {
          $0.contains("may be written by others: chmod go-w") && $0.contains(" the stored keys cannot be used ")
        }, "\(door.gateway.standardError)")
    }
    try setMode(0o600, file)
    let door = try await TokenDoor.start(issuers: issuer.configuration(), top: top)
    #expect(try await door.verdict(issuer.token()) == "passed")
    #expect(
      door.gateway.standardError.contains {
        $0.contains("notice") && $0.contains(" serving stored keys until the issuer answers ")
      })
  }
}
