// Spans of what the gateway asks others on behalf of a traced request.

import TestSupport
import Testing
import Tokens

@Suite("Traces of the gateway's own questions", .timeLimit(.minutes(10)))
struct SideTraceTests {
  @Test("T116: a question to a service or an issuer is a span of the request's trace, and carries it on")
  func questions() async throws {
    guard let collector = try await TraceCollector.start() else { return }
    let upstream = try await TestUpstream.echo()
    let policy = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let isGood = request.head["X-Forwarded-Uri"]?.hasPrefix("/good") ?? false
        try await connection.answer("", status: isGood ? "200 OK" : "403 No", to: request)
      }
    }
    let issuer = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer("{\"active\":true,\"aud\":\"api\",\"sub\":\"ada\",\"exp\":4102444800}", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(
      """
      traces: { endpoint: "http://127.0.0.1:\(collector.port)/" }
      issuers:
        login:
          issuer: "\(TokenDoor.issuer)"
          audiences: [api]
          jwks: keys.json
          introspection:
            endpoint: http://127.0.0.1:\(issuer.port)/ask
            client_id: gateway
            client_secret: hidden
            timeout: 10s
      upstreams: { app: { servers: ["\(upstream.address)"] }, opa: { servers: ["\(policy.address)"] } }
      services: { policy: { upstream: opa, path: /check, timeout: 10s } }
      routes: [{ path: /*, auth: { issuers: [login] }, authorize: { service: policy }, upstream: app }]
      """, files: ["keys.json": keySetText([try TestKey(.es256).jwk()])])
    try await gateway.waitUntilReady()
    let fields = ["Authorization: Bearer opaque-secret"]
    #expect(try await gateway.get("/good?q=secret", fields).status == 200)
    #expect(try await gateway.get("/bad?q=secret", fields).status == 403)
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    // Of the first: request, issuer, service, upstream. Of the second, whose token may be remembered: two or three.
    let spans = try await collector.spans(atLeast: 6)
    #expect(!"\(spans)".contains("secret") && !"\(spans)".contains("hidden"))
    let requests = spans.filter { $0.kind == "SPAN_KIND_SERVER" }
    #expect(requests.count == 2 && Set(spans.map(\.trace)).count == 2)
    let clients = spans.filter { $0.kind == "SPAN_KIND_CLIENT" }
    for client in clients {
      #expect(requests.contains { $0.id == client.parent && $0.trace == client.trace })
      #expect(client.attributes["server.address"] == "127.0.0.1" && client.attributes["url.query"] == nil)
    }
    func expectCarried(_ server: TestUpstream, _ name: String, _ statuses: Set<String>) {
      let own = clients.filter { $0.attributes["server.port"] == "\(server.port)" }
      #expect(own.count == server.requests.count && !own.isEmpty)
      #expect(own.allSatisfy { $0.name == name })
      #expect(Set(own.compactMap { $0.attributes["http.response.status_code"] }) == statuses)
      #expect(Set(own.map { "00-\($0.trace)-\($0.id)-01" }) == Set(server.requests.compactMap { $0["traceparent"] }))
    }
    expectCarried(policy, "GET", ["200", "403"])
    expectCarried(issuer, "POST", ["200"])
    expectCarried(upstream, "GET", ["200"])
  }

  @Test("Without traces no question carries one")
  func off() async throws {
    let policy = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { opa: { servers: ["\(policy.address)"] } }
      services: { policy: { upstream: opa, path: /check } }
      routes: [{ path: /*, auth: public, authorize: { service: policy }, respond: { status: 204 } }]
      """)
    #expect(try await gateway.get("/").status == 204)
    #expect(policy.requests.allSatisfy { $0["traceparent"] == nil } && policy.requests.count == 1)
  }
}
