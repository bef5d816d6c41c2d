// What the gateway's own answers carry through the running gateway, and what real clients make of them.

import Foundation
import TestSupport
import Testing

@Suite("The gateway's own answers")
struct OwnAnswerTests {
  @Test("Header rules and the request's id are in 200, 401, 502, 404 and 400, and a reload changes them")
  func fields() async throws {
    let upstream = try await TestUpstream.echo()
    let issuer = try await TestIssuer.start()
    func configuration(_ value: String) throws -> String {
      """
      request_id: { header: X-Correlation-Id, trust: nobody }
      response_headers: { set: { X-Frame-Options: \(value) } }
      issuers:
      \(issuer.configuration())
      upstreams:
        service: { servers: ["\(upstream.address)"] }
        dead: { servers: ["127.0.0.1:\(try closedPort())"] }
      routes:
        - { path: /a, auth: public, upstream: service, response_headers: { set: { Strict-Transport-Security: max-age=1 } } }
        - { path: /b, auth: login, upstream: service, response_headers: { set: { Strict-Transport-Security: max-age=2 } } }
        - { path: /c, auth: public, upstream: dead, response_headers: { add: { Strict-Transport-Security: max-age=3 } } }
      """
    }
    let gateway = try await GatewayProcess.start(try configuration("DENY"))
    var ids: Set<String> = []
    for (path, status, age) in [("/a", 200, "1"), ("/b", 401, "2"), ("/c", 502, "3")] {
      let response = try await gateway.get(path, ["X-Correlation-Id: mine"])
      #expect(response.status == status)
      #expect(response.values(of: "Strict-Transport-Security") == ["max-age=\(age)"])
      #expect(response["X-Frame-Options"] == nil)
      ids.insert(response["X-Correlation-Id"] ?? "")
    }
    for (path, status) in [("/none", 404), ("/%zz", 400)] {
      let response = try await gateway.get(path)
      #expect(response.status == status)
      #expect(response.values(of: "X-Frame-Options") == ["DENY"])
      ids.insert(response["X-Correlation-Id"] ?? "")
    }
    #expect(ids.count == 5)
    #expect(!ids.contains("mine"))
    #expect(!ids.contains(""))
    #expect(upstream.requests.first?["X-Correlation-Id"].map(ids.contains) == true)
    try gateway.write(configuration: try configuration("SAMEORIGIN"))
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/none")["X-Frame-Options"] == "SAMEORIGIN")
  }

  @Test("A client of gRPC-Web gets the status and the code of a refusal", .needsWebCalls)
  func webCalls() async throws {
    let python = try #require(await PythonPackages.webCalls.value)
    let issuer = try await TestIssuer.start()
    let gateway = try await GatewayProcess.start(
      """
      issuers:
      \(issuer.configuration())
      upstreams: { dead: { servers: ["127.0.0.1:\(try closedPort())"] } }
      routes:
        - { path: /s.S/*, auth: login, upstream: dead }
        - { path: /o.S/*, auth: public, upstream: dead }
      """)
    let script = """
      import sys, grpc, sonora.client
      channel = sonora.client.insecure_web_channel(sys.argv[1])
      for path in ["/s.S/M", "/o.S/M", "/none.S/M"]:
          call = channel.unary_unary(path, lambda text: text, lambda text: text)
          try:
              print("answered", call(b"hello"))
          except grpc.RpcError as error:
              print(error.code().name, error.details())
      """
    let outcome = try await ChildProcess.run(
      python, ["-c", script, "http://127.0.0.1:\(gateway.port)"], within: .seconds(120))
    #expect(outcome.status == 0, "\(outcome.standardError)")
    #expect(
      outcome.standardOutput.split(separator: "\n") == [
        "UNAUTHENTICATED token_missing", "UNAVAILABLE upstream_connect_failed", "UNIMPLEMENTED route_not_found",
      ])
  }

  @Test("git sends its token once it is asked for a password", .needs("git"))
  func basic() async throws {
    let issuer = try await TestIssuer.start()
    let auth = "{ issuers: [login], tokens_from: [basic] }"
    let name = String(repeating: "a", count: 40)
    let gateway = try await GatewayProcess.start(
      """
      issuers:
      \(issuer.configuration())
      routes:
        - { path: /r.git/info/refs, auth: \(auth), respond: { status: 200, body: "\(name)\\trefs/heads/main\\n" } }
        - { path: /r.git/HEAD, auth: \(auth), respond: { status: 200, body: "ref: refs/heads/main\\n" } }
      """)
    try await gateway.waitUntilReady()
    for password in ["x:\(issuer.token())", "x:wrong"] {
      let outcome = try await ChildProcess.run(
        "git", ["-c", "credential.helper=", "ls-remote", "http://\(password)@127.0.0.1:\(gateway.port)/r.git"],
        within: .seconds(60))
      #expect(outcome.standardOutput.contains("\(name)\trefs/heads/main") == (password != "x:wrong"))
      #expect((outcome.status == 0) == (password != "x:wrong"), "\(outcome.standardError)")
    }
    #expect(try await gateway.get("/r.git/HEAD").values(of: "WWW-Authenticate").last?.hasPrefix("Basic ") == true)
  }
}
