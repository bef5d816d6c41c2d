// Several listeners of one gateway, each with its own rules.

import TestSupport
import Testing

@Suite("Listeners")
struct ListenerTests {
  @Test("Each listener has its routes, and one of them redirects to HTTPS")
  func listeners() async throws {
    let gateway = try await GatewayProcess.start(
      """
      listeners:
        - { address: "127.0.0.1:0", name: public }
        - { address: "127.0.0.1:0", name: internal }
        - { address: "127.0.0.1:0", redirect: "https:8443" }
      routes:
        - { path: /*, auth: public, respond: { status: 200, body: all } }
        - { path: /private/*, auth: public, listeners: [internal], respond: { status: 200, body: private } }
      """)
    #expect(gateway.ports.count == 3)
    for (index, expected) in ["404", "private"].enumerated() {
      let client = try await RawClient.connect(port: gateway.ports[index])
      let answer = try await client.get("/private/a")
      #expect(answer.status == 200 ? answer.text == expected : "\(answer.status)" == expected)
      #expect(try await client.get("/a").text == "all")
    }
    let plain = try await RawClient.connect(port: gateway.ports[2])
    let answer = try await plain.get("/private/a?b=c")
    #expect(answer.status == 308)
    #expect(answer["Location"] == "https://test:8443/private/a?b=c")
    #expect(try await plain.get("/.well-known/acme-challenge/x").text == "all")
  }

  @Test("curl gets Strict-Transport-Security over HTTP/1.1 and HTTP/2, on answers and refusals")
  func strictTransport() async throws {
    let gateway = try await SecureGateway.start(tls: "hsts: { max_age: 365d, include_subdomains: true }")
    for version in ["--http1.1", "--http2"] {
      for path in ["/", "/%00"] {
        let (status, output) = try await gateway.curl([version, "-i"], path: path)
        #expect(status == 0)
        let lines = output.lowercased().split(whereSeparator: \.isNewline)
        #expect(
          lines.filter { $0 == "strict-transport-security: max-age=31536000; includesubdomains" }.count == 1,
          "\(version) \(output)")
      }
    }
  }
}
