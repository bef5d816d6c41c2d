// Issuers that are down: at the start, later, and across a restart.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Issuers that are down", .timeLimit(.minutes(10)))
struct KeyOutageTests {
  @Test("With the issuer down at the start the gateway starts, says so in /readyz, answers 503, and heals by itself")
  func downAtStart() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let other = try TestKey(.es256)
    issuer.server.putAll(.close)
    let door = try await TokenDoor.start(
      issuers: issuer.configuration(name: "sleeper")
        + issuerConfiguration(name: "file", issuer: "file", jwks: "keys.json"),
      auth: "{ issuers: [sleeper, file] }", more: "  - { path: /open, auth: public, upstream: echo }",
      files: ["keys.json": keySetText(other)])
    let ready = try await door.gateway.admin("/readyz")
    #expect(ready.status == 503)
    #expect(ready.text.contains("sleeper"))
    #expect(!ready.text.contains("file"))
    #expect(try await door.gateway.admin("/healthz").status == 200)
    let token = issuer.token()
    #expect(
      try await door.verdicts([token, makeToken(issuer: "file", key: other), token])
        == ["keys_unavailable", "passed", "keys_unavailable"])
    #expect(try await door.gateway.get("/open").status == 200)
    let status = try await door.gateway.admin("/status").text
    #expect(status.contains("\"ready\" : false"))
    #expect(status.contains("\"last_error\""))
    issuer.server.putAll(nil)
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdict(token) == "passed")
    #expect(try await door.gateway.admin("/status").text.contains("\"ready\" : false") == false)
  }

  @Test("An issuer without keys that a reload adds leaves the gateway ready, and others are served")
  func addedByReload() async throws {
    let first = try await TestIssuer.start(.es256)
    func configuration(_ issuers: String, _ names: String) -> String {
      """
      issuers:
      \(issuers)
      routes: [{ path: /, auth: { issuers: [\(names)] }, respond: { status: 200 } }]
      """
    }
    let gateway = try await GatewayProcess.start(configuration(first.configuration(name: "first"), "first"))
    try await gateway.waitUntilReady()
    let second = try await TestIssuer.start(.es256)
    second.server.putAll(.close)
    let both = first.configuration(name: "first") + second.configuration(name: "second")
    try gateway.write(configuration: configuration(both, "first, second"))
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/", ["Authorization: Bearer \(second.token())"]).code == "keys_unavailable")
    #expect(try await gateway.get("/", ["Authorization: Bearer \(first.token())"]).status == 200)
    #expect(try await gateway.admin("/readyz").status == 200)
  }

  @Test("The first client after the start is let in: listeners open once the issuer has answered")
  func firstClient() async throws {
    let issuer = try await TestIssuer.start(.es256)
    // The start waits a second for the issuer.
    let door = try await undisturbed("an issuer that answers in time") {
      let door = try await TokenDoor.start(issuers: issuer.configuration())
      return door.gateway.standardError.contains { $0.contains("but=\"issuer login has no keys\"") } ? nil : door
    }
    #expect(try await door.verdict(issuer.token()) == "passed")
    let log = door.gateway.standardError
    let loaded = try #require(log.firstIndex { $0.contains(" keys loaded ") })
    let listening = try #require(log.firstIndex { $0.contains(" notice listening ") })
    #expect(loaded < listening)
    #expect(log.last { $0.contains(" notice ready: ") }?.contains("but=") == false)
  }

  @Test("An issuer that does not answer holds the start up for a moment only, and the log says what is missing")
  func silentAtStart() async throws {
    let issuer = try await TestIssuer.start(.es256)
    issuer.server.putAll(.hang)
    let door = try await TokenDoor.start(issuers: issuer.configuration(name: "sleeper"), auth: "sleeper")
    #expect(try await door.verdict(issuer.token()) == "keys_unavailable")
    let ready = try #require(door.gateway.standardError.last { $0.contains(" notice ready: ") })
    #expect(ready.contains("but=\"issuer sleeper has no keys\""), "\(ready)")
  }

  @Test("The last good keys serve while the issuer is down, and no longer than stale says")
  func stale() async throws {
    let long = try await TestIssuer.start(.es256)
    let short = try await TestIssuer.start(.es256)
    let door = try await TokenDoor.start(
      issuers: long.configuration(name: "long", more: ["refresh: 1s"])
        + short.configuration(name: "short", more: ["refresh: 1s", "stale: 1s"]), auth: "{ issuers: [long, short] }")
    try await door.gateway.waitUntilReady()
    // The short one's keys last for a second more than the time between two fetches.
    let remembered = short.token()
    try await undisturbed("a fetch in time") {
      let verdicts = try await door.verdicts([long.token(), short.token(), remembered])
      return verdicts == ["passed", "passed", "passed"] ? () : nil
    }
    long.server.putAll(.status(503))
    short.server.putAll(.status(503))
    try await door.gateway.waitForMetrics("the short one's keys to be withdrawn") {
      $0.sum("catraca_jwks_keys", ["issuer": "short"]) == 0
    }
    #expect(
      try await door.verdicts([long.token(["n": 1]), short.token(["n": 1]), remembered])
        == ["passed", "keys_unavailable", "keys_unavailable"])
    #expect(try await door.gateway.admin("/readyz").status == 503)
    _ = try await door.gateway.waitForLog("the withdrawal") {
      $0.contains("error") && $0.contains("short") && $0.contains("withdrawn")
    }
    #expect(try await door.gateway.metrics().sum("catraca_jwks_age_seconds", ["issuer": "long"]) >= 1)
    short.server.putAll(nil)
    try await door.gateway.waitUntilReady()
    try await undisturbed("a fetch in time") {
      try await door.verdicts([short.token(["n": 2]), remembered]) == ["passed", "passed"] ? () : nil
    }
  }

  @Test("With a state directory the keys survive a restart with the issuer down. A broken file there is no trouble")
  func stateDirectory() async throws {
    let state = FileManager.default.temporaryDirectory.appending(path: "catraca-state-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: state) }
    let issuer = try await TestIssuer.start(.es256)
    let top = "state_directory: \(state.path)"
    let first = try await TokenDoor.start(issuers: issuer.configuration(), top: top)
    try await first.gateway.waitUntilReady()
    #expect(try await first.verdict(issuer.token()) == "passed")
    first.gateway.terminate()
    #expect(try await first.gateway.waitForExit() == 0)
    issuer.server.putAll(.close)
    let second = try await TokenDoor.start(issuers: issuer.configuration(), top: top)
    #expect(try await second.gateway.admin("/readyz").status == 200)
    #expect(try await second.verdict(issuer.token(["n": 2])) == "passed")
    // The keys that are stored are those of this issuer alone.
    let files = try FileManager.default.contentsOfDirectory(atPath: state.path)
    #expect(!files.isEmpty)
    for file in files {
      let text = try String(contentsOf: state.appending(path: file), encoding: .utf8)
      #expect(text.contains(issuer.key.numbers.split(separator: "\"x\":").last.map(String.init) ?? "?"))
      try Data("{ broken".utf8).write(to: state.appending(path: file))
    }
    let third = try await TokenDoor.start(issuers: issuer.configuration(), top: top)
    #expect(try await third.gateway.admin("/readyz").status == 503)
    #expect(try await third.verdict(issuer.token(["n": 3])) == "keys_unavailable")
    issuer.server.putAll(nil)
    try await third.gateway.waitUntilReady()
    #expect(try await third.verdict(issuer.token(["n": 4])) == "passed")
  }
}
