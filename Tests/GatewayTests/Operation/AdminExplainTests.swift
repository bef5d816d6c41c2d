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
}
