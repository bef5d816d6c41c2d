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

  @Test("What a service in shadow would have refused is in the log, the metrics and on the status page")
  func service() async throws {
    let policy = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequest()
      let isAllowed = request.head["X-Forwarded-Uri"] == "/good"
      let status = isAllowed ? "200 OK" : "403 Forbidden"
      try await connection.send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
      connection.close()
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { policy: { servers: ["\(policy.address)"] } }
      services: { policy: { upstream: policy, timeout: 20s } }
      routes:
        - { path: /*, auth: public, authorize: { service: policy, mode: shadow }, respond: { status: 204 } }

      """)
    for path in ["/good", "/bad", "/bad"] { #expect(try await gateway.get(path).status == 204) }
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_authorize_shadow_total", ["service": "policy", "result": "passed"]) == 1)
    #expect(metrics.sum("catraca_authorize_shadow_total", ["result": "refused"]) == 2)
    #expect(metrics.sum("catraca_authorize_total") == 0)
    let status = try await gateway.admin("/status").text.filter { !$0.isWhitespace }
    #expect(status.contains("\"authorize\":\"policy\"") && status.contains("\"authorize_shadow\":true"), "\(status)")
    #expect(status.contains("\"shadow_refusals\":{\"authorize_refused\":2}"), "\(status)")
  }
}
