// Sessions through the running gateway, with two workers: begun with a token, used with a cookie on either worker, and
// ended by its page and by the operator.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Sessions of browsers", .timeLimit(.minutes(10)))
struct SessionTests {
  private static let issuer = "https://login.example.com/"

  private let upstream: TestUpstream

  init() async throws { upstream = try await TestUpstream.echo() }

  private static func configuration(_ upstream: TestUpstream, lifetime: String = "1h") -> String {
    """
    workers: 2
    issuers:
      login: { issuer: "\(issuer)", audiences: [api], jwks: keys.json }
    upstreams:
      echo: { servers: ["\(upstream.address)"] }
    sessions:
      web: { store: memory, lifetime: \(lifetime), exchange: { path: /session, issuers: [login] }, me: [sub, name] }
    routes:
      - path: /*
        auth: { issuers: [login], sessions: [web] }
        identity: { headers: { X-User: sub } }
        upstream: echo
    """
  }

  private func start(_ key: TestKey, lifetime: String = "1h") async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(
      Self.configuration(upstream, lifetime: lifetime), files: ["keys.json": keySetText([key.jwk()])])
    try await gateway.waitUntilReady()
    return gateway
  }

  private func request(_ method: String, _ path: String, _ fields: [String] = []) -> String {
    (["\(method) \(path) HTTP/1.1", "Host: shop.example.com", "Content-Length: 0", "Connection: close"] + fields)
      .map { $0 + "\r\n" }.joined() + "\r\n"
  }

  /// The cookie of a new session, as a browser sends it.
  private func begin(_ gateway: GatewayProcess, _ key: TestKey, subject: String = "ada") async throws -> String {
    let token = makeToken(issuer: Self.issuer, ["aud": "api", "sub": .string(subject), "name": "Ada L."], key: key)
    let response = try await gateway.exchange(request("POST", "/session", ["Authorization: Bearer \(token)"]))
    #expect(response.status == 200)
    #expect(response.text == "{\"sub\":\"\(subject)\",\"name\":\"Ada L.\"}\n")
    let line = try #require(response["Set-Cookie"])
    #expect(line.hasSuffix("; Path=/; Secure; HttpOnly; SameSite=Lax"))
    return "Cookie: \(line.prefix { $0 != ";" })"
  }

  @Test("A session begun on one worker is known to all, ended at once on all, and its cookie goes to no service")
  func life() async throws {
    let key = try TestKey(.es256)
    let gateway = try await start(key)
    let cookie = try await begin(gateway, key)
    // Connections are spread over the workers by the kernel.
    for _ in 0..<16 {
      let response = try await gateway.exchange(request("GET", "/page", [cookie, "Cookie: theme=dark"]))
      #expect(response.status == 200)
      #expect(response.text.contains("X-User: ada\r\n"))
      #expect(response.text.contains("theme=dark"))
      #expect(!response.text.contains("__Host-session"))
    }
    let shown = try await gateway.exchange(request("GET", "/session", [cookie]))
    #expect(shown.text == "{\"sub\":\"ada\",\"name\":\"Ada L.\"}\n")
    let foreign = try await gateway.exchange(request("DELETE", "/session", [cookie, "Origin: https://evil.example"]))
    #expect(foreign.code == "origin_not_allowed")
    let ended = try await gateway.exchange(
      request("DELETE", "/session", [cookie, "Origin: https://shop.example.com"]))
    #expect(ended.status == 204)
    #expect(ended["Set-Cookie"]?.hasPrefix("__Host-session=; Max-Age=0") == true)
    for _ in 0..<16 {
      let response = try await gateway.exchange(request("GET", "/page", [cookie]))
      #expect(response.code == "session_expired")
    }
    let line = try await gateway.waitForAccessLog(containing: "\"auth_kind\":\"session\"")
    #expect(line.contains("\"subject\":\"ada\""))
    let value = try #require(cookie.split(separator: "=").last)
    #expect(!(gateway.accessLog + gateway.standardError).contains { $0.contains(value) })
    let metrics = try await gateway.metrics()
    #expect(metrics.sum("catraca_auth_total", ["result": "session"]) >= 16)
    #expect(metrics.sum("catraca_auth_total", ["result": "session_expired"]) == 16)
    #expect(metrics.samples.contains { $0.name == "catraca_sessions" && $0.value == 0 })
    _ = try await begin(gateway, key)
    #expect(try await gateway.metrics().sum("catraca_sessions", ["session": "web"]) == 1)
  }

  @Test("catraca sessions lists who has a session, and ends those of a subject with what is open")
  func command() async throws {
    let key = try TestKey(.es256)
    let gateway = try await start(key)
    let ada = try await begin(gateway, key)
    let bob = try await begin(gateway, key, subject: "bob b")
    let address = ["--address", "127.0.0.1:\(gateway.adminPort)"]
    // What the file says of the listeners does not count: the address is given.
    let file = """
      listeners: [{ address: "127.0.0.1:0" }]
      routes: [{ path: /*, auth: public, respond: { status: 204 } }]
      """
    let run = { (arguments: [String]) in
      try await GatewayProcess.run(["sessions"] + arguments + address, configuration: file)
    }
    let list = try await run(["list", "gateway.conf"])
    #expect(list.status == 0, "\(list.standardError)")
    #expect(list.standardOutput.contains("\"subject\":\"ada\""))
    #expect(list.standardOutput.contains("\"subject\":\"bob b\""))
    #expect(!list.standardOutput.contains(try #require(ada.split(separator: "=").last)))
    let one = try await run(["list", "--sub", "bob b", "gateway.conf"])
    #expect(!one.standardOutput.contains("\"subject\":\"ada\""))
    let end = try await run(["end", "--sub", "bob b", "gateway.conf"])
    #expect(end.standardOutput.hasPrefix("ended: 1"), "\(end.standardError)")
    #expect(try await gateway.exchange(request("GET", "/", [bob])).code == "session_expired")
    #expect(try await gateway.exchange(request("GET", "/", [ada])).status == 200)
  }

  @Test("A session is lost with the process that keeps it in memory, and its cookie is taken back")
  func restart() async throws {
    let key = try TestKey(.es256)
    let cookie = try await begin(try await start(key), key)
    let response = try await start(key).exchange(request("GET", "/", [cookie]))
    #expect(response.code == "session_expired")
    #expect(response["Set-Cookie"]?.contains("Max-Age=0") == true)
  }
}
