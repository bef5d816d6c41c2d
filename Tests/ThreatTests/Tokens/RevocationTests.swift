// Revoked tokens: a list counts at once, everywhere, and goes on counting when its feed is gone, empty or cut. What is
// not known refuses (T103).

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Revocation", .timeLimit(.minutes(10)))
struct RevocationTests {
  private let key: TestKey

  init() throws { key = try TestKey(.es256, id: "k1") }

  /// Agrees to WebSockets, and answers everything else with a stream that has begun.
  private static func live() async throws -> TestUpstream {
    try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      if request["Upgrade"] != nil {
        try await connection.send(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
      } else {
        try await connection.send(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
      }
      _ = try await connection.stream.receiveToEnd()
    }
  }

  private func start(_ rules: String, _ list: String?, upstream: TestUpstream? = nil) async throws -> GatewayProcess {
    var files = ["keys.json": keySetText([key.jwk()])]
    files["revoked.jsonl"] = list
    let route =
      upstream.map {
        "- { path: /live/*, auth: login, websocket: true, upstream: live }\n"
          + "upstreams: { live: { servers: [\"\($0.address)\"] } }"
      } ?? ""
    return try await GatewayProcess.start(
      """
      workers: 2
      issuers:
        login:
          issuer: "\(TokenDoor.issuer)"
          audiences: [api]
          jwks: keys.json
          revocation: { denylist: revoked.jsonl\(rules) }
      routes:
        - { path: /, auth: login, respond: { status: 204 } }
      \(route.split(separator: "\n").map { $0.hasPrefix("-") ? "  \($0)" : String($0) }.joined(separator: "\n"))
      """, files: files)
  }

  private func bearer(_ claims: [String: JSONValue] = [:]) -> [String] {
    ["Authorization: Bearer \(TokenDoor.token(key, claims))"]
  }

  private func waitForEntries(_ count: Double, _ gateway: GatewayProcess) async throws {
    _ = try await gateway.waitForMetrics("\(count) entries") {
      $0.sum("catraca_revocation_entries", ["issuer": "login", "list": "denylist"]) == count
    }
  }

  @Test("A change counts at once for remembered tokens of all workers, and a WebSocket of one ends with 4401")
  func everywhere() async throws {
    let upstream = try await Self.live()
    let gateway = try await start("", "{\"note\":\"nobody\"}\n", upstream: upstream)
    let (bad, good) = (bearer(["jti": "bad"]), bearer(["jti": "good"]))
    var clients: [RawClient] = []
    for _ in 0..<12 { clients.append(try await gateway.connect()) }
    for client in clients {
      #expect(try await client.get("/", bad).status == 204)
      #expect(try await client.get("/", good).status == 204)
    }
    var sockets: [RawClient] = []
    var streams: [RawClient] = []
    for _ in 0..<6 {
      let (socket, stream) = (try await gateway.connect(), try await gateway.connect())
      try await socket.send(
        "GET /live/socket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(bad[0])\r\n\r\n")
      #expect(latin1(try await socket.receiveHead().bytes).hasPrefix("HTTP/1.1 101"))
      try await stream.send("GET /live/stream HTTP/1.1\r\nHost: test\r\n\(bad[0])\r\n\r\n")
      _ = try await stream.receive(through: "hello")
      sockets.append(socket)
      streams.append(stream)
    }
    let staying = try await gateway.connect()
    try await staying.send("GET /live/staying HTTP/1.1\r\nHost: test\r\n\(good[0])\r\n\r\n")
    _ = try await staying.receive(through: "hello")
    try gateway.write(file: "revoked.jsonl", "{\"jti\":\"bad\"}\n{\"jti\":\"other\"}\n")
    for socket in sockets { #expect(try await socket.receive(4) == [0x88, 2, 0x11, 0x31]) }
    for stream in streams {
      #expect(!latin1(try await stream.receiveToEnd()).contains("0\r\n\r\n"), "a cut answer must not look whole")
    }
    try await waitForEntries(2, gateway)
    for client in clients {
      let answer = try await client.get("/", bad)
      #expect(answer.status == 401 && answer.code == "token_revoked")
      #expect(answer["WWW-Authenticate"]?.contains("error=\"invalid_token\"") == true)
      #expect(try await client.get("/", good).status == 204)
    }
    let lines = try await gateway.waitForAccessLog(containing: "/live/socket")
    #expect(lines.contains("\"reason\":\"token_revoked\""))
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_auth_total", ["result": "token_revoked"]) == 12)
    let status = try await gateway.admin("/status").text
    #expect(status.contains("\"list\" : \"denylist\"") && status.contains("\"good\" : true"))
    // What is taken out of the list passes again.
    try gateway.write(file: "revoked.jsonl", "{\"jti\":\"other\"}\n")
    try await waitForEntries(1, gateway)
    for client in clients { #expect(try await client.get("/", bad).status == 204) }
    for connection in upstream.connections where connection.record.starts(with: Array("GET /live/staying".utf8)) {
      try await connection.send("5\r\nagain\r\n")
    }
    _ = try await staying.receive(through: "again")
  }

  @Test("Tokens are named by subject and time, session, key, or the issuer as a whole")
  func selectors() async throws {
    let now = unixNow()
    let gateway = try await start("", "{\"sub\":\"ada\",\"issued_before\":\(now - 60)}\n{\"sid\":\"s1\"}\n")
    func code(_ claims: [String: JSONValue]) async throws -> String? {
      try await gateway.get("/", bearer(claims)).code
    }
    #expect(try await code(["sub": "ada", "iat": .integer(now - 61)]) == "token_revoked")
    #expect(try await code(["sub": "ada", "iat": .integer(now - 60)]) == nil)
    #expect(try await code(["sub": "ada", "iat": .absent]) == "token_revoked")
    #expect(try await code(["sid": "s1"]) == "token_revoked")
    #expect(try await code(["sid": "s2"]) == nil)
    try gateway.write(file: "revoked.jsonl", "{\"issued_before\":\(now - 60)}\n")
    try await waitForEntries(1, gateway)
    #expect(try await code(["sid": "s1"]) == nil)
    #expect(try await code(["iat": .integer(now - 61)]) == "token_revoked")
    try gateway.write(file: "revoked.jsonl", "{\"kid\":\"k1\"}\n{\"kid\":\"k2\"}\n")
    try await waitForEntries(2, gateway)
    #expect(try await code(["iat": .integer(now)]) == "token_revoked")
  }

  @Test("T103 A feed that is gone, empty, cut or no list leaves the last good one in force, and the log says why")
  func lastGood() async throws {
    let gateway = try await start("", "{\"jti\":\"bad\"}\n")
    for (number, text) in [nil, "", "{\"jti\":\"ba", "<html>\n", "{\"jti\":\"x\"}\n{\"lines\":5}\n"].enumerated() {
      if let text {
        try gateway.write(file: "revoked.jsonl", text)
      } else {
        try FileManager.default.removeItem(at: gateway.folder.appending(path: "revoked.jsonl"))
      }
      _ = try await gateway.waitForMetrics("failure \(number)") {
        $0.sum("catraca_revocation_refresh_total", ["list": "denylist"])
          - $0.sum("catraca_revocation_refresh_total", ["list": "denylist", "result": "success"]) == Double(number + 1)
      }
      #expect(try await gateway.get("/", bearer(["jti": "bad"])).code == "token_revoked", "\(number)")
      #expect(try await gateway.get("/", bearer(["jti": "x"])).status == 204, "\(number)")
    }
    #expect(gateway.standardError.contains { $0.contains("a list of revoked tokens cannot be read") })
    #expect(try await gateway.admin("/status").text.contains("the list was cut"))
  }

  @Test("T103 Past 'stale' all tokens are 503 with Retry-After, or pass where the file says so, until the feed is back")
  func stale() async throws {
    for pass in [false, true] {
      let gateway = try await start(", stale: 1s\(pass ? ", unavailable: pass" : "")", "{\"jti\":\"bad\"}\n")
      #expect(try await gateway.get("/", bearer(["jti": "bad"])).code == "token_revoked")
      try gateway.write(file: "revoked.jsonl", "")
      _ = try await gateway.waitForLog("the end of stale") { $0.contains("a denylist was withdrawn") }
      let answer = try await gateway.get("/", bearer(["jti": "bad"]))
      if pass {
        #expect(answer.status == 204)
      } else {
        #expect(answer.status == 503 && answer.code == "revocation_unavailable" && answer["Retry-After"] == "1")
        #expect(answer["WWW-Authenticate"] == nil)
        #expect(try await gateway.get("/", bearer()).status == 503)
      }
      #expect(try await gateway.metrics().sum("catraca_revocation_good") == 0)
      try gateway.write(file: "revoked.jsonl", "{\"jti\":\"bad\"}\n{\"jti\":\"bad2\"}\n")
      try await waitForEntries(2, gateway)
      #expect(try await gateway.get("/", bearer(["jti": "bad"])).code == "token_revoked")
      #expect(try await gateway.get("/", bearer()).status == 204)
    }
  }

  @Test("T103 A list that was never there refuses with 503, also after a reload")
  func never() async throws {
    let gateway = try await start("", nil)
    #expect(try await gateway.get("/", bearer()).code == "revocation_unavailable")
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/", bearer()).code == "revocation_unavailable")
    #expect(try await gateway.get("/").code == "token_missing")
    try gateway.write(file: "revoked.jsonl", "{\"note\":\"nobody\"}\n")
    _ = try await gateway.waitForMetrics("the list") { $0.sum("catraca_revocation_good") == 1 }
    #expect(try await gateway.get("/", bearer()).status == 204)
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/", bearer()).status == 204)
  }
}
