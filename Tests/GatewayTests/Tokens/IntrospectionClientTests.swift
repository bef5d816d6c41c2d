// How the running gateway reaches an issuer that it asks about tokens: over TLS in both directions, by discovery,
// with a key of its own, and what providers do wrong.

import Foundation
import TLS
import TestSupport
import Testing
import Tokens

@Suite("Introspection of tokens, the way there", .timeLimit(.minutes(10)))
struct IntrospectionClientTests {
  private static let active =
    "{\"active\":true,\"aud\":\"api\",\"sub\":\"ada\",\"exp\":4102444800}"

  private static func provider(_ secure: ServerContext? = nil, _ answer: String = active) async throws -> TestUpstream {
    try await TestUpstream.start(secure: secure) { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer(answer, to: request)
      }
    }
  }

  /// - Parameters:
  ///   - introspection: the keys of `introspection`.
  ///   - timeout: passes only where the test waits for it.
  private func start(
    _ introspection: String, issuer: String = "https://login.example.com", more: String = "jwks: keys.json",
    files: [String: String] = [:], timeout: String = "10s"
  ) async throws -> GatewayProcess {
    let key = try TestKey(.es256)
    let gateway = try await GatewayProcess.start(
      """
      workers: 1
      issuers:
        login:
          issuer: "\(issuer)"
          audiences: [api]
          \(more)
          introspection: { client_id: gateway, timeout: \(timeout), \(introspection) }
      routes:
        - { path: /*, auth: login, respond: { status: 200, body: welcome } }
      """, files: files.merging(["keys.json": keySetText([key.jwk()])]) { one, _ in one })
    return gateway
  }

  private func ask(_ gateway: GatewayProcess, _ token: String = "opaque") async throws -> RawResponse {
    try await gateway.get("/", ["Authorization: Bearer \(token)"])
  }

  @Test("The issuer is asked over TLS that is verified. T102 With a wrong certificate nobody is asked, and that is 503")
  func verified() async throws {
    let certificates = try await TestCertificates.shared()
    for (kind, isGood) in [
      (TestCertificates.Kind.good, true), (.wrongHost, false), (.expired, false), (.unknownAuthority, false),
    ] {
      let provider = try await Self.provider(try await SecureGateway.server(kind))
      let gateway = try await start(
        "endpoint: \"https://localhost:\(provider.port)/ask\", client_secret: s",
        more: "jwks: keys.json\n    ca: \"\(certificates.authority)\"")
      let response = try await ask(gateway)
      if isGood {
        #expect(response.status == 200 && response.text.hasSuffix("welcome"))
        #expect(provider.requests.first?.head["Host"] == "localhost:\(provider.port)")
      } else {
        #expect(response.status == 503 && response.code == "introspection_unavailable", "\(kind)")
        #expect(response["Retry-After"] == "1" && provider.requests.isEmpty)
      }
    }
  }

  @Test("With certificate and key the gateway shows who it is in the handshake, and sends no secret")
  func certificate() async throws {
    let certificates = try await TestCertificates.shared()
    let provider = try await Self.provider(try await SecureGateway.server(isClientAsked: true))
    let endpoint = "endpoint: \"https://localhost:\(provider.port)/ask\""
    let authority = "jwks: keys.json\n    ca: \"\(certificates.authority)\""
    let gateway = try await start(
      "\(endpoint), certificate: \"\(certificates.certificate(.client))\", key: \"\(certificates.key(.client))\"",
      more: authority)
    #expect(try await ask(gateway).status == 200)
    let request = try #require(provider.requests.first)
    #expect(request.head["Authorization"] == nil)
    #expect(String(decoding: request.body, as: UTF8.self).hasSuffix("&client_id=gateway"))
    // Without one the handshake fails, and nobody is let in.
    let other = try await start("\(endpoint), client_secret: s", more: authority)
    #expect(try await ask(other).code == "introspection_unavailable")
  }

  @Test("Without endpoint the discovery document says where to ask, and a reload keeps what was found")
  func discovered() async throws {
    let issuer = try await TestIssuer.start()
    let provider = try await Self.provider()
    let gateway = try await start("client_secret: s", issuer: issuer.url, more: "refresh: 1s")
    // The document has no end point yet.
    #expect(try await ask(gateway).code == "introspection_unavailable")
    _ = try await gateway.waitForLog("the lack") { $0.contains("the introspection end point was not found") }
    let notReady = try await gateway.admin("/readyz")
    #expect(notReady.status == 503 && notReady.text == "issuer login has no introspection end point\n")
    issuer.server.put(
      "/.well-known/openid-configuration",
      .json(
        "{\"issuer\":\"\(issuer.url)\",\"jwks_uri\":\"\(issuer.url)/keys\",\"introspection_endpoint\":"
          + "\"http://localhost:\(provider.port)/found?a=b\"}"))
    _ = try await gateway.waitForLog("the end point") { $0.contains("introspection end point found") }
    #expect(try await gateway.admin("/readyz").status == 200)
    #expect(try await ask(gateway).status == 200)
    #expect(provider.requests.first?.target == "/found?a=b")
    issuer.server.putAll(.close)
    #expect(try await gateway.reload().status == 200)
    #expect(try await ask(gateway, "another").status == 200)
    // JWTs are checked here as before.
    #expect(try await ask(gateway, issuer.token()).status == 200 && provider.requests.count == 2)
  }

  @Test("With private_key each question is signed, and the key is in no log and on no page")
  func privateKey() async throws {
    let provider = try await Self.provider()
    let key = try await ChildProcess.run("openssl", ["genpkey", "-algorithm", "ed25519"])
    let gateway = try await start(
      "endpoint: \"http://127.0.0.1:\(provider.port)/ask\", private_key: client.pem",
      files: ["client.pem": key.standardOutput])
    #expect(try await ask(gateway).status == 200)
    let form = String(decoding: try #require(provider.requests.first).body, as: UTF8.self)
    #expect(form.contains("&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"))
    let secret = try #require(key.standardOutput.split(separator: "\n").dropFirst().first)
    let pages = [try await gateway.admin("/status").text, try await gateway.admin("/metrics").text]
    #expect(!(pages + gateway.standardError + gateway.accessLog).joined().contains(secret))
  }

  @Test("T102 A provider that is slow, silent, gone or endless is 503, and the next token is asked about all the same")
  func bad() async throws {
    let endless = String(repeating: "x", count: 10 * 1024 * 1024)
    for answer in ["silent", "slow", "gone", "endless", "redirect", "page"] {
      let provider = try await TestUpstream.start { connection in
        while true {
          let request = try await connection.receiveRequest()
          if String(decoding: request.body, as: UTF8.self).hasPrefix("token=good") {
            try await connection.answer(Self.active, to: request)
            continue
          }
          switch answer {
          case "silent": _ = try await connection.receiveRequest()
          case "slow":
            try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{\"active\":tr")
            _ = try await connection.receiveRequest()
          case "gone": return try await connection.reset()
          case "endless": try await connection.answer("{\"active\":true,\"x\":\"\(endless)\"}", to: request)
          case "redirect":
            try await connection.answer("", status: "302 Found", fields: ["Location: /elsewhere"], to: request)
          default: try await connection.answer("<html>{\"active\":true}</html>", to: request)
          }
        }
      }
      let isWaitedFor = answer == "silent" || answer == "slow"
      let gateway = try await start(
        "endpoint: \"http://127.0.0.1:\(provider.port)/ask\", client_secret: s",
        timeout: isWaitedFor ? "300ms" : "10s")
      let response = try await ask(gateway, "bad")
      #expect(response.status == 503 && response.code == "introspection_unavailable", "\(answer)")
      #expect(response["WWW-Authenticate"] == nil, "\(answer)")
      if !isWaitedFor { #expect(try await ask(gateway, "good").status == 200, "\(answer)") }
      let metrics = try await gateway.metrics()
      #expect(metrics.sum("catraca_introspection_total", ["result": "unavailable"]) == 1, "\(answer)")
    }
  }
}
