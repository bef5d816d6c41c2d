// A rule in shadow in the running gateway: where what it would have refused is to be seen.

import TestSupport
import Testing
import Tokens

@Suite("Rules in shadow, running", .timeLimit(.minutes(10)))
struct RunningShadowTests {
  @Test("A rule in shadow refuses nobody, and its verdicts are in the metrics and on the status page")
  func seen() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], auth: "{ issuers: [login], scopes: [orders.read], mode: shadow }")
    for token in [TokenDoor.token(key, ["scope": "orders.read"]), TokenDoor.token(key), "x.y.z"] {
      #expect(try await door.gateway.get("/door", ["Authorization: Bearer \(token)"]).status == 200)
    }
    let metrics = try await door.gateway.metrics()
    func count(_ result: String, issuer: String) -> Double {
      metrics.sum("catraca_auth_shadow_total", ["issuer": issuer, "result": result])
    }
    #expect(count("accepted", issuer: "login") == 1 && count("scope_missing", issuer: "login") == 1)
    #expect(count("token_malformed", issuer: "") == 1 && metrics.sum("catraca_auth_total") == 0)
    let status = try await door.gateway.admin("/status").text.filter { !$0.isWhitespace }
    #expect(status.contains("\"shadow\":true"))
    let refused = status.split(separator: "\"shadow_refusals\":").last?.prefix { $0 != "}" } ?? ""
    #expect(refused.contains("\"scope_missing\":1") && refused.contains("\"token_malformed\":1"), "\(status)")
  }
}
