// curl as the client.

import Foundation
import TestSupport
import Testing

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
}
