// Answers that the gateway gives itself: fixed responses, redirects, refusals.

import TestSupport
import Testing

@Suite("Answers of the gateway's own")
struct AnswerTests {
  @Test("A fixed response has its status, type and body. HEAD and 204 have no body")
  func respond() async throws {
    let gateway = try await GatewayProcess.start(
      """
      routes:
        - { path: /health, auth: public, respond: { status: 200, body: ok } }
        - { path: /json, auth: public, respond: { status: 418, body: "{}", content_type: application/json } }
        - { path: /none, auth: public, respond: { status: 204 } }
      """)
    let client = try await gateway.connect()
    let health = try await client.get("/health")
    #expect(health.status == 200)
    #expect(health.text == "ok")
    #expect(health["Content-Type"] == "text/plain; charset=utf-8")
    let json = try await client.get("/json")
    #expect(json.status == 418)
    #expect(json["Content-Type"] == "application/json")
    let head = try await client.get("/health", method: "HEAD")
    #expect(head["Content-Length"] == "2")
    let none = try await client.get("/none")
    #expect(none.status == 204)
    #expect(none["Content-Length"] == nil)
    let posted = try await client.exchange("POST /health HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody")
    #expect(posted.text == "ok")
    #expect(try await client.get("/health").text == "ok")
  }

  @Test("A redirect appends the rest of the path and the query, in normal form")
  func redirect() async throws {
    let gateway = try await GatewayProcess.start(
      """
      routes:
        - { path: "/old/*", auth: public, redirect: { to: /new, status: 301 } }
        - { path: "/site/*", auth: public, redirect: { to: "https://www.example.com/" } }
        - { path: /exact, auth: public, redirect: { to: "/there?a=1", status: 302 } }
      """)
    let client = try await gateway.connect()
    let cases = [
      ("/old/a/b?c=d", 301, "/new/a/b?c=d"), ("/old", 301, "/new"), ("/old//x/../y", 308, "/old/y"),
      ("/site/p?q", 308, "https://www.example.com/p?q"), ("/exact", 302, "/there?a=1"),
      ("/exact?b=2", 302, "/there?a=1&b=2"),
    ]
    for (sent, status, location) in cases {
      let response = try await client.get(sent)
      #expect(response.status == status)
      #expect(response["Location"] == location, "\(sent)")
      #expect(response.body.isEmpty)
    }
  }

  @Test("A redirect of a request whose token was in the query does not repeat the token")
  func redirectWithToken() async throws {
    let issuer = try await TestIssuer.start()
    let gateway = try await GatewayProcess.start(
      """
      issuers:
      \(issuer.configuration())
      routes:
        - path: "/old/*"
          auth: { issuers: [login], tokens_from: ["query:access_token"] }
          redirect: { to: /new }
      """)
    try await gateway.waitUntilReady()
    let token = issuer.token()
    let response = try await gateway.get("/old/x?a=1&access_token=\(token)&b=2")
    #expect(response.status == 308)
    #expect(response["Location"] == "/new/x?a=1&b=2")
    let only = try await gateway.get("/old/x?access_token=\(token)")
    #expect(only["Location"] == "/new/x")
    #expect(!gateway.accessLog.joined().contains(token))
  }

  @Test("A refusal is a problem document with code and request id, without a body for HEAD")
  func problem() async throws {
    let gateway = try await GatewayProcess.start("routes: [{ path: /a, auth: public, respond: { status: 200 } }]")
    let client = try await gateway.connect()
    let refused = try await client.get("/b", ["X-Request-Id: my-id"])
    #expect(refused.status == 404)
    #expect(refused["Content-Type"] == "application/problem+json")
    #expect(refused["Cache-Control"] == "no-store")
    #expect(refused.code == "route_not_found")
    #expect(refused.text.contains("\"request_id\":\"my-id\""))
    let head = try await client.get("/b", method: "HEAD")
    #expect(head.status == 404)
    #expect(head.body.isEmpty)
    #expect(try await client.get("/a").status == 200)
    let line = try await gateway.waitForAccessLog(containing: "my-id")
    #expect(line.contains("\"reason\":\"route_not_found\""))
    #expect(line.contains("\"status\":404"))
  }
}
