// Where denylists come from in the running gateway: a URL with its ETag, a stream in Redis, the disk. And what explain
// says.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Denylists, running", .timeLimit(.minutes(10)))
struct RunningDenylistTests {
  private let scene: DenylistScene

  init() throws { scene = try DenylistScene() }

  private func start(_ denylist: String, top: String = "") async throws -> GatewayProcess {
    try await scene.start(denylist, top: "workers: 2\n\(top)")
  }

  @Test("A list at a URL is there with the first request, and asked for again with its ETag")
  func url() async throws {
    let list = Monitor("{\"jti\":\"bad\"}\n")
    let server = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      let body = list.current
      let version = "\"v\(body.utf8.count)\""
      if request.head["If-None-Match"] == version {
        try await connection.send("HTTP/1.1 304 Not Modified\r\nETag: \(version)\r\nConnection: close\r\n\r\n")
      } else {
        try await connection.answer(body, fields: ["ETag: \(version)", "Connection: close"], to: request)
      }
      connection.close()
    }
    let gateway = try await start("http://127.0.0.1:\(server.port)/revoked, refresh: 1s")
    #expect(try await scene.code(gateway, "bad") == "token_revoked")
    #expect(try await scene.code(gateway, "good") == nil)
    let requests = try await server.waitForRequests(3)
    #expect(requests[0].head["If-None-Match"] == nil && requests[2].head["If-None-Match"] == "\"v14\"")
    list.update { $0 = "{\"jti\":\"worse\"}\n" }
    try await poll("the change") { try await scene.code(gateway, "worse") == "token_revoked" }
    #expect(try await scene.code(gateway, "bad") == nil)
  }

  @Test("A list that was fetched is on disk for the next start, while its URL gives nothing")
  func stored() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-state-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let server = try await DocumentServer.start()
    server.put("/revoked", .respond(status: 200, fields: [], body: Array("{\"jti\":\"bad\"}\n".utf8)))
    for _ in 0..<2 {
      let gateway = try await start(
        "http://127.0.0.1:\(server.port)/revoked", top: "state_directory: \(folder.path)")
      #expect(try await scene.code(gateway, "bad") == "token_revoked")
      #expect(try await scene.code(gateway, "good") == nil)
      gateway.terminate()
      #expect(try await gateway.waitForExit() == 0)
      server.putAll(.close)
    }
  }

  @Test("An entry of a stream in Redis counts in all gateways, one that is taken out no more", .needs("redis-server"))
  func redis() async throws {
    let redis = try await RedisServer.start()
    let stream = "catraca:revoked:login"
    let top = "redis: { main: { servers: [\"\(redis.address)\"] } }"
    try await redis.ask("XADD", stream, "*", "note", "nobody yet")
    let gateways = [try await start("{ redis: main }", top: top), try await start("{ redis: main }", top: top)]
    for gateway in gateways { #expect(try await scene.code(gateway, "bad") == nil) }
    // One that every worker remembers.
    let token = ["Authorization: Bearer \(scene.token("bad"))"]
    for gateway in gateways { for _ in 0..<8 { #expect(try await gateway.get("/", token).status == 204) } }
    let id = try await redis.ask("XADD", stream, "*", "jti", "bad", "note", "stolen")
    for gateway in gateways {
      _ = try await gateway.waitForMetrics("the entry") {
        $0.sum("catraca_revocation_entries", ["issuer": "login", "list": "denylist"]) == 1
      }
      for _ in 0..<8 { #expect(try await gateway.get("/", token).code == "token_revoked") }
      #expect(try await scene.code(gateway, "good") == nil)
    }
    for number in 0..<600 { try await redis.ask("XADD", stream, "*", "jti", "t\(number)") }
    for gateway in gateways {
      try await poll("the last entry") { try await scene.code(gateway, "t599") == "token_revoked" }
      #expect(try await scene.code(gateway, "t0") == "token_revoked")
      #expect(try await scene.code(gateway, "bad") == "token_revoked")
    }
    try await redis.ask("XDEL", stream, id.trimmingCharacters(in: .whitespacesAndNewlines))
    for gateway in gateways { try await poll("the pardon") { try await scene.code(gateway, "bad") == nil } }
    #expect(try await scene.code(gateways[0], "t599") == "token_revoked")
  }

  @Test(
    "T103 A store that is gone or was emptied leaves the last good list, and refuses behind stale",
    .needs("redis-server"))
  func redisGone() async throws {
    let redis = try await RedisServer.start()
    let top = "redis: { main: { servers: [\"\(redis.address)\"], timeout: 100ms } }"
    let stream = "catraca:revoked:login"
    try await redis.ask("XADD", stream, "*", "jti", "bad")
    let gateway = try await start("{ redis: main }, stale: 3s", top: top)
    #expect(try await scene.code(gateway, "bad") == "token_revoked")
    try await redis.kill()
    _ = try await gateway.waitForLog("the failure") { $0.contains("a list of revoked tokens cannot be read") }
    let during = try await scene.code(gateway, "bad")
    #expect(during == "token_revoked" || during == "revocation_unavailable")
    // It comes back empty: nobody is pardoned by that.
    try await redis.restart()
    _ = try await gateway.waitForLog("the end of stale") { $0.contains("a denylist was withdrawn") }
    #expect(try await scene.code(gateway, "good") == "revocation_unavailable")
    try await redis.ask("XADD", stream, "*", "jti", "bad")
    try await poll("the list to be back") { try await scene.code(gateway, "good") == nil }
    #expect(try await scene.code(gateway, "bad") == "token_revoked")
  }

  @Test("An entry that is none is noticed, and the others count", .needs("redis-server"))
  func garbled() async throws {
    let redis = try await RedisServer.start()
    let top = "redis: { main: { servers: [\"\(redis.address)\"] } }"
    try await redis.ask("XADD", "catraca:revoked:login", "*", "jti", "bad")
    let gateway = try await start("{ redis: main }", top: top)
    #expect(try await scene.code(gateway, "bad") == "token_revoked")
    try await redis.ask("XADD", "catraca:revoked:login", "*", "jit", "worse")
    try await redis.ask("XADD", "catraca:revoked:login", "*", "jti", "last")
    try await poll("the last entry") { try await scene.code(gateway, "last") == "token_revoked" }
    _ = try await gateway.waitForLog("the mistake") { $0.contains("a member other than") }
  }

  @Test("POST /explain says whether a token is revoked now")
  func explainLive() async throws {
    let gateway = try await scene.start("revoked.jsonl", list: "{\"jti\":\"other\"}\n")
    let token = scene.token("one")
    func explained() async throws -> String {
      try await gateway.admin(
        "/explain", method: "POST", ["Accept: text/plain"],
        body: "{\"request\":\"GET http://localhost/\",\"token\":\"\(token)\"}"
      ).text
    }
    #expect(try await explained().contains("in no list"))
    try gateway.write(file: "revoked.jsonl", "{\"jti\":\"one\"}\n")
    try await poll("the change") { try await explained().contains("token_revoked") }
    #expect(try await gateway.metrics().sum("catraca_requests_total") == 0)
  }

  @Test("explain says that a token is in a list, as the gateway would")
  func explain() async throws {
    for (id, status, words) in [("bad", 1, "token_revoked"), ("good", 0, "in no list")] {
      let token = scene.token(id)
      let ran = try await GatewayProcess.run(
        ["explain", "gateway.conf", "--request", "GET http://localhost/", "--token", token],
        configuration: scene.text("revoked.jsonl", top: "listeners: [{ address: \"127.0.0.1:0\" }]"),
        files: scene.files("{\"jti\":\"bad\"}\n"))
      #expect(ran.status == Int32(status) && ran.standardOutput.contains(words), "\(ran)")
      #expect(ran.standardOutput.contains("revocation"))
    }
  }
}
