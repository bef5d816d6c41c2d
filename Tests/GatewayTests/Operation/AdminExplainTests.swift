// `POST /explain` on the admin listener: the keys are those that the gateway holds, and nothing of it is counted.

import TestSupport
import Testing

@Suite("Explanations by the admin listener", .timeLimit(.minutes(10)))
struct AdminExplainTests {
  @Test("It explains with the live configuration, as JSON or text, counts nothing, and refuses what is no request")
  func explain() async throws {
    let gateway = try await GatewayProcess.start("routes: [{ path: /a, auth: public, respond: { status: 204 } }]\n")
    func ask(_ body: String, _ fields: [String] = []) async throws -> RawResponse {
      try await gateway.admin("/explain", method: "POST", fields, body: body)
    }
    let found = try await ask("{\"request\":\"GET http://x/b\",\"headers\":{\"X-A\":\"b\"},\"from\":\"2001:db8::1\"}")
    #expect(found.status == 200 && found.text.contains("\"code\":\"route_not_found\""))
    let text = try await ask("{\"request\":\"GET http://x/a\"}", ["Accept: text/plain"])
    #expect(text.text.contains("takes it"))
    for body in [
      "", "[]", "{}", "{\"request\":\"a b c\"}", "{\"request\":\"http://x/\",\"from\":\"x\"}",
      "{\"request\":\"http://x/\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}",
      "{\"request\":\"http://x/\",\"token\":\"a\\nb\"}", "{\"request\":\"http://x/\",\"headers\":[]}",
    ] {
      #expect(try await ask(body).status == 400, "\(body)")
    }
    #expect(try await gateway.admin("/explain").status == 405)
    #expect(try await gateway.metrics().sum("catraca_requests_total") == 0)
  }

  @Test("It says what is left of limits in the running gateway for this client, and takes nothing out of them")
  func limits() async throws {
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      rate_limits:
        shared: { requests: 2, per: 1h, by: "header:X-Key" }
      routes:
        - { path: /few, auth: public, rate_limit: { requests: 3, per: 1h }, respond: { status: 204 } }
        - { path: /key, auth: public, rate_limit: shared, respond: { status: 204 } }
        - { path: /dry, auth: public, rate_limit: { requests: 1, per: 1h, dry_run: true }, respond: { status: 204 } }

      """)
    func ask(_ path: String, from address: String = "127.0.0.1", key: String = "a") async throws -> String {
      try await gateway.admin(
        "/explain", method: "POST", ["Accept: text/plain"],
        body: "{\"request\":\"GET http://x\(path)\",\"from\":\"\(address)\",\"headers\":{\"X-Key\":\"\(key)\"}}"
      ).text
    }
    for _ in 0..<5 { #expect(try await ask("/few").contains("at one moment, 3 left")) }
    for _ in 0..<2 { #expect(try await gateway.get("/few").status == 204) }
    for _ in 0..<5 { #expect(try await ask("/few").contains("at one moment, 1 left")) }
    #expect(try await ask("/few", from: "192.0.2.9").contains("at one moment, 3 left"))
    #expect(try await gateway.get("/few").status == 204)
    let refused = try await ask("/few")
    #expect(refused.contains("none left, the next one in ") && refused.contains("rate_limited"), "\(refused)")
    #expect(try await gateway.get("/few").status == 429)
    #expect(try await gateway.get("/key", ["X-Key: a"]).status == 204)
    #expect(try await ask("/key").contains("1 left"))
    #expect(try await ask("/key", key: "b").contains("2 left"))
    let dry = try await ask("/dry")
    #expect(dry.contains("counted only") && !dry.contains(" left"), "\(dry)")
    // A reload that keeps the limits keeps what is left.
    #expect(try await gateway.reload().status == 200)
    #expect(try await ask("/key").contains("1 left"))
    #expect(try await gateway.metrics().sum("catraca_requests_total") == 5)
  }
}
