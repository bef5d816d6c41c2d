// curl as the client.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("curl", .needs("curl"))
struct CurlTests {
  private static func curl(_ gateway: GatewayProcess, _ arguments: [String]) async throws -> String {
    let arguments = arguments.map { $0.replacing("GATEWAY", with: "http://127.0.0.1:\(gateway.port)") }
    let result = try await ChildProcess.run("curl", ["-sS", "--noproxy", "*", "--max-time", "100"] + arguments)
    #expect(result.status == 0, "curl \(arguments): \(result.standardError)")
    return result.standardOutput
  }

  @Test("Several URLs go over one connection")
  func keepAlive() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let output = try await Self.curl(
      gateway, ["-w", "[%{http_code} %{num_connects}]"] + (1...4).map { "GATEWAY/\($0)" })
    #expect(output.components(separatedBy: "[200 1]").count == 2)
    #expect(output.components(separatedBy: "[200 0]").count == 4)
    #expect(upstream.connections.count == 1)
  }

  @Test("An upload from a pipe is chunked and arrives whole")
  func upload() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer("\(request.method) \(request.body.count)", to: request)
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let result = try await ChildProcess.run(
      "sh", ["-c", "head -c 3000000 /dev/zero | curl -sS --noproxy '*' -T - http://127.0.0.1:\(gateway.port)/up"])
    #expect(result.standardOutput == "PUT 3000000")
    #expect(upstream.requests[0].framing == .chunked)
    #expect(upstream.requests[0].body.allSatisfy { $0 == 0 })
  }

  @Test("curl's own Expect: 100-continue is served")
  func expectContinue() async throws {
    let upstream = try await TestUpstream.start { connection in
      while true {
        let head = try await connection.receiveRequestHead()
        #expect(head["Expect"] == "100-continue")
        try await connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        let body = try await connection.stream.receive(5)
        try await connection.answer(latin1(body), to: head)
      }
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let output = try await Self.curl(
      gateway, ["-H", "Expect: 100-continue", "--expect100-timeout", "7", "-d", "hello", "GATEWAY/"])
    #expect(output == "hello")
  }

  @Test("HEAD, HTTP/1.0 and a compressed body")
  func variants() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let head = try await Self.curl(gateway, ["-I", "GATEWAY/head"])
    #expect(head.hasPrefix("HTTP/1.1 200 OK"))
    let old = try await Self.curl(gateway, ["--http1.0", "-w", "[%{http_code}]", "GATEWAY/old"])
    #expect(old.hasPrefix("GET /old HTTP/1.1"))
    #expect(old.hasSuffix("[200]"))
    #expect(upstream.requests.map(\.method) == ["HEAD", "GET"])
    #expect(upstream.requests[1]["Via"] == "1.0 catraca")
  }

  @Test("The clients of a route are those whom nginx lets in by allow and deny", .needs("nginx"))
  func clients() async throws {
    let server = try await ForeignServer.nginx()
    let gateway = try await GatewayProcess.start(
      """
      trusted_proxies: [127.0.0.7]
      routes:
        - { path: /inside, auth: public, clients: [127.0.0.4/30, "!127.0.0.5"], respond: { status: 200 } }
      """)
    func status(_ port: Int, from address: String, _ more: [String] = []) async throws -> String {
      let result = try await ChildProcess.run(
        "curl",
        ["-sS", "--noproxy", "*", "--interface", address, "-o", "/dev/null", "-w", "%{http_code}"] + more
          + ["http://127.0.0.1:\(port)/inside"])
      return result.standardOutput
    }
    for (address, expected) in [("127.0.0.3", "403"), ("127.0.0.4", "200"), ("127.0.0.5", "403"), ("127.0.0.6", "200")]
    {
      #expect(try await status(server.port, from: address) == expected, "nginx, \(address)")
      #expect(try await status(gateway.port, from: address) == expected, "\(address)")
      let forwarded = ["-H", "X-Forwarded-For: \(address)"]
      #expect(try await status(gateway.port, from: "127.0.0.7", forwarded) == expected, "\(address) by a proxy")
      #expect(try await status(gateway.port, from: "127.0.0.1", forwarded) == "403", "\(address), as anybody says")
    }
    let line = try await gateway.waitForAccessLog(containing: "client_not_allowed")
    #expect(line.contains("\"status\":403"))
  }

  @Test("curl and wget send a token as a password, or as a user name", .needs("wget"))
  func basic() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(
      jwks: [key.jwk()], auth: "{ issuers: [login], tokens_from: [authorization, basic] }",
      route: ["identity: { headers: { X-User: sub } }"])
    let token = TokenDoor.token(key)
    for credentials in ["x:\(token)", "\(token):", ":\(token)"] {
      let output = try await Self.curl(door.gateway, ["-u", credentials, "GATEWAY/door"])
      #expect(output.contains("X-User: alice") && !output.contains("Authorization"), "\(credentials.count)")
    }
    let wget = try await ChildProcess.run(
      "wget",
      [
        "-q", "-O", "-", "--no-proxy", "--auth-no-challenge", "--user", "x", "--password", token,
        "http://127.0.0.1:\(door.gateway.port)/door",
      ])
    #expect(wget.standardOutput.contains("X-User: alice"), "\(wget.standardError)")
    let wrong = try await Self.curl(door.gateway, ["-u", "x:secret", "GATEWAY/door"])
    #expect(wrong.contains("token_malformed"))
  }
}
