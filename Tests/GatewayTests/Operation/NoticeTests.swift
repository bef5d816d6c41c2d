// The gateway's own log says what was expected and what came, once, and never a token.

import TestSupport
import Testing
import Tokens

@Suite("Values in the own log", .timeLimit(.minutes(10)))
struct NoticeTests {
  @Test("A refused token leaves one line with both values, and a second request of the kind leaves none")
  func refusals() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let wrong = TokenDoor.token(key, ["aud": ["account", "x\nlevel=error"]])
    for id in ["first", "second"] {
      let response = try await door.gateway.get("/door", ["Authorization: Bearer \(wrong)", "X-Request-Id: \(id)"])
      #expect(response.code == "audience_mismatch")
    }
    let bare = try await door.gateway.get("/door", ["Authorization: \(TokenDoor.token(key))"])
    #expect(bare.status == 401 && bare.code == "scheme_not_bearer")
    #expect(bare["WWW-Authenticate"] == "Bearer realm=\"catraca\"")
    let scheme = try await door.gateway.waitForLog("the other kind") { $0.contains("code=scheme_not_bearer") }
    #expect(scheme.contains("got=\"one word without a scheme\""), "\(scheme)")
    let lines = door.gateway.standardError.filter { $0.contains("code=audience_mismatch") }
    let line = try #require(lines.first)
    #expect(lines.count == 1)
    #expect(line.contains("got=\"account, x%0Alevel=error\""), "\(line)")
    #expect(line.contains("request_id=first") && line.contains("route=/door"), "\(line)")
    #expect(!door.gateway.standardError.contains { $0.contains("eyJ") })
  }

  @Test("Keys that cannot be loaded name the URL, and a document of another issuer both names")
  func keys() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let document = "{\"issuer\":\"\(issuer.url)/\",\"jwks_uri\":\"\(issuer.url)/keys\"}"
    issuer.server.put("/.well-known/openid-configuration", .json(document))
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    let line = try await door.gateway.waitForLog("the failure") { $0.contains("keys cannot be loaded") }
    #expect(
      line.contains("reason=\"issuer_mismatch(expected '\(issuer.url)', got '\(issuer.url)/')\""), "\(line)")
    #expect(line.contains("url=\(issuer.url)/.well-known/openid-configuration"), "\(line)")
  }

  @Test("A server whose answer is no TLS is named with its address")
  func upstreams() async throws {
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.stream.receiveSome()
      try await connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { app: { servers: ["\(upstream.address)"], tls: { server_name: app.test } } }
      routes: [{ path: /*, auth: public, upstream: app }]
      """)
    #expect(try await gateway.get("/").status == 502)
    let line = try await gateway.waitForLog("the failure") { $0.contains("TLS to an upstream failed") }
    #expect(line.contains("server=\(upstream.address)") && line.contains("server_name=app.test"), "\(line)")
    #expect(line.contains("error=\"the server's answer is not TLS"), "\(line)")
  }
}
