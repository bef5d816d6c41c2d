// T61: an attacker who can cut a TCP connection may not make half an answer look whole.

import TLS
import TestSupport
import Testing

@Suite("Truncated answers over TLS")
struct TruncatedSecureAnswerTests {
  @Test(
    "T61 An answer that is cut off without close_notify does not reach the client as whole",
    arguments: [
      "HTTP/1.1 200 OK\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf",
      "HTTP/1.0 200 OK\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ], ["HTTP/1.1", "HTTP/1.0"])
  func cut(_ answer: String, _ version: String) async throws {
    let certificates = try await TestCertificates.shared()
    let paths = CertificatePaths(certificate: certificates.certificate(.good), key: certificates.key(.good))
    let context = try ServerContext(ServerOptions(certificates: [paths]), tickets: try TicketKeys())
    let upstream = try await TestUpstream.start(secure: context) { connection in
      _ = try await connection.receiveRequest()
      try await connection.send(answer)
      try await connection.stream.cut()
    }
    let gateway = try await GatewayProcess.start(
      """
      listeners:
        - address: 127.0.0.1:0
          tls: { certificates: [{ certificate: "\(paths.certificate)", key: "\(paths.key)" }] }
      upstreams:
        service:
          servers: ["\(upstream.address)"]
          connect_timeout: 1m
          tls: { ca: "\(certificates.authority)", server_name: localhost }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """)
    let client = try await RawClient.connect(
      port: gateway.port, secure: try ClientContext(trust: .file(certificates.authority)))
    try await client.send("GET / \(version)\r\nHost: a\r\n\r\n")
    // 502, or a reset. Else chunked without its last chunk, a length that is not reached, or an end without
    // close_notify.
    await #expect(throws: StreamFailure.self) {
      let head = try await client.receiveHead()
      if head.startLine.contains(" 502 ") { throw StreamFailure.malformed("an answer of the gateway's own") }
      if head["Content-Length"] != nil {
        _ = try await client.receive(8)
      } else if head["Transfer-Encoding"] == nil {
        _ = try await client.receiveToEnd()
      } else {
        while try await !client.receiveChunk().isEmpty {}
      }
    }
    _ = try await gateway.waitForAccessLog(containing: "\"reason\":\"upstream_")
  }
}
