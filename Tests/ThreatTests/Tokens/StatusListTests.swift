// Status lists of an issuer in the running gateway: fetched at first sight, renewed, and never believed when they are
// not the issuer's word about that URL (T103).

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Status lists, running", .timeLimit(.minutes(10)))
struct RunningStatusListTests {
  private let issuer: TestIssuer

  init() async throws { issuer = try await TestIssuer.start() }

  private func start(_ rules: String = "status_list: true", top: String = "") async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      \(top)
      issuers:
      \(issuer.configuration(more: ["revocation: { \(rules) }"]))
      routes:
        - { path: /, auth: login, respond: { status: 204 } }
      """)
    try await gateway.waitUntilReady()
    return gateway
  }

  private func uri(_ list: Int = 1) -> String { "\(issuer.url)/lists/\(list)" }

  /// A token of the list, with 1 bit for each status.
  private func list(
    _ statuses: [UInt8], at uri: String? = nil, more: String = "", key: TestKey? = nil
  ) throws -> String {
    let lst = base64URL(try #require(zlibDeflated(statuses)))
    let key = key ?? issuer.key
    let id = key.id.map { ",\"kid\":\"\($0)\"" } ?? ""
    return key.sign(
      header: "{\"alg\":\"\(key.algorithm.rawValue)\",\"typ\":\"statuslist+jwt\"\(id)}",
      payload: "{\"sub\":\"\(uri ?? self.uri())\",\"iat\":\(unixNow() - 5),"
        + "\"status_list\":{\"bits\":1,\"lst\":\"\(lst)\"}\(more)}")
  }

  private func publish(_ token: String, at list: Int = 1) {
    issuer.server.put(
      "/lists/\(list)",
      .respond(status: 200, fields: [("Content-Type", "application/statuslist+jwt")], body: Array(token.utf8)))
  }

  private func bearer(_ index: Int, list: Int = 1, _ more: [String: JSONValue] = [:]) -> [String] {
    let status: JSONValue = ["status_list": ["idx": .integer(index), "uri": .string(uri(list))]]
    return ["Authorization: Bearer \(issuer.token(more.merging(["status": status]) { first, _ in first }))"]
  }

  /// The code of the answer. One that came too late on a busy machine is asked for again.
  private func code(_ gateway: GatewayProcess, _ fields: [String]) async throws -> String? {
    try await undisturbed("the list in time") {
      let answer = try await gateway.get("/", fields)
      return answer.code == "revocation_unavailable" ? nil : .some(answer.code)
    }
  }

  @Test("The first token of a list waits for it, one fetch serves all workers, and a change reaches remembered tokens")
  func fetched() async throws {
    publish(try list([0b0000_0100, 0], more: ",\"ttl\":1"))
    let gateway = try await start()
    for _ in 0..<10 {
      #expect(try await code(gateway, bearer(2)) == "token_revoked")
      #expect(try await code(gateway, bearer(3)) == nil)
    }
    // Without a list it is a token as any other.
    #expect(try await gateway.get("/", ["Authorization: Bearer \(issuer.token())"]).status == 204)
    // The draft has it refused: nobody knows what is behind the end.
    #expect(try await code(gateway, bearer(16)) == "token_revoked")
    let remembered = bearer(3)
    let client = try await gateway.connect()
    #expect(try await client.get("/", remembered).status == 204)
    publish(try list([0b0000_1000, 0], more: ",\"ttl\":1"))
    try await poll("the change") { try await client.get("/", remembered).code == "token_revoked" }
    #expect(try await code(gateway, bearer(2)) == nil)
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_revocation_entries", ["issuer": "login", "list": "status_list"]) == 16)
    #expect(metrics.sum("catraca_revocation_bytes", ["list": "status_list"]) == 2)
  }

  @Test("T103 A list of another key, about another URL or too large when inflated is none: 503, and the log says why")
  func foreign() async throws {
    let stranger = try TestKey(.es256, id: issuer.key.id ?? "x")
    publish(try list([0], key: stranger))
    publish(try list([0], at: uri(1)), at: 2)
    publish(try list([UInt8](repeating: 0, count: 9 << 20), at: uri(3)), at: 3)
    publish(String(try list([0], at: uri(4)).dropLast(3)), at: 4)
    let gateway = try await start()
    for number in 1...4 {
      let answer = try await gateway.get("/", bearer(0, list: number))
      #expect(answer.status == 503 && answer.code == "revocation_unavailable" && answer["Retry-After"] == "1")
    }
    for words in ["signature does not match", "sub is not the URI", "too large when it is not compressed"] {
      _ = try await gateway.waitForLog(words) {
        $0.contains("a list of revoked tokens cannot be read") && $0.contains(words)
      }
    }
    #expect(try await gateway.metrics().sum("catraca_revocation_entries", ["list": "status_list"]) == 0)
  }

  @Test("T103 A list that is gone counts until stale or its exp, and then refuses, or passes where the file says so")
  func gone() async throws {
    for pass in [false, true] {
      publish(try list([0b10], more: ",\"ttl\":1"))
      let gateway = try await start("status_list: true, stale: 2s\(pass ? ", unavailable: pass" : "")")
      #expect(try await code(gateway, bearer(1)) == "token_revoked")
      #expect(try await code(gateway, bearer(0)) == nil)
      issuer.server.put("/lists/1", .close)
      try await poll("the end of stale") {
        let answer = try await gateway.get("/", bearer(1))
        return answer.status == (pass ? 204 : 503)
      }
      issuer.server.put("/lists/1", .status(404))
    }
  }

  @Test("T103 With 'required' a token that names no list is refused, and a list elsewhere is never fetched")
  func required() async throws {
    let gateway = try await start("status_list: required")
    #expect(try await gateway.get("/", ["Authorization: Bearer \(issuer.token())"]).code == "claim_missing")
    let other = try await DocumentServer.start()
    let elsewhere: JSONValue = ["status_list": ["idx": 0, "uri": .string("http://localhost:\(other.port)/lists/1")]]
    let token = issuer.token(["status": elsewhere])
    #expect(try await gateway.get("/", ["Authorization: Bearer \(token)"]).code == "revocation_unavailable")
    _ = try await gateway.waitForLog("the host") { $0.contains("status_list_hosts") }
    #expect(other.targets.isEmpty)
    for bad: JSONValue in [["idx": -1, "uri": "x"], ["idx": 0], ["idx": "0", "uri": "x"], ["idx": 0, "uri": 1], []] {
      let token = issuer.token(["status": ["status_list": bad]])
      #expect(try await gateway.get("/", ["Authorization: Bearer \(token)"]).code == "claim_invalid", "\(bad)")
    }
  }

  @Test("A list on disk counts after a restart while nobody can be asked")
  func stored() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-state-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let top = "state_directory: \(folder.path)"
    publish(try list([0b10]))
    do {
      let gateway = try await start(top: top)
      #expect(try await code(gateway, bearer(1)) == "token_revoked")
      gateway.terminate()
      #expect(try await gateway.waitForExit() == 0)
    }
    issuer.server.putAll(.close)
    let gateway = try await GatewayProcess.start(
      """
      \(top)
      issuers:
      \(issuer.configuration(more: ["revocation: { status_list: true }"]))
      routes: [{ path: /, auth: login, respond: { status: 204 } }]
      """)
    #expect(try await code(gateway, bearer(1)) == "token_revoked")
    #expect(try await code(gateway, bearer(0)) == nil)
  }
}
