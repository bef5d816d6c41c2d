// `catraca revoke`: an entry in a file or in Redis, that counts at once. And what check says of a denylist.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("catraca revoke", .timeLimit(.minutes(10)))
struct RevokeCommandTests {
  private static let other = "other: { issuer: other, audiences: [api], jwks: keys.json }"
  private let scene: DenylistScene

  init() throws { scene = try DenylistScene() }

  private func start(
    _ denylist: String, top: String = "", list: String = "{\"note\":\"nobody\"}\n"
  ) async throws -> GatewayProcess {
    try await scene.start(denylist, top: top, issuers: Self.other, list: list)
  }

  private func revoke(
    _ arguments: [String], in gateway: GatewayProcess
  ) async throws -> (status: Int32, standardOutput: String, standardError: String) {
    try await ChildProcess.start(
      GatewayProcess.binary(), ["revoke"] + arguments + ["gateway.conf"], in: gateway.folder
    ).finish()
  }

  @Test("An entry is put into the file, with its owner's rights and the number of lines, and counts")
  func file() async throws {
    let gateway = try await start("revoked.jsonl", list: "{\"jti\":\"first\"}\n{\"lines\":1}\n")
    let path = gateway.folder.appending(path: "revoked.jsonl").path
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    #expect(try await scene.code(gateway, "bad") == nil)
    let done = try await revoke(["--jti", "bad", "--until", "2099-01-01", "--note", "a \"stolen\" one"], in: gateway)
    #expect(done.status == 0 && done.standardOutput == "revoked", "\(done)")
    try await poll("the entry") { try await scene.code(gateway, "bad") == "token_revoked" }
    #expect(try await scene.code(gateway, "first") == "token_revoked")
    #expect(try await scene.code(gateway, "good") == nil)
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 3 && lines[1].contains("4070908800") && lines[2] == "{\"lines\": 2}")
    let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(rights == 0o640)
    #expect(try await revoke(["--sub", "bob", "--issued-before", "now"], in: gateway).status == 0)
    try await poll("the subject") { try await scene.code(gateway, "good", sub: "bob") == "token_revoked" }
    #expect(try await scene.code(gateway, "good") == nil)
  }

  @Test("Commands at the same time lose no entry")
  func concurrent() async throws {
    let gateway = try await start("revoked.jsonl")
    try await withThrowingTaskGroup(of: Int32.self) { group in
      for number in 0..<8 { group.addTask { try await revoke(["--jti", "t\(number)"], in: gateway).status } }
      for try await status in group { #expect(status == 0) }
    }
    let text = try String(contentsOf: gateway.folder.appending(path: "revoked.jsonl"), encoding: .utf8)
    for number in 0..<8 { #expect(text.contains("{\"jti\":\"t\(number)\"}\n")) }
  }

  @Test("What revokes nothing, an issuer without a list and a list with a mistake are refused, and nothing is changed")
  func refused() async throws {
    let gateway = try await start("revoked.jsonl")
    for (arguments, words) in [
      ([], "this revokes nothing: none of"), (["--note", "x"], "this revokes nothing: none of"),
      (["--jti", "a", "--sub", "b"], "more than one of"),
      (["--jti", "a", "--issued-before", "1"], "issued_before beside"),
      (["--jti", "a", "--until", "soon"], "--until soon: expected a moment"),
      (["--jti", "a", "--issuer", "other"], "no issuer 'other' has a denylist: there are login"),
    ] {
      let ran = try await revoke(arguments, in: gateway)
      #expect(ran.status == 1 && ran.standardError.contains(words), "\(ran)")
    }
    let file = gateway.folder.appending(path: "revoked.jsonl")
    try "{\"note\":\"nobody\"}\n{\"jit\":\"a\"}\n".write(to: file, atomically: true, encoding: .utf8)
    let ran = try await revoke(["--jti", "a"], in: gateway)
    #expect(ran.status == 1 && ran.standardError.contains("line 2: a member other than"), "\(ran)")
    #expect(try String(contentsOf: file, encoding: .utf8) == "{\"note\":\"nobody\"}\n{\"jit\":\"a\"}\n")
  }

  @Test("An entry goes to Redis by the running gateway, and counts there and elsewhere", .needs("redis-server"))
  func redis() async throws {
    let redis = try await RedisServer.start()
    let top = "redis: { main: { servers: [\"\(redis.address)\"] } }"
    try await redis.ask("XADD", "catraca:revoked:login", "*", "note", "nobody")
    let gateways = [try await start("{ redis: main }", top: top), try await start("{ redis: main }", top: top)]
    let address = ["--address", "127.0.0.1:\(gateways[0].adminPort)"]
    let done = try await revoke(["--sid", "s", "--jti", "t"] + address, in: gateways[0])
    #expect(done.status == 1)
    let good = try await revoke(["--jti", "bad", "--until", "4070908800", "--note", "x y"] + address, in: gateways[0])
    #expect(good.status == 0 && good.standardOutput == "revoked", "\(good)")
    for gateway in gateways { try await poll("the entry") { try await scene.code(gateway, "bad") == "token_revoked" } }
    try await redis.kill()
    let late = try await revoke(["--jti", "worse"] + address, in: gateways[0])
    #expect(late.status == 1 && late.standardError.contains("the store does not answer"), "\(late)")
  }

  @Test("check says what is wrong with a denylist, with its line, and run goes on without it")
  func check() async throws {
    let top = "listeners: [{ address: \"127.0.0.1:0\" }]"
    func check(_ list: String?) async throws -> (status: Int32, standardOutput: String, standardError: String) {
      try await GatewayProcess.run(
        ["check", "gateway.conf"], configuration: scene.text("revoked.jsonl", top: top, issuers: Self.other),
        files: scene.files(list))
    }
    #expect(try await check("{\"jti\":\"a\"}\n").status == 0)
    let bad = try await check("{\"jti\":\"a\"}\n\n{\"jit\":\"b\"}\n")
    #expect(bad.status == 1 && bad.standardError.contains("revoked.jsonl:3:1: a member other than"), "\(bad)")
    let empty = try await check("")
    #expect(empty.status == 1 && empty.standardError.contains("the list is empty"), "\(empty)")
    let missing = try await check(nil)
    #expect(missing.status == 0 && missing.standardError.contains("warning: the denylist of issuer 'login'"))
  }
}
