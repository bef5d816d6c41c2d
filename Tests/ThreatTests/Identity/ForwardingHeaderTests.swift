// Headers in which proxies pass on facts are accepted from trusted peers only, and decide nothing: T37, T38.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct ForwardingHeaderTests {
  private static let hostile = [
    "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: admin.example.com",
    "X-Forwarded-Uri: /public", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Prefix: /public", "X-Forwarded-Port: 443",
    "X-Forwarded-User: root", "Forwarded: for=10.0.0.1;host=admin.example.com;proto=https", "X-Original-URL: /public",
    "X-Rewrite-URL: /public", "X-Original-Uri: /public", "X-Original-Method: OPTIONS", "X-Real-IP: 10.0.0.1",
    "X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE", "X_Forwarded_For: 10.0.0.1",
    "X_Forwarded_Proto: https",
    "X.Forwarded.Host: admin.example.com", "X_Original_URL: /public", "X_Real_IP: 10.0.0.1",
  ]
  private static let more = """
      - { path: /public, auth: public, upstream: echo }
      - { path: /admin, host: admin.example.com, auth: public, upstream: echo }
      - { path: /options, methods: [OPTIONS], auth: public, upstream: echo }
      - { path: /options, auth: login, upstream: echo }
    """

  @Test("T37 Headers that another proxy uses inside open no door and reach no upstream")
  func internalHeaders() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], more: Self.more)
    let envoy = ["X-Envoy-Original-Path: /public", "X-Original-Host: admin.example.com"]
    #expect(try await door.gateway.get("/door", Self.hostile + envoy).code == "token_missing")
    #expect(try await door.gateway.get("/options", Self.hostile + envoy).code == "token_missing")
    #expect(try await door.gateway.get("/admin", Self.hostile + envoy).code == "route_not_found")
    #expect(door.upstream.requests.isEmpty)
    let passed = try await door.gateway.get("/public", Self.hostile + envoy)
    let text = passed.text.lowercased()
    for name in ["x-original-", "x-rewrite-url", "method-override", "x_", "x."] {
      #expect(!text.contains("\n\(name)"), "\(name) in \(text)")
    }
  }

  @Test("T38 What an untrusted peer says about itself is replaced by what is known of it, also in the log")
  func untrusted() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()], more: Self.more)
    let response = try await door.gateway.get("/public", Self.hostile)
    let fields = response.text.replacing("\r\n", with: "\n").split(separator: "\n").filter {
      $0.lowercased().hasPrefix("x-forwarded") || $0.lowercased().hasPrefix("forwarded")
        || $0.lowercased().hasPrefix("x-real")
    }
    #expect(
      fields == ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: test"])
    let line = try await door.gateway.waitForAccessLog(containing: "\"path\":\"/public\"")
    #expect(line.contains("\"client_ip\":\"127.0.0.1\""))
  }

  @Test("T38 A trusted peer is believed about the client, and opens no route all the same")
  func trusted() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], more: Self.more, top: "trusted_proxies: [127.0.0.0/8]")
    #expect(try await door.gateway.get("/door", Self.hostile).code == "token_missing")
    #expect(try await door.gateway.get("/options", Self.hostile).code == "token_missing")
    #expect(try await door.gateway.get("/admin", Self.hostile).code == "route_not_found")
    let response = try await door.gateway.get("/public", Self.hostile)
    #expect(response.text.contains("\r\nX-Forwarded-For: 10.0.0.1, 127.0.0.1\r\n"))
    #expect(response.text.contains("\r\nX-Forwarded-Proto: https\r\n"))
    #expect(response.text.contains("\r\nX-Forwarded-Host: admin.example.com\r\n"))
    #expect(response.text.contains("\r\nX-Forwarded-Port: 443\r\n"))
    // Another spelling of those names is nobody's header.
    #expect(!response.text.contains("_"))
    let line = try await door.gateway.waitForAccessLog(containing: "\"path\":\"/public\"")
    #expect(line.contains("\"client_ip\":\"10.0.0.1\""))
  }
}
