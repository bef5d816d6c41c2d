// The guide for those who move from other gateways: each of our files runs, and does what the other's file says.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Moving from other gateways")
struct MigrationTests {
  private let guide: String
  private let issuer: TestIssuer
  private let upstreams: [TestUpstream]

  init() async throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    guide = try String(contentsOf: root.appending(path: "docs/MIGRATION.md"), encoding: .utf8)
    issuer = try await TestIssuer.start(.rs256)
    upstreams = [try await TestUpstream.echo(), try await TestUpstream.echo()]
  }

  /// Those of the other gateways are YAML, too. Ours begin with their listeners.
  private func files(_ language: String = "yaml", in text: String) -> [String] {
    text.components(separatedBy: "```\(language)\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
  }

  private func chapter(_ title: String) throws -> String {
    try #require(guide.components(separatedBy: "\n## ").first { $0.hasPrefix(title + "\n") })
  }

  /// Our file of a chapter, with addresses of this machine in place of those in the guide.
  private func start(_ title: String) async throws -> GatewayProcess {
    let made = try await TestCertificates.shared()
    var text = try #require(files(in: try chapter(title)).first { $0.hasPrefix("listeners:") })
    text.replace(#/0\.0\.0\.0:\d+/#, with: "127.0.0.1:0")
    text.replace("https://login.example.com/jwks", with: issuer.url + "/keys")
    text.replace("https://login.example.com/", with: issuer.url)
    text.replace("/etc/tls/api.crt", with: made.certificate(.good))
    text.replace("/etc/tls/api.key", with: made.key(.good))
    for name in ["orders.internal:9000", "10.0.0.1:9000", "127.0.0.1:9000"] {
      text.replace(name, with: upstreams[0].address)
    }
    for name in ["web.internal:9000", "10.0.0.2:9000"] { text.replace(name, with: upstreams[1].address) }
    let gateway = try await GatewayProcess.start(text)
    try await gateway.waitUntilReady()
    return gateway
  }

  private func bearer(_ claims: [String: JSONValue] = [:]) -> String {
    let named: [String: JSONValue] = ["aud": "orders-api"]
    return "Authorization: Bearer " + issuer.token(named.merging(claims) { $1 })
  }

  private func ask(_ client: RawClient, _ path: String, _ fields: String...) async throws -> RawResponse {
    let lines = ["GET \(path) HTTP/1.1", "Host: api.example.com"] + fields
    return try await client.exchange(lines.joined(separator: "\r\n") + "\r\n\r\n")
  }

  @Test("Each file of ours passes the check without a warning")
  func check() async throws {
    let ours = files(in: guide).filter { $0.hasPrefix("listeners:") }
    #expect(ours.count == 5)
    for file in ours {
      let ran = try await GatewayProcess.run(
        ["check", "--no-files", "--strict", "gateway.conf"], configuration: file)
      #expect(ran.status == 0 && ran.standardError.isEmpty, "\(ran.standardError)\n\(file)")
    }
  }

  @Test("nginx's file and ours give the same answers, and the server receives the same", .needs("nginx"))
  func nginx() async throws {
    let verifier = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        let isKnown = request["Authorization"] != nil
        try await connection.answer(
          "", status: isKnown ? "200 OK" : "401 Unauthorized", fields: isKnown ? ["X-User: alice"] : [], to: request)
      }
    }
    let made = try await TestCertificates.shared()
    let theirs = try #require(files("nginx", in: try chapter("nginx")).first)
      .replacing("/etc/tls/api.crt", with: made.certificate(.good))
      .replacing("/etc/tls/api.key", with: made.key(.good))
      .replacing("orders.internal:9000", with: upstreams[0].address)
      .replacing("verifier.internal", with: verifier.address)
    let other = try await ForeignServer.nginx { folder, port in
      theirs.replacing("listen 443 ssl", with: "listen 127.0.0.1:\(port) ssl")
        .replacing("listen 80", with: "listen unix:\(folder)/plain")
    }
    let gateway = try await start("nginx")
    let secure = try await SecureGateway.client()
    for port in [other.port, gateway.port] {
      func answer(_ path: String, _ fields: String...) async throws -> RawResponse {
        let client = try await RawClient.connect(port: port, secure: secure)
        let lines = ["GET \(path) HTTP/1.1", "Host: api.example.com"] + fields
        return try await client.exchange(lines.joined(separator: "\r\n") + "\r\n\r\n")
      }
      let passed = try await answer("/orders/7?a=b", bearer(), "X-User-Id: mallory")
      #expect(passed.status == 200)
      #expect(passed.text.hasPrefix("GET /7?a=b HTTP/1."))
      #expect(passed.text.contains("\r\nHost: \(upstreams[0].address)\r\n"))
      #expect(passed.text.contains("\r\nX-User-Id: alice\r\n") && !passed.text.contains("mallory"))
      #expect(try await answer("/orders/7").status == 401)
      #expect(try await answer("/health").text == "ok")
      #expect(try await answer("/elsewhere").status == 404)
    }
    let plain = [
      try await RawClient.connect(port: 0, path: other.folder.url.path + "/plain"),
      try await RawClient.connect(port: gateway.ports[1]),
    ]
    for client in plain {
      let answer = try await ask(client, "/orders/7?a=b")
      #expect([301, 308].contains(answer.status))
      #expect(answer["Location"] == "https://api.example.com/orders/7?a=b")
    }
  }

  @Test("The file for Traefik's users limits, verifies, strips the prefix and balances")
  func traefik() async throws {
    let gateway = try await start("Traefik")
    let client = try await gateway.connect()
    #expect(try await ask(client, "/orders/7").status == 401)
    #expect(try await ask(client, "/ordersabc", bearer()).status == 404)
    for _ in 1...4 {
      let answer = try await ask(client, "/orders/7", bearer())
      #expect(answer.text.hasPrefix("GET /7 HTTP/1.1\r\n"))
      #expect(answer["RateLimit-Policy"]?.contains(";w=1") == true)
    }
    for upstream in upstreams {
      #expect(upstream.requests.contains { $0.target == "/7" })
    }
  }

  @Test("The file for Kong's users verifies, limits by the caller and strips the prefix")
  func kong() async throws {
    let gateway = try await start("Kong")
    let client = try await gateway.connect()
    #expect(try await ask(client, "/orders/7").code == "token_missing")
    let answers = [
      try await ask(client, "/orders/7", bearer()), try await ask(client, "/orders/7", bearer(["sub": "b"])),
    ]
    for answer in answers {
      #expect(answer.text.hasPrefix("GET /7 HTTP/1.1\r\n"))
      #expect(answer["RateLimit-Policy"] == "\"default\";q=600;w=60")
      #expect(answer["RateLimit"]?.contains(";r=599;") == true)
    }
  }

  @Test("The file for Envoy's users guards one prefix, forwards the token there, and leaves the rest open")
  func envoy() async throws {
    let gateway = try await start("Envoy")
    let client = try await gateway.connect()
    #expect(try await ask(client, "/orders/7").code == "token_missing")
    #expect(try await ask(client, "/orders/7", bearer(["aud": "else"])).code == "audience_mismatch")
    let token = bearer()
    let guarded = try await ask(client, "/orders/7", token)
    #expect(guarded.text.hasPrefix("GET /orders/7 HTTP/1.1\r\n") && guarded.text.contains(token + "\r\n"))
    #expect(try await ask(client, "/page").text.hasPrefix("GET /page HTTP/1.1\r\n"))
    #expect(upstreams[1].requests.map(\.target) == ["/page"])
  }

  @Test("The file for oauth2-proxy's users names the caller to the server and forwards the token")
  func proxyOfOAuth() async throws {
    let gateway = try await start("oauth2-proxy")
    let client = try await gateway.connect()
    #expect(try await ask(client, "/7", "X-Forwarded-User: mallory").code == "token_missing")
    let token = bearer(["email": "alice@example.com"])
    let answer = try await ask(client, "/7", token, "X-Forwarded-User: mallory")
    for line in [token, "X-Forwarded-User: alice", "X-Forwarded-Email: alice@example.com"] {
      #expect(answer.text.contains("\r\n\(line)\r\n"))
    }
    #expect(!answer.text.contains("mallory"))
  }
}
