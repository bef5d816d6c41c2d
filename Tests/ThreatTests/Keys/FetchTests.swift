// How often and from where keys are fetched: T21, T22, T24 to T26, T64, T72, T73.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct FetchTests {
  @Test("T21 A thousand random kids cause at most three fetches over all workers, and none of them waits for long")
  func unknownKeyStorm() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let door = try await TokenDoor.start(issuers: issuer.configuration(), top: "workers: 4")
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdict(issuer.token()) == "passed")
    #expect(issuer.fetchCount == 1)
    // 8 connections at once, 125 requests in one write on each: all that come before an answer share its fetch.
    func storm(_ code: String, _ token: @Sendable @escaping (String) -> String) async throws -> Duration {
      let started = ContinuousClock.now
      try await withThrowingTaskGroup(of: Void.self) { group in
        for connection in 0..<8 {
          group.addTask {
            let client = try await door.gateway.connect()
            let requests = (0..<125).map { number in
              let token = token("random-\(connection)-\(number)")
              return "GET /door HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer \(token)\r\n\r\n"
            }
            client.startSending(Array(requests.joined().utf8))
            for _ in requests { #expect(try await client.receiveResponse().code == code) }
          }
        }
        try await group.waitForAll()
      }
      return ContinuousClock.now - started
    }
    let usual = try await storm("issuer_unknown") { issuer.token(["iss": .string($0)]) }
    let elapsed = try await storm("key_unknown") { issuer.token(header: ["kid": .string($0)]) }
    // Three of them at once, and one more each ten seconds.
    #expect(issuer.fetchCount <= 4 + Int(elapsed / .seconds(10)))
    // Were each to wait for keys of its own, 125 in a row would take 112 s longer than those that wait for nothing.
    #expect(elapsed < usual * 4 + .seconds(28), "\(elapsed), usual are \(usual)")
    #expect(try await door.gateway.metrics().sum("catraca_auth_total", ["result": "key_unknown"]) == 1000)
    #expect(try await door.verdict(issuer.token()) == "passed")
  }

  @Test("T22 A token without a kid causes no fetch")
  func withoutKeyID() async throws {
    let issuer = try await TestIssuer.start(try TestKey(.es256, id: "named"))
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await door.gateway.waitUntilReady()
    // With one key that fits there is nothing to choose. Where none or several fit, nobody is asked.
    let rsa = try TestKey(.rs256, id: nil)
    #expect(
      try await door.verdicts([issuer.token(header: ["kid": .absent]), issuer.token(key: rsa)])
        == ["passed", "key_unknown"])
    #expect(issuer.fetchCount == 1)
  }

  @Test("T24 Nothing in a token makes the gateway open a URL, and a redirect of the issuer is not followed")
  func chosenURLs() async throws {
    let bait = try await DocumentServer.start()
    let issuer = try await TestIssuer.start(.es256)
    let door = try await TokenDoor.start(issuers: issuer.configuration(more: ["refresh: 1s"]))
    try await door.gateway.waitUntilReady()
    let url = JSONValue.string("http://127.0.0.1:\(bait.port)/keys")
    #expect(
      try await door.verdicts([
        issuer.token(["iss": url]), issuer.token(header: ["jku": url, "kid": url]), issuer.token(["jwks_uri": url]),
      ]) == ["issuer_unknown", "key_unknown", "passed"])
    issuer.server.put("/keys", .status(302, fields: [("Location", "http://127.0.0.1:\(bait.port)/keys")]))
    try await door.gateway.waitForMetrics("a redirect to be counted") {
      $0.sum("catraca_jwks_refresh_total", ["issuer": "login", "result": "redirected"]) > 0
    }
    #expect(try await door.verdict(issuer.token(["n": 2])) == "passed")
    #expect(bait.targets.isEmpty)
  }

  @Test("T24 A discovery document cannot send the gateway to a plain http URL elsewhere, or speak for another issuer")
  func discoveryElsewhere() async throws {
    for (text, result) in [
      ("{\"issuer\":\"ISSUER\",\"jwks_uri\":\"http://169.254.169.254/latest\"}", "url_not_allowed"),
      ("{\"issuer\":\"ISSUER\",\"jwks_uri\":\"file:///etc/passwd\"}", "discovery_invalid"),
      ("{\"issuer\":\"https://other.example.com\",\"jwks_uri\":\"ISSUER/keys\"}", "issuer_mismatch"),
    ] {
      let issuer = try await TestIssuer.start(.es256)
      issuer.server.put(
        "/.well-known/openid-configuration", .json(text.replacing("ISSUER", with: issuer.url)))
      let door = try await TokenDoor.start(issuers: issuer.configuration())
      let metrics = try await door.gateway.waitForMetrics("the document to be refused") {
        $0.sum("catraca_jwks_refresh_total", ["issuer": "login"]) > 0
      }
      #expect(metrics.sum("catraca_jwks_refresh_total", ["result": result]) > 0, "\(metrics.samples)")
      #expect(try await door.verdict(issuer.token()) == "keys_unavailable")
      #expect(issuer.fetchCount == 0)
    }
  }

  @Test("T25 A key URL with plain http is refused unless it is loopback or written as insecure")
  func plainHTTP() async throws {
    func check(_ issuer: String) async throws -> (status: Int32, standardOutput: String, standardError: String) {
      try await GatewayProcess.run(
        ["check", "gateway.conf"],
        configuration: "listeners: [{ address: \"127.0.0.1:0\" }]\nissuers:\n\(issuer)"
          + "routes: [{ path: /, auth: login, respond: { status: 200 } }]\n")
    }
    let far = issuerConfiguration(issuer: "x", jwks: "http://idp.example.com/keys")
    let refused = try await check(far)
    #expect(refused.status == 1)
    #expect(refused.standardError.contains("gateway.conf:6:"), "\(refused.standardError)")
    #expect(refused.standardError.contains("http"))
    let found = try await check(issuerConfiguration(issuer: "http://idp.example.com/"))
    #expect(found.status == 1)
    #expect(try await check(far + "    insecure: true\n").status == 0)
    #expect(try await check(issuerConfiguration(issuer: "x", jwks: "http://127.0.0.1:1/keys")).status == 0)
    #expect(try await check(issuerConfiguration(issuer: "x", jwks: "https://idp.example.com/keys")).status == 0)
  }

  @Test("T26 Tokens that arrive together while a fetch fails are all answered, and the gateway lives on")
  func failingTogether() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await door.gateway.waitUntilReady()
    issuer.server.putAll(.close)
    let answers = try await withThrowingTaskGroup(of: String?.self) { group in
      for number in 0..<10 {
        group.addTask {
          let token = issuer.token(header: ["kid": .string("gone-\(number)")])
          return try await door.gateway.get("/door", ["Authorization: Bearer \(token)"]).code
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers == Array(repeating: "key_unknown", count: 10))
    #expect(door.gateway.isRunning)
    #expect(try await door.verdict(issuer.token()) == "passed")
  }

  @Test("T64 Without keys, and with an issuer that answers 500, requests get 503 at once and ask for nothing")
  func noKeys() async throws {
    let issuer = try await TestIssuer.start(.es256)
    issuer.server.putAll(.status(500, "broken"))
    let started = ContinuousClock.now
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    let client = try await door.gateway.connect()
    for number in 0..<200 {
      let token = issuer.token(["n": .integer(number)], header: ["kid": .string("k\(number % 7)")])
      let response = try await client.get("/door", ["Authorization: Bearer \(token)"])
      #expect(response.code == "keys_unavailable")
      #expect(response["Retry-After"] == "5")
    }
    // The back-off alone decides: after 1, 2, 4, 4 s, each less a quarter.
    let elapsed = (ContinuousClock.now - started).components.seconds + 3
    #expect(issuer.server.targets.count <= 2 + Int(elapsed))
    #expect(try await door.gateway.metrics().sum("catraca_auth_total", ["result": "keys_unavailable"]) == 200)
  }

  @Test("T72 A reload that leaves the issuer as it was fetches nothing and loses no key")
  func reload() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await door.gateway.waitUntilReady()
    issuer.server.putAll(.close)
    for number in 0..<5 {
      try door.gateway.write(
        configuration: TokenDoor.configuration(
          issuers: issuer.configuration(more: ["leeway: \(number)s"]), upstream: door.upstream))
      #expect(try await door.gateway.reload().status == 200)
      #expect(try await door.verdict(issuer.token(["n": .integer(number)])) == "passed")
    }
    #expect(issuer.server.targets == ["/.well-known/openid-configuration", "/keys"])
  }

  @Test("T73 Keys that may not be stored are refreshed as configured, from a URL with // taken as it is")
  func oddURLs() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let target = "//realms//keys?a=//&b=%2F"
    issuer.server.put(
      "/.well-known/openid-configuration",
      .json("{\"issuer\":\"\(issuer.url)\",\"jwks_uri\":\"\(issuer.url)\(target)\"}"))
    let fields = [("Cache-Control", "no-store, no-cache, max-age=0"), ("Pragma", "no-cache")]
    issuer.server.put(target, .json(keySetText(issuer.key), fields: fields))
    let door = try await TokenDoor.start(issuers: issuer.configuration(more: ["refresh: 1s"]))
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdict(issuer.token()) == "passed")
    try await issuer.server.waitForCount(of: target, atLeast: 3)
    #expect(try await door.verdict(issuer.token(["n": 2])) == "passed")
  }
}
