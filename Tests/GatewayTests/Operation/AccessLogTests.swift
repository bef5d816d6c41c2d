// One line a request, whatever became of it, in each format.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Access log", .timeLimit(.minutes(10)))
struct AccessLogTests {
  private static let routes = """
      - { name: closed, path: /closed, auth: public, upstream: dead }
      - { name: slow, path: /slow, auth: public, upstream: silent }
      - { name: small, path: /small, auth: public, upstream: echo, body_size: 4B }
      - { name: fixed, path: /fixed, auth: public, respond: { status: 200, body: ok } }
      - { name: moved, path: /moved/*, auth: public, redirect: { to: /fixed } }
      - { name: scoped, path: /scoped, auth: { issuers: [login], scopes: [x] }, upstream: echo }
      - { name: posts, path: /posts, methods: [POST], auth: public, upstream: echo }
    """

  /// Every outcome that a request can have: the request without its id, and `status reason` of the line.
  private func outcomes(_ key: TestKey) -> [(request: String, line: String)] {
    func get(_ path: String, _ fields: String...) -> String {
      "GET \(path) HTTP/1.1\r\nHost: api.test\r\n" + fields.map { $0 + "\r\n" }.joined()
    }
    let token = TokenDoor.token(key)
    return [
      (get("/door", "Authorization: Bearer \(token)"), "200 -"), (get("/door"), "401 token_missing"),
      (get("/door", "Authorization: Bearer x"), "401 token_malformed"),
      (get("/door", "Authorization: Bearer \(TokenDoor.token(key, ["exp": 1]))"), "401 token_expired"),
      (get("/scoped", "Authorization: Bearer \(token)"), "403 scope_missing"), (get("/none"), "404 route_not_found"),
      (get("/posts"), "405 method_not_allowed"), (get("/fixed"), "200 -"), (get("/moved/a"), "308 -"),
      (get("/closed"), "502 upstream_connect_failed"), (get("/slow"), "504 upstream_timeout"),
      ("POST /small HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n", "413 body_too_large"),
    ]
  }

  private func start(_ key: TestKey, format: String, log: String = "stdout") async throws -> (TokenDoor, TestUpstream) {
    let silent = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.stream.waitUntilGone()
    }
    let dead = try closedPort()
    let echo = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      access_log: { path: \(log), format: \(format) }
      issuers:
      \(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"))
      upstreams:
        echo: { servers: ["\(echo.address)"] }
        dead: { servers: ["127.0.0.1:\(dead)"] }
        silent: { servers: ["\(silent.address)"], response_timeout: 50ms }
      routes:
        - { name: door, path: /door, auth: login, upstream: echo }
      \(Self.routes)
      """, files: ["keys.json": keySetText(key)])
    return (TokenDoor(gateway: gateway, upstream: echo), silent)
  }

  /// Sends each outcome's request and checks its status.
  private func run(_ outcomes: [(request: String, line: String)], _ gateway: GatewayProcess) async throws {
    for (number, outcome) in outcomes.enumerated() {
      let response = try await gateway.exchange(
        outcome.request + "X-Request-Id: r\(number)\r\nUser-Agent: te\"st\r\nReferer: https://x.test/p?secret=1\r\n\r\n"
      )
      #expect("\(response.status)" == outcome.line.prefix(3), "\(outcome.request)")
    }
  }

  @Test("JSON lines are whole objects with what happened, for answers and for every kind of refusal")
  func json() async throws {
    let key = try TestKey(.es256)
    let (door, silent) = try await start(key, format: "json")
    let outcomes = outcomes(key)
    try await run(outcomes, door.gateway)
    let lines = try await door.gateway.waitForAccessLog(outcomes.count)
    for (number, outcome) in outcomes.enumerated() {
      let line = try #require(lines.first { $0.contains("\"request_id\":\"r\(number)\"") }, "\(outcome)")
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect("\(object["status"] ?? 0) \(object["reason"] ?? "-")" == outcome.line)
      #expect(object["client_ip"] as? String == "127.0.0.1")
      #expect(object["host"] as? String == "api.test")
      #expect(object["user_agent"] as? String == "te\"st")
      #expect(object["referer"] as? String == "https://x.test/p")
      #expect(object["protocol"] as? String == "HTTP/1.1")
      #expect(object["duration_ms"] is NSNumber)
      #expect(object["request_bytes"] is NSNumber)
      let time = try #require(object["time"] as? String)
      #expect(time.hasSuffix("Z"))
      #expect(time.count == 24)
    }
    let good = try #require(lines.first { $0.contains("\"request_id\":\"r0\"") })
    for member in [
      "\"method\":\"GET\"", "\"path\":\"/door\"", "\"route\":\"door\"", "\"auth_kind\":\"jwt\"", "\"issuer\":\"login\"",
      "\"subject\":\"alice\"",
      "\"upstream\":\"echo\"", "\"server\":\"\(door.upstream.address)\"", "\"upstream_status\":200",
      "\"upstream_connect_ms\":",
      "\"upstream_response_ms\":", "\"trace_id\":\"", "\"response_bytes\":",
    ] { #expect(good.contains(member), "\(member) in \(good)") }
    let expired = try #require(lines.first { $0.contains("token_expired") })
    #expect(expired.contains("\"issuer\":\"login\""))
    #expect(!expired.contains("\"subject\""))
    #expect(expired.contains("\"refused_subject\":\"alice\""))
    withExtendedLifetime(silent) {}
  }

  @Test("Combined lines have the columns that log readers know, and templates have what they name")
  func otherFormats() async throws {
    let key = try TestKey(.es256)
    let (combined, firstSilent) = try await start(key, format: "combined")
    let outcomes = outcomes(key)
    try await run(outcomes, combined.gateway)
    let lines = try await combined.gateway.waitForAccessLog(outcomes.count)
    let pattern =
      /127\.0\.0\.1 - (-|alice) \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+]0000\] "(GET|POST) \/[a-z\/]+ HTTP\/1.1" (\d{3}) (\d+|-) "https:\/\/x.test\/p" "te.{1,4}st" "(-|[a-z_]+)"/
    for (line, outcome) in zip(lines, outcomes) {
      let match = try #require(line.wholeMatch(of: pattern), "\(line)")
      #expect("\(match.3) \(match.5)" == outcome.line)
    }
    let (template, secondSilent) = try await start(
      key, format: "\"{request_id}|{status} {reason}|{method}|{route}|{upstream_status}|{subject}|{{x}}\"")
    try await run(outcomes, template.gateway)
    let texts = try await template.gateway.waitForAccessLog(outcomes.count)
    for (number, outcome) in outcomes.enumerated() {
      #expect(texts.contains { $0.hasPrefix("r\(number)|\(outcome.line)|") && $0.hasSuffix("|{x}") }, "\(texts)")
    }
    withExtendedLifetime([firstSilent, secondSilent]) {}
    #expect(texts.contains("r0|200 -|GET|door|200|alice|{x}"))
  }

  @Test("Chosen fields, values of the request and other names are in the lines that a reader of JSON gets")
  func fields() async throws {
    let key = try TestKey(.es256)
    let echo = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      access_log:
        path: stdout
        format: ecs
        fields: [status, subject, refused_subject, reason, "claim:org", { tenant: "header:X-Tenant" }, "path:id"]
      issuers:
      \(issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"))
      upstreams: { echo: { servers: ["\(echo.address)"] } }
      routes:
        - { path: "/door/{id}", auth: login, upstream: echo }
      """, files: ["keys.json": keySetText(key)])
    for (token, status) in [
      (TokenDoor.token(key, ["org": "acme"]), 200), (TokenDoor.token(key, ["org": "acme", "exp": 1]), 401),
    ] {
      let fields = ["Authorization: Bearer \(token)", "X-Tenant: te\"nant"]
      #expect(try await gateway.get("/door/7", fields).status == status)
    }
    let lines = try await gateway.waitForAccessLog(2)
    let begin = #"{"ecs.version":"8.11.0","event.dataset":"catraca.access","http.response.status_code":"#
    #expect(
      lines == [
        begin + #"200,"user.id":"alice","claim:org":"acme","tenant":"te\"nant","path:id":"7"}"#,
        begin + #"401,"catraca.refused_subject":"alice","event.reason":"token_expired","tenant":"te\"nant","#
          + #""path:id":"7"}"#,
      ])
  }

  @Test("T92 No value of a client makes columns of its own in a template without quotes, nor leaves them with quotes")
  func templateColumns() async throws {
    let gateway = try await GatewayProcess.start(
      """
      access_log: { path: stdout, format: '{client_ip} {user_agent} {status} "{user_agent}" {referer}' }
      routes: [{ path: /fixed, auth: public, respond: { status: 200, body: ok } }]
      """)
    _ = try await gateway.get("/fixed", ["User-Agent: evil 200 \" 5", "Referer: https://x.test/a b"])
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(
      line == #"127.0.0.1 evil\x20200\x20\"\x205 200 "evil 200 \" 5" https://x.test/a\x20b"#, "\(line)")
  }

  @Test("What the gateway answers itself has taken time, in the log and in the histogram")
  func ownDurations() async throws {
    let key = try TestKey(.es256)
    let (door, _) = try await start(key, format: "json")
    let own = outcomes(key).filter { !$0.line.hasSuffix(" -") && !$0.line.hasPrefix("50") }
    try await run(own, door.gateway)
    for line in try await door.gateway.waitForAccessLog(own.count) {
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(try #require(object["duration_ms"] as? Double) > 0, "\(line)")
    }
    let metrics = try await door.gateway.metrics()
    for route in ["door", "scoped", "small"] {
      #expect(metrics.sum("catraca_request_duration_seconds_sum", ["route": route]) > 0, "\(route)")
    }
  }

  @Test("SIGUSR1 reopens a moved log file, and no line is lost on the way")
  func reopen() async throws {
    let key = try TestKey(.es256)
    let (door, _) = try await start(key, format: "\"{request_id}\"", log: "access.log")
    let client = try await door.gateway.connect()
    let file = door.gateway.folder.appending(path: "access.log")
    var ids: [String] = []
    for round in 0..<3 {
      for number in 0..<50 {
        let id = "round\(round)-\(number)"
        ids.append(id)
        #expect(try await client.get("/fixed", ["X-Request-Id: \(id)"]).status == 200)
      }
      try FileManager.default.moveItem(at: file, to: door.gateway.folder.appending(path: "access.log.\(round)"))
      door.gateway.signal(SIGUSR1)
      try await door.gateway.waitUntil("the log to be reopened \(round + 1) times") {
        door.gateway.standardError.count { $0.contains("reopened") } == round + 1
      }
    }
    #expect(try await client.get("/fixed", ["X-Request-Id: last"]).status == 200)
    door.gateway.terminate()
    #expect(try await door.gateway.waitForExit() == 0)
    var lines: [String] = []
    for name in ["access.log.0", "access.log.1", "access.log.2", "access.log"] {
      let text = try String(contentsOf: door.gateway.folder.appending(path: name), encoding: .utf8)
      lines += text.split(separator: "\n").map(String.init)
    }
    #expect(lines == ids + ["last"])
    #expect(door.gateway.accessLog.isEmpty)
    let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
    #expect((mode ?? 0o777) & 0o027 == 0)
  }
}
