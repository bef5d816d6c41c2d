// WebSockets in raw bytes through the running gateway: what clients of odd habits send, and what must not pass.

import TestSupport
import Testing
import Tokens

@Suite("WebSockets in raw bytes")
struct WebSocketBytesTests {
  /// Agrees, and records what comes then. A close frame it answers with the same code.
  private static func start(_ keys: String = "websocket: true") async throws -> (GatewayProcess, TestUpstream) {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      try await connection.send(webSocketAgreement(to: request))
      _ = try await connection.stream.receive(maskedFrame(0x88, [0x03, 0xE8]).count)
      try await connection.send([0x88, 0x02, 0x03, 0xE8])
    }
    return (try await GatewayProcess.start(Configurations.plain(upstream, routeKeys: keys)), upstream)
  }

  @Test(
    "T99 What a client sends behind its close frame is thrown away, and the close passes with its own code",
    arguments: [[], maskedFrame(0x81, Array("after".utf8)), maskedFrame(0x89, []), [0x83, 0x00, 0xFF]])
  func behindClose(_ tail: [UInt8]) async throws {
    let (gateway, upstream) = try await Self.start()
    let client = try await gateway.connect()
    try await client.send(webSocketHandshake())
    _ = try await client.receiveHead()
    let close = maskedFrame(0x88, [0x03, 0xE8])
    try await client.send(close + tail)
    #expect(try await client.receiveToEnd() == [0x88, 0x02, 0x03, 0xE8])
    try await upstream.waitForOpenConnections(0)
    #expect(upstream.connections[0].record.suffix(close.count) == close[...])
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("\"status\":101") && !line.contains("reason"), "\(line)")
  }

  @Test("T118 Java's handshake, which says that it has no content, opens a WebSocket")
  func java() async throws {
    let (gateway, upstream) = try await Self.start()
    let client = try await gateway.connect()
    let lines = [
      "GET /echo HTTP/1.1", "Connection: Upgrade", "Content-Length: 0", "Host: h", "Upgrade: websocket",
      "User-Agent: Java-http-client/17.0.15", "Sec-WebSocket-Key: yH0/zwk/6oryEA04R8y5KA==",
      "Sec-WebSocket-Version: 13",
    ]
    try await client.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    #expect(try await client.receive(through: "\r\n").starts(with: Array("HTTP/1.1 101 ".utf8)))
    #expect(upstream.requests.allSatisfy { $0.values(of: "Content-Length").isEmpty } && upstream.requests.count == 1)
    for framing in ["Content-Length: 1", "Transfer-Encoding: chunked"] {
      let other = try await gateway.connect()
      try await other.send(webSocketHandshake("/echo", [framing]))
      let refused = try await other.receiveResponse()
      #expect(refused.status == 400 && refused.code == "websocket_handshake_invalid", "\(framing)")
    }
  }

  @Test("T82 With a cookie as the credential a WebSocket opens for the own origin only, or those of `cors`")
  func foreignOrigin() async throws {
    let key = try TestKey(.es256)
    let cors = "cors: { origins: [\"https://app.example\"] }"
    let open = ", websocket: true, upstream: echo"
    let source = "tokens_from: [\"cookie:session\", authorization]"
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], auth: "{ issuers: [login], \(source) }", route: ["websocket: true"],
      more: """
          - { path: /named, auth: { issuers: [login], \(source) }, \(cors)\(open) }
          - { path: /bearer, auth: login\(open) }
        """)
    let cookie = "Cookie: session=\(TokenDoor.token(key))"
    let bearer = "Authorization: Bearer \(TokenDoor.token(key))"
    func code(_ path: String, _ fields: [String]) async throws -> String {
      let response = try await door.gateway.connect().exchange(webSocketHandshake(path, fields))
      return response.code ?? "\(response.status)"
    }
    // The server answers in the ordinary way to what was let through.
    let own = ["https://test", "http://test", "https://TEST"]
    let foreign = [
      "https://evil.example", "null", "https://test.evil.example", "https://eviltest", "https://test:8443",
    ]
    for origin in own { #expect(try await code("/door", [cookie, "Origin: \(origin)"]) == "200", "\(origin)") }
    for origin in foreign {
      #expect(try await code("/door", [cookie, "Origin: \(origin)"]) == "origin_not_allowed", "\(origin)")
      #expect(try await code("/named", [cookie, "Origin: \(origin)"]) == "origin_not_allowed", "\(origin)")
      #expect(try await code("/bearer", [bearer, "Origin: \(origin)"]) == "200", "\(origin)")
    }
    #expect(try await code("/door", [cookie]) == "200")
    #expect(try await code("/named", [cookie, "Origin: https://app.example"]) == "200")
    #expect(try await code("/door", [cookie, "Origin: https://test", "Origin: https://test"]) == "origin_not_allowed")
    // Origins do not matter for a request that is not a handshake.
    #expect(try await door.gateway.get("/door", [cookie, "Origin: https://evil.example"]).status == 200)
    let line = try await door.gateway.waitForAccessLog(containing: "origin_not_allowed")
    #expect(line.contains("\"status\":403"))
  }
}
