// Opaque tokens through the running gateway: an issuer that knows them, and one that is gone.

import TestSupport
import Testing
import Tokens

@Suite("Introspection of tokens", .timeLimit(.minutes(10)))
struct IntrospectionTests {
  /// Knows the tokens that begin with `good`.
  private static func issuer() async throws -> TestUpstream {
    try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let form = String(decoding: request.body, as: UTF8.self)
        let name = form.dropFirst("token=".count).prefix { $0 != "&" }
        let isRight = request.head["Authorization"] == "Basic Z2F0ZXdheTpzZWNyZXQ="
        let answer =
          name.hasPrefix("good")
          ? "{\"active\":true,\"aud\":\"api\",\"sub\":\"\(name)\",\"scope\":\"read\",\"exp\":4102444800}"
          : "{\"active\":false}"
        try await connection.answer(answer, status: isRight ? "200 OK" : "401 Who", to: request)
      }
    }
  }

  private func start(_ issuer: TestUpstream, _ upstream: TestUpstream) async throws -> GatewayProcess {
    let key = try TestKey(.es256)
    let gateway = try await GatewayProcess.start(
      """
      workers: 2
      issuers:
        login:
          issuer: "\(TokenDoor.issuer)"
          audiences: [api]
          jwks: keys.json
          introspection:
            endpoint: http://localhost:\(issuer.port)/introspect
            client_id: gateway
            client_secret: secret
            timeout: 10s
      upstreams: { echo: { servers: ["\(upstream.address)"] } }
      routes:
        - path: /*
          auth: { issuers: [login], scopes: [read] }
          identity: { headers: { X-User: sub } }
          upstream: echo
      """, files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    return gateway
  }

  @Test("An opaque token passes with what its issuer says of it, is asked about once a worker, and is in no log")
  func opaque() async throws {
    let issuer = try await Self.issuer()
    let upstream = try await TestUpstream.echo()
    let gateway = try await start(issuer, upstream)
    for _ in 0..<20 {
      let response = try await gateway.get("/", ["Authorization: Bearer good-secret-1"])
      #expect(response.status == 200 && response.text.contains("X-User: good-secret-1\r\n"))
      #expect(!response.text.contains("Bearer"))
    }
    #expect((1...2).contains(issuer.requests.count))
    #expect(try await gateway.get("/", ["Authorization: Bearer bad"]).code == "token_inactive")
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_introspection_total", ["issuer": "login", "result": "inactive"]) == 1)
    #expect(metrics.sum("catraca_auth_total", ["auth_kind": "opaque", "result": "accepted"]) == 20)
    // The subject is the token here, and only where a subject is.
    let line = try await gateway.waitForAccessLog(containing: "good-secret-1")
    #expect(line.contains("\"subject\":\"good-secret-1\"") && line.contains("\"issuer\":\"login\""))
    #expect(line.contains("\"auth_kind\":\"opaque\""))
  }

  @Test("T102 An issuer that is gone is 503 with Retry-After, and the log says that it does not answer")
  func gone() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway: GatewayProcess
    do {
      let issuer = try await Self.issuer()
      gateway = try await start(issuer, upstream)
    }
    for number in 0..<20 {
      let response = try await gateway.get("/", ["Authorization: Bearer good-\(number)"])
      #expect(response.code == "introspection_unavailable" && response["Retry-After"] == "1")
      #expect(response["WWW-Authenticate"] == nil)
    }
    _ = try await gateway.waitForLog("the issuer to be missed") { $0.contains("a service does not answer") }
    #expect(upstream.requests.isEmpty)
  }
}
