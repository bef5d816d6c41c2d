// Where keys come from: the configuration, a file, a URL, discovery in both forms. And how they rotate.

import TestSupport
import Testing
import Tokens

@Suite("Sources of keys", .timeLimit(.minutes(10)))
struct KeySourceTests {
  @Test("Keys are in the configuration, in a file, at a URL, or where OpenID or RFC 8414 discovery says")
  func everySource() async throws {
    let inline = try TestKey(.es256)
    let file = try TestKey(.es384)
    let url = try await TestIssuer.start(.edDSA)
    let openID = try await TestIssuer.start(.es256)
    let oauth = try await TestIssuer.start(.es256)
    oauth.server.put("/.well-known/openid-configuration", .status(404))
    oauth.server.put(
      "/.well-known/oauth-authorization-server",
      .json("{\"issuer\":\"\(oauth.url)\",\"jwks_uri\":\"\(oauth.url)/keys\"}"))
    // An issuer with a path: RFC 8414 puts the well-known part in front of it, OpenID behind it.
    let tenant = try await TestIssuer.start(.es256)
    let tenantURL = tenant.url + "/realms/one"
    tenant.server.put(
      "/.well-known/oauth-authorization-server/realms/one",
      .json("{\"issuer\":\"\(tenantURL)\",\"jwks_uri\":\"\(tenant.url)/keys\"}"))
    // One whose name ends in a slash, which does not appear twice.
    let slash = try await TestIssuer.start(.es256)
    slash.server.put(
      "/.well-known/openid-configuration", .json("{\"issuer\":\"\(slash.url)/\",\"jwks_uri\":\"\(slash.url)/keys\"}"))
    let issuers = [
      issuerConfiguration(name: "slash", issuer: slash.url + "/"),
      issuerConfiguration(name: "inline", issuer: "inline", jwks: "'\(keySetText(inline))'"),
      issuerConfiguration(name: "file", issuer: "file", jwks: "keys/file.json"),
      url.configuration(name: "url", jwks: url.url + "/keys"), openID.configuration(name: "openid"),
      oauth.configuration(name: "oauth"), issuerConfiguration(name: "tenant", issuer: tenantURL),
    ]
    let door = try await TokenDoor.start(
      issuers: issuers.joined(), auth: "{ issuers: [inline, file, url, openid, oauth, tenant, slash] }",
      files: ["keys/file.json": keySetText(file)])
    try await door.gateway.waitUntilReady()
    let tokens = [
      makeToken(issuer: "inline", key: inline), makeToken(issuer: "file", key: file), url.token(), openID.token(),
      oauth.token(), tenant.token(["iss": .string(tenantURL)]),
      slash.token(["iss": .string(slash.url + "/")]),
    ]
    #expect(try await door.verdicts(tokens) == tokens.map { _ in "passed" })
    #expect(url.server.targets == ["/keys"])
    #expect(openID.server.targets == ["/.well-known/openid-configuration", "/keys"])
    #expect(oauth.server.targets.last == "/keys")
    #expect(tenant.server.targets.contains("/realms/one/.well-known/openid-configuration"))
  }

  @Test("A secret for HS256 is in a file of its own")
  func secretFile() async throws {
    let secret = [UInt8]("0123456789abcdef0123456789abcdef".utf8)
    let key = try TestKey(.hs256, id: "hs", secret: secret)
    let jwks = "{ keys: [{ kty: oct, kid: hs, alg: HS256, k: \"file:secret\" }] }"
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(issuer: TokenDoor.issuer, jwks: jwks, more: ["algorithms: [HS256]"]),
      files: ["secret": base64URL(secret) + "\n"])
    #expect(try await door.verdict(TokenDoor.token(key)) == "passed")
    #expect(!(try await door.gateway.admin("/status").text.contains(base64URL(secret))))
  }

  @Test("A key file that changes is picked up, and a bad one in its place is not")
  func fileChange() async throws {
    let first = try TestKey(.es256, id: "first")
    let second = try TestKey(.es256, id: "second")
    let door = try await TokenDoor.start(jwks: [first.jwk()])
    #expect(try await door.verdict(TokenDoor.token(first)) == "passed")
    try door.gateway.write(file: "keys.json", keySetText(second, first))
    try await door.gateway.waitForMetrics("two keys") { $0.sum("catraca_jwks_keys") == 2 }
    #expect(try await door.verdicts([TokenDoor.token(first), TokenDoor.token(second)]) == ["passed", "passed"])
    try door.gateway.write(file: "keys.json", "{\"keys\":[")
    try await door.gateway.waitForMetrics("the bad file") {
      $0.sum("catraca_jwks_refresh_total", ["result": "not_json"]) > 0
    }
    #expect(try await door.verdict(TokenDoor.token(second, ["n": 2])) == "passed")
    try door.gateway.write(file: "keys.json", keySetText(second))
    try await door.gateway.waitForMetrics("one key") { $0.sum("catraca_jwks_keys") == 1 }
    #expect(try await door.verdicts([TokenDoor.token(first), TokenDoor.token(second)]) == ["key_unknown", "passed"])
  }

  @Test(
    "After a rotation the first request with the new key waits for one fetch and passes, with all that come meanwhile")
  func rotation() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let next = try TestKey(.es256, id: "next")
    let door = try await TokenDoor.start(issuers: issuer.configuration(), top: "workers: 3")
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdict(issuer.token()) == "passed")
    issuer.publish([issuer.key.jwk(), next.jwk()])
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<20 {
        group.addTask {
          let token = issuer.token(["n": .integer(number)], key: next)
          return try await undisturbed("the new key in time") {
            let start = ContinuousClock.now
            let status = try await door.gateway.get("/door", ["Authorization: Bearer \(token)"]).status
            return status == 401 && mayHaveWaitedForKeys(since: start) ? nil : status
          }
        }
      }
      for try await status in group { #expect(status == 200) }
    }
    // Discovery led there before, so it is not asked again. A worker whose request came between the fetch and the news
    // of it takes one of the other two looks.
    let targets = issuer.server.targets
    #expect(targets.starts(with: ["/.well-known/openid-configuration", "/keys", "/keys"]), "\(targets)")
    #expect(targets.dropFirst().allSatisfy { $0 == "/keys" }, "\(targets)")
    let accepted = try await door.gateway.metrics().sum("catraca_auth_total", ["result": "accepted"])
    #expect(accepted == 21)
    // Two more looks are left, then nobody is asked because of a kid for ten seconds.
    for number in 0..<9 {
      #expect(try await door.verdict(issuer.token(header: ["kid": .string("other-\(number)")])) == "key_unknown")
    }
    #expect(issuer.fetchCount <= 4 + Int((ContinuousClock.now - start) / .seconds(10)))
  }

  @Test("A request that waits for an issuer that does not answer waits no longer than about a second, and is counted")
  func silentIssuer() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let door = try await undisturbed("an answer before the fetch ends, which lasts for ten seconds") {
      issuer.server.putAll(nil)
      let door = try await TokenDoor.start(issuers: issuer.configuration())
      try await door.gateway.waitUntilReady()
      issuer.server.putAll(.hang)
      let start = ContinuousClock.now
      #expect(try await door.verdict(issuer.token(header: ["kid": "new"])) == "key_unknown")
      #expect(mayHaveWaitedForKeys(since: start))
      let metrics = try await door.gateway.metrics()
      return metrics.sum("catraca_jwks_refresh_total", ["result": "timeout"]) == 0 ? door : nil
    }
    #expect(try await door.verdict(issuer.token()) == "passed")
  }

  @Test("A client that goes away while its request waits for keys is no trouble, nor is a reload meanwhile")
  func goneWhileWaiting() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await door.gateway.waitUntilReady()
    issuer.server.putAll(.hang)
    let token = issuer.token(header: ["kid": "new"])
    let gone = try await door.gateway.connect()
    try await gone.send("GET /door HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n")
    let stays = try await door.gateway.connect()
    try await stays.send("GET /door HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n")
    try await issuer.server.waitForCount(of: "/keys", atLeast: 2)
    try await gone.reset()
    #expect(try await door.gateway.reload().status == 200)
    #expect(try await stays.receiveResponse().code == "key_unknown")
    try await door.gateway.waitForMetrics("one connection left") {
      $0.sum("catraca_connections", ["state": "active"]) == 0
    }
    #expect(try await door.verdict(issuer.token()) == "passed")
  }

  @Test("A key server that asks for a bearer token gets the one of the file, also when that has changed")
  func bearer() async throws {
    let key = try TestKey(.es256)
    let expected = Monitor("first")
    let server = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      let isRight = request["Authorization"] == "Bearer \(expected.current)"
      try await connection.answer(
        isRight ? keySetText(key) : "no", status: isRight ? "200 OK" : "401 Unauthorized",
        fields: ["Connection: close"],
        to: request)
    }
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(
        issuer: TokenDoor.issuer, jwks: "http://\(server.address)/openid/v1/jwks",
        more: ["token: file:sa-token", "refresh: 1s", "stale: 0s"]), files: ["sa-token": "first\n"])
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdict(TokenDoor.token(key)) == "passed")
    expected.update { $0 = "second" }
    _ = try await door.gateway.waitForMetrics("a refused fetch") {
      $0.sum("catraca_jwks_refresh_total", ["result": "status"]) > 0
    }
    try door.gateway.write(file: "sa-token", "second\n")
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdict(TokenDoor.token(key)) == "passed")
    #expect(!door.gateway.standardError.contains { $0.contains("second") || $0.contains("Bearer") })
  }

  @Test("A shared secret that is a text, as others write it, verifies tokens")
  func secretText() async throws {
    let text = "super-secret-jwt-token-with-at-least-32-characters-long"
    let key = try TestKey(.hs256, id: nil, secret: Array(text.utf8))
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(
        issuer: TokenDoor.issuer, jwks: "{ keys: [{ kty: oct, secret: \"file:secret.txt\" }] }",
        more: ["algorithms: [HS256]"]), files: ["secret.txt": text + "\n"])
    let other = try TestKey(.hs256, id: nil, secret: Array((text + "\n").utf8))
    #expect(
      try await door.verdicts([TokenDoor.token(key), TokenDoor.token(other)]) == ["passed", "signature_invalid"])
  }

  @Test("Tenants that are listed pass, each under its own issuer, and a claim of another tenant does not")
  func tenants() async throws {
    let key = try TestKey(.rs256)
    let door = try await TokenDoor.start(
      issuers: issuerConfiguration(
        issuer: "\"https://login.example.com/{tid}/v2.0\"", jwks: "keys.json", more: ["tenants: [one, two]"]),
      files: ["keys.json": keySetText(key)])
    func token(_ tenant: String, _ claim: String) -> String {
      makeToken(issuer: "https://login.example.com/\(tenant)/v2.0", ["tid": .string(claim)], key: key)
    }
    #expect(
      try await door.verdicts([token("one", "one"), token("two", "two"), token("three", "three"), token("one", "two")])
        == ["passed", "passed", "issuer_unknown", "issuer_unknown"])
  }
}
