// What a bad answer does to the keys that are there, and a good one to those that are gone: T23, T27.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct RefreshTests {
  /// What an issuer may answer when it is unwell, and the result that is counted.
  static let badAnswers: [(name: String, answer: DocumentAnswer, result: String)] = [
    ("500", .status(500, "{\"keys\":[]}"), "status"),
    ("HTML", .respond(status: 200, fields: [("Content-Type", "text/html")], body: Array("<html>".utf8)), "not_json"),
    ("an empty set", .json("{\"keys\":[]}"), "no_usable_key"),
    ("no set", .json("{}"), "key_set_invalid"),
    ("half a set", .json("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-2"), "not_json"),
    (
      "a body that ends early", .bytes(Array("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"keys\":[".utf8)),
      "truncated"
    ),
    ("nothing", .bytes([]), "truncated"), ("a closed connection", .close, "truncated"),
    ("10 MB", .json("{\"keys\":[\"" + String(repeating: "a", count: 10 << 20) + "\"]}"), "too_large"),
    ("no HTTP", .bytes(Array("SSH-2.0-OpenSSH_9.2\r\n\r\n".utf8)), "response_malformed"),
    ("a redirect", .status(301, fields: [("Location", "/elsewhere")]), "redirected"),
    ("204", .status(204), "status"),
  ]

  @Test("T23 Any bad answer keeps the last good keys, is counted as what it is, and ends with the next good one")
  func badAnswers() async throws {
    var idps: [TestIssuer] = []
    for _ in Self.badAnswers { idps.append(try await TestIssuer.start(.es256)) }
    let names = Self.badAnswers.indices.map { "idp\($0)" }
    let entries = zip(names, idps).map { $1.configuration(name: $0, more: ["refresh: 1s"]) }
    let door = try await TokenDoor.start(
      issuers: entries.joined(), auth: "{ issuers: [\(names.joined(separator: ", "))] }")
    try await door.gateway.waitUntilReady()
    for (bad, idp) in zip(Self.badAnswers, idps) { idp.server.put("/keys", bad.answer) }
    let counted = try await door.gateway.waitForMetrics("every issuer's failure to be counted") { metrics in
      names.allSatisfy { name in
        metrics.sum("catraca_jwks_refresh_total", ["issuer": name])
          > metrics.sum("catraca_jwks_refresh_total", ["issuer": name, "result": "success"])
      }
    }
    let forger = try TestKey(.es256)
    for (name, bad) in zip(names, Self.badAnswers) {
      let results = counted.samples.filter {
        $0.name == "catraca_jwks_refresh_total" && $0.labels["issuer"] == name && $0.labels["result"] != "success"
      }
      #expect(results.map { $0.labels["result"] } == [bad.result], "\(bad.name)")
      #expect(counted.sum("catraca_jwks_keys", ["issuer": name]) == 1, "\(bad.name)")
    }
    #expect(try await door.verdicts(idps.map { $0.token() }) == idps.map { _ in "passed" })
    #expect(try await door.verdicts(idps.map { $0.token(key: forger) }) == idps.map { _ in "signature_invalid" })
    #expect(try await door.gateway.admin("/readyz").status == 200)
    for idp in idps {
      idp.publish([idp.key.jwk(), forger.jwk("\"alg\":\"ES256\",").replacing("key-1", with: "key-2")])
    }
    try await door.gateway.waitForMetrics("every issuer's new keys") { metrics in
      names.allSatisfy { metrics.sum("catraca_jwks_keys", ["issuer": $0]) == 2 }
    }
    let second = TestKey(.es256, id: "key-2", signing: forger.signing)
    #expect(try await door.verdicts(idps.map { $0.token(key: second) }) == idps.map { _ in "passed" })
  }

  @Test("T27 A remembered token of a key that left the set dies at once")
  func removedKey() async throws {
    let old = try TestKey(.es256, id: "old")
    let new = try TestKey(.es256, id: "new")
    let issuer = try await TestIssuer.start(old)
    issuer.publish([old.jwk(), new.jwk()])
    let door = try await TokenDoor.start(issuers: issuer.configuration(more: ["refresh: 1s"]))
    try await door.gateway.waitUntilReady()
    let token = issuer.token()
    let other = issuer.token(key: new)
    #expect(try await door.verdicts([token, token, other, other]) == ["passed", "passed", "passed", "passed"])
    #expect(try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "hit"]) == 2)
    issuer.publish([new.jwk()])
    try await door.gateway.waitForMetrics("one key") { $0.sum("catraca_jwks_keys", ["issuer": "login"]) == 1 }
    #expect(try await door.verdicts([token, other]) == ["key_unknown", "passed"])
    // Another key under the same kid, and the same numbers under another kid, do not revive it.
    let impostor = try TestKey(.es256, id: "old")
    let renamed = TestKey(.es256, id: "renamed", signing: old.signing)
    issuer.publish([impostor.jwk(), new.jwk(), renamed.jwk()])
    try await door.gateway.waitForMetrics("three keys") { $0.sum("catraca_jwks_keys", ["issuer": "login"]) == 3 }
    #expect(try await door.verdicts([token, other]) == ["signature_invalid", "passed"])
    // The other key's token was remembered all the time.
    #expect(try await door.gateway.metrics().sum("catraca_token_cache_total", ["result": "hit"]) >= 4)
  }
}
